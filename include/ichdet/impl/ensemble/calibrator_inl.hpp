#pragma once

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <tuple>

#include "ichdet/core/error.hpp"
#include "ichdet/ensemble/calibrator.hpp"
#include "ichdet/impl/ensemble/shared.hpp"

namespace ichdet::ensemble {

namespace detail {

inline constexpr double smallest_probability = 1e-6;

ICHDET_INLINE double sigmoid(double x) {
  const double e = std::exp(-std::abs(x));
  return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

ICHDET_INLINE std::int64_t count_positives(std::span<const double> probabilities, std::span<const std::uint8_t> truth) {
  if (probabilities.size() != truth.size()) {
    throw Error::mismatch(ErrorCode::shape, "calibration: truth", std::to_string(probabilities.size()) + " cases",
                          std::to_string(truth.size()));
  }
  for (std::size_t i = 0; i < truth.size(); ++i) {
    check_probability(probabilities[i], "calibration: probability " + std::to_string(i));
    if (truth[i] > 1) {
      throw Error::mismatch(ErrorCode::options, "calibration: truth " + std::to_string(i), "0 or 1",
                            std::to_string(truth[i]));
    }
  }
  const auto positives = std::ranges::count(truth, 1);
  if (positives == 0 || positives == std::ptrdiff_t(truth.size())) {
    throw Error(ErrorCode::options, "calibration: truth: expected both 0 and 1, found " + std::to_string(positives) +
                                        " positives of " + std::to_string(truth.size()));
  }
  return positives;
}

/// Refuses what would give an infinite slope: cases told apart without an error, at logit 0 or anywhere.
ICHDET_INLINE void check_overlap(const Eigen::ArrayXd& z, std::span<const std::uint8_t> truth, bool at_zero) {
  double least_positive = at_zero ? 0 : z.maxCoeff(), greatest_negative = at_zero ? 0 : z.minCoeff();
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const double x = z[Eigen::Index(i)];
    truth[i] != 0 ? least_positive = std::min(least_positive, x) : greatest_negative = std::max(greatest_negative, x);
  }
  const bool apart = at_zero ? least_positive >= 0 && greatest_negative <= 0 : least_positive >= greatest_negative;
  if (!apart) return;
  throw Error(ErrorCode::options,
              "calibration: the probabilities tell the cases apart without an error: expected some on the wrong side, "
              "or the slope has no limit");
}

/// Slope and intercept (fixed at 0 unless free) of the least log loss of sigmoid(slope · z + intercept) on `target`.
ICHDET_INLINE Calibrator fit_sigmoid(CalibrationMethod method, const Eigen::ArrayXd& z, const Eigen::ArrayXd& target,
                                     bool free_intercept) {
  const auto loss = [&](const Eigen::Vector2d& w) {
    const Eigen::ArrayXd x = w[0] * z + w[1];
    return (x.max(0) + (-x.abs()).exp().log1p() - target * x).sum();
  };
  const double enough = 1e-11 * double(z.size());
  Eigen::Vector2d w(1, 0);
  double now = loss(w);
  for (int iteration = 0; iteration < 100; ++iteration) {
    const Eigen::ArrayXd p = (w[0] * z + w[1]).unaryExpr(&sigmoid);
    Eigen::Vector2d slope((z * (p - target)).sum(), free_intercept ? (p - target).sum() : 0);
    const Eigen::ArrayXd weight = p * (1 - p);
    Eigen::Matrix2d curvature = Eigen::Matrix2d::Identity();
    curvature(0, 0) = (weight * z * z).sum();
    if (free_intercept) {
      curvature(0, 1) = curvature(1, 0) = (weight * z).sum();
      curvature(1, 1) = weight.sum();
    }
    if (slope.cwiseAbs().maxCoeff() <= enough) break;
    const Eigen::Vector2d step = curvature.ldlt().solve(slope);
    double length = 1;
    while (length > 1e-10 && !(loss(w - length * step) <= now * (1 + 1e-13))) length /= 2;
    w -= length * step;
    now = loss(w);
  }
  if (!(w[0] > 1e-9 && w.allFinite())) {
    throw Error::mismatch(ErrorCode::options, "calibration: slope of " + to_string(method),
                          "above 0: probabilities that rise with the truth", std::to_string(w[0]));
  }
  Calibrator calibrator;
  calibrator.method = method;
  calibrator.slope = w[0];
  calibrator.intercept = w[1];
  return calibrator;
}

ICHDET_INLINE Eigen::ArrayXd logits(std::span<const double> probabilities) {
  return Eigen::Map<const Eigen::ArrayXd>(probabilities.data(), Eigen::Index(probabilities.size()))
      .unaryExpr(&clipped_logit);
}

}  // namespace detail

ICHDET_INLINE std::string to_string(CalibrationMethod method) {
  switch (method) {
    case CalibrationMethod::temperature: return "temperature";
    case CalibrationMethod::platt: return "platt";
    case CalibrationMethod::isotonic: return "isotonic";
  }
  return {};
}

ICHDET_INLINE CalibrationMethod parse_calibration_method(const std::string& text) {
  for (const auto method : {CalibrationMethod::temperature, CalibrationMethod::platt, CalibrationMethod::isotonic}) {
    if (to_string(method) == text) return method;
  }
  throw Error::mismatch(ErrorCode::options, "calibration method", "temperature, platt or isotonic", text);
}

ICHDET_INLINE double clipped_logit(double p) {
  p = std::clamp(p, detail::smallest_probability, 1 - detail::smallest_probability);
  return std::log(p / (1 - p));
}

ICHDET_INLINE void check(const Calibrator& calibrator) {
  if (calibrator.method != CalibrationMethod::isotonic) {
    if (!(calibrator.slope > 0 && std::isfinite(calibrator.slope))) {
      throw Error::mismatch(ErrorCode::options, "calibration: slope", "a number above 0",
                            std::to_string(calibrator.slope));
    }
    if (!std::isfinite(calibrator.intercept)) {
      throw Error::mismatch(ErrorCode::options, "calibration: intercept", "a finite number",
                            std::to_string(calibrator.intercept));
    }
    return;
  }
  const auto& [from, to] = std::tie(calibrator.from, calibrator.to);
  if (from.empty() || from.size() != to.size()) {
    throw Error::mismatch(ErrorCode::options, "calibration: isotonic points", "as many values as probabilities, not 0",
                          std::to_string(to.size()) + " for " + std::to_string(from.size()));
  }
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto point = "calibration: isotonic point " + std::to_string(i);
    detail::check_probability(from[i], point);
    detail::check_probability(to[i], point);
    if (i > 0 && !(from[i] > from[i - 1] && to[i] >= to[i - 1])) {
      throw Error(ErrorCode::options, point + ": expected a higher probability and no lower value than the one before");
    }
  }
}

