#pragma once

#include <pybind11/pybind11.h>

#include <memory>

#include "ichdet/nn/network.hpp"

namespace ichdet::python {

namespace py = pybind11;

/// A torch.nn.Module of Python's.
struct TorchModule : py::object {
  using py::object::object;
  TorchModule(const py::object& object) : py::object(object) {}
  static bool check_(py::handle object) {
    return py::isinstance(object, py::module_::import("torch.nn").attr("Module"));
  }
};

/// A network written in Python: calls take the interpreter's lock. Its parameters and buffers are registered under the
/// names that they have in Python.
class PythonNetwork : public ichdet::Network {
 public:
  explicit PythonNetwork(const TorchModule& module);

  at::Tensor forward_features(const at::Tensor& x) override;
  at::Tensor forward_head(const at::Tensor& features) override;
  void train(bool on = true) override;
  bool is_training() const noexcept override;

  const TorchModule& python() const { return *module_; }

 private:
  std::shared_ptr<TorchModule> module_;
  bool in_two_parts_;  ///< has forward_features and forward_head of its own
};

}  // namespace ichdet::python

template <>
struct pybind11::detail::handle_type_name<ichdet::python::TorchModule> {
  static constexpr auto name = const_name("torch.nn.Module");
};
