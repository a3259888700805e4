#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "ichdet/attribution/explained.hpp"

namespace ichdet::attribution {

/// Do attributions add up? Those of a path method sum to the difference of the scores at the path's two ends, but for
/// the error of the steps that it was cut into. All are (image), float64.
struct Completeness {
  at::Tensor sum;         ///< of an image's attributions
  at::Tensor difference;  ///< score(input) - score(baseline)

  at::Tensor gap() const;    ///< sum - difference
  at::Tensor share() const;  ///< |gap| / |difference|: NaN or infinite where there is no difference
};

/// Asks for the scores of input and baseline.
Completeness completeness(const Explained& explained, const at::Tensor& input, const at::Tensor& baseline,
                          const at::Tensor& attributions);

struct Attribution {
  at::Tensor values;  ///< of the input's shape and type
  std::optional<Completeness> completeness;
};

}  // namespace ichdet::attribution
