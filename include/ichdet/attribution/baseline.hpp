#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace ichdet::attribution {

/// Inputs that stand for nothing to see, where a path to the input begins.
enum class Baseline {
  zero,
  black,  ///< each image's minimum, over all channels
  white,  ///< its maximum
};

/// zero, black, white. Throws Error(options) that lists them.
Baseline parse_baseline(const std::string& text);
std::string to_string(Baseline baseline);

/// Of the input's shape and type.
at::Tensor baseline_of(const at::Tensor& input, Baseline baseline);

}  // namespace ichdet::attribution
