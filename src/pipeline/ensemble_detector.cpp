#include "ichdet/pipeline/ensemble_detector.hpp"

#include <algorithm>
#include <utility>

#include "canvas.hpp"
#include "ensemble_members.hpp"
#include "ichdet/core/version.hpp"
#include "ichdet/ensemble/staple.hpp"
#include "ichdet/preprocess/grid.hpp"
#include "ichdet/preprocess/resample.hpp"
#include "measure.hpp"
#include "slabs.hpp"
#include "timed.hpp"
#include "trust.hpp"

namespace ichdet {
namespace {

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
  pipeline::Members members;
  DetectorOptions options;

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

std::vector<ProbabilityMap> EnsembleDetector::State::ask(const SliceStack& stack, StudyResult& result,
                                                         const Progress& progress) const {
  const auto range = pipeline::measured_range(stack);
  std::vector<ProbabilityMap> maps;
  std::optional<Volume> volume;
  for (std::size_t m = 0; m < members.voices.size(); ++m) {
    const auto& voice = members.voices[m];
    const auto stage = "member " + std::to_string(m) + ": " + voice.name;
    const auto& model = voice.segmenter.spec();
    for (const auto& one : voice.models) add_trust(result.trust, pipeline::trust_in(range.high, one));
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
  Judgement judgement{std::vector<double>(members.judges.empty() ? 0 : count), std::vector<bool>(count, false)};
  std::vector<double> weights(count);
  for (const auto& judge : members.judges) {
    const auto said = pipeline::timed(result, judge.name.c_str(), [&] { return judge.classifier(stack, progress); });
    for (std::size_t k = 0; k < count; ++k) {
      const auto& slice = said.slices[k];
      if (!slice.computed) continue;  // not asked, it has nothing against blood here
      const double p = slice.raw_probability.value_or(slice.probability);
      weights[k] += judge.weight;
      judgement.slices[k] += judge.weight * p;
      judgement.positive[k] = judgement.positive[k] || p > judge.classifier.rule().slice_threshold;
    }
    add_trust(result.trust, said.trust);
    add_new(result.assumptions, said.assumptions);
    result.bundles.insert(result.bundles.end(), said.bundles.begin(), said.bundles.end());
  }
  for (std::size_t k = 0; k < judgement.slices.size(); ++k) {
    judgement.slices[k] = weights[k] > 0 ? std::min(1.0, judgement.slices[k] / weights[k]) : 1;
  }
  return judgement;
}

Array4<float> EnsembleDetector::State::combine_slab(const std::vector<ProbabilityMap>& maps,
                                                    const SliceGeometry& slab) const {
  ensemble::Combiner combiner(members.names, slab.shape(), spec.rule, spec.intercept, options.threads);
  for (std::size_t m = 0; m < maps.size(); ++m) {
    combiner.add(members.voices[m].name, resample_to(maps[m], slab, {.threads = options.threads}),
                 std::span(&members.voices[m].weight, 1), members.voices[m].mapping.answers);
  }
  return combiner.finish();
}

std::vector<Array3<std::uint8_t>> EnsembleDetector::State::votes(const std::vector<ProbabilityMap>& maps,
                                                                 const SliceGeometry& slab) const {
  std::vector<Array3<std::uint8_t>> labels;
  Array3<float> unused(slab.shape());
  for (const auto& map : maps) {
    auto& said = labels.emplace_back(slab.shape());
    pipeline::paint_labels(said, unused, members.classes)({}, resample_to(map, slab, {.threads = options.threads}),
                                                          nullptr);
  }
  return labels;
}

ensemble::Staple EnsembleDetector::State::estimate(const std::vector<ProbabilityMap>& maps,
                                                   const SliceGeometry& slices) const {
  ensemble::Staple staple(members.voices.size(), members.names.size());
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
  const auto paint = pipeline::paint_labels(labels, blood, members.classes);
  std::optional<ensemble::Staple> staple;
  if (spec.staple) staple = estimate(maps, slices);
  for (const auto& slab : pipeline::slabs(slices)) {
    Array4<float> combined;
    if (staple) {
      const auto shape = slab.geometry.shape();
      const auto said = votes(maps, slab.geometry);
      combined = Array4<float>::uninitialized({std::int64_t(members.names.size()), shape[0], shape[1], shape[2]});
      staple->posterior(pipeline::values_of(said), {combined.data(), std::size_t(combined.size())});
    } else {
      combined = combine_slab(maps, slab.geometry);
    }
    if (!members.judges.empty()) {
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
  state->members = pipeline::open_members(state->spec, segmenter, classifier);
  state_ = std::move(state);
}

const EnsembleSpec& EnsembleDetector::spec() const noexcept { return state_->spec; }

Detection EnsembleDetector::operator()(const SliceStack& stack, const Progress& progress) const {
  const auto& state = *state_;
  StudyResult result;
  result.version = version;
  result.assumptions = stack.assumptions;
  result.assumptions.push_back(pipeline::in_words(state.spec, state.members));
  const auto maps = state.ask(stack, result, progress);
  const auto judgement = state.judge(stack, result, progress);

  progress("combine", 0);
  auto [label_values, blood] =
      pipeline::timed(result, "combine", [&] { return state.combine(maps, stack.geometry, judgement); });
  SliceLabels labels(std::move(label_values), state.members.names, stack.geometry);
  progress("measure", 0);
  LabelMap grid_labels = resample_to(labels, maps.front().geometry, state.options.threads);
  pipeline::timed(result, "measure", [&] {
    pipeline::measure(result, {labels, blood, grid_labels}, state.members.classes, state.options);
    pipeline::decide(result, state.spec.calibration, state.spec.thresholds, state.options);
    return 0;
  });
  pipeline::flag_disagreement(result, labels, judgement.positive);
  progress("measure", 1);
  return {std::move(result), std::move(labels), std::move(grid_labels)};
}

}  // namespace ichdet
