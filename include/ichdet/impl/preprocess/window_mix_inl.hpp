#pragma once

#include <algorithm>
#include <cmath>

#include "ichdet/core/error.hpp"
#include "ichdet/core/parallel.hpp"
#include "ichdet/impl/preprocess/check_window.hpp"
#include "ichdet/preprocess/window_mix.hpp"

namespace ichdet {

ICHDET_INLINE Array3<float> mix_windows(const Array3<float>& hu, std::span<const WeightedWindow> windows, int threads) {
  if (windows.empty()) throw Error::mismatch(ErrorCode::options, "mix_windows", "at least one window", "none");
  for (const auto& [window, weight] : windows) {
    detail::check_window(window);
    if (!std::isfinite(weight)) {
      throw Error::mismatch(ErrorCode::options, "mix_windows, weight", "a finite number", std::to_string(weight));
    }
  }
  auto out = Array3<float>::uninitialized(hu.shape());
  const std::int64_t plane = hu.extent(1) * hu.extent(2);
  parallel_for(hu.extent(0), threads, [&](std::int64_t z) {
    const float* from = hu.data() + z * plane;
    float* to = out.data() + z * plane;
    for (std::int64_t i = 0; i < plane; ++i) {
      double sum = 0;
      for (const auto& [w, weight] : windows) {
        const double clipped = std::min(w.high_hu, std::max(w.low_hu, double(from[i])));
        sum += weight * ((clipped - w.low_hu) / (w.high_hu - w.low_hu));
      }
      to[i] = float(sum);
    }
  });
  return out;
}

}  // namespace ichdet
