#include "canvas.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "ichdet/core/parallel.hpp"

namespace ichdet::pipeline {
namespace {

using Triple = std::array<std::int64_t, 3>;

/// Calls use(index in the volume, index in the piece) for each voxel that counts.
template <class Use>
void each_voxel(const Triple& begin, const Array4<float>& values, const Array3<std::uint8_t>* computed,
                const Triple& volume, Use&& use) {
  std::int64_t i = 0;
  for (std::int64_t z = 0; z < values.extent(1); ++z) {
    for (std::int64_t y = 0; y < values.extent(2); ++y) {
      const auto row = ((begin[0] + z) * volume[1] + begin[1] + y) * volume[2] + begin[2];
      const bool inside = begin[0] + z < volume[0] && begin[1] + y < volume[1];
      for (std::int64_t x = 0; x < values.extent(3); ++x, ++i) {
        if (inside && begin[2] + x < volume[2] && (computed == nullptr || computed->data()[i] != 0)) use(row + x, i);
      }
    }
  }
}

}  // namespace

Painter paint_values(Array4<float>& all) {
  return [&all](const Triple& begin, const Array4<float>& values, const Array3<std::uint8_t>* computed) {
    for (std::int64_t c = 0; c < values.extent(0); ++c) {
      const auto from = values.plane(c);
      const auto to = all.plane(c);
      each_voxel(begin, values, computed, {all.extent(1), all.extent(2), all.extent(3)},
                 [&](std::int64_t at, std::int64_t i) { to[std::size_t(at)] = from[std::size_t(i)]; });
    }
  };
}

Painter paint_labels(Array3<std::uint8_t>& labels, Array3<float>& blood, const std::vector<ClassSpec>& classes) {
  return [&](const Triple& begin, const Array4<float>& values, const Array3<std::uint8_t>* computed) {
    const auto voxels = values.extent(1) * values.extent(2) * values.extent(3);
    each_voxel(begin, values, computed, labels.shape(), [&](std::int64_t at, std::int64_t i) {
      float best = values.data()[i], sum = 0;
      std::uint8_t label = 0;
      for (std::size_t c = 0; c < classes.size(); ++c) {
        const float value = values.data()[std::int64_t(c) * voxels + i];
        if (value > best) {
          best = value;
          label = std::uint8_t(c);
        }
        if (classes[c].blood) sum += value;
      }
      labels.data()[at] = label;
      blood.data()[at] = sum;
    });
  };
}

Painter softmax_to(Painter next) {
  return
      [next = std::move(next)](const Triple& begin, const Array4<float>& values, const Array3<std::uint8_t>* computed) {
        auto probabilities = values.clone();
        softmax(probabilities.data(), values.extent(0), values.size() / values.extent(0));
        next(begin, probabilities, computed);
      };
}

void softmax(float* values, std::int64_t classes, std::int64_t voxels, int threads) {
  constexpr std::int64_t chunk = 1 << 15;
  parallel_for((voxels + chunk - 1) / chunk, threads, [&](std::int64_t part) {
    for (std::int64_t i = part * chunk; i < std::min(voxels, (part + 1) * chunk); ++i) {
      float* value = values + i;
      float highest = *value, total = 0;
      for (std::int64_t c = 1; c < classes; ++c) highest = std::max(highest, value[c * voxels]);
      for (std::int64_t c = 0; c < classes; ++c) total += value[c * voxels] = std::exp(value[c * voxels] - highest);
      for (std::int64_t c = 0; c < classes; ++c) value[c * voxels] *= 1 / total;
    }
  });
}

}  // namespace ichdet::pipeline
