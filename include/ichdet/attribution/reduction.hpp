#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace ichdet::attribution {

/// How channels become one.
enum class Reduction {
  sum_abs,  ///< of magnitudes: the public implementation's pictures
  max,      ///< the highest: XRAI's
  sum,      ///< what counts for the score as a whole, channels that speak against each other cancelled
  max_abs,
};

/// sum-abs, max, sum, max-abs. Throws Error(options) that lists them.
Reduction parse_reduction(const std::string& text);
std::string to_string(Reduction reduction);

/// Attributions (image, channel, ...) to a map (image, ...).
at::Tensor to_map(const at::Tensor& attributions, Reduction reduction = Reduction::sum_abs);

}  // namespace ichdet::attribution