namespace detail {

/// So steep everywhere that what is apart stays apart, and what lies within 0 and 1 stays there.
inline constexpr double tilt = 1e-10;

ICHDET_INLINE double fitted(const Calibrator& calibrator, double p) {
  if (calibrator.method != CalibrationMethod::isotonic) {
    return sigmoid(calibrator.slope * clipped_logit(p) + calibrator.intercept);
  }
  const auto& [from, to] = std::tie(calibrator.from, calibrator.to);
  if (from.empty() || from.size() != to.size()) check(calibrator);
  const auto above = std::ranges::upper_bound(from, p);
  if (above == from.begin()) return to.front();
  if (above == from.end()) return to.back();
  const auto i = std::size_t(above - from.begin());
  return to[i - 1] + (to[i] - to[i - 1]) * (p - from[i - 1]) / (from[i] - from[i - 1]);
}

}  // namespace detail

ICHDET_INLINE double Calibrator::operator()(double p) const {
  detail::check_probability(p, "calibration: probability");
  const double fitted = detail::fitted(*this, p);
  return fitted + detail::tilt * (p - fitted);
}

namespace detail {

/// The highest probability that `calibrator` leaves below `threshold`, 1e-9 to 1 - 1e-9.
ICHDET_INLINE double highest_below(const Calibrator& calibrator, double threshold) {
  double low = 1e-9, high = 1 - low;
  for (int halving = 0; halving < 60; ++halving) {
    const double middle = low + (high - low) / 2;
    (calibrator(middle) < threshold ? low : high) = middle;
  }
  return low;
}

/// A detector's slices are marked where the study would be positive by the slice alone.
ICHDET_INLINE void mark_slices(PatientDecision& decision, const Calibration& calibration) {
  const double raw = calibration.study ? highest_below(*calibration.study, decision.threshold)
                                       : std::nextafter(decision.threshold, 0.0);
  decision.slice_threshold = calibration.slice ? (*calibration.slice)(raw) : raw;
}

}  // namespace detail

