#include "ichdet/pipeline/ensemble_detector.hpp"

#include <algorithm>
#include <utility>

#include "canvas.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/core/version.hpp"
#include "ichdet/ensemble/classes.hpp"
#include "ichdet/ensemble/staple.hpp"
#include "ichdet/preprocess/grid.hpp"
#include "ichdet/preprocess/resample.hpp"
#include "measure.hpp"
#include "slabs.hpp"
#include "timed.hpp"
#include "trust.hpp"

namespace ichdet {
namespace {

/// A segmenter, and what its classes are called here.
struct Voice {
  std::string name;
  double weight;
  Segmenter segmenter;
  ensemble::ClassMapping mapping;
};

/// A slice classifier, whose probabilities scale what the voices say.
struct Judge {
  std::string name;
  double weight;
  SliceClassifier classifier;
};

std::vector<Bundle> open_bundles(const EnsembleMember& member) {
  std::vector<Bundle> bundles;
  for (const auto& folder : member.folders) bundles.push_back(open_bundle(folder));
  if (bundles.empty()) throw Error(ErrorCode::options, "member " + member.bundle + ": no bundle was found for it");
  const auto task = bundles.front().spec.task;
  if (task == Task::exam_classification || (member.kind && *member.kind != task)) {
    throw Error::mismatch(ErrorCode::options, "member " + member.bundle,
                          "a bundle for " + (member.kind ? to_string(*member.kind)
                                                         : to_string(Task::segmentation) + " or " +
                                                               to_string(Task::slice_classification)),
                          "one for " + to_string(task));
  }
  return bundles;
}

std::vector<std::string> names_of(const std::vector<ClassSpec>& classes) {
  std::vector<std::string> names;
  for (const auto& c : classes) names.push_back(c.name);
  return names;
}

void add_new(std::vector<std::string>& sentences, const std::vector<std::string>& more) {
  for (const auto& sentence : more) {
    if (std::ranges::find(sentences, sentence) == sentences.end()) sentences.push_back(sentence);
  }
}

void add_trust(Trust& all, const Trust& one) {
  all.ok = all.ok && one.ok;
  add_new(all.reasons, one.reasons);
}

void add_inference(Inference& all, const Inference& one) {
  if (all.engine.empty()) {
    all = one;
    return;
  }
  all.prepare_s += one.prepare_s;
  all.voxels += one.voxels;
  all.float32_again += one.float32_again;
  all.patches += one.patches;
  all.patches_skipped += one.patches_skipped;
}

}  // namespace

struct EnsembleDetector::State {
  EnsembleSpec spec;
  std::vector<std::string> names;  ///< of the ensemble's classes
  std::vector<Voice> voices;
  std::vector<Judge> judges;
  DetectorOptions options;

  void add(const EnsembleMember& member, const SegmenterOptions& segmenter, const ClassifierOptions& classifier);
  void check() const;
  std::string in_words() const;

