#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>

namespace torch::nn {
class Module;
}

namespace ichdet {

enum class Precision { float32, bfloat16, adaptive };

/// Throws Error(options) where the text is none of float32, bfloat16, adaptive.
Precision parse_precision(const std::string& text);

struct PrepareOptions {
  Precision precision = Precision::float32;
  int threads = 0;  ///< 0: as many as LibTorch is set to use
};

/// A network made ready for inference: a callable from input to logits, of the same shapes as the module's forward.
///
/// Immutable and shared: copies are handles, and calls may run from several threads at once. A call runs without
/// gradients and with denormal numbers flushed (InferenceThreads).
class PreparedNetwork {
 public:
  using Run = std::function<at::Tensor(const at::Tensor&)>;
  PreparedNetwork(Run run, const PrepareOptions& options);

  /// Throws what the network throws on a shape it does not take.
  at::Tensor operator()(const at::Tensor& input) const;

 private:
  std::shared_ptr<const Run> run_;
  int threads_;
};

/// The one place where a plain module becomes fast. The module is read, not kept; it stays as it is.
///
/// DeepMedic: batch norm folded into one fused kernel with PReLU and the residual sum, channels that a zero batch norm
/// scale makes constant folded into the next bias, channels-last convolutions, and the head's first layer applied to
/// each pathway before up-sampling. Logits agree with the module's within 1e-4 of their range in float32.
///
/// Throws Error(options) for a network that has no such form yet, and for precisions other than float32.
PreparedNetwork prepare(const torch::nn::Module& module, const PrepareOptions& options = {});

}  // namespace ichdet
