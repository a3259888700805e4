#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "ichdet/nn/sliding_window.hpp"

namespace ichdet::nn {

/// Sums of weighted answers and of weights over as many planes of a region as a patch is deep: a ring, of which plane
/// z has place z modulo its depth.
class Slab {
 public:
  using Triple = std::array<std::int64_t, 3>;

  Slab(std::int64_t classes, const Triple& size)
      : sums_({classes, size[0], size[1], size[2]}),
        weights_(size),
        values_({classes, 1, size[1], size[2]}),
        computed_({1, size[1], size[2]}) {}

  /// Adds a patch whose first voxel lies at `at` of the region; what lies outside is dropped.
  void add(const Array4<float>& answer, const Triple& at, const std::array<std::vector<float>, 3>& weights,
           float least) {
    const auto first = std::max<std::int64_t>(0, -at[2]);
    const auto end = std::min(answer.extent(3), weights_.extent(2) - at[2]);
    std::vector<float> row(std::size_t(answer.extent(3)));
    for (std::int64_t z = std::max<std::int64_t>(0, next_ - at[0]); z < answer.extent(1); ++z) {
      if (at[0] + z >= next_ + weights_.extent(0)) break;
      const auto plane = (at[0] + z) % weights_.extent(0);
      for (std::int64_t y = 0; y < answer.extent(2); ++y) {
        if (at[1] + y < 0 || at[1] + y >= weights_.extent(1)) continue;
        const float wzy = weights[0][std::size_t(z)] * weights[1][std::size_t(y)];
        float* total = &weights_(plane, at[1] + y, 0) + at[2];
        for (std::int64_t x = first; x < end; ++x) {
          row[std::size_t(x)] = std::max(wzy * weights[2][std::size_t(x)], least);
          total[x] += row[std::size_t(x)];
        }
        for (std::int64_t c = 0; c < sums_.extent(0); ++c) {
          float* sum = &sums_(c, plane, at[1] + y, 0) + at[2];
          const float* value = &answer(c, z, y, 0);
          for (std::int64_t x = first; x < end; ++x) sum[x] += row[std::size_t(x)] * value[x];
        }
      }
    }
  }

  /// Hands on all planes before `end`, one by one, and makes room for later ones.
  void finish(std::int64_t end, std::int64_t region_begin, const SlabSink& sink) {
    for (; next_ < end; ++next_) {
      const auto place = next_ % weights_.extent(0);
      const auto weights = weights_.plane(place);
      const auto pixels = std::int64_t(weights.size());
      for (std::int64_t i = 0; i < pixels; ++i) computed_.data()[i] = weights[std::size_t(i)] > 0;
      for (std::int64_t c = 0; c < sums_.extent(0); ++c) {
        float* sum = &sums_(c, place, 0, 0);
        float* value = &values_(c, 0, 0, 0);
        for (std::int64_t i = 0; i < pixels; ++i) {
          value[i] = weights[std::size_t(i)] > 0 ? sum[i] / weights[std::size_t(i)] : 0.f;
        }
        std::fill(sum, sum + pixels, 0.f);
      }
      std::ranges::fill(weights, 0.f);
      sink(region_begin + next_, values_, computed_);
    }
  }

 private:
  Array4<float> sums_;
  Array3<float> weights_;
  Array4<float> values_;  ///< of the plane that is handed on
  Array3<std::uint8_t> computed_;
  std::int64_t next_ = 0;  ///< first plane that was not handed on
};

}  // namespace ichdet::nn
