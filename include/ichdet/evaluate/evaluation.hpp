#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/core/progress.hpp"
#include "ichdet/evaluate/agreement.hpp"
#include "ichdet/evaluate/bland_altman.hpp"
#include "ichdet/evaluate/bootstrap.hpp"
#include "ichdet/evaluate/calibration.hpp"
#include "ichdet/evaluate/cohort.hpp"
#include "ichdet/evaluate/curves.hpp"
#include "ichdet/evaluate/delong.hpp"

namespace ichdet::evaluate {

struct EvaluationOptions {
  std::vector<double> thresholds{0.5};  ///< a case is called positive from this probability on
  int bins = 10;                        ///< of the reliability diagram
  BootstrapOptions bootstrap;           ///< its confidence is that of every interval
};

/// A figure with its intervals.
struct Estimate {
  std::string name;  ///< "accuracy", "sensitivity", "specificity", "ppv", "npv", "f1", "roc_auc", ...
  double value = undefined;
  std::optional<Proportion> counts;  ///< of rates
  std::optional<Interval> exact;     ///< Clopper-Pearson of a rate, DeLong of a ROC area
  BootstrapInterval bootstrap;
};

struct ThresholdResult {
  double threshold = 0;
  Confusion counts;
  std::vector<Estimate> rates;  ///< accuracy, sensitivity, specificity, ppv, npv, f1
};

/// One model, one class.
struct ModelResult {
  std::string model, class_name;
  std::int64_t positives = 0, negatives = 0;
  std::vector<Estimate> areas;  ///< roc_auc, average_precision, pr_auc, brier
  std::vector<ThresholdResult> thresholds;
  Calibration calibration;
  std::vector<std::string> difficult;  ///< ids of S3's difficult cases (difficult_cases)
  RocCurve roc;
  PrCurve pr;
};

/// Two models on one class.
struct PairResult {
  std::string class_name, a, b;
  DelongTest delong;
  BootstrapInterval difference;  ///< of the ROC areas, a - b, over the same resamples
  std::vector<McNemar> mcnemar;  ///< at each threshold
};

/// One model's volumes against the truth's.
struct VolumeResult {
  std::string model;
  BlandAltman agreement;
  std::vector<double> measured_ml, reference_ml;
  std::int64_t left_out = 0;  ///< rows where one of the two was not measured
};

struct Evaluation {
  std::string unit;
  std::int64_t rows = 0, patients = 0;
  std::vector<std::string> only_in_predictions, only_in_truth;
  EvaluationOptions options;
  std::vector<ModelResult> models;  ///< by class, then by model
  std::vector<PairResult> pairs;
  std::vector<VolumeResult> volumes;
  std::vector<std::string> notes;  ///< what a reader of the figures must know
};

/// The papers' figures of a cohort, every one with its intervals. The bootstrap draws patients, one set of resamples
/// for all models of a class. Throws Error(options) where options are out of range, Error(cancelled).
Evaluation evaluate_cohort(const Cohort& cohort, const EvaluationOptions& options = {});

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/evaluation_inl.hpp"
#endif
