#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/stack.h>

#include <cstddef>
#include <functional>
#include <vector>

namespace ichdet::nn {

/// One operator: takes its arguments off the stack and leaves its results there.
struct Step {
  struct Argument {
    std::size_t position = 0;  ///< on the stack
    std::size_t slot = 0;
    bool last = false;  ///< nobody reads the slot afterwards: the step gets it, and may overwrite it
  };

  std::function<void(torch::jit::Stack&)> body;
  torch::jit::Stack constants;  ///< the stack, with holes where arguments go
  std::vector<Argument> arguments;
  std::vector<std::size_t> results;  ///< the slots they go to
};

/// Steps over numbered slots. Immutable: each run has slots of its own.
struct Plan {
  std::vector<Step> steps;
  std::size_t slots = 0, input = 0, output = 0;

  /// Marks every slot's last reader.
  void mark_last();

  at::Tensor run(const at::Tensor& input_tensor) const;
};

}  // namespace ichdet::nn
