#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "map.hpp"
#include "tiles.hpp"

namespace ichdet::native {

/// Means of a map's channels over planes, and over the pixels of each plane, in one pass. Channel c is at place c.
class Means {
 public:
  struct Options {
    Map map;
    std::int64_t channels = 0;
    std::optional<std::int64_t> over_planes;  ///< offset in the arena of (channel, y, x) floats
    std::optional<std::int64_t> over_pixels;  ///< of (channel, z) floats
    std::int64_t row_sums = 0;                ///< of room for (group of 16 places, z, y, 16) floats
  };
  explicit Means(const Options& options) : options_(options) {}

  std::int64_t units() const { return options_.map.places() / lanes * options_.map.height(); }
  void run(char* arena, std::int64_t begin, std::int64_t end) const;
  /// After all units.
  void finish(char* arena) const;

 private:
  void add_rows(const char* arena, std::int64_t group, std::int64_t y, float* over_planes, float* row_sums) const;

  Options options_;
};

/// Means of an image's channels along its rows, along its columns, and over all pixels, in one pass.
class ImageMeans {
 public:
  struct Options {
    Map map;
    std::vector<std::int64_t> channel_of;       ///< places
    std::optional<std::int64_t> along_rows;     ///< offset in the arena of (channel, y) floats
    std::optional<std::int64_t> along_columns;  ///< of (channel, x)
    std::optional<std::int64_t> over_all;       ///< of a float for each channel
  };
  explicit ImageMeans(Options options) : options_(std::move(options)) {}

  std::int64_t units() const { return options_.map.places() / lanes; }
  void run(char* arena, std::int64_t begin, std::int64_t end) const;

 private:
  Options options_;
};

}  // namespace ichdet::native
