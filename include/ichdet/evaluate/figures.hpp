#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/evaluate/bland_altman.hpp"
#include "ichdet/evaluate/bootstrap.hpp"
#include "ichdet/evaluate/calibration.hpp"
#include "ichdet/evaluate/evaluation.hpp"
#include "ichdet/evaluate/outcome.hpp"

namespace ichdet::evaluate {

struct FiguresOptions {
  double threshold = 0.5;     ///< a slice is called positive from this probability on
  double specificity = 0.95;  ///< sensitivity is also told at the threshold that leaves at least this
  double lesion_ml = 0.2;     ///< a piece above it on a blood-free slice is a false lesion
  int bins = 10;              ///< of the calibration error
  std::size_t worst = 10;     ///< how many of the worst cases are listed
  BootstrapOptions bootstrap;
};

/// How the slices with one type of blood are told from blood-free ones.
struct TypeFigures {
  std::string type;
  std::int64_t slices = 0;
  Estimate auc, sensitivity, sensitivity_at_specificity;
};

struct WorstCase {
  std::string study;
  std::int64_t slice = -1;  ///< -1: the whole study
  double value = undefined;
};

/// What a segmenter or slice classifier is worth on studies with truth. Bootstrap intervals draw patients. What cannot
/// be told (no masks, one class alone) is NaN.
struct Figures {
  FiguresOptions options;
  std::int64_t studies = 0, patients = 0, slices = 0, slices_with_blood = 0, slices_without_blood = 0;
  std::int64_t patients_with_masked_blood = 0;

  Estimate dice;  ///< mean over the patients whose true mask has blood, of all voxels of a patient
  double dice_median = undefined;
  Estimate slice_auc;                          ///< DeLong's interval (as if slices were independent) is its `exact`
  Estimate slice_average_precision;            ///< area under precision and recall, in steps
  Estimate sensitivity, specificity, ppv;      ///< of slices, at options.threshold: recall, and ppv is the precision
  double specific_threshold = undefined;       ///< chosen on these very slices
  Estimate sensitivity_at_specificity;         ///< there; chosen anew in each resample
  Estimate study_auc;                          ///< of the studies' own probabilities
  Estimate clean;                              ///< share of blood-free slices without a false lesion
  double largest_false_lesion_ml = undefined;  ///< on a blood-free slice
  BlandAltman volumes;                         ///< mL, of studies with a true mask
  Calibration calibration;                     ///< of the slices' probabilities
  std::vector<TypeFigures> types;              ///< in alphabetical order
  std::vector<WorstCase> lowest_dice;          ///< of studies with blood
  std::vector<WorstCase> false_lesions;        ///< mL, the largest piece on each blood-free slice, largest first
};

/// Throws Error(shape) without studies or slices, Error(options) where a probability is outside [0, 1] or two outcomes
/// have one name.
Figures figures(const std::vector<StudyOutcome>& outcomes, const FiguresOptions& options = {});

/// The highest sensitivity among thresholds that leave at least `specificity`; NaN without both classes.
double sensitivity_at(const Ranking& ranking, double specificity, std::span<const std::uint32_t> multiplicity = {});

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/figures_inl.hpp"
#endif
