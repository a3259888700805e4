#include "ichdet/train/prepared.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <set>

#include "blood_labels.hpp"
#include "fitted.hpp"
#include "fitted_file.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/core/parallel.hpp"

namespace ichdet::train {
namespace {

Fitted fitted_or_cached(const StudyEntry& entry, const ModelSpec& model, const PreparationOptions& options,
                        const std::string& key) {
  if (options.cache.empty()) return fit(entry, model, options);
  const auto file = options.cache / (key + ".study");
  if (auto cached = read_fitted(file)) return *std::move(cached);
  write_fitted(file, fit(entry, model, options));
  if (auto made = read_fitted(file)) return *std::move(made);  // so that memory holds what is looked at
  throw Error(ErrorCode::io, file.string() + ": was written and cannot be read");
}

/// By name, as far as known.
LabelValues known(const std::vector<float>& labels, const std::vector<std::string>& names) {
  LabelValues values;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (!std::isnan(labels[i])) values[label_key(names[i])] = labels[i];
  }
  return values;
}

/// What the entry says of each of the fitted slices. Layers of a volume are no slices of the scan.
std::vector<LabelValues> said_of_slices(const StudyEntry& entry, const std::vector<std::string>& names,
                                        const Fitted& fitted, bool images) {
  std::vector<LabelValues> result(std::size_t(fitted.geometry.count()));
  for (const auto& [slice, labels] : entry.slice_labels) {
    if (!images) continue;
    if (slice >= fitted.geometry.count()) {
      throw Error::mismatch(ErrorCode::options, "labels", "slices 0 to " + std::to_string(fitted.geometry.count() - 1),
                            std::to_string(slice));
    }
    const auto place = fitted.reversed ? fitted.geometry.count() - 1 - slice : slice;
    result[std::size_t(place)] = known(labels, names);
  }
  return result;
}

/// Of a study by its slices: 1 where one has it, 0 where none has.
std::optional<float> over_slices(const std::vector<LabelValues>& slices, const std::string& key) {
  bool all = true;
  for (const auto& values : slices) {
    const auto found = values.find(key);
    if (found == values.end())
      all = false;
    else if (found->second == 1)
      return 1;
  }
  return all ? std::optional(0.f) : std::nullopt;
}

/// "slices 3, 4", as the scan counts them from 0.
std::string slices_where(const Fitted& fitted, const std::function<bool(std::size_t)>& holds) {
  std::set<std::int64_t> found;
  for (std::int64_t k = 0; k < fitted.geometry.count(); ++k) {
    if (holds(std::size_t(k))) found.insert(fitted.reversed ? fitted.geometry.count() - 1 - k : k);
  }
  std::string words;
  for (const auto slice : found) words += (words.empty() ? "slices " : ", ") + std::to_string(slice);
  return words;
}

/// What labels say against the mask and against each other.
std::vector<std::string> contradictions(const std::vector<LabelValues>& slices, const LabelValues& whole,
                                        const Fitted& fitted) {
  const auto any_is = [](const LabelValues& values, float value) {
    const auto found = values.find("any");
    return found != values.end() && found->second == value;
  };
  const auto against = [&](std::uint8_t shown, float said) {
    return fitted.blood.empty() ? std::string() : slices_where(fitted, [&](std::size_t k) {
      return fitted.blood[k] == shown && any_is(slices[k], said);
    });
  };
  std::vector<std::string> sentences;
  if (const auto where = against(1, 0); !where.empty()) {
    sentences.push_back("labelled as without blood, and the mask shows some: " + where + ".");
  }
  if (const auto where = against(0, 1); !where.empty()) {
    sentences.push_back("labelled as with blood, and the mask shows none: " + where + ".");
  }
  if (any_is(whole, 1) && std::ranges::all_of(slices, [&](const auto& values) { return any_is(values, 0); })) {
    sentences.emplace_back("the study is labelled as with blood, and none of its slices shows any.");
  }
  return sentences;
}

void label(TrainingStudy& study, const StudyEntry& entry, const std::vector<std::string>& names, const Fitted& fitted,
           Task task) {
  auto slices = said_of_slices(entry, names, fitted, reads_images(task));
  auto whole = known(entry.labels, names);
  complete(whole, "the study");
  for (std::size_t k = 0; k < slices.size(); ++k) {
    auto& values = slices[k];
    for (const auto& [key, value] : whole) {
      if (value == 0 || slices.size() == 1) values.emplace(key, value);
    }
    if (!fitted.blood.empty() && fitted.blood[k] != unknown_label) values.emplace("any", float(fitted.blood[k]));
    complete(values, "slice " + std::to_string(k));
    study.labels.push_back(in_order(values, names));
  }
  if (task != Task::brain_extraction) study.contradictions = contradictions(slices, whole, fitted);
  std::vector<std::string> keys(blood_labels.begin(), blood_labels.end());
  std::ranges::transform(names, std::back_inserter(keys), label_key);
  for (const auto& key : keys) {
    if (const auto found = over_slices(slices, key)) whole.emplace(key, *found);
  }
  study.study_labels = in_order(whole, names);

  // Where there is no blood the mask is known.
  const auto pixels = study.geometry.rows() * study.geometry.columns();
  for (std::size_t k = 0; k < slices.size(); ++k) {
    const auto any = slices[k].find("any");
    if (!fitted.mask.empty() || any == slices[k].end() || any->second != 0) continue;
    if (study.mask.empty()) study.mask = Array3<std::uint8_t>(study.geometry.shape(), unknown_label);
    std::fill_n(study.mask.plane(std::int64_t(k)).begin(), pixels, std::uint8_t{0});
  }
}

}  // namespace

TrainingStudy prepare_study(const StudyEntry& entry, const std::vector<std::string>& label_names,
                            const ModelSpec& model, const PreparationOptions& options) {
  try {
    const auto key = fitted_key(entry, model, options);
    const auto fitted = fitted_or_cached(entry, model, options, key);
    TrainingStudy study{.study = entry.study,
                        .patient = entry.patient,
                        .split = entry.split,
                        .group = entry.group,
                        .geometry = fitted.geometry,
                        .hu = fitted.hu,
                        .mask = fitted.mask,
                        .label_names = label_names,
                        .labels = {},
                        .study_labels = {},
                        .anatomy = fitted.anatomy,
                        .assumptions = fitted.assumptions,
                        .contradictions = {},
                        .content = key};
    label(study, entry, label_names, fitted, model.task);
    return study;
  } catch (const Error& error) {
    throw Error(error.code(), entry.source + ": " + error.what());
  }
}

std::vector<TrainingStudy> prepare_studies(const Dataset& dataset, const ModelSpec& model,
                                           const PreparationOptions& options, const Progress& progress) {
  const auto count = dataset.studies.size();
  std::vector<std::optional<TrainingStudy>> prepared(count);
  std::mutex reporting;
  std::size_t done = 0;
  parallel_for(std::int64_t(count), options.threads, [&](std::int64_t i) {
    prepared[std::size_t(i)] = prepare_study(dataset.studies[std::size_t(i)], dataset.label_names, model, options);
    const std::scoped_lock lock(reporting);
    ++done;
    progress("prepare " + std::to_string(done) + " of " + std::to_string(count), double(done) / double(count));
  });
  std::vector<TrainingStudy> studies;
  studies.reserve(count);
  for (auto& study : prepared) studies.push_back(*std::move(study));
  return studies;
}

}  // namespace ichdet::train
