#include "ichdet/pipeline/ensemble_detector.hpp"

#include <algorithm>
#include <utility>

#include "asked_slices.hpp"
#include "canvas.hpp"
#include "ensemble_members.hpp"
#include "ichdet/core/version.hpp"
#include "ichdet/ensemble/staple.hpp"
#include "ichdet/pipeline/slice_images.hpp"
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

/// On the first grid that a voice answered on; where none did, on the slices' own if they are evenly spaced.
LabelMap on_grid(const SliceLabels& labels, const std::vector<pipeline::Answer>& answers, int threads) {
  for (const auto& answer : answers) {
    if (const auto* map = std::get_if<ProbabilityMap>(&answer)) return resample_to(labels, map->geometry, threads);
  }
  const auto& slices = labels.geometry;
  if (const auto grid = slices.regular()) return {labels.labels, labels.names, *grid};
  const auto& plane = slices.planes().front();
  const Eigen::Vector3d spacing(plane.column_spacing_mm, plane.row_spacing_mm, slices.nominal_gap_mm());
  return resample_to(labels, segmentation_grid(slices, spacing), threads);
}

}  // namespace

struct EnsembleDetector::State {
  EnsembleSpec spec;
  pipeline::Members members;
  DetectorOptions options;

  /// What each voice says, and the slices that some voice looked at.
  struct Said {
    std::vector<pipeline::Answer> answers;
    std::vector<bool> asked;
  };
  using Slices = std::optional<std::vector<std::int64_t>>;
  /// Those that slice models are asked about; none where they know themselves.
  Slices shown(const SliceStack& stack, StudyResult& result) const;
  Said ask(const SliceStack& stack, const Slices& shown, StudyResult& result, const Progress& progress) const;
  /// The judges' mean probability of each slice that they looked at, and the slices that some judge finds positive.
  struct Judgement {
    std::vector<std::optional<double>> slices;
    std::vector<bool> positive;
    std::vector<std::string> classes;           ///< where there is one judge, its own ...
    std::vector<std::vector<double>> by_class;  ///< ... and what it says of each slice
  };
  Judgement judge(const SliceStack& stack, const Slices& shown, StudyResult& result, const Progress& progress) const;
  /// What they say together on the native slices.
  struct Combined {
    Array3<std::uint8_t> labels;
    Array3<float> blood;  ///< its probability
    std::vector<ensemble::SliceEvidence> evidence;
  };
  Combined combine(const std::vector<pipeline::Answer>& answers, const SliceGeometry& slices,
                   const Judgement& judgement) const;
  Array4<float> combine_slab(const std::vector<pipeline::Answer>& answers, const pipeline::Slab& slab) const;
  ensemble::Staple estimate(const std::vector<pipeline::Answer>& answers, const SliceGeometry& slices) const;
  std::vector<Array3<std::uint8_t>> votes(const std::vector<pipeline::Answer>& answers,
                                          const pipeline::Slab& slab) const;
  void measure(StudyResult& result, const SliceLabels& labels, const LabelMap& grid_labels, const Combined& combined,
               const std::vector<bool>& asked) const;
};

EnsembleDetector::State::Slices EnsembleDetector::State::shown(const SliceStack& stack, StudyResult& result) const {
  const auto slice_wise = [](const pipeline::Voice& voice) {
    return std::holds_alternative<SliceSegmenter>(voice.segmenter);
  };
  const bool any = !members.judges.empty() || std::ranges::any_of(members.voices, slice_wise);
  if (!any || !members.skip_empty) return std::nullopt;
  const auto slices = pipeline::timed(result, "head", [&] { return slices_with_head(stack, options.threads); });
  pipeline::note_headless(result, stack.geometry.count(), std::int64_t(slices.size()));
  return slices;
}

