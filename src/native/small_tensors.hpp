#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/stack.h>

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "reading.hpp"

namespace ichdet::native {

/// What LibTorch computes of small tensors, on the way to what a map is multiplied by: the nodes between values that
/// are given and values that are wanted. Each run has slots of its own.
class SmallTensors {
 public:
  /// `given` are the values that there are before; all others lead back to them and to constants.
  SmallTensors(const std::vector<Name>& given, const std::vector<Name>& wanted);

  std::vector<at::Tensor> run(const std::vector<at::Tensor>& given) const;

 private:
  struct Call {
    std::function<void(torch::jit::Stack&)> body;
    torch::jit::Stack arguments;                                  ///< with holes for slots
    std::vector<std::pair<std::size_t, std::size_t>> from_slots;  ///< argument, slot
    std::vector<std::size_t> results;
  };
  std::size_t add(Name value);

  std::map<Name, std::size_t> slots_;
  std::vector<Call> calls_;
  std::vector<std::size_t> given_, wanted_;
};

}  // namespace ichdet::native
