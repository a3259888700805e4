#include "ichdet/attribution/gradients.hpp"

// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/functional.h>
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include "ichdet/attribution/method.hpp"
#include "ichdet/attribution/reduction.hpp"
#include "watched.hpp"

namespace ichdet::python {
namespace {

using attribution::Explained;
using attribution::SmoothOptions;

SmoothOptions smooth_options(std::int64_t samples, double spread, bool squares, std::uint64_t seed,
                             const std::optional<at::Tensor>& noise) {
  return {samples, spread, squares, seed, noise.value_or(at::Tensor())};
}

}  // namespace

void bind_gradients(py::module_& nn) {
  auto m = nn.def_submodule("attribution");
  const SmoothOptions defaults;
  m.def("gradients", &attribution::gradients, py::call_guard<py::gil_scoped_release>(), py::arg("explained"),
        py::arg("input"), "The score's gradient at the input (image, channel, ...), of its shape and type.");
  m.def(
      "smooth_gradients",
      [](const Explained& explained, const at::Tensor& input, std::int64_t samples, double spread, bool squares,
         std::uint64_t seed, const std::optional<at::Tensor>& noise, const ProgressArgument& progress) {
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
input : torch.Tensor, (image, channel, y, x) or (image, channel, z, y, x), float32 or float64
samples : int
spread : float
    The noise's standard deviation, as a share of each image's maximum - minimum.
squares : bool
    The mean of the squared gradients, as saliency's default is; or of the gradients.
seed : int
    The noise is a pure function of seed, sample and voxel, the same for every image.
noise : torch.Tensor or None, (sample, channel, ...)
    In standard deviations, in place of the seeded noise.
progress : None, True or callable
    True shows a bar of tqdm; a callable is given a stage's name and the fraction done.

Returns
-------
torch.Tensor of the input's shape and type)");
  m.def(
      "smooth",
      [](const attribution::AttributionMethod& method, const at::Tensor& input, std::int64_t samples, double spread,
         bool squares, std::uint64_t seed, const std::optional<at::Tensor>& noise, std::int64_t batch,
         const ProgressArgument& progress) {
        const auto options = smooth_options(samples, spread, squares, seed, noise);
        return watched(progress,
                       [&](const Progress& tell) { return attribution::smooth(method, input, options, tell, batch); });
      },
      py::arg("method"), py::arg("input"), py::kw_only(), py::arg("samples") = defaults.samples,
      py::arg("spread") = defaults.spread, py::arg("squares") = defaults.squares, py::arg("seed") = defaults.seed,
      py::arg("noise") = py::none(), py::arg("batch") = 1, py::arg("progress") = py::none(),
      "The same of any method: a callable from inputs (image, channel, ...) to attributions of their shape, which is\n"
      "given `batch` noisy copies at once.");
  m.def(
      "to_map",
      [](const at::Tensor& attributions, const std::string& reduction) {
        return attribution::to_map(attributions, attribution::parse_reduction(reduction));
      },
      py::arg("attributions"), py::arg("reduction") = "sum-abs",
      "Attributions (image, channel, ...) to a map (image, ...): 'sum-abs', 'max', 'sum' or 'max-abs' over channels.");
  m.def("attribution_methods", &attribution::attribution_methods, "The methods' names.");
}

}  // namespace ichdet::python
