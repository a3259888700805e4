#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "ichdet/core/config.hpp"

namespace ichdet {

/// What a model card is written from.
struct ModelCard {
  std::string title;
  std::vector<nlohmann::ordered_json> bundles;    ///< bundle.json of the model, or of an ensemble's members
  std::vector<nlohmann::ordered_json> trainings;  ///< the record of each one's training (training.json), or null
  /// What it was measured on, in words, and what `to_json(Figures)` gave there.
  std::vector<std::pair<std::string, nlohmann::ordered_json>> figures;
  std::vector<std::string> data;    ///< what it learned from, with licences and what the labels are: a sentence each
  std::vector<std::string> limits;  ///< what it cannot do: a sentence each
};

/// The card as Markdown: what the model is for and not for, data and split, how it was trained, figures with intervals,
/// calibration, the worst cases by name (never their pictures), limits, licence. What nobody stated says so. A
/// training's record is the object that `ichdet train` leaves in record.json, or one with any of its fields, and
/// machine, version, chosen_by, parent {name, version, sha256} and sets [{set, studies, patients, slices}]. Throws
/// Error(io) that names the field where one is of another type.
std::string model_card(const ModelCard& card);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/report/model_card_inl.hpp"
#endif
