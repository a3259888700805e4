#pragma once

#include <cstdio>

#include "ichdet/core/error.hpp"
#include "ichdet/impl/report/evaluation_shared.hpp"
#include "ichdet/impl/report/figures_json.hpp"
#include "ichdet/report/figures.hpp"

namespace ichdet {

namespace detail {

ICHDET_INLINE ordered_json to_json(const std::vector<evaluate::WorstCase>& cases) {
  auto json = ordered_json::array();
  for (const auto& worst : cases) {
    ordered_json one{{"study", worst.study}};
    if (worst.slice >= 0) one["slice"] = worst.slice;
    one["value"] = defined(worst.value);
    json.push_back(std::move(one));
  }
  return json;
}

ICHDET_INLINE std::string figure_cell(const ordered_json& value, int decimals) {
  return value.is_null() ? "-" : fixed(value.get<double>(), decimals);
}

ICHDET_INLINE std::string interval_cell(const ordered_json& interval, int decimals) {
  return interval[0].is_null() || interval[1].is_null()
             ? "-"
             : figure_cell(interval[0], decimals) + " to " + figure_cell(interval[1], decimals);
}

/// | what | 0.912 | 0.897 to 0.931 | 12 of 13 |
ICHDET_INLINE std::string estimate_row(const std::string& what, const ordered_json& estimate) {
  std::string counts;
  if (estimate.contains("of")) {
    counts = std::to_string(estimate["of"][0].get<std::int64_t>()) + " of " +
             std::to_string(estimate["of"][1].get<std::int64_t>());
  }
  return "| " + what + " | " + figure_cell(estimate.at("value"), 3) + " | " +
         interval_cell(estimate.at("bootstrap").at("interval"), 3) + " | " + counts + " |\n";
}

ICHDET_INLINE std::string worst_table(const std::string& title, const std::string& unit, const ordered_json& cases) {
  if (cases.empty()) return "";
  std::string text = "\n" + title + "\n\n| study | slice | " + unit + " |\n|---|---|---|\n";
  for (const auto& one : cases) {
    text += "| " + one.at("study").get<std::string>() + " | " +
            (one.contains("slice") ? std::to_string(one["slice"].get<std::int64_t>()) : "") + " | " +
            figure_cell(one.at("value"), 2) + " |\n";
  }
  return text;
}

ICHDET_INLINE std::string types_table(const ordered_json& types) {
  if (types.empty()) return "";
  std::string text =
      "\n| blood type | slices | AUC | sensitivity | at the fixed specificity |\n|---|---|---|---|---|\n";
  const auto cell = [](const ordered_json& e) {
    return figure_cell(e.at("value"), 3) + " (" + interval_cell(e.at("bootstrap").at("interval"), 3) + ")";
  };
  for (const auto& type : types) {
    text += "| " + type.at("type").get<std::string>() + " | " + std::to_string(type.at("slices").get<std::int64_t>()) +
            " | " + cell(type.at("auc")) + " | " + cell(type.at("sensitivity")) + " | " +
            cell(type.at("sensitivity_at_specificity")) + " |\n";
  }
  return text;
}

}  // namespace detail

ICHDET_INLINE nlohmann::ordered_json to_json(const evaluate::Figures& f) {
  using detail::defined;
  const auto one = [](const evaluate::Estimate& estimate) { return detail::to_json(std::vector{estimate}).front(); };
  nlohmann::ordered_json json{
      {"schema", 1},
      {"studies", f.studies},
      {"patients", f.patients},
      {"patients_with_masked_blood", f.patients_with_masked_blood},
      {"slices", f.slices},
      {"slices_with_blood", f.slices_with_blood},
      {"slices_without_blood", f.slices_without_blood},
      {"threshold", f.options.threshold},
      {"fixed_specificity", f.options.specificity},
      {"false_lesion_above_ml", f.options.lesion_ml},
      {"confidence", f.options.bootstrap.confidence},
      {"bootstrap", {{"resamples", f.options.bootstrap.resamples}, {"seed", f.options.bootstrap.seed}}},
      {"dice", one(f.dice)},
      {"dice_median", defined(f.dice_median)},
      {"slice_auc", one(f.slice_auc)},
      {"slice_average_precision", one(f.slice_average_precision)},
      {"study_auc", one(f.study_auc)},
      {"sensitivity", one(f.sensitivity)},
      {"specificity", one(f.specificity)},
      {"ppv", one(f.ppv)},
      {"threshold_at_specificity", defined(f.specific_threshold)},
      {"sensitivity_at_specificity", one(f.sensitivity_at_specificity)},
      {"clean", one(f.clean)},
      {"largest_false_lesion_ml", defined(f.largest_false_lesion_ml)},
      {"volumes", detail::differences_ml(f.volumes)},
      {"calibration", detail::to_json(f.calibration)},
      {"types", nlohmann::ordered_json::array()}};
  json["slice_auc"]["delong"] = detail::to_json(*f.slice_auc.exact);
  json["slice_auc"].erase("exact");
  for (const auto& type : f.types) {
    json["types"].push_back({{"type", type.type},
                             {"slices", type.slices},
                             {"auc", one(type.auc)},
                             {"sensitivity", one(type.sensitivity)},
                             {"sensitivity_at_specificity", one(type.sensitivity_at_specificity)}});
  }
  json["lowest_dice"] = detail::to_json(f.lowest_dice);
  json["false_lesions"] = detail::to_json(f.false_lesions);
  return json;
}

ICHDET_INLINE nlohmann::ordered_json to_json(const evaluate::ModelChoice& choice) {
  nlohmann::ordered_json figures = nlohmann::ordered_json::array();
  for (const auto& f : choice.figures) {
    figures.push_back({{"figure", f.name},
                       {"before", detail::defined(f.before)},
                       {"after", detail::defined(f.after)},
                       {"difference", detail::to_json(f.difference)}});
  }
  return {{"keep", choice.keep_new ? "new" : "old"},
          {"reason", choice.reason},
          {"figures", figures},
          {"delong", detail::to_json(choice.slice_auc)},
          {"mcnemar",
           {{"slices_with_blood", detail::to_json(choice.with_blood)},
            {"slices_without_blood", detail::to_json(choice.without_blood)}}}};
}

ICHDET_INLINE std::string figures_markdown(const nlohmann::ordered_json& f) {
  try {
    const auto number = [&](const char* key, int decimals) { return detail::figure_cell(f.at(key), decimals); };
    const auto count = [&](const char* key) { return std::to_string(f.at(key).get<std::int64_t>()); };
    const auto& volumes = f.at("volumes");
    std::string text = count("studies") + " studies of " + count("patients") + " patients, " + count("slices") +
                       " slices: " + count("slices_with_blood") + " with blood, " + count("slices_without_blood") +
                       " without.\n\n| figure | value | " + detail::percent_text(f.at("confidence").get<double>()) +
                       " interval (bootstrap of patients) | counts |\n|---|---|---|---|\n";
    const auto threshold = number("threshold", 2), specificity = number("fixed_specificity", 2);
    text += detail::estimate_row("Dice, mean over patients with blood", f.at("dice"));
    text += "| Dice, median | " + number("dice_median", 3) + " | | |\n";
    text += detail::estimate_row("slice AUC", f.at("slice_auc"));
    const auto newer = [&](const char* key, const std::string& what) {  // files of older versions lack it
      if (f.contains(key)) text += detail::estimate_row(what, f.at(key));
    };
    newer("slice_average_precision", "slice average precision");
    text += detail::estimate_row("study AUC", f.at("study_auc"));
    text += detail::estimate_row("slice sensitivity at " + threshold, f.at("sensitivity"));
    text += detail::estimate_row("slice specificity at " + threshold, f.at("specificity"));
    newer("ppv", "slice precision (PPV) at " + threshold);
    text += detail::estimate_row("slice sensitivity at specificity " + specificity + " (threshold " +
                                     number("threshold_at_specificity", 3) + ", chosen here)",
                                 f.at("sensitivity_at_specificity"));
    text += detail::estimate_row(
        "blood-free slices without a lesion above " + number("false_lesion_above_ml", 1) + " mL", f.at("clean"));
    text += "| largest lesion on a blood-free slice, mL | " + number("largest_false_lesion_ml", 2) + " | | |\n";
    text += "| volume, bias, mL | " + detail::figure_cell(volumes.at("bias_ml"), 2) + " | " +
            detail::interval_cell(volumes.at("bias_interval_ml"), 2) + " | |\n";
    text += "| volume, limits of agreement, mL | " + detail::interval_cell(volumes.at("limits_of_agreement_ml"), 2) +
            " | | |\n";
    text += "| calibration error of slices (ECE) | " +
            detail::figure_cell(f.at("calibration").at("expected_error"), 3) + " | | |\n";
    text += detail::types_table(f.at("types"));
    text += detail::worst_table("Lowest Dice:", "Dice", f.at("lowest_dice"));
    return text + detail::worst_table("Largest lesions on blood-free slices:", "mL", f.at("false_lesions"));
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorCode::io, std::string("figures: not what `ichdet train` writes: ") + e.what());
  }
}

ICHDET_INLINE std::string markdown(const evaluate::Figures& figures) { return figures_markdown(to_json(figures)); }

ICHDET_INLINE std::string markdown(const evaluate::ModelChoice& choice) {
  std::string text = "| figure | old | new | difference | interval |\n|---|---|---|---|---|\n";
  for (const auto& f : choice.figures) {
    text += "| " + f.name + " | " + detail::fixed(f.before, 3) + " | " + detail::fixed(f.after, 3) + " | " +
            detail::fixed(f.after - f.before, 3) + " | " + detail::span_text(f.difference.interval) + " |\n";
  }
  return text + "\nDeLong's test of slice AUC: p " + detail::p_text(choice.slice_auc.p_value) +
         "; McNemar's of slices with blood: p " + detail::p_text(choice.with_blood.exact_p) + ", without: p " +
         detail::p_text(choice.without_blood.exact_p) + ". Slices of one patient are alike, so these p are low.\n\n" +
         "Verdict: " + choice.reason + ".\n";
}

}  // namespace ichdet
