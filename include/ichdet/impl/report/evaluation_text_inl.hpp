#pragma once

#include <algorithm>

#include "ichdet/impl/report/evaluation_shared.hpp"
#include "ichdet/report/evaluation.hpp"

namespace ichdet {

namespace detail {

using Cells = std::vector<std::vector<std::string>>;

/// Rows of cells in columns, two blanks apart, each line indented by two.
ICHDET_INLINE std::string text_table(const Cells& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line = "  ";
    for (std::size_t i = 0; i < row.size(); ++i) line += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

ICHDET_INLINE std::string degenerate_text(const std::vector<evaluate::Estimate>& estimates) {
  std::int64_t most = 0;
  for (const auto& estimate : estimates) most = std::max(most, estimate.bootstrap.degenerate);
  return most == 0
             ? ""
             : "  up to " + std::to_string(most) + " resamples were degenerate (no case to count), and left out\n";
}

ICHDET_INLINE std::string estimates_text(const std::vector<evaluate::Estimate>& estimates, const char* exact,
                                         const std::string& percent) {
  Cells rows{{"", "value", exact + (" " + percent), "bootstrap " + percent, "cases"}};
  for (const auto& e : estimates) {
    rows.push_back({title_of(e.name), fixed(e.value, 3), e.exact ? span_text(*e.exact) : "",
                    span_text(e.bootstrap.interval),
                    e.counts ? std::to_string(e.counts->successes) + " of " + std::to_string(e.counts->trials) : ""});
  }
  return text_table(rows) + degenerate_text(estimates);
}

ICHDET_INLINE std::string model_text(const evaluate::ModelResult& model, const std::string& percent) {
  std::string text = "\n" + model.model + ", class \"" + model.class_name + "\": " + std::to_string(model.positives) +
                     " positive, " + std::to_string(model.negatives) + " negative\n";
  text += estimates_text(model.areas, "DeLong", percent);
  text += "  expected calibration error " + fixed(model.calibration.expected_error, 3) + ", largest " +
          fixed(model.calibration.largest_error, 3) + " (" + std::to_string(model.calibration.bins.size()) + " bins)\n";
  text += "  difficult cases (positive at 0.6 or less, negative at 0.4 or more): " +
          std::to_string(model.difficult.size()) + " of " + std::to_string(model.positives + model.negatives) + "\n";
  for (const auto& at : model.thresholds) {
    const auto& c = at.counts;
    char head[160];
    std::snprintf(head, sizeof head, "  from %g on positive: TP %lld, FP %lld, TN %lld, FN %lld\n", at.threshold,
                  static_cast<long long>(c.true_positives), static_cast<long long>(c.false_positives),
                  static_cast<long long>(c.true_negatives), static_cast<long long>(c.false_negatives));
    text += head + estimates_text(at.rates, "exact", percent);
  }
  return text;
}

ICHDET_INLINE std::string pairs_text(const evaluate::Evaluation& evaluation, const std::string& percent) {
  if (evaluation.pairs.empty()) return "";
  Cells areas{{"class", "a", "b", "AUC a", "AUC b", "a - b", "DeLong " + percent, "p", "bootstrap " + percent}};
  Cells decisions{{"class", "a", "b", "from", "only a right", "only b right", "exact p", "chi2", "p"}};
  for (const auto& pair : evaluation.pairs) {
    const auto& d = pair.delong;
    areas.push_back({pair.class_name, pair.a, pair.b, fixed(d.auc_a, 3), fixed(d.auc_b, 3), fixed(d.difference, 3),
                     span_text(d.interval), p_text(d.p_value), span_text(pair.difference.interval)});
    for (std::size_t t = 0; t < pair.mcnemar.size(); ++t) {
      const auto& m = pair.mcnemar[t];
      char threshold[32];
      std::snprintf(threshold, sizeof threshold, "%g", evaluation.options.thresholds[t]);
      decisions.push_back({pair.class_name, pair.a, pair.b, threshold, std::to_string(m.only_a),
                           std::to_string(m.only_b), p_text(m.exact_p), fixed(m.chi2, 2), p_text(m.chi2_p)});
    }
  }
  return "\nROC areas compared (DeLong, paired)\n" + text_table(areas) + "\nDecisions compared (McNemar)\n" +
         text_table(decisions);
}

ICHDET_INLINE std::string volumes_text(const evaluate::Evaluation& evaluation, const std::string& percent) {
  if (evaluation.volumes.empty()) return "";
  Cells rows{{"model", "cases", "bias mL", percent, "SD mL", "limits of agreement mL", "mean |error| mL", "left out"}};
  for (const auto& volume : evaluation.volumes) {
    const auto& a = volume.agreement;
    rows.push_back({volume.model, std::to_string(a.cases), fixed(a.bias, 2), span_text(a.bias_interval, 2),
                    fixed(a.standard_deviation, 2), span_text(a.limits, 2), fixed(a.mean_absolute_error, 2),
                    std::to_string(volume.left_out)});
  }
  return "\nVolumes, measured less true (Bland and Altman)\n" + text_table(rows);
}

}  // namespace detail

ICHDET_INLINE std::string summary(const evaluate::Evaluation& evaluation) {
  const auto& bootstrap = evaluation.options.bootstrap;
  const auto percent = detail::percent_text(bootstrap.confidence);
  std::string text = detail::rows_text(evaluation) + "; bootstrap of " + std::to_string(bootstrap.resamples) +
                     " resamples by patient, seed " + std::to_string(bootstrap.seed) + "\n";
  for (const auto& [ids, file] :
       {std::pair(&evaluation.only_in_truth, "truth"), std::pair(&evaluation.only_in_predictions, "predictions")}) {
    if (ids->empty()) continue;
    text +=
        "! " + std::to_string(ids->size()) + " only in the " + file + ", left out: " + detail::joined(*ids, 10) + "\n";
  }
  for (const auto& note : evaluation.notes) text += "! " + note + "\n";
  for (const auto& model : evaluation.models) text += detail::model_text(model, percent);
  return text + detail::pairs_text(evaluation, percent) + detail::volumes_text(evaluation, percent);
}

}  // namespace ichdet