EnsembleDetector::State::Said EnsembleDetector::State::ask(const SliceStack& stack, const Slices& shown,
                                                           StudyResult& result, const Progress& progress) const {
  Said all;
  all.asked.assign(std::size_t(stack.geometry.count()), false);
  const auto range = pipeline::measured_range(stack);
  std::optional<Volume> volume;
  const auto on_grid = [&](const pipeline::Voice& voice, const Segmenter& segmenter) -> pipeline::Answer {
    for (const auto& one : voice.models) add_trust(result.trust, pipeline::trust_in(range.high, one));
    const auto grid = segmentation_grid(stack.geometry, Eigen::Vector3d(segmenter.spec().spacing_mm.data()));
    if (!volume || !volume->geometry.same_as(grid)) {
      volume.reset();
      volume = resample_to(stack, grid, {.outside = range.low, .threads = options.threads});
    }
    const auto said = segmenter(*volume, progress);
    add_inference(result.inference, said.inference);
    add_new(result.assumptions, said.assumptions);
    const auto identities = segmenter.identities();
    result.bundles.insert(result.bundles.end(), identities.begin(), identities.end());
    all.asked.assign(all.asked.size(), true);
    return ensemble::to_classes(said.probabilities, voice.mapping);
  };
  const auto on_slices = [&](const SliceSegmenter& segmenter) -> pipeline::Answer {
    const auto said = segmenter.read(stack, progress, shown);
    add_trust(result.trust, said.result.trust);
    add_inference(result.inference, said.result.inference);
    add_new(result.assumptions, said.result.assumptions);
    result.bundles.insert(result.bundles.end(), said.result.bundles.begin(), said.result.bundles.end());
    for (std::size_t k = 0; k < all.asked.size(); ++k) all.asked[k] = all.asked[k] || !said.weights[k].empty();
    return said.blood;
  };
  for (std::size_t m = 0; m < members.voices.size(); ++m) {
    const auto& voice = members.voices[m];
    const auto stage = "member " + std::to_string(m) + ": " + voice.name;
    all.answers.push_back(pipeline::timed(result, stage.c_str(), [&] {
      const auto* segmenter = std::get_if<Segmenter>(&voice.segmenter);
      return segmenter ? on_grid(voice, *segmenter) : on_slices(std::get<SliceSegmenter>(voice.segmenter));
    }));
  }
  return all;
}

EnsembleDetector::State::Judgement EnsembleDetector::State::judge(const SliceStack& stack, const Slices& shown,
                                                                  StudyResult& result, const Progress& progress) const {
  const auto count = std::size_t(stack.geometry.count());
  Judgement judgement{std::vector<std::optional<double>>(count), std::vector<bool>(count, false), {}, {}};
  std::vector<double> weights(count), sums(count);
  for (const auto& judge : members.judges) {
    const auto said =
        pipeline::timed(result, judge.name.c_str(), [&] { return judge.classifier(stack, progress, shown); });
    for (std::size_t k = 0; k < count; ++k) {
      const auto& slice = said.slices[k];
      if (!slice.computed) continue;  // not asked, it has nothing against blood here
      const double p = slice.raw_probability.value_or(slice.probability);
      weights[k] += judge.weight;
      sums[k] += judge.weight * p;
      judgement.positive[k] = judgement.positive[k] || p > judge.classifier.rule().slice_threshold;
    }
    add_trust(result.trust, said.trust);
    add_new(result.assumptions, said.assumptions);
    result.bundles.insert(result.bundles.end(), said.bundles.begin(), said.bundles.end());
    if (members.judges.size() > 1) continue;
    judgement.classes = said.classes;
    for (const auto& slice : said.slices) judgement.by_class.push_back(slice.classes);
  }
  for (std::size_t k = 0; k < count; ++k) {
    if (weights[k] > 0) judgement.slices[k] = std::min(1.0, sums[k] / weights[k]);
  }
  return judgement;
}

Array4<float> EnsembleDetector::State::combine_slab(const std::vector<pipeline::Answer>& answers,
                                                    const pipeline::Slab& slab) const {
  ensemble::Combiner combiner(members.names, slab.geometry.shape(), spec.rule, spec.intercept, options.threads);
  for (std::size_t m = 0; m < answers.size(); ++m) {
    const auto& voice = members.voices[m];
    combiner.add(voice.name, pipeline::at_slices(answers[m], voice, slab, options.threads), std::span(&voice.weight, 1),
                 voice.mapping.answers);
  }
  return combiner.finish();
}

std::vector<Array3<std::uint8_t>> EnsembleDetector::State::votes(const std::vector<pipeline::Answer>& answers,
                                                                 const pipeline::Slab& slab) const {
  std::vector<Array3<std::uint8_t>> labels;
  Array3<float> unused(slab.geometry.shape());
  for (std::size_t m = 0; m < answers.size(); ++m) {
    auto& said = labels.emplace_back(slab.geometry.shape());
    pipeline::paint_labels(said, unused, members.classes)(
        {}, pipeline::at_slices(answers[m], members.voices[m], slab, options.threads), nullptr);
  }
  return labels;
}

ensemble::Staple EnsembleDetector::State::estimate(const std::vector<pipeline::Answer>& answers,
                                                   const SliceGeometry& slices) const {
  ensemble::Staple staple(members.voices.size(), members.names.size());
  for (const auto& slab : pipeline::slabs(slices)) {
    const auto labels = votes(answers, slab);
    staple.count(pipeline::values_of(labels));
  }
  staple.fit();
  return staple;
}

