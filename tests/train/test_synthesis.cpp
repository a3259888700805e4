#include "ichdet/train/synthesis.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/phantom/phantom.hpp"
#include "ichdet/train/compact_anatomy.hpp"
#include "ichdet/train/distractors.hpp"
#include "ichdet/train/training_study.hpp"

using namespace ichdet;
using namespace ichdet::train;

namespace {

/// A healthy head of 2 mm pixels, and the anatomy that its HU tell.
struct Head {
  SliceStack stack;
  HeadAnatomy anatomy;
};

Head slab_of(const Head& head, std::int64_t first, std::int64_t count) {
  const auto& geometry = head.stack.geometry;
  const std::vector<SlicePlane> planes(geometry.planes().begin() + first, geometry.planes().begin() + first + count);
  Array3<float> hu({count, geometry.rows(), geometry.columns()});
  for (std::int64_t s = 0; s < count; ++s) std::ranges::copy(head.stack.hu.plane(first + s), hu.plane(s).begin());
  return {SliceStack(SliceGeometry(planes, geometry.rows(), geometry.columns()), hu),
          CompactAnatomy(head.anatomy).slices(first, count)};
}

Head make_head(bool clipped) {
  PhantomOptions o;
  o.seed = 3;
  o.rows = o.columns = 128;
  o.pixel_mm = 1.8;
  o.slices = 26;
  o.thickness_mm = 6;
  o.subsamples = 3;
  auto stack = make_phantom(o).stack;
  if (clipped) {
    for (float& hu : stack.hu) hu = std::clamp(hu, 0.0F, 80.0F);
  }
  return {stack, anatomy_from_scan(stack)};
}

const Head& full_range() {
  static const Head head = make_head(false);
  return head;
}
const Head& clipped() {
  static const Head head = make_head(true);
  return head;
}

const std::vector<std::string> distractors{
    "pineal",        "choroid_plexus", "basal_ganglia", "falx",    "tentorium", "sinuses",    "arteries",
    "inner_table",   "bone_partial",   "bands",         "streaks", "motion",    "bright_rim", "bright_side",
    "bright_cortex", "nodules",        "infarct",       "hygroma", "scalp"};

nlohmann::json no_distractors() {
  nlohmann::json off;
  for (const auto& name : distractors) off[name] = 0;
  return off;
}

SynthesisOptions only(HemorrhageType type) {
  SynthesisOptions options;
  options.type_weights = {};
  options.type_weights[std::size_t(type) - 1] = 1;
  options.further_type = 0;
  return options;
}

struct Painted {
  Head before, after;
  Array3<std::uint8_t> mask;
  Synthesised what;
};

Painted painted(const Head& head, std::int64_t first, std::int64_t count, const SynthesisOptions& options,
                std::uint64_t seed) {
  Painted p{slab_of(head, first, count), slab_of(head, first, count), {}, {}};
  p.mask = Array3<std::uint8_t>(p.after.stack.hu.shape());
  p.what = synthesise(p.after.stack, p.mask, p.after.anatomy, options, seed);
  return p;
}

constexpr std::array types{HemorrhageType::intraparenchymal, HemorrhageType::intraventricular, HemorrhageType::subdural,
                           HemorrhageType::epidural, HemorrhageType::subarachnoid};

bool same(const Array3<float>& a, const Array3<float>& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

}  // namespace

TEST_CASE("synthesis is a pure function of the seed and leaves the study alone") {
  const auto stored = full_range().stack.hu.clone();
  const auto a = painted(full_range(), 12, 3, {}, 5), b = painted(full_range(), 12, 3, {}, 5);
  const auto c = painted(full_range(), 12, 3, {}, 6);
  CHECK(same(a.after.stack.hu, b.after.stack.hu));
  CHECK(std::equal(a.mask.begin(), a.mask.end(), b.mask.begin()));
  CHECK_FALSE(same(a.after.stack.hu, c.after.stack.hu));
  CHECK(same(stored, full_range().stack.hu));
}

TEST_CASE("each type is given where asked for, inside the cavity, as bright as blood") {
  for (const auto* head : {&full_range(), &clipped()}) {
    for (const auto type : types) {
      CAPTURE(to_string(type));
      int shown = 0;
      double all_hu = 0, all = 0;
      for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const auto p = painted(*head, 13, 3, only(type), seed);
        for (const auto other : types) CHECK((other == type || !p.what.shows(other)));
        if (!p.what.any()) continue;
        ++shown;
        std::int64_t marked = 0, wrong = 0;
        double sum = 0;
        for (std::int64_t i = 0; i < p.mask.size(); ++i) {
          const float depth = p.after.anatomy.depth_mm.data()[i], hu = p.after.stack.hu.data()[i];
          const auto label = p.mask.data()[i];
          const bool known = label == 0 || label == 1 || label == unknown_label;
          const bool inside = depth > 0 || (label == 0 && hu == p.before.stack.hu.data()[i]);
          const bool in_range = head != &clipped() || (hu >= 0 && hu <= 80);
          wrong += known && inside && in_range ? 0 : 1;
          if (label != 1) continue;
          ++marked;
          sum += hu;
        }
        CHECK(wrong == 0);
        std::int64_t told = 0;
        for (const auto& slice : p.what.pixels) told += slice[std::size_t(type) - 1];
        CHECK(told == marked);
        CHECK(sum / double(marked) > 33);  // diluted or old; brain is 28 to 37 here
        CHECK(sum / double(marked) < 92);
        all_hu += sum;
        all += double(marked);
        CHECK(double(marked) * 1.8 * 1.8 * 6 / 1000 < 250);
      }
      CHECK(all_hu / all > 46);
      CHECK(all_hu / all < 75);
      CHECK(shown >= (type == HemorrhageType::subarachnoid ? 8 : 14));
    }
  }
}

