#pragma once

#include <algorithm>

#include "ichdet/preprocess/heads_up.hpp"

namespace ichdet {

namespace detail {

ICHDET_INLINE std::array<Window, 3> heads_up_windows() {
  return {Window::centre_width(40, 80), Window::centre_width(80, 200), Window::centre_width(40, 380)};
}

/// 8-bit levels over 255, as torchvision's ToTensor reads a picture.
ICHDET_INLINE Array4<float> of_levels(const Array4<std::uint8_t>& levels) {
  auto out = Array4<float>::uninitialized(levels.shape());
  std::transform(levels.begin(), levels.end(), out.begin(), [](std::uint8_t level) { return float(level) / 255.F; });
  return out;
}

ICHDET_INLINE Array4<float> heads_up_mixes(const Array3<float>& hu, const HeadsUpOptions& options) {
  const auto& weights = options.colour_weights;
  const auto count = std::int64_t(weights.size()), slices = hu.extent(0), plane = hu.extent(1) * hu.extent(2);
  const bool channel_first = options.order == ChannelOrder::channel_first;
  auto out = Array4<float>::uninitialized(
      {channel_first ? count : slices, channel_first ? slices : count, hu.extent(1), hu.extent(2)});
  for (std::int64_t c = 0; c < count; ++c) {
    const auto channel = mix_windows(hu, heads_up_mix(weights[std::size_t(c)]), options.threads);
    for (std::int64_t z = 0; z < slices; ++z) {
      const auto at = channel_first ? c * slices + z : z * count + c;
      std::copy_n(channel.data() + z * plane, plane, out.data() + at * plane);
    }
  }
  return out;
}

}  // namespace detail

ICHDET_INLINE std::array<WeightedWindow, 3> heads_up_mix(double colour_weight) {
  std::array<WeightedWindow, 3> mix;
  const auto windows = detail::heads_up_windows();
  for (std::size_t i = 0; i < mix.size(); ++i) mix[i] = {windows[i], colour_weight / 3};
  return mix;
}

ICHDET_INLINE Array4<float> heads_up(const Array3<float>& hu, HeadsUpVariant variant, const HeadsUpOptions& options) {
  const auto all = detail::heads_up_windows();
  const std::span<const Window> windows(all.data(), variant == HeadsUpVariant::e1 ? 1 : all.size());
  const WindowOptions plain{.order = options.order, .threads = options.threads};
  switch (variant) {
    case HeadsUpVariant::e2: return window_channels(hu, windows, plain);
    case HeadsUpVariant::e4: return detail::heads_up_mixes(hu, options);
    case HeadsUpVariant::e1:
    case HeadsUpVariant::e3: break;
  }
  return detail::of_levels(window_channels_8bit(hu, windows, Rounding::truncate, plain));
}

}  // namespace ichdet
