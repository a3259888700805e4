#pragma once

#include <array>

#include "ichdet/preprocess/window_mix.hpp"

namespace ichdet {

/// The four pictures of HEADS UP (S4). Windows as in its public code: brain W80 L40, subdural W200 L80, soft tissue
/// W380 L40.
enum class HeadsUpVariant {
  e1,  ///< one channel: the brain window in 8 bits (truncated), levels / 255
  e2,  ///< red, green, blue: brain, subdural, soft tissue
  e3,  ///< as E2, each in 8 bits (truncated), levels / 255
  e4,  ///< each window as a picture of its own in which red weighs most; the three averaged
};

struct HeadsUpOptions {
  /// Of E4: what a window's grey value is times in red, green and blue. The paper says "heavily-weighted red" and no
  /// number, its public code holds no E4: these are ichdet's.
  std::array<double, 3> colour_weights{1, 0.25, 0.25};
  ChannelOrder order = ChannelOrder::channel_first;
  int threads = 1;  ///< as in WindowOptions
};

/// E4's channel of this colour weight: the average of the three windows, times the weight.
std::array<WeightedWindow, 3> heads_up_mix(double colour_weight);

/// A variant's channels, in [0, 1] (E4: in [0, weight]): (channel, z, y, x) or (z, channel, y, x), float32; the paper's
/// E2 and E4 are float64 until a network reads them. Equal to NumPy's expression in float32 bit for bit (E1 to E3), in
/// float64 rounded once (E4: mix_windows of heads_up_mix). Throws Error(options) where a weight is not finite.
Array4<float> heads_up(const Array3<float>& hu, HeadsUpVariant variant, const HeadsUpOptions& options = {});

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/preprocess/heads_up_inl.hpp"
#endif
