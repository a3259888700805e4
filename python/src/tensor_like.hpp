#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <torch/csrc/utils/pybind.h>

namespace ichdet::python {

/// A torch.Tensor, or a NumPy array, on whose memory a tensor is then laid.
struct TensorLike {
  at::Tensor tensor;
  operator const at::Tensor&() const { return tensor; }  // NOLINT: an argument as any other
  /// What a prepared network takes, copied only where it is of another type, device or layout.
  at::Tensor floats() const { return tensor.to(at::kCPU, at::kFloat).contiguous(); }
};

}  // namespace ichdet::python

namespace pybind11::detail {

template <>
struct type_caster<ichdet::python::TensorLike> {
  PYBIND11_TYPE_CASTER(ichdet::python::TensorLike,
                       const_name("torch.Tensor | numpy.typing.NDArray[typing.Any]"));

  bool load(handle source, bool convert) {
    make_caster<at::Tensor> plain;
    if (plain.load(source, convert)) {
      value.tensor = cast_op<at::Tensor&>(plain);
      return true;
    }
    if (!isinstance<array>(source)) return false;
    value.tensor = module_::import("torch").attr("as_tensor")(source).cast<at::Tensor>();
    return true;
  }
};

}  // namespace pybind11::detail
