#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "ichdet/nn/state_dict.hpp"

namespace ichdet {
class Network;
}

namespace ichdet::models {

enum class Fit {
  exact,  ///< every tensor has its place, and every place its tensor
  /// As timm loads pretrained weights: the first convolution is adapted to the network's input channels, and a last
  /// layer for another number of classes is dropped, the network keeping its own.
  adapted,
};

/// Published weights into a network: `rename_published`, then load_state_dict. Returns what was done to them, in words.
/// Throws Error(weights) as load_state_dict does.
std::vector<std::string> load_weights(Network& network, StateDict weights, Fit fit = Fit::exact);

/// A convolution's weights (O, I, h, w) for other input channels, as timm 1.0's adapt_input_conv: summed for one
/// channel, else three channels repeated and scaled by 3 / `in_chans`. Throws Error(weights) where I is not 3 and
/// `in_chans` not 1.
at::Tensor adapt_input_conv(const at::Tensor& weight, std::int64_t in_chans);

}  // namespace ichdet::models
