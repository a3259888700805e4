#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "ichdet/nn/prepare.hpp"

namespace ichdet::models {
class DeepMedicImpl;
}

namespace ichdet::nn {

/// DeepMedic made fast: see prepare.hpp. In float32 a CPU with AMX computes with values split into two bfloat16 halves,
/// some 1e-5 of the logits' range from the plain module; others use LibTorch's convolutions, some 2e-6 from it. The
/// same results whatever the number of threads, and from run to run.
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
