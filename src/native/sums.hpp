#pragma once

#include <cstdint>
#include <functional>

namespace ichdet::native {

/// Sums of a convolution, (pixels, channels): pixels in a row from z, y, x on, channels from `first` on.
struct Sums {
  std::int64_t z, y, x, pixels, first, channels;
  const float* values;
};
using TakeSums = std::function<void(const Sums&)>;

}  // namespace ichdet::native
