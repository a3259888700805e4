#include "ichdet/train/paint_study.hpp"

#include <algorithm>
#include <cmath>

#include "ichdet/phantom/random.hpp"
#include "ichdet/train/training_study.hpp"

namespace ichdet::train {
namespace {

constexpr std::uint8_t unclear_label = 6;

/// Slices that show 10 cm² or more of the cavity.
std::vector<std::int64_t> head_slices(const SliceStack& stack, const HeadAnatomy& anatomy) {
  const auto& plane = stack.geometry.planes().front();
  const double least = 1000 / (plane.row_spacing_mm * plane.column_spacing_mm);
  std::vector<std::int64_t> slices;
  for (std::int64_t k = 0; k < stack.geometry.count(); ++k) {
    const auto depth = anatomy.depth_mm.plane(k);
    if (double(std::ranges::count_if(depth, [](float mm) { return mm > 0; })) >= least) slices.push_back(k);
  }
  return slices;
}

void copy_into(SliceStack& stack, const SliceStack& slab, const SliceStack& before, std::int64_t first) {
  const auto pixels = stack.geometry.rows() * stack.geometry.columns();
  auto* to = stack.hu.data() + first * pixels;
  for (std::int64_t i = 0; i < slab.hu.size(); ++i) {
    if (slab.hu.data()[i] != before.hu.data()[i]) to[i] = slab.hu.data()[i];
  }
}

}  // namespace

PaintedStudy paint_study(const SliceStack& stack, const PaintOptions& options) {
  AnatomyOptions finding;
  finding.threads = options.threads;
  const auto anatomy = anatomy_from_scan(stack, finding);
  const auto slices = head_slices(stack, anatomy);
  std::vector<std::string> names{"background"};
  auto synthesis = options.synthesis;
  for (std::size_t i = 0; i < 5; ++i) {
    synthesis.labels[i] = std::uint8_t(i + 1);
    names.emplace_back(to_string(HemorrhageType(i + 1)));
  }
  names.emplace_back("unclear");
  PaintedStudy result{stack, {Array3<std::uint8_t>(stack.geometry.shape()), std::move(names), stack.geometry}, 0};
  result.stack.hu = stack.hu.clone();
  if (slices.empty()) return result;

  TrainingStudy study{.study = {},
                      .patient = {},
                      .split = {},
                      .group = {},
                      .geometry = stack.geometry,
                      .hu = {},
                      .mask = {},
                      .label_names = {},
                      .labels = {},
                      .study_labels = {},
                      .anatomy = CompactAnatomy(anatomy),
                      .assumptions = {},
                      .contradictions = {},
                      .content = {}};
  const auto gap = stack.geometry.nominal_gap_mm();
  const auto wanted = std::clamp<std::int64_t>(std::llround(options.extent_mm / std::max(gap, 0.1)), 1, 7);
  const auto count = std::min(wanted, stack.geometry.count());
  const auto pixels = stack.geometry.rows() * stack.geometry.columns();
  for (int number = 0; number < options.hemorrhages; ++number) {
    for (std::uint64_t attempt = 0; attempt < 8; ++attempt) {
      const auto seed = counter_hash(options.seed, std::uint64_t(number), attempt);
      const auto middle = slices[std::size_t(counter_uniform(seed, 0, 0) * double(slices.size()))];
      const auto first = std::clamp<std::int64_t>(middle - count / 2, 0, stack.geometry.count() - count);
      study.hu = CompactHu(result.stack.hu);
      auto slab = stack_of(study, first, count);
      const auto before = stack_of(study, first, count);  // a copy would share its pixels
      Array3<std::uint8_t> mask({count, stack.geometry.rows(), stack.geometry.columns()});
      auto* marked = result.truth.labels.data() + first * pixels;
      std::copy_n(marked, mask.size(), mask.data());
      const auto here = anatomy_of(study, first, count);
      if (options.distracted) distract(slab, here, mask, options.distractors, counter_hash(seed, 1, 0));
      if (!synthesise(slab, mask, here, synthesis, counter_hash(seed, 2, 0)).any()) continue;
      copy_into(result.stack, slab, before, first);
      std::ranges::replace(mask, unknown_label, unclear_label);
      std::copy_n(mask.data(), mask.size(), marked);
      ++result.painted;
      break;
    }
  }
  return result;
}

}  // namespace ichdet::train
