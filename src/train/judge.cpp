#include "ichdet/train/judge.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include "blood_labels.hpp"
#include "ichdet/bundle/bundle.hpp"
#include "ichdet/bundle/ensemble_spec.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/pipeline/detector.hpp"
#include "ichdet/pipeline/ensemble_detector.hpp"
#include "ichdet/pipeline/slice_classifier.hpp"
#include "ichdet/pipeline/slice_segmenter.hpp"
#include "ichdet/report/drift.hpp"
#include "read_scan.hpp"

namespace ichdet::train {
namespace {

/// 1 where a label that counts as blood is.
Array3<std::uint8_t> blood_of(const Array3<std::uint8_t>& labels, const StudyResult& result) {
  std::array<std::uint8_t, 256> is_blood{};
  for (const auto& entry : result.labels) {
    const auto& blood = result.blood_labels;
    is_blood[std::size_t(entry.first)] = blood.empty() || std::ranges::find(blood, entry.first) != blood.end();
  }
  Array3<std::uint8_t> mask(labels.shape());
  std::ranges::transform(labels, mask.begin(), [&](std::uint8_t label) { return is_blood[label]; });
  return mask;
}

Answer answer_of(Detection detection) {
  auto blood = blood_of(detection.labels.labels, detection.result);
  return {std::move(detection.result), std::move(blood)};
}

PrepareOptions network_options(int threads) {
  PrepareOptions options;
  options.threads = threads;
  return options;
}

Model segmenter(Bundle bundle, int threads) {
  SegmenterOptions options;
  options.network = network_options(threads);
  DetectorOptions detection;
  detection.threads = threads;
  auto classes = bundle.spec.classes;
  const auto name = bundle.spec.name;
  const auto detector = std::make_shared<Detector>(Segmenter({std::move(bundle)}, options), detection);
  return {name, true, std::move(classes), [detector](const SliceStack& stack, const Progress& progress) {
            return answer_of((*detector)(stack, progress));
          }};
}

Model slice_segmenter(const Bundle& bundle, int threads) {
  SliceSegmenterOptions options;
  options.network = network_options(threads);
  const auto network = std::make_shared<SliceSegmenter>(std::vector{bundle}, std::nullopt, options);
  return {bundle.spec.name, true, bundle.spec.classes, [network](const SliceStack& stack, const Progress& progress) {
            return answer_of((*network)(stack, progress).detection);
          }};
}

Model slice_classifier(const Bundle& bundle, int threads) {
  ClassifierOptions options;
  options.network = network_options(threads);
  const auto network = std::make_shared<SliceClassifier>(std::vector{bundle}, options);
  return {bundle.spec.name, false, bundle.spec.classes, [network](const SliceStack& stack, const Progress& progress) {
            return Answer{(*network)(stack, progress), {}};
          }};
}

Model ensemble(const std::filesystem::path& file, int threads) {
  SegmenterOptions segmenters;
  segmenters.network = network_options(threads);
  ClassifierOptions classifiers;
  classifiers.network = network_options(threads);
  DetectorOptions detection;
  detection.threads = threads;
  const auto detector = std::make_shared<EnsembleDetector>(read_ensemble(file), segmenters, classifiers, detection);
  const auto& spec = detector->spec();  // without classes it takes the first segmenter's: then the mask has to say
  return {spec.name, !spec.classes.empty(), spec.classes,
          [detector](const SliceStack& stack, const Progress& progress) {
            return answer_of((*detector)(stack, progress));
          }};
}

/// The true mask as 0 and 1.
Array3<std::uint8_t> true_blood(const Array3<std::uint8_t>& mask, const Model& model) {
  Array3<std::uint8_t> blood(mask.shape());
  std::ranges::transform(mask, blood.begin(), [&](std::uint8_t value) -> std::uint8_t {
    return value != 0 && value != unknown_label && (!model.tissues || model.classes.at(value).blood);
  });
  return blood;
}

/// What the entry says of one slice: its own labels, and what is nowhere in the study.
LabelValues labels_of(const StudyEntry& entry, const std::vector<std::string>& names, std::int64_t slice) {
  LabelValues values;
  const auto add = [&](const std::vector<float>& labels, bool absent_alone) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (std::isnan(labels[i]) || (absent_alone && labels[i] != 0)) continue;
      values.emplace(label_key(names[i]), labels[i]);
    }
  };
  if (const auto found = entry.slice_labels.find(slice); found != entry.slice_labels.end()) add(found->second, false);
  add(entry.labels, true);
  complete(values, entry.source);
  return values;
}

