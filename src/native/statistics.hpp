#pragma once

#include <cstdint>
#include <vector>

#include "map.hpp"

namespace ichdet::native {

/// What a convolution's statistics become: scale and shift (2, place), such that each channel of a map has mean `shift`
/// and deviation `scale` of the norm's own.
class InstanceNorm {
 public:
  struct Options {
    std::int64_t from = 0;  ///< offset in the arena of (part, group of 16, 2, 16) sums and sums of squares
    std::int64_t parts = 0;
    std::int64_t part_places = 0;  ///< of a part; those of the map beyond become 0
    std::int64_t places = 0;       ///< of the map
    std::int64_t to = 0;           ///< offset in the arena
    double count = 0;              ///< pixels
    double epsilon = 0;
    std::vector<float> weight, bias;  ///< by place; empty: 1 and 0
  };
  explicit InstanceNorm(Options options) : options_(std::move(options)) {}

  std::int64_t units() const { return options_.places; }
  void run(char* arena, std::int64_t begin, std::int64_t end) const;

 private:
  Options options_;
};

/// The statistics of a map that no convolution left any of, as InstanceNorm reads them: a part for each row.
class Statistics {
 public:
  Statistics(Map map, std::int64_t to) : map_(std::move(map)), to_(to) {}

  std::int64_t units() const { return map_.rows() * std::int64_t(map_.blocks.size()); }
  void run(char* arena, std::int64_t begin, std::int64_t end) const;

 private:
  Map map_;
  std::int64_t to_;
};

}  // namespace ichdet::native
