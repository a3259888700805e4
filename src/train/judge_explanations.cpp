#include "ichdet/train/judge_explanations.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <span>
#include <utility>

#include "ichdet/attribution/information_curve.hpp"
#include "ichdet/attribution/score_curves.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/localisation.hpp"
#include "ichdet/pipeline/slice_images.hpp"
#include "ichdet/preprocess/masks.hpp"
#include "maps_without_model.hpp"
#include "read_scan.hpp"

namespace ichdet::train {
namespace {

using attribution::Explained;

Array3<float> array_of(const at::Tensor& map) {
  const auto held = std::make_shared<at::Tensor>(map.detach().to(at::kFloat).contiguous());
  return {held->data_ptr<float>(), {1, held->size(0), held->size(1)}, held};
}

/// 1 for blood; what is not known is none.
Array3<std::uint8_t> blood_of(const StudyEntry& entry, const Array3<std::uint8_t>& mask) {
  Array3<std::uint8_t> blood(mask.shape());
  std::ranges::transform(mask, blood.begin(), [&](std::uint8_t value) -> std::uint8_t {
    if (value <= 1) return value;
    if (value == unknown_label) return 0;
    throw Error::mismatch(ErrorCode::shape, entry.mask.string(),
                          "0, and 1 for blood (a mask class, such as 2=0, says what another value is)",
                          std::to_string(value));
  });
  return blood;
}

/// Which of `count` things are looked at, spread evenly.
std::vector<std::size_t> spread(std::size_t count, std::int64_t wanted) {
  const auto n = wanted > 0 ? std::min(count, std::size_t(wanted)) : count;
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < n; ++i) chosen.push_back((2 * i + 1) * count / (2 * n));
  return chosen;
}

/// How alike the maps of different patients are.
class Sameness {
 public:
  void add(const std::string& method, const std::string& patient, const at::Tensor& map) {
    constexpr std::int64_t cells = 28;
    const auto pooled = at::adaptive_avg_pool2d(map.to(at::kFloat).unsqueeze(0).unsqueeze(0), {cells, cells});
    all_[method].emplace_back(patient, array_of(pooled[0][0]));
  }
  double of(const std::string& method) const {
    double sum = 0, count = 0;
    const auto& maps = all_.at(method);
    for (std::size_t i = 0; i < maps.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (maps[i].first == maps[j].first) continue;
        const double found = evaluate::rank_correlation(maps[i].second, maps[j].second);
        if (std::isnan(found)) continue;
        sum += found;
        ++count;
      }
    }
    return count > 0 ? sum / count : evaluate::undefined;
  }

 private:
  std::map<std::string, std::vector<std::pair<std::string, Array3<float>>>> all_;
};

struct Judge {
  const ExplanationJudgeOptions& options;
  SliceExplainer explainer;
  Explained probability;  ///< of blood: what a user is shown
  std::optional<SliceExplainer> random;
  Sameness sameness;
  JudgedExplanations judged;

  /// What `image` is worth by the model while pixels come and go.
  void ask(evaluate::MapOutcome& outcome, const at::Tensor& image, const at::Tensor& map) const {
    const auto soft = attribution::blurred(image, options.blur * double(std::min(image.size(2), image.size(3))));
    const auto maps = map.unsqueeze(0);
    outcome.insertion = attribution::insertion_curves(probability, image, maps, soft, {options.steps}).front().area;
    outcome.deletion =
        attribution::deletion_curves(probability, image, maps, attribution::blank(image), {options.steps}).front().area;
    attribution::InformationCurveOptions how;
    how.least_score = 0;
    how.reveal = [front = soft[0]](const at::Tensor& shown, const at::Tensor& known) {
      return at::where(known.unsqueeze(0), shown, front);
    };
    const auto curve = attribution::information_curve(probability, image[0], map, how);
    if (curve.skipped.empty()) outcome.information = curve.area;
  }

  void judge(evaluate::MapOutcome outcome, const JudgedSlice& slice, const at::Tensor& image, const at::Tensor& map,
             double pixel_mm) {
    const auto values = array_of(map);
    const auto area = std::ranges::count_if(slice.mask, [](auto v) { return v != 0; });
    outcome.mask_share = double(area) / double(slice.mask.size());
    outcome.pointing = evaluate::pointing_game(values, slice.mask, {0, {1, 1, 1}}).hit;
    outcome.near = evaluate::pointing_game(values, slice.mask, {options.tolerance_mm, {pixel_mm, pixel_mm, 1}}).hit;
    outcome.energy = evaluate::energy_inside(values, slice.mask);
    outcome.precision = evaluate::equal_area(values, slice.mask).precision;
    outcome.auc = evaluate::pixel_auc(values, slice.mask);
    if (options.curves) ask(outcome, image, map);
    sameness.add(outcome.method, outcome.patient, map);
    judged.outcomes.push_back(std::move(outcome));
  }

