// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/functional.h>
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include "explained.hpp"
#include "ichdet/attribution/grad_cam.hpp"
#include "network.hpp"
#include "tensor_like.hpp"

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
      [](const Forward& features, const Forward& head, const TensorLike& input, const TargetArgument& target,
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
input : torch.Tensor or numpy.ndarray, (image, channel, y, x) or (image, channel, z, y, x)
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
torch.Tensor, (image, y, x) or (image, z, y, x)
    Each image's map in [0, 1], of the input's size; float32, or float64 of such features.

Raises
------
ichdet.Error
    shape: an input without 4 or 5 axes, features that do not go with it or are not finite, a target that does not
    depend on them.

Notes
-----
Selvaraju et al., arXiv:1610.02391; Chattopadhay et al., arXiv:1710.11063, equations 7 and 19; Muhammad and Yeasin,
arXiv:2008.00299. docs/attribution.md names every difference from grad-cam.

Examples
--------
>>> features = lambda x: torch.nn.functional.avg_pool2d(x, 2)  # a plain torch network in two parts
>>> head = lambda f: f.mean((2, 3))
>>> x = torch.zeros(1, 1, 4, 4)
>>> x[..., 2:, 2:] = 1
>>> ichdet.attribution.grad_cam(features, head, x, target=0)[0, 0], ichdet.attribution.grad_cam(
...     features, head, x, target=0)[0, 3]
(tensor([0., 0., 0., 0.]), tensor([0.0000, 0.2500, 0.7500, 1.0000])))");
  m.def(
      "grad_cam",
      [](Network& network, const TensorLike& input, const TargetArgument& target, const std::string& method,
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
      [](const Forward& head, const TensorLike& features, const TargetArgument& target, bool create_graph) {
        const auto found = attribution::head_gradient(head, features, target_of(target), create_graph);
        return std::pair(found.output, found.gradient);
      },
      freely, py::arg("head"), py::arg("features"), py::arg("target") = py::none(), py::kw_only(),
      py::arg("create_graph") = false,
      R"(A head's output, and the gradient of a target's sum with respect to the features.

Parameters
----------
head : callable, feature maps to output
features : torch.Tensor or numpy.ndarray, (image, channel, ...)
target : int, list of int, callable or None
    As grad_cam takes it.
create_graph : bool
    The gradient is differentiable.

Returns
-------
output : torch.Tensor
gradient : torch.Tensor, of the features' shape

Examples
--------
>>> head = lambda f: f.mean((2, 3))
>>> output, gradient = ichdet.attribution.head_gradient(head, torch.ones(1, 2, 2, 2), target=1)
>>> gradient[0, :, 0, 0]
tensor([0.0000, 0.2500]))");
  m.def(
      "unscaled_map",
      [](const TensorLike& features, const TensorLike& gradient, const std::string& method, bool eigen_smooth) {
        return attribution::unscaled_map(features, gradient, options_of(method, false, eigen_smooth, false, 3));
      },
      freely, py::arg("features"), py::arg("gradient"), py::kw_only(), py::arg("method") = "grad-cam",
      py::arg("eigen_smooth") = false,
      R"(The map as the method computes it: comparable between images, of any sign and scale.

Parameters
----------
features, gradient : torch.Tensor or numpy.ndarray, (image, channel, y, x) or (image, channel, z, y, x)
    head_gradient's.
method, eigen_smooth
    As grad_cam takes them.

Returns
-------
torch.Tensor, (image, y, x) or (image, z, y, x), of the features' size

Examples
--------
>>> features = torch.arange(4.0).reshape(1, 1, 2, 2)
>>> ichdet.attribution.unscaled_map(features, torch.full((1, 1, 2, 2), 0.5))
tensor([[[0.0000, 0.5000],
         [1.0000, 1.5000]]]))");
  m.def(
      "scaled_map",
      [](const TensorLike& map, const std::vector<std::int64_t>& size) { return attribution::scaled_map(map, size); },
      freely, py::arg("map"), py::arg("size"),         R"(What grad_cam makes of an unscaled map: negative values 0, spread over 0 to 1, resized.

Parameters
----------
map : torch.Tensor or numpy.ndarray, (image, y, x) or (image, z, y, x)
size : list of int
    y, x or z, y, x. Planes are resized linearly, as OpenCV does, volumes by cubic splines, as SciPy's zoom.

Returns
-------
torch.Tensor, (image, *size), in [0, 1]

Examples
--------
>>> ichdet.attribution.scaled_map(torch.tensor([[[-1.0, 1], [2, 4]]]), [2, 2])
tensor([[[0.0000, 0.2500],
         [0.5000, 1.0000]]]))");
  m.def(
      "first_component", [](const TensorLike& maps) { return attribution::first_component(maps); }, freely,
      py::arg("maps"),
      R"(The projection of maps on their first principal component, which goes with the sum of the channels.

Parameters
----------
maps : torch.Tensor or numpy.ndarray, (image, channel, position)

Returns
-------
torch.Tensor, (image, position)

Examples
--------
>>> maps = torch.tensor([[[0.0, 1, 2], [0, 2, 4]]])
>>> (ichdet.attribution.first_component(maps) / 5**0.5).round(decimals=3) + 0
tensor([[-1.,  0.,  1.]]))");
}

}  // namespace ichdet::python
