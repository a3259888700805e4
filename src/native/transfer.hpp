#pragma once

#include <cstdint>
#include <vector>

#include "map.hpp"

namespace ichdet::native {

/// How an image's floats lie: from one channel, plane, row and column to the next.
struct Strides {
  std::int64_t channel = 0;
  Triple pixel{};
};

/// Rows of an image, counted over all planes, into a map; channel c goes to place c.
void read_rows(const float* image, const Strides& strides, std::int64_t image_channels, const Map& map, char* arena,
               std::int64_t begin, std::int64_t end);

/// A map's rows, counted over all planes; channel c is from place `channel_of[c]`.
void write_rows(const Map& map, const std::vector<std::int64_t>& channel_of, const char* arena, float* image,
                const Strides& strides, std::int64_t begin, std::int64_t end);

}  // namespace ichdet::native