evaluate::StudyOutcome outcome_of(const Model& model, const StudyEntry& entry, const Dataset& dataset, const Scan& scan,
                                  const Answer& answer) {
  evaluate::StudyOutcome outcome;
  outcome.study = entry.study;
  outcome.patient = entry.patient;
  outcome.probability = answer.result.decision.probability;
  const auto count = std::size_t(scan.stack.geometry.count());
  outcome.slices.resize(count);
  for (const auto& slice : answer.result.slices) {
    outcome.slices[std::size_t(slice.index)].probability = slice.probability;
  }
  for (std::size_t s = 0; s < count; ++s) {
    for (const auto& [name, value] : labels_of(entry, dataset.label_names, std::int64_t(s))) {
      if (name == "any") outcome.slices[s].blood = value == 1;
      if (name == "any" || std::ranges::find(blood_labels, name) == blood_labels.end()) continue;
      auto& shows = outcome.types[name];
      shows.resize(count);
      shows[s] = value == 1;
    }
  }
  const auto truth = scan.mask.empty() ? scan.mask : true_blood(scan.mask, model);
  if (!answer.blood.empty()) {
    std::vector<double> pixel_ml;
    const auto extents = scan.stack.geometry.extents_mm();
    for (std::size_t s = 0; s < count; ++s) {
      const auto& plane = scan.stack.geometry.planes()[s];
      pixel_ml.push_back(plane.row_spacing_mm * plane.column_spacing_mm * extents[s] / 1000);
    }
    evaluate::add_masks(outcome, answer.blood, truth, pixel_ml);
  } else if (!truth.empty()) {
    const auto plane = truth.extent(1) * truth.extent(2);
    for (std::size_t s = 0; s < count; ++s) {
      if (outcome.slices[s].blood) continue;
      const auto* begin = truth.data() + std::int64_t(s) * plane;
      outcome.slices[s].blood = std::find(begin, begin + plane, 1) != begin + plane;
    }
  }
  return outcome;
}

}  // namespace

Model open_model(const std::filesystem::path& place, int threads) {
  const auto yaml = std::filesystem::is_directory(place) ? place / "ensemble.yaml" : place;
  if (std::filesystem::exists(yaml)) return ensemble(yaml, threads);
  auto bundle = open_bundle(place);
  switch (bundle.spec.task) {
    case Task::segmentation: return segmenter(std::move(bundle), threads);
    case Task::slice_segmentation: return slice_segmenter(bundle, threads);
    case Task::slice_classification: return slice_classifier(bundle, threads);
    default: break;
  }
  throw Error::mismatch(ErrorCode::options, place.string() + ": task",
                        "segmentation, slice segmentation or slice classification", to_string(bundle.spec.task));
}

Judged judge(const Model& model, const Dataset& dataset, const PreparationOptions& options, const Progress& progress) {
  ModelSpec reading;  // what read_scan asks of a model: which values a mask may have
  reading.task = model.tissues ? Task::segmentation : Task::slice_classification;
  reading.classes = model.classes;
  Judged judged;
  Progress quiet;
  quiet.stop = progress.stop;
  const auto count = dataset.studies.size();
  for (const auto& entry : dataset.studies) {
    const auto done = judged.outcomes.size();
    progress("judge " + std::to_string(done + 1) + " of " + std::to_string(count), double(done) / double(count));
    try {
      const auto scan = read_scan(entry, reading, options);
      const auto answer = model.answer(scan.stack, quiet);
      judged.outcomes.push_back(outcome_of(model, entry, dataset, scan, answer));
      judged.scores.push_back(scores_of(entry.study, answer.result));
    } catch (const Error& error) {
      throw Error(error.code(), entry.source + ": " + error.what());
    }
  }
  return judged;
}

}  // namespace ichdet::train
