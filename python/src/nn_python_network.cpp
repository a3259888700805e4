#include "python_network.hpp"

// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <string>

#include "ichdet/core/error.hpp"

namespace ichdet::python {
namespace {

/// The module of this dotted name's owner, made where it is not there yet, and the last part of the name.
std::pair<torch::nn::Module*, std::string> place_of(torch::nn::Module& root, const std::string& name) {
  auto* owner = &root;
  std::size_t begin = 0;
  for (auto dot = name.find('.'); dot != std::string::npos; dot = name.find('.', begin)) {
    const auto part = name.substr(begin, dot - begin);
    const auto known = owner->named_children();
    const auto* child = known.find(part);
    owner = (child ? *child : owner->register_module(part, std::make_shared<torch::nn::Module>())).get();
    begin = dot + 1;
  }
  return {owner, name.substr(begin)};
}

/// What Python raises as Error, so that it may cross threads that do not hold the interpreter's lock.
at::Tensor call(const py::object& module, const char* method, const at::Tensor& x) {
  const py::gil_scoped_acquire locked;
  try {
    return module.attr(method)(x).cast<at::Tensor>();
  } catch (const py::cast_error&) {
    throw Error(ErrorCode::shape, "network: expected a module that answers one tensor");
  } catch (const py::error_already_set& e) {
    if (e.matches(PyExc_KeyboardInterrupt)) throw Error(ErrorCode::cancelled, "stopped");
    throw Error(ErrorCode::shape, std::string("network: ") + e.what());
  }
}

}  // namespace

PythonNetwork::PythonNetwork(const TorchModule& module)
    : module_(new TorchModule(module),
              [](TorchModule* held) {
                const py::gil_scoped_acquire locked;
                delete held;
              }),
      in_two_parts_(py::hasattr(module, "forward_features") && py::hasattr(module, "forward_head")) {
  for (const auto& item : module.attr("named_parameters")()) {
    const auto [name, tensor] = item.cast<std::pair<std::string, at::Tensor>>();
    const auto [owner, last] = place_of(*this, name);
    owner->register_parameter(last, tensor, tensor.requires_grad());
  }
  const auto persistent = module.attr("state_dict")().cast<py::dict>();
  for (const auto& item : module.attr("named_buffers")()) {
    const auto [name, tensor] = item.cast<std::pair<std::string, at::Tensor>>();
    if (!persistent.contains(name)) continue;
    const auto [owner, last] = place_of(*this, name);
    owner->register_buffer(last, tensor);
  }
}

at::Tensor PythonNetwork::forward_features(const at::Tensor& x) {
  return call(python(), in_two_parts_ ? "forward_features" : "__call__", x);
}

at::Tensor PythonNetwork::forward_head(const at::Tensor& features) {
  return in_two_parts_ ? call(python(), "forward_head", features) : features;
}

void PythonNetwork::train(bool on) {
  const py::gil_scoped_acquire locked;
  python().attr("train")(on);
}

bool PythonNetwork::is_training() const noexcept {
  const py::gil_scoped_acquire locked;
  return python().attr("training").cast<bool>();
}

}  // namespace ichdet::python