  void slice(JudgedSlice& seen, const StudyEntry& entry, const at::Tensor& image, const at::Tensor& head,
             const at::Tensor& brain, double pixel_mm, bool with_random, const Progress& progress) {
    evaluate::MapOutcome outcome;
    outcome.study = entry.study;
    outcome.patient = entry.patient;
    outcome.slice = seen.slice;
    outcome.probability = seen.probability;
    for (const auto method : options.methods) {
      outcome.method = to_string(method);
      const auto begin = std::chrono::steady_clock::now();
      const auto map = explainer(image, method, progress).map;
      outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      outcome.random_weights = evaluate::undefined;
      if (with_random && random) {
        outcome.random_weights =
            evaluate::rank_correlation(array_of(map), array_of((*random)(image, method, progress).map));
      }
      judge(outcome, seen, image, map, pixel_mm);
      seen.maps.push_back({outcome.method, array_of(map)});
    }
    outcome.seconds = outcome.random_weights = evaluate::undefined;
    const auto index = std::uint64_t(judged.slices);
    for (const auto& [name, map] : maps_without_model(seen, head, brain, options.seed, index)) {
      outcome.method = name;
      judge(outcome, seen, image, map, pixel_mm);
    }
    const auto soft = attribution::blurred(image, options.blur * double(std::min(image.size(2), image.size(3))));
    judged.blurred += attribution::scores_of(probability, soft).item<double>();
    judged.blank += attribution::scores_of(probability, attribution::blank(image)).item<double>();
    ++judged.slices;
  }

  struct Candidate {
    std::int64_t slice;
    at::Tensor mask;
    double probability;
  };

  /// Slices with blood that the model finds.
  std::vector<Candidate> candidates(const StudyEntry& entry, const Scan& scan, const SliceImages& images,
                                    double pixel_mm2) const {
    const double threshold = options.threshold.value_or(explainer.rule().slice_threshold);
    const auto blood = blood_of(entry, scan.mask);
    std::vector<Candidate> found;
    for (std::int64_t k = 0; k < scan.mask.extent(0); ++k) {
      if (std::ranges::find(blood.plane(k), 1) == blood.plane(k).end()) continue;
      const auto mask = images.part(blood, k) >= 0.5;
      const auto area = mask.sum().item<std::int64_t>();
      if (area == 0 || double(area) * pixel_mm2 < options.least_mm2 || area == mask.numel()) continue;
      const double p = attribution::scores_of(probability, images(std::span(&k, 1))).item<double>();
      if (p >= threshold) found.push_back({k, mask, p});
    }
    return found;
  }

  void study(const StudyEntry& entry, const Scan& scan, const Progress& progress,
             const std::function<void(const JudgedSlice&)>& show) {
    const auto images = explainer.images(scan.stack);
    const auto plane = images.planes().front();
    const double pixel_mm = std::sqrt(plane.row_spacing_mm * plane.column_spacing_mm);
    const auto all = candidates(entry, scan, images, pixel_mm * pixel_mm);
    if (all.empty()) {
      judged.notes.push_back(entry.study + ": the model finds no slice with blood of the mask's.");
      return;
    }
    const Volume volume(scan.stack.hu, scan.stack.geometry.nominal());
    HeadMaskOptions of_head;
    BrainMaskOptions of_brain;
    of_head.threads = of_brain.threads = options.explain.network.threads;
    const auto head = head_mask(volume, of_head), brain = brain_mask(volume, of_brain);
    bool first = true;
    for (const auto i : spread(all.size(), options.slices)) {
      const auto& [k, mask, p] = all[i];
      const auto bytes = std::make_shared<at::Tensor>(mask.to(at::kByte).contiguous());
      JudgedSlice seen{entry.study,
                       k,
                       p,
                       array_of(images.hu(k)),
                       {bytes->data_ptr<std::uint8_t>(), {1, mask.size(0), mask.size(1)}, bytes},
                       {}};
      slice(seen, entry, images(std::span(&k, 1)), images.part(head, k) >= 0.5, images.part(brain, k) >= 0.5, pixel_mm,
            first, progress);
      first = false;
      if (show) show(seen);
    }
    ++judged.studies;
  }
};

}  // namespace

JudgedExplanations judge_explanations(const std::vector<Bundle>& members, const Dataset& dataset,
                                      const ExplanationJudgeOptions& options, const PreparationOptions& reading,
                                      const evaluate::BootstrapOptions& bootstrap, const Progress& progress,
                                      const std::function<void(const JudgedSlice&)>& seen) {
  auto explain = options.explain;
  explain.completeness = false;
  Judge judge{options, SliceExplainer(members, explain), {}, {}, {}, {}};
  judge.probability = judge.explainer.likelihood();
  if (options.random_weights) {
    auto random = members;
    for (auto& bundle : random) bundle = with_random_weights(bundle, options.seed);
    judge.random.emplace(random, explain);
  }
  auto& judged = judge.judged;
  judged.target = judge.explainer.target();
  judged.bundles = judge.explainer.identities();
  const auto count = dataset.studies.size();
  for (std::size_t i = 0; i < count; ++i) {
    const auto& entry = dataset.studies[i];
    const auto stage = "explain " + std::to_string(i + 1) + " of " + std::to_string(count);
    progress(stage, double(i) / double(count));
    if (entry.mask.empty()) {
      judged.notes.push_back(entry.study + ": not judged: it has no mask.");
      continue;
    }
    Progress quiet;
    quiet.stop = progress.stop;
    std::optional<Scan> scan;
    try {
      scan = read_scan(entry, judge.explainer.spec(), reading);
    } catch (const Error& error) {
      judged.notes.push_back(entry.source + ": not judged: " + error.what());
      continue;
    }
    judge.study(entry, *scan, quiet, seen);
  }
  if (judged.outcomes.empty()) {
    throw Error::mismatch(ErrorCode::options, dataset.name, "slices with blood that the model finds, with a mask",
                          judged.notes.empty() ? "none" : "none: " + judged.notes.front());
  }
  judged.blurred /= double(judged.slices);
  judged.blank /= double(judged.slices);
  judged.figures = evaluate::explanation_figures(judged.outcomes, bootstrap);
  for (auto& method : judged.figures) method.sameness = judge.sameness.of(method.method);
  return std::move(judge.judged);
}

}  // namespace ichdet::train
