#include "outcome.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "blood_labels.hpp"
#include "ichdet/core/error.hpp"

namespace ichdet::train {
namespace {

/// The true mask as 0, 1 and `unknown_label`.
Array3<std::uint8_t> true_blood(const Array3<std::uint8_t>& mask, const Model& model, const StudyEntry& entry) {
  Array3<std::uint8_t> blood(mask.shape());
  std::ranges::transform(mask, blood.begin(), [&](std::uint8_t value) -> std::uint8_t {
    if (value == unknown_label) return value;
    if (!model.tissues && value > 1) {
      throw Error::mismatch(
          ErrorCode::shape, entry.mask.string(),
          "0, and 1 for blood, since the model names no tissues (a mask class, such as 2=0, says what "
          "another value is)",
          std::to_string(value));
    }
    return value != 0 && (!model.tissues || model.classes.at(value).blood);
  });
  return blood;
}

/// What the entry says of one slice: its own labels, what is nowhere in the study, and of the only slice what is.
LabelValues labels_of(const StudyEntry& entry, const std::vector<std::string>& names, std::int64_t slice, bool only) {
  LabelValues values;
  const auto add = [&](const std::vector<float>& labels, bool absent_alone) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (std::isnan(labels[i]) || (absent_alone && labels[i] != 0)) continue;
      values.emplace(label_key(names[i]), labels[i]);
    }
  };
  if (const auto found = entry.slice_labels.find(slice); found != entry.slice_labels.end()) add(found->second, false);
  add(entry.labels, !only);
  complete(values, entry.source);
  return values;
}

/// What the entry says of the whole study.
std::optional<bool> label_of(const StudyEntry& entry, const std::vector<std::string>& names) {
  LabelValues values;
  for (std::size_t i = 0; i < entry.labels.size(); ++i) {
    if (!std::isnan(entry.labels[i])) values.emplace(label_key(names[i]), entry.labels[i]);
  }
  complete(values, entry.source);
  const auto any = values.find("any");
  return any == values.end() ? std::nullopt : std::optional(any->second == 1);
}

std::vector<double> pixels_ml(const SliceGeometry& geometry) {
  std::vector<double> volumes;
  const auto extents = geometry.extents_mm();
  for (std::size_t s = 0; s < extents.size(); ++s) {
    const auto& plane = geometry.planes()[s];
    volumes.push_back(plane.row_spacing_mm * plane.column_spacing_mm * extents[s] / 1000);
  }
  return volumes;
}

/// What a slice's mask shows: blood, none, or nothing that is known.
std::optional<bool> shown(const Array3<std::uint8_t>& truth, std::int64_t slice) {
  const auto plane = truth.plane(slice);
  if (std::ranges::find(plane, 1) != plane.end()) return true;
  return std::ranges::find(plane, unknown_label) == plane.end() ? std::optional(false) : std::nullopt;
}

/// Counts where the truth is known alone, and fills in the slices of which no label was given.
void compare_masks(evaluate::StudyOutcome& outcome, Array3<std::uint8_t> found, const Array3<std::uint8_t>& truth,
                   const SliceGeometry& geometry) {
  auto known = truth;
  if (!truth.empty()) {
    known = Array3<std::uint8_t>(truth.shape());
    for (std::int64_t i = 0; i < truth.size(); ++i) {
      known.data()[i] = truth.data()[i] == 1;
      if (truth.data()[i] == unknown_label && !found.empty()) found.data()[i] = 0;
    }
    for (std::size_t s = 0; s < outcome.slices.size(); ++s) {
      if (!outcome.slices[s].blood) outcome.slices[s].blood = shown(truth, std::int64_t(s));
    }
  }
  if (found.empty()) return;
  std::vector<std::optional<bool>> blood;  // add_masks() takes what is unknown for blood-free
  for (const auto& slice : outcome.slices) blood.push_back(slice.blood);
  evaluate::add_masks(outcome, found, known, pixels_ml(geometry));
  for (std::size_t s = 0; s < blood.size(); ++s) outcome.slices[s].blood = blood[s];
}

/// "slices 3, 4 are labelled otherwise than their mask shows"; empty: none is.
std::string contradictions(const evaluate::StudyOutcome& outcome, const Array3<std::uint8_t>& truth) {
  std::string slices;
  for (std::size_t s = 0; s < outcome.slices.size() && !truth.empty(); ++s) {
    const auto mask = shown(truth, std::int64_t(s));
    if (!mask || mask == outcome.slices[s].blood) continue;
    slices += (slices.empty() ? "slices " : ", ") + std::to_string(s);
  }
  return slices.empty() ? slices : slices + ": label and mask contradict each other, and the label is believed.";
}

}  // namespace

evaluate::StudyOutcome outcome_of(const Model& model, const StudyEntry& entry, const Dataset& dataset, const Scan& scan,
                                  const Answer& answer, std::vector<std::string>& notes) {
  evaluate::StudyOutcome outcome;
  outcome.study = entry.study;
  outcome.patient = entry.patient;
  outcome.probability = answer.result.decision.probability;
  outcome.label = label_of(entry, dataset.label_names);
  const auto count = std::size_t(scan.stack.geometry.count());
  outcome.slices.resize(count);
  for (const auto& slice : answer.result.slices) {
    outcome.slices[std::size_t(slice.index)].probability = slice.probability;
  }
  for (std::size_t s = 0; s < count; ++s) {
    for (const auto& [name, value] : labels_of(entry, dataset.label_names, std::int64_t(s), count == 1)) {
      if (name == "any") outcome.slices[s].blood = value == 1;
      if (name == "any" || std::ranges::find(blood_labels, name) == blood_labels.end()) continue;
      auto& shows = outcome.types[name];
      shows.resize(count);
      shows[s] = value == 1;
    }
  }
  const auto truth = scan.mask.empty() ? scan.mask : true_blood(scan.mask, model, entry);
  compare_masks(outcome, answer.blood, truth, scan.stack.geometry);
  if (const auto words = contradictions(outcome, truth); !words.empty()) notes.push_back(entry.source + ": " + words);
  return outcome;
}

}  // namespace ichdet::train
