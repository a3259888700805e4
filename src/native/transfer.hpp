#pragma once

#include <cstdint>
#include <vector>

#include "map.hpp"

namespace ichdet::native {

/// Rows of an image (channel, row, column) into a map; channel c goes to place c.
void read_rows(const float* image, std::int64_t image_channels, const Map& map, char* arena, std::int64_t begin,
               std::int64_t end);

/// A map's rows as (channel, row, column); channel c is from place `channel_of[c]`.
void write_rows(const Map& map, const std::vector<std::int64_t>& channel_of, const char* arena, float* image,
                std::int64_t begin, std::int64_t end);

}  // namespace ichdet::native
