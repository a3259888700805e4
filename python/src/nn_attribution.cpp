// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/functional.h>
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include "explained.hpp"
#include "ichdet/attribution/grad_cam.hpp"
#include "network.hpp"

namespace ichdet::python {
namespace {

using attribution::CamOptions;

CamOptions options_of(const std::string& method, bool aug_smooth, bool eigen_smooth, bool create_graph,
                      std::int64_t mirrored_axis) {
  return {attribution::parse_cam_method(method), aug_smooth, eigen_smooth, mirrored_axis, create_graph};
}

}  // namespace

void bind_attribution(py::module_& nn) {
  auto m = nn.def_submodule("attribution", "Grad-CAM and its kin over torch tensors.");
  // Callables from Python take the interpreter's lock themselves; autograd refuses to run under it.
  const py::call_guard<py::gil_scoped_release> freely;
  m.def(
      "grad_cam",
      [](const Forward& features, const Forward& head, const at::Tensor& input, const TargetArgument& target,
         const std::string& method, bool aug_smooth, bool eigen_smooth, bool create_graph, std::int64_t mirrored_axis) {
        return attribution::grad_cam(features, head, input, target_of(target),
                                     options_of(method, aug_smooth, eigen_smooth, create_graph, mirrored_axis));
      },
      freely, py::arg("features"), py::arg("head"), py::arg("input"), py::arg("target") = py::none(), py::kw_only(),
      py::arg("method") = "grad-cam", py::arg("aug_smooth") = false, py::arg("eigen_smooth") = false,
      py::arg("create_graph") = false, py::arg("mirrored_axis") = 3,
      R"(Where in its input a network saw what speaks for a target.

Equals the Python package grad-cam 1.5.7, but for the sign of eigen_smooth and EigenCAM, which is fixed here.

Parameters
----------
features : callable, input to feature maps (image, channel, y, x) or (image, channel, z, y, x)
    Runs without gradients unless create_graph.
head : callable, feature maps to output
input : torch.Tensor, (image, channel, y, x) or (image, channel, z, y, x)
target : int, list of int, callable or None
    A class of the output (image, class), one for each image, or a function of the output to scores, whose sum's
    gradient is taken; None: each image's highest output.
method : 'grad-cam', 'grad-cam++' or 'eigen-cam'
aug_smooth : bool
    Mean over the input and its mirror image, each times 0.9, 1 and 1.1.
eigen_smooth : bool
    First principal component of the weighted features in place of their sum.
create_graph : bool
    The map is differentiable, with respect to input and parameters.
mirrored_axis : int
    The input's axis that aug_smooth mirrors.

Returns
-------
torch.Tensor, (image, y, x) or (image, z, y, x): each image's map in [0, 1], of the input's size)");
  m.def(
      "grad_cam",
      [](Network& network, const at::Tensor& input, const TargetArgument& target, const std::string& method,
         bool aug_smooth, bool eigen_smooth, std::int64_t mirrored_axis) {
        const auto features = network.prepared_features();
        const auto head = [&](const at::Tensor& f) { return network.module().forward_head(f); };
        const auto options = options_of(method, aug_smooth, eigen_smooth, false, mirrored_axis);
        return unlocked([&] { return attribution::grad_cam(features, head, input, target_of(target), options); });
      },
      py::arg("network"), py::arg("input"), py::arg("target") = py::none(), py::kw_only(),
      py::arg("method") = "grad-cam", py::arg("aug_smooth") = false, py::arg("eigen_smooth") = false,
      py::arg("mirrored_axis") = 3,
      "The same of an ichdet.nn.Network, whose features run as it is prepared: its engine and precision.");
  m.def(
      "head_gradient",
      [](const Forward& head, const at::Tensor& features, const TargetArgument& target, bool create_graph) {
        const auto found = attribution::head_gradient(head, features, target_of(target), create_graph);
        return std::pair(found.output, found.gradient);
      },
      freely, py::arg("head"), py::arg("features"), py::arg("target") = py::none(), py::kw_only(),
      py::arg("create_graph") = false,
      "(output, gradient): the head's output, and the gradient of the target's sum with respect to the features.");
  m.def(
      "unscaled_map",
      [](const at::Tensor& features, const at::Tensor& gradient, const std::string& method, bool eigen_smooth) {
        return attribution::unscaled_map(features, gradient, options_of(method, false, eigen_smooth, false, 3));
      },
      freely, py::arg("features"), py::arg("gradient"), py::kw_only(), py::arg("method") = "grad-cam",
      py::arg("eigen_smooth") = false,
      "The map as the method computes it, of the features' size: comparable between images, any sign and scale.");
  m.def(
      "scaled_map",
      [](const at::Tensor& map, const std::vector<std::int64_t>& size) { return attribution::scaled_map(map, size); },
      freely, py::arg("map"), py::arg("size"), "What grad_cam makes of an unscaled map: in [0, 1], of a size.");
  m.def("first_component", &attribution::first_component, freely, py::arg("maps"),
        "Projection (image, position) of maps (image, channel, position) on their first principal component.");
}

}  // namespace ichdet::python
