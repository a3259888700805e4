#include "image_channel.hpp"

#include <algorithm>
#include <array>

#include "ichdet/core/array.hpp"
#include "ichdet/preprocess/window.hpp"

namespace ichdet::pipeline {

void write_channel(const at::Tensor& hu, const ChannelSpec& channel, const std::optional<Rounding>& levels,
                   float* out) {
  const Array3<float> values(hu.data_ptr<float>(), {1, hu.size(0), hu.size(1)}, nullptr);
  const Window range{channel.low_hu, channel.high_hu};
  const auto mean = float(channel.mean), std = float(channel.std);
  if (!levels) {
    const auto shown = channel.mix.empty() ? window(values, range) : mix_windows(values, channel.mix);
    std::transform(shown.begin(), shown.end(), out, [=](float value) { return (value - mean) / std; });
    return;
  }
  std::array<float, 256> normalised;
  for (std::size_t level = 0; level < normalised.size(); ++level) {
    normalised[level] = (float(level) / 255.f - mean) / std;
  }
  const auto shown = window_8bit(values, range, *levels);
  std::transform(shown.begin(), shown.end(), out, [&](std::uint8_t level) { return normalised[level]; });
}

}  // namespace ichdet::pipeline
