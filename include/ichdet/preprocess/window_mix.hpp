#pragma once

#include <span>

#include "ichdet/preprocess/window.hpp"

namespace ichdet {

/// A window that counts so much in a mixture.
struct WeightedWindow {
  Window window;
  double weight = 1;
};

/// sum of weight * (clip(hu, low, high) - low) / (high - low) over the windows, in double, in their order, and rounded
/// once to float: bit for bit NumPy's float64 expression, then `astype("float32")`. Shape as `hu`; NaN counts as the
/// windows' low ends. Throws Error(options) where there is no window, where a weight is not finite, and as window()
/// does. `threads` as in WindowOptions.
Array3<float> mix_windows(const Array3<float>& hu, std::span<const WeightedWindow> windows, int threads = 1);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/preprocess/window_mix_inl.hpp"
#endif
