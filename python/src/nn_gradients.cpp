#include "ichdet/attribution/gradients.hpp"

// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/functional.h>
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include "ichdet/attribution/method.hpp"
#include "ichdet/attribution/reduction.hpp"
#include "tensor_like.hpp"
#include "watched.hpp"

namespace ichdet::python {
namespace {

using attribution::Explained;
using attribution::SmoothOptions;

SmoothOptions smooth_options(std::int64_t samples, double spread, bool squares, std::uint64_t seed,
                             const std::optional<TensorLike>& noise) {
  return {samples, spread, squares, seed, noise ? noise->tensor : at::Tensor()};
}

}  // namespace

void bind_gradients(py::module_& nn) {
  auto m = nn.def_submodule("attribution");
  const SmoothOptions defaults;
  m.def(
      "gradients",
      [](const Explained& explained, const TensorLike& input) { return attribution::gradients(explained, input); },
      py::call_guard<py::gil_scoped_release>(), py::arg("explained"), py::arg("input"),
      R"(The score's gradient at the input: Simonyan et al., arXiv:1312.6034.

Parameters
----------
explained : Explained
input : torch.Tensor or numpy.ndarray, (image, channel, y, x) or (image, channel, z, y, x), float32 or float64

Returns
-------
torch.Tensor of the input's shape and type

Examples
--------
>>> network = lambda x: x.flatten(1) @ torch.tensor([[1.0, 0], [0, 2], [0, 0], [0, -1]])  # 2 x 2 pixels, 2 classes
>>> explained = ichdet.attribution.Explained(network, 1)
>>> x = torch.tensor([[[[3.0, 1], [0, 2]]]])
>>> ichdet.attribution.gradients(explained, x)
tensor([[[[ 0.,  2.],
          [ 0., -1.]]]]))");
  m.def(
      "smooth_gradients",
      [](const Explained& explained, const TensorLike& input, std::int64_t samples, double spread, bool squares,
         std::uint64_t seed, const std::optional<TensorLike>& noise, const ProgressArgument& progress) {
        const auto options = smooth_options(samples, spread, squares, seed, noise);
        return watched(progress, [&](const Progress& tell) {
          return attribution::smooth_gradients(explained, input, options, tell);
        });
      },
      py::arg("explained"), py::arg("input"), py::kw_only(), py::arg("samples") = defaults.samples,
      py::arg("spread") = defaults.spread, py::arg("squares") = defaults.squares, py::arg("seed") = defaults.seed,
      py::arg("noise") = py::none(), py::arg("progress") = py::none(),
      R"(SmoothGrad, Smilkov et al., arXiv:1706.03825: the mean of the gradients at noisy copies of the input.

Equals the Python package saliency 0.2.1, given the same noise.

Parameters
----------
explained : Explained
input : torch.Tensor or numpy.ndarray, (image, channel, y, x) or (image, channel, z, y, x), float32 or float64
samples : int
spread : float
    The noise's standard deviation, as a share of each image's maximum - minimum.
squares : bool
    The mean of the squared gradients, as saliency's default is; or of the gradients.
seed : int
    The noise is a pure function of seed, sample and voxel, the same for every image.
noise : torch.Tensor, numpy.ndarray or None, (sample, channel, ...)
    In standard deviations, in place of the seeded noise.
progress : None, True or callable
    True shows a bar of tqdm; a callable is given a stage's name and the fraction done.

Returns
-------
torch.Tensor of the input's shape and type

Raises
------
ichdet.Error
    shape: an input or what goes with it of another shape; options: a number out of its range.

Examples
--------
>>> network = lambda x: x.flatten(1) @ torch.tensor([[1.0, 0], [0, 2], [0, 0], [0, -1]])  # 2 x 2 pixels, 2 classes
>>> explained = ichdet.attribution.Explained(network, 1)
>>> x = torch.tensor([[[[3.0, 1], [0, 2]]]])
>>> ichdet.attribution.smooth_gradients(explained, x, samples=4)  # of a linear score the same everywhere, squared
tensor([[[[0., 4.],
          [0., 1.]]]]))");
  m.def(
      "smooth",
      [](const attribution::AttributionMethod& method, const TensorLike& input, std::int64_t samples, double spread,
         bool squares, std::uint64_t seed, const std::optional<TensorLike>& noise, std::int64_t batch,
         const ProgressArgument& progress) {
        const auto options = smooth_options(samples, spread, squares, seed, noise);
        return watched(progress,
                       [&](const Progress& tell) { return attribution::smooth(method, input, options, tell, batch); });
      },
      py::arg("method"), py::arg("input"), py::kw_only(), py::arg("samples") = defaults.samples,
      py::arg("spread") = defaults.spread, py::arg("squares") = defaults.squares, py::arg("seed") = defaults.seed,
      py::arg("noise") = py::none(), py::arg("batch") = 1, py::arg("progress") = py::none(),
      R"(SmoothGrad of any method: the mean of what it says of noisy copies of the input.

Parameters
----------
method : callable
    Inputs (image, channel, ...) to attributions of their shape, each image by itself.
input, samples, spread, squares, seed, noise
    As for smooth_gradients.
batch : int
    Noisy copies that the method is given at once.
progress : None, True or callable
    True shows a bar of tqdm; a callable is given a stage's name and the fraction done.

Returns
-------
torch.Tensor of the input's shape and type

Raises
------
ichdet.Error
    shape: an input or what goes with it of another shape; options: a number out of its range.

Examples
--------
>>> x = torch.tensor([[[[3.0, 1], [0, 2]]]])
>>> ichdet.attribution.smooth(lambda inputs: inputs, x, samples=100, spread=0.1, squares=False).round().int()
tensor([[[[3, 1],
          [0, 2]]]], dtype=torch.int32))");
  m.def(
      "to_map",
      [](const TensorLike& attributions, const std::string& reduction) {
        return attribution::to_map(attributions, attribution::parse_reduction(reduction));
      },
      py::arg("attributions"), py::arg("reduction") = "sum-abs",
      R"(Attributions to a map: channels are made one.

Parameters
----------
attributions : torch.Tensor or numpy.ndarray, (image, channel, ...)
reduction : 'sum-abs', 'max', 'sum' or 'max-abs'
    The sum of magnitudes, as the public implementations' pictures; the highest, as XRAI's; the sum, in which channels
    that speak against each other cancel; the highest magnitude.

Returns
-------
torch.Tensor, (image, ...)

Examples
--------
>>> ichdet.attribution.to_map(torch.tensor([[[[1.0]], [[-3.0]]]])), ichdet.attribution.to_map(
...     torch.tensor([[[[1.0]], [[-3.0]]]]), "sum")
(tensor([[[4.]]]), tensor([[[-2.]]])))");
  m.def("attribution_methods", &attribution::attribution_methods, R"(The methods' names, as SliceExplainer takes them.

Returns
-------
list of str

Examples
--------
>>> ichdet.attribution.attribution_methods()[:4]
['grad-cam', 'grad-cam++', 'eigen-cam', 'gradients'])");
  const auto asks = [&](const char* name, bool (*takes)(attribution::Method), const char* text) {
    m.def(
        name, [takes](const std::string& method) { return takes(attribution::parse_attribution_method(method)); },
        py::arg("method"), text);
  };
  asks("takes_features", &attribution::takes_features, R"(Whether a method needs a network in two parts, features and head.

Parameters
----------
method : str
    One of attribution_methods().

Returns
-------
bool

Examples
--------
>>> [name for name in ichdet.attribution.attribution_methods() if ichdet.attribution.takes_features(name)]
['grad-cam', 'grad-cam++', 'eigen-cam'])");
  asks("takes_gradients", &attribution::takes_gradients, R"(Whether a method asks for gradients.

Parameters
----------
method : str
    One of attribution_methods().

Returns
-------
bool

Examples
--------
>>> [name for name in ichdet.attribution.attribution_methods() if not ichdet.attribution.takes_gradients(name)]
['grad-cam', 'grad-cam++', 'eigen-cam', 'occlusion', 'rise'])");
}

}  // namespace ichdet::python
