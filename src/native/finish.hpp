#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "map.hpp"
#include "vectors.hpp"

namespace ichdet::native {

/// The slope of an activation, at the values of a map.
struct SlopeAt {
  Map map;
  Slope slope;
};

/// What becomes of a convolution's sums: out = act(sum + bias + addend) * slope.
struct Finish {
  Map out;
  std::vector<float> bias;  ///< of groups of 16 outputs
  Activation activation;
  std::optional<Map> addend;
  std::optional<SlopeAt> slope;
};

/// Pixels in a row of `out`, the first at z, y, x and each `step` from the one before.
struct Run {
  std::int64_t z = 0, y = 0, x = 0, step = 1, count = 0;
};

/// Of `groups` (1 or 2) groups of 16 outputs from the output `first` on: sums (pixel, 16 groups). To `statistics`,
/// (group, 2, 16) or none, are added the sums before the activation and those of their squares.
void finish(const Finish& how, char* arena, const Run& run, std::int64_t first, int groups, const float* sums,
            float* statistics);

}  // namespace ichdet::native
