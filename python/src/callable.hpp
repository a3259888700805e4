#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/typing.h>
#include <torch/csrc/utils/pybind.h>

#include <memory>

#include "ichdet/nn/prepare.hpp"

namespace ichdet::python {

/// A function of a torch.Tensor.
using TensorFunction = pybind11::typing::Callable<at::Tensor(at::Tensor)>;

/// Called from any thread, under the interpreter's lock: torch tensors in; torch tensors, NumPy arrays or numbers out.
/// What it raises comes through as it is.
inline Forward held(const pybind11::function& function) {
  const std::shared_ptr<pybind11::function> kept(new pybind11::function(function), [](pybind11::function* last) {
    const pybind11::gil_scoped_acquire locked;
    delete last;
  });
  return [kept](const at::Tensor& inputs) {
    const pybind11::gil_scoped_acquire locked;
    return pybind11::module_::import("torch").attr("as_tensor")((*kept)(inputs)).cast<at::Tensor>();
  };
}

}  // namespace ichdet::python
