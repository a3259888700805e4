#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

// LibTorch's fused oneDNN operators, found by name. They are no part of its public interface, so each is taken only
// where it has the schema that this code was written for.
namespace ichdet::nn {

/// nullopt where this LibTorch does not have the operator, or has it with another schema.
std::optional<c10::OperatorHandle> find_operator(const std::string& schema);

/// What oneDNN applies to each output of a convolution or a linear layer, by its names for them.
struct Activation {
  std::string name = "none";
  std::vector<double> scalars;
  std::string algorithm;
};

/// The arguments of a convolution, of 2 or 3 axes.
struct Convolution {
  at::Tensor weight, bias;  ///< bias may be undefined
  std::vector<std::int64_t> stride, padding, dilation, output_padding;
  bool transposed = false;
  std::int64_t groups = 1;
};

/// An operator with all its arguments but the tensors that come at run time: `input` at place 0, `other`, the tensor to
/// be added, at place 1 where there is one.
struct FusedOperator {
  c10::OperatorHandle handle;
  std::vector<c10::IValue> arguments;

  at::Tensor operator()(const at::Tensor& input, const at::Tensor& other = {}) const;
};

/// True where oneDNN multiplies in `type` on this CPU.
bool onednn_has(at::ScalarType type);

enum class Fused { convolution, convolution_and_sum, transposed_convolution, linear };

/// True where this LibTorch has the operators that the form needs.
bool has(Fused form);

/// Keeps what `make` packs, by the name of what it is.
using Pack = std::function<at::Tensor(const std::string& what, const std::function<at::Tensor()>& make)>;

/// The fused forms with packed weights; their operators have to be there.
FusedOperator fused_convolution(const Convolution& convolution, at::IntArrayRef input_size, bool adds,
                                const Activation& activation, const Pack& packed);
FusedOperator fused_linear(const at::Tensor& weight, const at::Tensor& bias, std::int64_t rows,
                           const Activation& activation, const Pack& packed);

}  // namespace ichdet::nn
