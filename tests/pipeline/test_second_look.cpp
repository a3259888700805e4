#include "pipeline/second_look.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

using namespace ichdet;
using namespace ichdet::pipeline;

namespace {

constexpr std::int64_t side = 32;

/// Background but for one voxel of the volume, where the patch holds it.
Array4<float> answer(const Box& box, const std::array<std::int64_t, 3>& blood, bool logits) {
  Array4<float> values({2, side, side, side});
  std::ranges::fill(values.plane(0), logits ? 9.f : 1.f);
  const auto z = blood[0] - box.begin[0], y = blood[1] - box.begin[1], x = blood[2] - box.begin[2];
  if (std::min({z, y, x}) >= 0 && std::max({z, y, x}) < side) {
    values(0, z, y, x) = logits ? 1.f : 0.5f;
    values(1, z, y, x) = logits ? 1.f : 0.5f;
  }
  return values;
}

/// How many of 27 patches that overlap by half are asked again, and how many hold the voxel.
std::array<int, 2> looks(double share, const std::array<std::int64_t, 3>& blood, bool logits) {
  SecondLook second_look({64, 64, 64}, 0.8f, share);
  int again = 0, held = 0;
  for (int k = 0; k < 27; ++k) {
    const Box box{{k / 9 * 16, k / 3 % 3 * 16, k % 3 * 16}, {side, side, side}};
    const auto values = answer(box, blood, logits);
    held += values(1, 0, 0, 0) != 0 || std::ranges::any_of(values.plane(1), [](float v) { return v != 0; });
    again +=
        second_look.wanted(values, logits ? ProcedureSpec::Merge::logits : ProcedureSpec::Merge::probabilities, box);
  }
  return {again, held};
}

}  // namespace

TEST_CASE("adaptive: of the patches that hold what is not clear, the wanted share is asked again, and no other") {
  for (const bool logits : {false, true}) {
    CHECK(looks(1, {30, 28, 25}, logits) == std::array{8, 8});
    CHECK(looks(0.5, {30, 28, 25}, logits) == std::array{4, 8});
    CHECK(looks(0.1, {30, 28, 25}, logits) == std::array{1, 8});
    CHECK(looks(0.5, {3, 2, 63}, logits) == std::array{1, 1});
  }
}

TEST_CASE("adaptive: what lies beyond the volume counts for nothing") {
  SecondLook second_look({20, 20, 20}, 0.8f, 1);
  const Box box{{-6, -6, -6}, {side, side, side}};
  CHECK(!second_look.wanted(answer(box, {-1, 5, 5}, false), ProcedureSpec::Merge::probabilities, box));
  CHECK(!second_look.wanted(answer(box, {5, 5, 20}, false), ProcedureSpec::Merge::probabilities, box));
  CHECK(second_look.wanted(answer(box, {5, 5, 19}, false), ProcedureSpec::Merge::probabilities, box));
}

TEST_CASE("an answer that is no number is asked again") {
  SecondLook second_look({32, 32, 32}, 0.8f, 1);
  const Box box{{0, 0, 0}, {side, side, side}};
  auto values = answer(box, {40, 0, 0}, false);
  CHECK_FALSE(second_look.wanted(values, ProcedureSpec::Merge::probabilities, box));
  values(0, 3, 4, 5) = std::numeric_limits<float>::quiet_NaN();
  CHECK(second_look.wanted(values, ProcedureSpec::Merge::probabilities, box));
}
