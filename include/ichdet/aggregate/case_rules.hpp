#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ichdet/aggregate/logistic.hpp"
#include "ichdet/core/config.hpp"
#include "ichdet/core/results.hpp"

namespace ichdet {

/// How the probabilities of a study's slices become one score of the case.
enum class CaseRuleKind {
  percent,   ///< S1's n % rule: the k-th highest probability, k = positives_needed(n, percent)
  maximum,   ///< the highest probability
  noisy_or,  ///< 1 - (1 - p1)(1 - p2)...: that any slice shows blood, were slices independent
  top_mean,  ///< mean of the `top` highest probabilities, of all where there are fewer
  logistic,  ///< a learned model of case_features
};

/// "percent", "maximum", "noisy-or", "top-mean", "logistic".
std::string to_string(CaseRuleKind kind);
/// Throws Error(options) that lists the names there are.
CaseRuleKind parse_case_rule(const std::string& text);

/// From slices to patient. A slice is positive above `slice_threshold`; the patient is positive where the case's score
/// is above the threshold. Both strictly, as in S1 ("P > 0.8").
///
/// The n % rule counts positive slices: at least k of them is the same as the k-th highest probability above
/// `slice_threshold`. So that probability is its score, `slice_threshold` its threshold, and `case_threshold` unused.
struct CaseRule {
  CaseRuleKind kind = CaseRuleKind::percent;
  double slice_threshold = 0.8;
  double case_threshold = 0.5;
  double percent = 10;  ///< of all slices, those without head too; in (0, 100], to a millionth
  std::int64_t top = 3;
  LogisticModel logistic;  ///< of case_features

  double threshold() const noexcept { return kind == CaseRuleKind::percent ? slice_threshold : case_threshold; }
};

/// Throws Error(options) that names the field which is out of its range.
void check(const CaseRule& rule);

/// max(1, percent of n rounded half to even): 10 % of 30 slices are 3, of 40 are 4, of 25 are 2. The percentage is
/// taken as the decimal number that it is written as, so no binary fraction falls on the wrong side of a half.
///
/// S1's rule ("An EfficientClassification...", Table 2: 5, 7.5 and 10 %), rounding as in its authors' code.
/// Throws Error(options) where `slices` is negative or `percent` is not in (0, 100].
std::int64_t positives_needed(std::int64_t slices, double percent);

/// Of one case. Without slices 0. Throws Error(options) where a probability is not in [0, 1], or for a bad rule.
double case_score(std::span<const double> probabilities, const CaseRule& rule);

/// Of a cohort: case i has the slices probabilities[offsets[i]] up to, not including, probabilities[offsets[i + 1]].
/// Throws Error(shape) unless the offsets begin at 0, never fall, and end at the number of probabilities.
std::vector<double> case_scores(std::span<const double> probabilities, std::span<const std::int64_t> offsets,
                                const CaseRule& rule);

/// The decision, with the rule in words. Uncalibrated.
PatientDecision decide(const std::vector<SliceScore>& slices, const CaseRule& rule);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/aggregate/case_rules_inl.hpp"
#endif