ICHDET_INLINE void calibrate(StudyResult& result, const Calibration& calibration, std::optional<double> threshold) {
  for (const auto& one : {calibration.study, calibration.slice, calibration.lesion}) {
    if (one) check(*one);
  }
  auto& decision = result.decision;
  const bool classifier = decision.slice_threshold.has_value();
  if (calibration.study) {
    decision.raw_probability = decision.probability;
    decision.probability = (*calibration.study)(decision.probability);
    decision.calibrated = true;
    decision.rule += ", calibrated by " + to_string(calibration.study->method);
    if (!threshold) decision.threshold = (*calibration.study)(decision.threshold);
  }
  if (threshold) {  // else the decision stands: no calibrator turns the order round
    decision.threshold = *threshold;
    decision.positive = classifier ? decision.probability > *threshold : decision.probability >= *threshold;
  }
  if (calibration.study || (classifier && threshold)) {
    char text[48];
    std::snprintf(text, sizeof text, " (%s %g%s)", classifier ? ">" : ">=", decision.threshold,
                  classifier && threshold ? " instead" : "");
    decision.rule += text;
  }
  if (!classifier && (calibration.study || calibration.slice)) {
    detail::mark_slices(decision, calibration);
  } else if (calibration.slice) {
    decision.slice_threshold = (*calibration.slice)(*decision.slice_threshold);
  }
  if (calibration.slice) {
    for (auto& slice : result.slices) {
      slice.raw_probability = slice.probability;
      if (slice.computed) slice.probability = (*calibration.slice)(slice.probability);
    }
  }
  if (calibration.lesion) {
    for (auto& lesion : result.lesions) {
      lesion.raw_confidence = lesion.confidence;
      lesion.confidence = (*calibration.lesion)(lesion.confidence);
      lesion.calibrated = true;
    }
  }
}

ICHDET_INLINE Calibrator fit_temperature(std::span<const double> probabilities, std::span<const std::uint8_t> truth) {
  detail::count_positives(probabilities, truth);
  const auto target =
      Eigen::Map<const Eigen::Array<std::uint8_t, Eigen::Dynamic, 1>>(truth.data(), Eigen::Index(truth.size()))
          .cast<double>();
  const auto z = detail::logits(probabilities);
  detail::check_overlap(z, truth, true);
  return detail::fit_sigmoid(CalibrationMethod::temperature, z, target, false);
}

ICHDET_INLINE Calibrator fit_platt(std::span<const double> probabilities, std::span<const std::uint8_t> truth,
                                   bool soft_targets) {
  const auto positives = double(detail::count_positives(probabilities, truth));
  const double negatives = double(truth.size()) - positives;
  const double one = soft_targets ? (positives + 1) / (positives + 2) : 1;
  const double zero = soft_targets ? 1 / (negatives + 2) : 0;
  Eigen::ArrayXd target(Eigen::Index(truth.size()));
  for (std::size_t i = 0; i < truth.size(); ++i) target[Eigen::Index(i)] = truth[i] != 0 ? one : zero;
  const auto z = detail::logits(probabilities);
  if (!(z.maxCoeff() - z.minCoeff() > 1e-9)) {
    throw Error::mismatch(ErrorCode::options, "calibration: probabilities", "more than one value",
                          std::to_string(probabilities[0]) + " in all cases");
  }
  if (!soft_targets) detail::check_overlap(z, truth, false);
  return detail::fit_sigmoid(CalibrationMethod::platt, z, target, true);
}

ICHDET_INLINE Calibrator fit_isotonic(std::span<const double> probabilities, std::span<const std::uint8_t> truth) {
  detail::count_positives(probabilities, truth);
  std::vector<std::size_t> order(truth.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return probabilities[i]; });

  struct Block {
    double first, last, positives, cases;
    double mean() const { return positives / cases; }
  };
  std::vector<Block> points;
  for (const auto i : order) {
    const double p = probabilities[i], positive = truth[i];
    if (points.empty() || points.back().last != p) {
      points.push_back({p, p, positive, 1});
    } else {
      points.back().positives += positive;
      points.back().cases += 1;
    }
  }
  std::vector<Block> blocks;
  for (auto block : points) {
    while (!blocks.empty() && blocks.back().mean() >= block.mean()) {
      block = {blocks.back().first, block.last, blocks.back().positives + block.positives,
               blocks.back().cases + block.cases};
      blocks.pop_back();
    }
    blocks.push_back(block);
  }
  Calibrator calibrator;
  calibrator.method = CalibrationMethod::isotonic;
  for (const auto& block : blocks) {
    for (const double p : {block.first, block.last}) {
      if (!calibrator.from.empty() && calibrator.from.back() == p) continue;
      calibrator.from.push_back(p);
      calibrator.to.push_back(block.mean());
    }
  }
  return calibrator;
}

ICHDET_INLINE Calibrator fit_calibrator(CalibrationMethod method, std::span<const double> probabilities,
                                        std::span<const std::uint8_t> truth) {
  switch (method) {
    case CalibrationMethod::temperature: return fit_temperature(probabilities, truth);
    case CalibrationMethod::platt: return fit_platt(probabilities, truth);
    case CalibrationMethod::isotonic: return fit_isotonic(probabilities, truth);
  }
  return {};
}

}  // namespace ichdet::ensemble
