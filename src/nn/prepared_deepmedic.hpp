#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "ichdet/nn/prepare.hpp"

namespace ichdet::models {
class DeepMedicImpl;
}

namespace ichdet::nn {

/// DeepMedic made fast: see prepare.hpp. The same results whatever the number of threads, and from run to run.
class PreparedDeepMedic {
 public:
  /// Throws Error(options) for a network that has no fast form.
  PreparedDeepMedic(const models::DeepMedicImpl& network, Precision precision);

  /// (1, channels, D, H, W) to logits (1, classes, ...). Throws Error(shape) where the output's size is not a multiple
  /// of every pathway's scale.
  at::Tensor operator()(const at::Tensor& input) const { return run_(input); }

 private:
  std::function<at::Tensor(const at::Tensor&)> run_;
};

}  // namespace ichdet::nn