TEST_CASE("a labelled pixel stands out from what was there") {
  for (const auto type : {HemorrhageType::intraparenchymal, HemorrhageType::subdural, HemorrhageType::epidural}) {
    double rise = 0, n = 0;
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
      const auto p = painted(full_range(), 14, 3, only(type), seed);
      for (std::int64_t i = 0; i < p.mask.size(); ++i) {
        if (p.mask.data()[i] != 1) continue;
        rise += p.after.stack.hu.data()[i] - p.before.stack.hu.data()[i];
        ++n;
      }
    }
    CHECK(rise / n > 8);
  }
}

TEST_CASE("a single slice works, and a slab without brain is left alone") {
  int shown = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto alone = slab_of(full_range(), 15, 1);
    Head ground{SliceStack(alone.stack.geometry, alone.stack.hu.clone()), anatomy_from_scan(alone.stack)};
    Array3<std::uint8_t> mask(ground.stack.hu.shape());
    shown += synthesise(ground.stack, mask, ground.anatomy, {}, seed).any() ? 1 : 0;
  }
  CHECK(shown >= 17);
  auto empty = slab_of(full_range(), 15, 1);
  empty.anatomy.depth_mm = Array3<float>(empty.stack.hu.shape(), -1);
  Array3<std::uint8_t> mask(empty.stack.hu.shape());
  CHECK_FALSE(synthesise(empty.stack, mask, empty.anatomy, {}, 1).any());
}

TEST_CASE("labels are those asked for, and what was marked stays") {
  auto options = only(HemorrhageType::epidural);
  options.labels = {1, 2, 3, 4, 5};
  auto ground = slab_of(full_range(), 13, 3);
  Array3<std::uint8_t> mask(ground.stack.hu.shape(), 9);
  const auto what = synthesise(ground.stack, mask, ground.anatomy, options, 2);
  REQUIRE(what.shows(HemorrhageType::epidural));
  CHECK(std::all_of(mask.begin(), mask.end(), [](auto label) { return label == 9 || label == 4; }));
}

TEST_CASE("distractors: a pure function of the seed, each changes a slab, kept pixels stay") {
  auto none = DistractorOptions{};
  const auto changed = [](const DistractorOptions& options, std::uint64_t seed, const Array3<std::uint8_t>& keep = {}) {
    auto ground = slab_of(full_range(), 13, 3);
    distract(ground.stack, ground.anatomy, keep, options, seed);
    return ground.stack.hu;
  };
  CHECK(same(changed(none, 4), changed(none, 4)));
  const auto before = slab_of(full_range(), 13, 3).stack.hu;
  const auto off = no_distractors();
  CHECK(same(changed(distractor_options(off, "recipe"), 1), before));
  const Array3<std::uint8_t> keep(before.shape(), 1);
  for (const auto& name : distractors) {
    CAPTURE(name);
    auto object = off;
    object[name] = 1;
    const auto options = distractor_options(object, "recipe");
    int different = 0;
    for (std::uint64_t seed = 0; seed < 6; ++seed) different += same(changed(options, seed), before) ? 0 : 1;
    CHECK(different >= 3);
    const bool everywhere = name == "bands" || name == "streaks" || name.starts_with("bright");
    if (!everywhere) CHECK(same(changed(options, 1, keep), before));
  }
}

TEST_CASE("the skull of a clipped slab stays, whatever lies on the scalp") {
  const auto before = slab_of(clipped(), 13, 3).stack.hu;
  auto only = no_distractors();
  only["scalp"] = only["hygroma"] = 1;
  std::int64_t bone = 0, kept = 0;
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    auto ground = slab_of(clipped(), 13, 3);
    distract(ground.stack, ground.anatomy, {}, distractor_options(only, "recipe"), seed);
    for (std::int64_t i = 0; i < before.size(); ++i) {
      if (before.data()[i] < 80) continue;
      ++bone;
      kept += ground.stack.hu.data()[i] == 80 ? 1 : 0;
    }
  }
  CHECK(bone > 1000);
  CHECK(kept == bone);
}

TEST_CASE("options are read from JSON, wrong ones and wrong shapes refused") {
  CHECK(synthesis_options({{"subdural", 3}}, "recipe").type_weights[2] == 3);
  CHECK_THROWS_WITH_AS(synthesis_options({{"sdh", 3}}, "recipe"), "recipe: /sdh: unknown key", Error);
  CHECK_THROWS_AS(synthesis_options({{"further_type", -1}}, "recipe"), Error);
  CHECK_THROWS_AS(distractor_options({{"falx", 1.5}}, "recipe"), Error);
  auto ground = slab_of(full_range(), 13, 3);
  Array3<std::uint8_t> mask({3, 5, 5});
  CHECK_THROWS_AS(synthesise(ground.stack, mask, ground.anatomy, {}, 1), Error);
}
