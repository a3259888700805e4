#include "ichdet/attribution/completeness.hpp"

#include <ATen/TensorOperators.h>

namespace ichdet::attribution {

at::Tensor Completeness::gap() const { return sum - difference; }
at::Tensor Completeness::share() const { return (gap() / difference).abs(); }

Completeness completeness(const Explained& explained, const at::Tensor& input, const at::Tensor& baseline,
                          const at::Tensor& attributions) {
  return {attributions.flatten(1).sum(1, false, at::kDouble).cpu(),
          scores_of(explained, input) - scores_of(explained, baseline)};
}

}  // namespace ichdet::attribution
