#include "ichdet/train/judge.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>

#include "blood_labels.hpp"
#include "ichdet/bundle/bundle.hpp"
#include "ichdet/bundle/cache.hpp"
#include "ichdet/bundle/ensemble_spec.hpp"
#include "ichdet/bundle/shipped.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/pipeline/open_detector.hpp"
#include "ichdet/pipeline/slice_classifier.hpp"
#include "ichdet/report/drift.hpp"
#include "outcome.hpp"
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

/// What `ichdet detect` runs.
Model detector(const std::filesystem::path& place, const std::string& name, const std::vector<ClassSpec>& classes,
               int threads) {
  OpenOptions options;
  options.segmenter.network.threads = options.classifier.network.threads = options.detector.threads = threads;
  return {name, true, classes,
          [detect = open_detector({place.string()}, options)](const SliceStack& stack, const Progress& progress) {
            return answer_of(detect(stack, progress));
          }};
}

Model slice_classifier(const Bundle& bundle, int threads) {
  ClassifierOptions options;
  options.network.threads = threads;
  const auto network = std::make_shared<SliceClassifier>(std::vector{bundle}, options);
  return {bundle.spec.name, false, bundle.spec.classes, [network](const SliceStack& stack, const Progress& progress) {
            return Answer{(*network)(stack, progress), {}};
          }};
}

/// Without own ones they are the first segmenter's.
std::vector<ClassSpec> classes_of(const EnsembleSpec& spec) {
  if (!spec.classes.empty()) return spec.classes;
  for (const auto& member : spec.members) {
    auto bundle = open_bundle(member.folders.front()).spec;
    if (bundle.task != Task::slice_classification) return bundle.classes;
  }
  return {};
}

/// The entry's files; nothing, and a note, where they cannot be read.
std::optional<Scan> scan_of(const StudyEntry& entry, const ModelSpec& reading, const PreparationOptions& options,
                            std::vector<Error>& failures) {
  try {
    return read_scan(entry, reading, options);
  } catch (const Error& error) {
    const auto code = error.code();
    if (code != ErrorCode::io && code != ErrorCode::dicom && code != ErrorCode::geometry) {
      throw Error(code, entry.source + ": " + error.what());  // how it is asked about is wrong, not the study
    }
    failures.emplace_back(code, entry.source + ": " + error.what());
    return std::nullopt;
  }
}

}  // namespace

Model open_model(const std::filesystem::path& place, int threads) {
  if (const auto file = find_ensemble(place.string())) {
    const auto spec = read_ensemble(*file);
    return detector(*file, spec.name, classes_of(spec), threads);
  }
  const auto folder = resolve_bundle(place.string());
  const auto bundle = open_bundle(folder);
  require_slices(bundle.spec, folder.string());
  if (bundle.spec.task == Task::slice_classification) return slice_classifier(bundle, threads);
  return detector(folder, bundle.spec.name, bundle.spec.classes, threads);
}

void require_slices(const ModelSpec& model, const std::string& subject) {
  constexpr std::array tasks{Task::segmentation, Task::slice_segmentation, Task::slice_classification};
  if (std::ranges::find(tasks, model.task) != tasks.end()) return;
  throw Error::mismatch(ErrorCode::options, subject + ": task",
                        "segmentation, slice segmentation or slice classification", to_string(model.task));
}

Model uncalibrated(Model model) {
  model.answer = [calibrated = std::move(model.answer)](const SliceStack& stack, const Progress& progress) {
    auto answer = calibrated(stack, progress);
    auto& decision = answer.result.decision;
    decision.probability = decision.raw_probability.value_or(decision.probability);
    for (auto& slice : answer.result.slices) slice.probability = slice.raw_probability.value_or(slice.probability);
    return answer;
  };
  return model;
}

Dataset judged_studies(const std::filesystem::path& manifest, const std::string& split) {
  auto dataset = read_manifest(manifest, {blood_labels.begin(), blood_labels.end()});
  if (!split.empty()) std::erase_if(dataset.studies, [&](const auto& entry) { return entry.split != split; });
  if (dataset.studies.empty()) {
    throw Error::mismatch(ErrorCode::options, manifest.string(),
                          split.empty() ? "studies" : "studies of split \"" + split + "\"", "none");
  }
  return dataset;
}

Judged judge(const Model& model, const Dataset& dataset, const PreparationOptions& options, const Progress& progress) {
  ModelSpec reading;  // what read_scan asks of a model: which values a mask may have
  reading.task = model.tissues ? Task::segmentation : Task::slice_classification;
  reading.classes = model.classes;
  Judged judged;
  Progress quiet;
  quiet.stop = progress.stop;
  const auto count = dataset.studies.size();
  std::vector<Error> failures;
  for (const auto& entry : dataset.studies) {
    const auto done = judged.outcomes.size() + failures.size();
    progress("judge " + std::to_string(done + 1) + " of " + std::to_string(count), double(done) / double(count));
    const auto scan = scan_of(entry, reading, options, failures);
    if (!scan) continue;
    try {
      const auto answer = model.answer(scan->stack, quiet);
      judged.outcomes.push_back(outcome_of(model, entry, dataset, *scan, answer, judged.notes));
      judged.reference.studies.push_back(scores_of(entry.study, answer.result));
      judged.reference.bundles = answer.result.bundles;
    } catch (const Error& error) {
      throw Error(error.code(), entry.source + ": " + error.what());
    }
  }
  if (judged.outcomes.empty() && !failures.empty()) throw failures.front();
  for (const auto& failure : failures) judged.notes.push_back(std::string("not judged: ") + failure.what());
  return judged;
}

}  // namespace ichdet::train
