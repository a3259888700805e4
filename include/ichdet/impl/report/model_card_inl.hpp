#pragma once

#include "ichdet/core/error.hpp"
#include "ichdet/impl/report/evaluation_shared.hpp"
#include "ichdet/report/figures.hpp"
#include "ichdet/report/model_card.hpp"

namespace ichdet {

namespace detail {

using nlohmann::ordered_json;

/// A field as words: text as it is, anything else as JSON.
ICHDET_INLINE std::string stated(const ordered_json& json, const char* key) {
  if (!json.is_object() || !json.contains(key) || json[key].is_null()) return "not stated";
  const auto& value = json[key];
  if (value.is_string()) return value.get<std::string>().empty() ? "not stated" : value.get<std::string>();
  return value.dump();
}

ICHDET_INLINE std::string items(const std::vector<std::string>& sentences) {
  std::string text;
  for (const auto& sentence : sentences) text += "- " + sentence + "\n";
  return text.empty() ? "Not stated.\n" : text;
}

ICHDET_INLINE std::string bundle_rows(const ordered_json& bundle) {
  const auto licence = bundle.contains("licence") && bundle["licence"].is_object() ? stated(bundle["licence"], "spdx")
                                                                                   : stated(bundle, "licence");
  const auto architecture = bundle.contains("architecture") && bundle["architecture"].is_object()
                                ? stated(bundle["architecture"], "name")
                                : stated(bundle, "architecture");
  std::string text = "| | |\n|---|---|\n| name | " + stated(bundle, "name") + " |\n| version | " +
                     stated(bundle, "version") + " |\n| task | " + stated(bundle, "task") + " |\n| network | " +
                     architecture + " |\n| licence | " + licence + " |\n";
  if (bundle.contains("calibration")) text += "| calibration | " + bundle["calibration"].dump() + " |\n";
  if (bundle.contains("thresholds")) text += "| thresholds | " + bundle["thresholds"].dump() + " |\n";
  return text;
}

ICHDET_INLINE std::string training_rows(const ordered_json& training) {
  if (!training.is_object()) return "How it was trained was not recorded.\n";
  std::string text = "| | |\n|---|---|\n";
  const auto row = [&](const std::string& what, const std::string& value) {
    text += "| " + what + " | " + value + " |\n";
  };
  row("recipe", stated(training, "recipe"));
  row("command", std::string("`").append(stated(training, "command")).append("`"));
  row("seed", stated(training, "seed"));
  row("steps", stated(training, "steps") + ", the best after " + stated(training, "best_step"));
  row("hours", training.contains("hours") ? fixed(training["hours"].get<double>(), 2) : "not stated");
  row("began with", stated(training, "initial_weights"));
  row("machine", stated(training, "machine"));
  row("ichdet", stated(training, "version"));
  row("split and scans, SHA-256", stated(training, "data_sha256"));
  row("checkpoint chosen by", stated(training, "chosen_by"));
  if (training.contains("parent")) {
    const auto& parent = training["parent"];
    row("parent", stated(parent, "name") + " " + stated(parent, "version") + " (" + stated(parent, "sha256") + ")");
  }
  if (!training.contains("sets")) return text;
  text += "\n| set | studies | patients | slices |\n|---|---|---|---|\n";
  for (const auto& set : training["sets"]) {
    text += "| " + stated(set, "set") + " | " + stated(set, "studies") + " | " + stated(set, "patients") + " | " +
            stated(set, "slices") + " |\n";
  }
  return text;
}

}  // namespace detail

ICHDET_INLINE std::string model_card(const ModelCard& card) {
  try {
    std::string text = "# " + card.title +
                       "\n\n**Not for clinical use.** It marks intracranial hemorrhage on non-contrast head CT, for "
                       "research on how such models work.\n";
    for (std::size_t i = 0; i < card.bundles.size(); ++i) {
      const auto& bundle = card.bundles[i];
      text += "\n## " + detail::stated(bundle, "name") + "\n\n" + detail::bundle_rows(bundle) + "\n### Training\n\n" +
              detail::training_rows(i < card.trainings.size() ? card.trainings[i] : nlohmann::ordered_json());
    }
    text += "\n## Data\n\n" + detail::items(card.data) + "\n## Figures\n";
    if (card.figures.empty()) text += "\nNot measured.\n";
    for (const auto& [where, figures] : card.figures) text += "\n### " + where + "\n\n" + figures_markdown(figures);
    text +=
        "\nPictures of the worst cases show real patients and are not shipped; `ichdet detect` draws them from the "
        "data.\n\n## Limits\n\n" +
        detail::items(card.limits);
    return text;
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorCode::io, "model card of " + card.title + ": " + e.what());
  }
}

}  // namespace ichdet