EnsembleDetector::State::Combined EnsembleDetector::State::combine(const std::vector<pipeline::Answer>& answers,
                                                                   const SliceGeometry& slices,
                                                                   const Judgement& judgement) const {
  Combined all{Array3<std::uint8_t>(slices.shape()), Array3<float>(slices.shape()), {}};
  const auto paint = pipeline::paint_labels(all.labels, all.blood, members.classes);
  std::optional<ensemble::Staple> staple;
  if (spec.staple) staple = estimate(answers, slices);
  for (const auto& slab : pipeline::slabs(slices)) {
    Array4<float> combined;
    if (staple) {
      const auto shape = slab.geometry.shape();
      const auto said = votes(answers, slab);
      combined = Array4<float>::uninitialized({std::int64_t(members.names.size()), shape[0], shape[1], shape[2]});
      staple->posterior(pipeline::values_of(said), {combined.data(), std::size_t(combined.size())});
    } else {
      combined = combine_slab(answers, slab);
    }
    paint({slab.first, 0, 0}, combined, nullptr);
    std::vector<double> factors(static_cast<std::size_t>(combined.extent(1)), 1.0);
    for (std::size_t i = 0; i < factors.size(); ++i) {
      const auto k = slab.first + std::int64_t(i);
      const auto& plane = slices.planes()[std::size_t(k)];
      const auto judged = judgement.slices[std::size_t(k)];
      all.evidence.push_back(
          ensemble::slice_evidence(all.blood.plane(k), plane.row_spacing_mm * plane.column_spacing_mm, judged));
      factors[i] = spec.slices ? spec.slices->fade((*spec.slices)(all.evidence.back())) : judged.value_or(1);
    }
    if (std::ranges::all_of(factors, [](double factor) { return factor == 1; })) continue;
    ensemble::multiply_by_slice(combined, factors);
    paint({slab.first, 0, 0}, combined, nullptr);
  }
  return all;
}

void EnsembleDetector::State::measure(StudyResult& result, const SliceLabels& labels, const LabelMap& grid_labels,
                                      const Combined& combined, const std::vector<bool>& asked) const {
  pipeline::measure(result, {labels, combined.blood, grid_labels}, members.classes, options);
  for (auto& slice : result.slices) {
    slice.computed = asked[std::size_t(slice.index)];
    if (!spec.slices) continue;
    slice.probability = slice.computed ? (*spec.slices)(combined.evidence[std::size_t(slice.index)]) : 0;
  }
  pipeline::decide(result, spec.calibration, spec.thresholds, options);
}

EnsembleDetector::EnsembleDetector(EnsembleSpec spec, const SegmenterOptions& segmenter,
                                   const ClassifierOptions& classifier, DetectorOptions options,
                                   const OwnMembers& own) {
  auto state = std::make_shared<State>();
  options.review = spec.review;
  pipeline::check(options);
  state->options = options;
  state->spec = std::move(spec);
  state->members = pipeline::open_members(state->spec, segmenter, classifier, own);
  state_ = std::move(state);
}

const EnsembleSpec& EnsembleDetector::spec() const noexcept { return state_->spec; }

Detection EnsembleDetector::operator()(const SliceStack& stack, const Progress& progress) const {
  const auto& state = *state_;
  StudyResult result;
  result.version = version;
  result.assumptions = stack.assumptions;
  result.assumptions.push_back(pipeline::in_words(state.spec, state.members));
  const auto shown = state.shown(stack, result);
  const auto said = state.ask(stack, shown, result, progress);
  auto judgement = state.judge(stack, shown, result, progress);

  progress("combine", 0);
  auto combined =
      pipeline::timed(result, "combine", [&] { return state.combine(said.answers, stack.geometry, judgement); });
  SliceLabels labels(std::move(combined.labels), state.members.names, stack.geometry);
  progress("measure", 0);
  auto grid_labels = on_grid(labels, said.answers, state.options.threads);
  pipeline::timed(result, "measure", [&] {
    state.measure(result, labels, grid_labels, combined, said.asked);
    return 0;
  });
  result.classes = judgement.classes;
  for (std::size_t k = 0; k < judgement.by_class.size(); ++k) result.slices[k].classes = judgement.by_class[k];
  if (state.spec.slices) {
    const double threshold = result.decision.slice_threshold.value_or(result.decision.threshold);
    for (const auto& slice : result.slices) {
      judgement.positive[std::size_t(slice.index)] = slice.computed && slice.probability >= threshold;
    }
  }
  pipeline::flag_disagreement(result, labels, judgement.positive);
  progress("measure", 1);
  return {std::move(result), std::move(labels), std::move(grid_labels), std::move(combined.evidence)};
}

}  // namespace ichdet
