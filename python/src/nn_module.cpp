#include <ATen/Functions.h>

// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include "ichdet/models/create.hpp"
#include "ichdet/models/segmentation_network.hpp"
#include "json.hpp"
#include "plain.hpp"

namespace ichdet::python {
namespace {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

template <class Items>
NamedTensors named(const Items& items) {
  NamedTensors tensors;
  for (const auto& item : items) tensors.emplace_back(item.key(), item.value());
  return tensors;
}

std::vector<std::pair<std::string, Part>> children(const Part& part) {
  std::vector<std::pair<std::string, Part>> parts;
  for (const auto& item : part.module->named_children()) parts.emplace_back(item.key(), Part{item.value()});
  return parts;
}

}  // namespace

/// What `ichdet.nn.Module` (python/ichdet/nn.py) is made of.
void bind_module(py::module_& m) {
  py::class_<Part>(m, "_Part", "A module of LibTorch's C++ front end.")
      .def_property_readonly(
          "name", [](const Part& part) { return part.module->name(); }, "The C++ class.")
      .def_property_readonly(
          "training", [](const Part& part) { return part.module->is_training(); }, "Whether it is in training.")
      .def(
          "train", [](const Part& part, bool mode) { part.module->train(mode); }, py::arg("mode"),
          "Training or evaluation, of all that is in it.")
      .def(
          "parameters", [](const Part& part) { return named(part.module->named_parameters(/*recurse=*/false)); },
          "Its own, by name.")
      .def(
          "buffers", [](const Part& part) { return named(part.module->named_buffers(/*recurse=*/false)); },
          "Its own, by name.")
      .def("children", &children, "What it is made of, by name.");

  // Autograd refuses to run under the interpreter's lock.
  const py::call_guard<py::gil_scoped_release> freely;
  py::class_<Plain, Part>(m, "_Plain", "A network as its authors wrote it.")
      .def(py::init([](const std::string& architecture, const JsonDict& options) {
             const nlohmann::json json = from_python(options);
             return Plain(unlocked([&] { return models::create(architecture, json, "create"); }),
                          {architecture, json});
           }),
           py::arg("architecture"), py::arg("options"))
      .def_property_readonly(
          "architecture", [](const Plain& plain) { return plain.architecture.name; }, "As `create` knows it.")
      .def_property_readonly(
          "options", [](const Plain& plain) -> JsonDict { return to_python(plain.architecture.options); },
          "Those given, not their defaults.")
      .def(
          "forward",
          [](const Plain& plain, const at::Tensor& x) { return guarded([&] { return plain.network->forward(x); }); },
          freely, py::arg("x"), "Logits.")
      .def(
          "forward_features",
          [](const Plain& plain, const at::Tensor& x) {
            return guarded([&] { return plain.network->forward_features(x); });
          },
          freely, py::arg("x"), "What the head decides from.")
      .def(
          "forward_head",
          [](const Plain& plain, const at::Tensor& features) {
            return guarded([&] { return plain.network->forward_head(features); });
          },
          freely, py::arg("features"), "Features to logits.")
      .def(
          "forward_deep",
          [](const Plain& plain, const at::Tensor& x) {
            auto* family = dynamic_cast<models::SegmentationNetwork*>(plain.network.get());
            if (family == nullptr) throw Error(ErrorCode::options, plain.network->name() + " has no deep supervision");
            return guarded([&] { return family->forward_deep(x); });
          },
          freely, py::arg("x"), "Logits of all heads, finest first.");
}

}  // namespace ichdet::python