  /// What each voice says, on its own grid.
  std::vector<ProbabilityMap> ask(const SliceStack& stack, StudyResult& result, const Progress& progress) const;
  /// Mean probability of each slice, and the slices that some judge finds positive; empty without judges.
  struct Judgement {
    std::vector<double> slices;
    std::vector<bool> positive;
  };
  Judgement judge(const SliceStack& stack, StudyResult& result, const Progress& progress) const;
  /// What they say together on the native slices: labels, and the probability of blood.
  std::pair<Array3<std::uint8_t>, Array3<float>> combine(const std::vector<ProbabilityMap>& maps,
                                                         const SliceGeometry& slices, const Judgement& judgement) const;
  Array4<float> combine_slab(const std::vector<ProbabilityMap>& maps, const SliceGeometry& slab) const;
  ensemble::Staple estimate(const std::vector<ProbabilityMap>& maps, const SliceGeometry& slices) const;
  std::vector<Array3<std::uint8_t>> votes(const std::vector<ProbabilityMap>& maps, const SliceGeometry& slab) const;
};

void EnsembleDetector::State::add(const EnsembleMember& member, const SegmenterOptions& segmenter,
                                  const ClassifierOptions& classifier) {
  const auto bundles = open_bundles(member);
  if (bundles.front().spec.task == Task::slice_classification) {
    judges.push_back({member.bundle, member.weight, SliceClassifier(bundles, classifier)});
    return;
  }
  Segmenter loaded(bundles, segmenter);
  if (spec.classes.empty()) spec.classes = loaded.spec().classes;
  names = names_of(spec.classes);
  auto mapping = ensemble::map_classes(member.bundle, names_of(loaded.spec().classes), names, member.classes);
  voices.push_back({member.bundle, member.weight, std::move(loaded), std::move(mapping)});
}

void EnsembleDetector::State::check() const {
  if (voices.empty()) throw Error(ErrorCode::options, "ensemble " + spec.name + ": expected at least one segmenter");
  for (std::size_t c = 1; c < names.size(); ++c) {
    const auto answers = [&](const Voice& voice) { return voice.mapping.answers[c]; };
    if (std::ranges::none_of(voices, answers)) {
      throw Error(ErrorCode::options, "ensemble " + spec.name + ": class " + names[c] + ": no member answers it");
    }
    if (const auto silent = std::ranges::find_if_not(voices, answers); spec.staple && silent != voices.end()) {
      throw Error(ErrorCode::options,
                  "member " + silent->name + ": class " + names[c] + ": STAPLE asks every member about every class");
    }
  }
}

std::string EnsembleDetector::State::in_words() const {
  const auto list = [](const auto& members) {
    std::string text;
    for (const auto& member : members) text += (text.empty() ? "" : ", ") + member.name;
    return std::to_string(members.size()) + " (" + text + ")";
  };
  std::string text = "The ensemble " + spec.name + ": " + (spec.staple ? "STAPLE" : ensemble::to_string(spec.rule)) +
                     " of segmenters, " + list(voices);
  if (!judges.empty()) text += ", times the slice probability of classifiers, " + list(judges);
  return text + ".";
}

std::vector<ProbabilityMap> EnsembleDetector::State::ask(const SliceStack& stack, StudyResult& result,
                                                         const Progress& progress) const {
  const auto range = pipeline::measured_range(stack);
  std::vector<ProbabilityMap> maps;
  std::optional<Volume> volume;
  for (std::size_t m = 0; m < voices.size(); ++m) {
    const auto& voice = voices[m];
    const auto stage = "member " + std::to_string(m) + ": " + voice.name;
    const auto& model = voice.segmenter.spec();
    add_trust(result.trust, pipeline::trust_in(range.high, model));
    maps.push_back(pipeline::timed(result, stage.c_str(), [&] {
      const auto grid = segmentation_grid(stack.geometry, Eigen::Vector3d(model.spacing_mm.data()));
      if (!volume || !volume->geometry.same_as(grid)) {
        volume.reset();
        volume = resample_to(stack, grid, {.outside = range.low, .threads = options.threads});
      }
      const auto said = voice.segmenter(*volume, progress);
      add_inference(result.inference, said.inference);
      add_new(result.assumptions, said.assumptions);
      return ensemble::to_classes(said.probabilities, voice.mapping);
    }));
    const auto identities = voice.segmenter.identities();
    result.bundles.insert(result.bundles.end(), identities.begin(), identities.end());
  }
  return maps;
}

EnsembleDetector::State::Judgement EnsembleDetector::State::judge(const SliceStack& stack, StudyResult& result,
                                                                  const Progress& progress) const {
  const auto count = std::size_t(stack.geometry.count());
  Judgement judgement{std::vector<double>(judges.empty() ? 0 : count), std::vector<bool>(count, false)};
  double weights = 0;
  for (const auto& judge : judges) weights += judge.weight;
  for (const auto& judge : judges) {
    const auto said = pipeline::timed(result, judge.name.c_str(), [&] { return judge.classifier(stack, progress); });
    for (std::size_t k = 0; k < count; ++k) {
      const double p = said.slices[k].probability;
      judgement.slices[k] = std::min(1.0, judgement.slices[k] + judge.weight / weights * p);
      judgement.positive[k] = judgement.positive[k] || p > judge.classifier.rule().slice_threshold;
    }
    add_trust(result.trust, said.trust);
    add_new(result.assumptions, said.assumptions);
    result.bundles.insert(result.bundles.end(), said.bundles.begin(), said.bundles.end());
  }
  return judgement;
}

Array4<float> EnsembleDetector::State::combine_slab(const std::vector<ProbabilityMap>& maps,
                                                    const SliceGeometry& slab) const {
  ensemble::Combiner combiner(names, slab.shape(), spec.rule, spec.intercept, options.threads);
  for (std::size_t m = 0; m < maps.size(); ++m) {
    combiner.add(voices[m].name, resample_to(maps[m], slab, {.threads = options.threads}),
                 std::span(&voices[m].weight, 1), voices[m].mapping.answers);
  }
  return combiner.finish();
}

std::vector<Array3<std::uint8_t>> EnsembleDetector::State::votes(const std::vector<ProbabilityMap>& maps,
                                                                 const SliceGeometry& slab) const {
  std::vector<Array3<std::uint8_t>> labels;
  Array3<float> unused(slab.shape());
  for (const auto& map : maps) {
    auto& said = labels.emplace_back(slab.shape());
    pipeline::paint_labels(said, unused, spec.classes)({}, resample_to(map, slab, {.threads = options.threads}),
                                                       nullptr);
  }
  return labels;
}

ensemble::Staple EnsembleDetector::State::estimate(const std::vector<ProbabilityMap>& maps,
                                                   const SliceGeometry& slices) const {
  ensemble::Staple staple(voices.size(), names.size());
  for (const auto& slab : pipeline::slabs(slices)) {
    const auto labels = votes(maps, slab.geometry);
    staple.count(pipeline::values_of(labels));
  }
  staple.fit();
  return staple;
}

std::pair<Array3<std::uint8_t>, Array3<float>> EnsembleDetector::State::combine(const std::vector<ProbabilityMap>& maps,
                                                                                const SliceGeometry& slices,
                                                                                const Judgement& judgement) const {
  Array3<std::uint8_t> labels(slices.shape());
  Array3<float> blood(slices.shape());
  const auto paint = pipeline::paint_labels(labels, blood, spec.classes);
  std::optional<ensemble::Staple> staple;
  if (spec.staple) staple = estimate(maps, slices);
  for (const auto& slab : pipeline::slabs(slices)) {
    Array4<float> combined;
    if (staple) {
      const auto shape = slab.geometry.shape();
      const auto said = votes(maps, slab.geometry);
      combined = Array4<float>::uninitialized({std::int64_t(names.size()), shape[0], shape[1], shape[2]});
      staple->posterior(pipeline::values_of(said), {combined.data(), std::size_t(combined.size())});
    } else {
      combined = combine_slab(maps, slab.geometry);
    }
    if (!judges.empty()) {
      ensemble::multiply_by_slice(
          combined, std::span(judgement.slices).subspan(std::size_t(slab.first), std::size_t(combined.extent(1))));
    }
    paint({slab.first, 0, 0}, combined, nullptr);
  }
  return {std::move(labels), std::move(blood)};
}

EnsembleDetector::EnsembleDetector(EnsembleSpec spec, const SegmenterOptions& segmenter,
                                   const ClassifierOptions& classifier, DetectorOptions options) {
  auto state = std::make_shared<State>();
  options.review = spec.review;
  pipeline::check(options);
  state->options = options;
  state->spec = std::move(spec);
  for (const auto& member : state->spec.members) state->add(member, segmenter, classifier);
  state->check();
  state_ = std::move(state);
}

const EnsembleSpec& EnsembleDetector::spec() const noexcept { return state_->spec; }

Detection EnsembleDetector::operator()(const SliceStack& stack, const Progress& progress) const {
  const auto& state = *state_;
  StudyResult result;
  result.version = version;
  result.assumptions = stack.assumptions;
  result.assumptions.push_back(state.in_words());
  const auto maps = state.ask(stack, result, progress);
  const auto judgement = state.judge(stack, result, progress);

  progress("combine", 0);
  auto [label_values, blood] =
      pipeline::timed(result, "combine", [&] { return state.combine(maps, stack.geometry, judgement); });
  SliceLabels labels(std::move(label_values), state.names, stack.geometry);
  progress("measure", 0);
  LabelMap grid_labels = resample_to(labels, maps.front().geometry, state.options.threads);
  pipeline::timed(result, "measure", [&] {
    pipeline::measure(result, {labels, blood, grid_labels}, state.spec.classes, state.options);
    pipeline::decide(result, state.spec.calibration, state.spec.thresholds, state.options);
    return 0;
  });
  pipeline::flag_disagreement(result, labels, judgement.positive);
  progress("measure", 1);
  return {std::move(result), std::move(labels), std::move(grid_labels)};
}

}  // namespace ichdet
