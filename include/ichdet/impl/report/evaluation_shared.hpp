#pragma once

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "ichdet/evaluate/evaluation.hpp"

/// How the text and the page write an evaluation's figures.
namespace ichdet::detail {

inline std::string fixed(double value, int decimals) {
  if (std::isnan(value)) return "-";
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

/// "0.912 to 0.957", or "-" where there is none.
inline std::string span_text(const evaluate::Interval& interval, int decimals = 3) {
  if (std::isnan(interval.low) || std::isnan(interval.high)) return "-";
  return fixed(interval.low, decimals) + " to " + fixed(interval.high, decimals);
}

inline std::string p_text(double p) {
  if (std::isnan(p)) return "-";
  return p < 0.0001 ? "< 0.0001" : fixed(p, 4);
}

inline std::string count_text(std::int64_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

/// "947 patients", "947 studies of 940 patients".
inline std::string rows_text(const evaluate::Evaluation& evaluation) {
  const auto patients = count_text(evaluation.patients, "patient", "patients");
  if (evaluation.unit == "patient") return patients;
  const bool study = evaluation.unit == "study";
  return count_text(evaluation.rows, study ? "study" : "slice", study ? "studies" : "slices") + " of " + patients;
}

inline std::string percent_text(double confidence) {
  char text[16];
  std::snprintf(text, sizeof text, "%g %%", 100 * confidence);
  return text;
}

inline std::string joined(const std::vector<std::string>& parts, std::size_t most) {
  std::string text;
  for (std::size_t i = 0; i < parts.size() && i < most; ++i) text += (i > 0 ? ", " : "") + parts[i];
  if (parts.size() > most) text += ", and " + std::to_string(parts.size() - most) + " more";
  return text;
}

inline const char* title_of(const std::string& name) {
  for (const auto& [key, title] :
       {std::pair("accuracy", "accuracy"), std::pair("sensitivity", "sensitivity (TPR)"),
        std::pair("specificity", "specificity (TNR)"), std::pair("ppv", "PPV"), std::pair("npv", "NPV"),
        std::pair("f1", "F1"), std::pair("roc_auc", "ROC AUC"), std::pair("average_precision", "average precision"),
        std::pair("pr_auc", "PR AUC"), std::pair("brier", "Brier score")}) {
    if (name == key) return title;
  }
  return name.c_str();
}

}  // namespace ichdet::detail
