#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/core/results.hpp"

namespace ichdet::ensemble {

enum class CalibrationMethod {
  temperature,  ///< logit / T: one number; cannot move the point where the probability is 0.5
  platt,        ///< slope · logit + intercept
  isotonic,     ///< any rising function: needs hundreds of cases
};

/// "temperature", "platt", "isotonic".
std::string to_string(CalibrationMethod method);
/// Throws Error(options) that lists the names there are.
CalibrationMethod parse_calibration_method(const std::string& text);

/// What a model says, turned into how often it is true. What is fitted counts with all but 1e-10, p itself with 1e-10:
/// so it rises on plateaus too, and gives 0 and 1 for none but 0 and 1.
struct Calibrator {
  CalibrationMethod method = CalibrationMethod::platt;
  double slope = 1, intercept = 0;  ///< of platt and temperature (slope 1 / T): sigmoid(slope · logit(p) + intercept)
  std::vector<double> from, to;     ///< of isotonic: points, linear between them, constant beyond the outermost
  std::string fitted_on;            ///< in words

  /// p and the result in [0, 1]. Logits are of probabilities clipped to [1e-6, 1 - 1e-6].
  /// Throws Error(options) for another p.
  double operator()(double p) const;
};

/// Throws Error(options) that names the field: a slope not above 0, points that do not rise or are not in [0, 1].
void check(const Calibrator& calibrator);

/// What of a study's result is calibrated.
struct Calibration {
  std::optional<Calibrator> study;   ///< the decision's probability
  std::optional<Calibrator> slice;   ///< each slice's
  std::optional<Calibrator> lesion;  ///< each lesion's confidence

  bool empty() const noexcept { return !study && !slice && !lesion; }
};

/// Calibrates what a result says and keeps what it said before; what has no calibrator stays, and so does
/// the 0 of slices that no network was asked about. With `threshold`, on the scale of the result's probability, the
/// decision is made anew; without, it stands, and its threshold becomes the calibrated one. Slices get a threshold on
/// their own scale: a detector's are then marked above the slice probability from which on the study would be positive.
/// Throws Error(options) for a calibrator that is none.
void calibrate(StudyResult& result, const Calibration& calibration, std::optional<double> threshold = {});

/// log(p / (1 - p)) of p clipped to [1e-6, 1 - 1e-6].
double clipped_logit(double p);

/// Note [Fitting calibrators]
///
/// `truth` is 0 or 1 for each probability. All throw Error(shape) where the lengths differ and Error(options) where a
/// probability is not in [0, 1], or the truth is neither 0 nor 1, or all of one kind; temperature and Platt also where
/// the minimum has no slope above 0 (the probabilities do not rise with the truth), or is at infinity (cases told
/// apart without an error). They must be other cases than those that the network learned from.

/// The minimum of log loss over T (Guo et al. 2017), by Newton's method.
Calibrator fit_temperature(std::span<const double> probabilities, std::span<const std::uint8_t> truth);

/// The minimum of log loss over slope and intercept, by Newton's method, unpenalised. With `soft_targets`, Platt's own
/// (1999): positives count as (n+ + 1) / (n+ + 2), negatives as 1 / (n- + 2), so that few cases do not give
/// certainty; scikit-learn's CalibratedClassifierCV(method="sigmoid") on logits has the same minimum.
Calibrator fit_platt(std::span<const double> probabilities, std::span<const std::uint8_t> truth,
                     bool soft_targets = true);

/// The closest rising function in squares, by pooling adjacent violators; scikit-learn's IsotonicRegression with
/// y_min = 0, y_max = 1 and out_of_bounds = "clip". Equal probabilities count as one point.
Calibrator fit_isotonic(std::span<const double> probabilities, std::span<const std::uint8_t> truth);

Calibrator fit_calibrator(CalibrationMethod method, std::span<const double> probabilities,
                          std::span<const std::uint8_t> truth);

}  // namespace ichdet::ensemble

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/ensemble/calibrator_inl.hpp"
#endif
