// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include "explained.hpp"
#include "ichdet/attribution/blur_ig.hpp"
#include "ichdet/attribution/gaussian_blur.hpp"
#include "ichdet/attribution/guided_ig.hpp"
#include "ichdet/attribution/integrated_gradients.hpp"
#include "watched.hpp"

namespace ichdet::python {
namespace {

using attribution::Attribution;
using attribution::Completeness;
using attribution::Explained;

attribution::IntegratedGradientsOptions integrated_gradients_options(std::int64_t steps, const std::string& quadrature,
                                                                     bool completeness) {
  return {steps, attribution::parse_quadrature(quadrature), completeness};
}

void bind_completeness(py::module_& m) {
  py::class_<Completeness>(m, "Completeness", R"(Whether attributions add up to the difference of two scores.

Attributes
----------
sum : torch.Tensor, (image), float64
    Of each image's attributions.
difference : torch.Tensor, (image), float64
    score(input) - score(baseline).
gap : torch.Tensor, (image), float64
    sum - difference.
share : torch.Tensor, (image), float64
    |gap| / |difference|.)")
      .def_readonly("sum", &Completeness::sum)
      .def_readonly("difference", &Completeness::difference)
      .def_property_readonly("gap", &Completeness::gap)
      .def_property_readonly("share", &Completeness::share);
  py::class_<Attribution>(m, "Attribution", R"(What a path method found.

Attributes
----------
values : torch.Tensor
    Of the input's shape and type.
completeness : Completeness or None
    Where it was asked for.)")
      .def_readonly("values", &Attribution::values)
      .def_readonly("completeness", &Attribution::completeness);
}

void bind_integrated_gradients(py::module_& m) {
  m.def(
      "integrated_gradients",
      [](const Explained& explained, const at::Tensor& input, const BaselineArgument& baseline, std::int64_t steps,
         const std::string& quadrature, bool completeness, const ProgressArgument& progress) {
        const auto from = baseline_of(input, baseline);
        const auto options = integrated_gradients_options(steps, quadrature, completeness);
        return watched(progress, [&](const Progress& tell) {
          return attribution::integrated_gradients(explained, input, from, options, tell);
        });
      },
      py::arg("explained"), py::arg("input"), py::arg("baseline") = "black", py::kw_only(), py::arg("steps") = 100,
      py::arg("quadrature") = "riemann", py::arg("completeness") = false, py::arg("progress") = py::none(),
      R"(Integrated gradients, Sundararajan et al., arXiv:1703.01365.

Equals the Python package saliency 0.2.1 with quadrature 'riemann'.

Parameters
----------
explained : Explained
input : torch.Tensor, (image, channel, y, x) or (image, channel, z, y, x), float32 or float64
baseline : 'black', 'white', 'zero', or torch.Tensor of a shape that broadcasts to the input's; or a list of such
    Black and white are each image's minimum and maximum.
steps : int
quadrature : 'riemann', 'trapezoid' or 'gauss-legendre'
    riemann takes both ends of the path with the weight of the other steps.
completeness : bool
    Asks for the scores of input and baseline, too.
progress : None, True or callable
    True shows a bar of tqdm; a callable is given a stage's name and the fraction done.

Returns
-------
Attribution, or a list of them, one for each baseline)");
  m.def(
      "integrated_gradients",
      [](const Explained& explained, const at::Tensor& input, const std::vector<BaselineArgument>& baselines,
         std::int64_t steps, const std::string& quadrature, bool completeness, const ProgressArgument& progress) {
        std::vector<at::Tensor> from;
        for (const auto& baseline : baselines) from.push_back(baseline_of(input, baseline));
        const auto options = integrated_gradients_options(steps, quadrature, completeness);
        return watched(progress, [&](const Progress& tell) {
          return attribution::integrated_gradients(explained, input, from, options, tell);
        });
      },
      py::arg("explained"), py::arg("input"), py::arg("baselines"), py::kw_only(), py::arg("steps") = 100,
      py::arg("quadrature") = "riemann", py::arg("completeness") = false, py::arg("progress") = py::none(),
      "For each of several baselines. The gradient of the input itself, where all paths end, is taken once.");
  m.def(
      "quadrature_nodes",
      [](const std::string& quadrature, std::int64_t steps) {
        auto nodes = attribution::quadrature_nodes(attribution::parse_quadrature(quadrature), steps);
        return std::pair(std::move(nodes.places), std::move(nodes.weights));
      },
      py::arg("quadrature"), py::arg("steps"), "(places, weights): where a path from 0 to 1 is sampled.");
}

void bind_guided_ig(py::module_& m) {
  const attribution::GuidedIgOptions defaults;
  m.def(
      "guided_ig",
      [](const Explained& explained, const at::Tensor& input, const BaselineArgument& baseline, std::int64_t steps,
         double fraction, double max_dist, bool completeness, const ProgressArgument& progress) {
        const auto from = baseline_of(input, baseline);
        const attribution::GuidedIgOptions options{steps, fraction, max_dist, completeness};
        return watched(progress, [&](const Progress& tell) {
          return attribution::guided_ig(explained, input, from, options, tell);
        });
      },
      py::arg("explained"), py::arg("input"), py::arg("baseline") = "black", py::kw_only(),
      py::arg("steps") = defaults.steps, py::arg("fraction") = defaults.fraction,
      py::arg("max_dist") = defaults.max_dist, py::arg("completeness") = false, py::arg("progress") = py::none(),
      R"(Guided integrated gradients, Kapishnikov et al., arXiv:2106.09788: values with small gradients move first.

Equals the Python package saliency 0.2.1.

Parameters
----------
explained : Explained
input : torch.Tensor, (image, channel, y, x) or (image, channel, z, y, x), float32 or float64
baseline : 'black', 'white', 'zero', or torch.Tensor of a shape that broadcasts to the input's
steps : int
fraction : float, 0 to 1
    Of an image's values that move at a time.
max_dist : float, 0 to 1
    How far a value may be from the straight line, on which it would be with integrated gradients.
completeness : bool
    Asks for the scores of input and baseline, too.
progress : None, True or callable
    True shows a bar of tqdm; a callable is given a stage's name and the fraction done.

Returns
-------
Attribution)");
}

void bind_blur_ig(py::module_& m) {
  const attribution::BlurIgOptions defaults;
  m.def(
      "blur_ig",
      [](const Explained& explained, const at::Tensor& input, double max_sigma, std::int64_t steps, double grad_step,
         bool sqrt, bool completeness, const ProgressArgument& progress) {
        const attribution::BlurIgOptions options{max_sigma, steps, grad_step, sqrt, completeness};
        return watched(progress,
                       [&](const Progress& tell) { return attribution::blur_ig(explained, input, options, tell); });
      },
      py::arg("explained"), py::arg("input"), py::kw_only(), py::arg("max_sigma") = defaults.max_sigma,
      py::arg("steps") = defaults.steps, py::arg("grad_step") = defaults.grad_step, py::arg("sqrt") = defaults.sqrt,
      py::arg("completeness") = false, py::arg("progress") = py::none(),
      R"(Blur integrated gradients, Xu et al., arXiv:2004.03383: from a blurred image to the sharp one.

Equals the Python package saliency 0.2.1 with its batch_size 1, with which alone that weighs each step as it should.

Parameters
----------
explained : Explained
input : torch.Tensor, (image, channel, y, x) or (image, channel, z, y, x), float32 or float64
max_sigma : float, voxels
    Where the path begins; with sqrt at the root of this.
steps : int
grad_step : float, voxels
    Over which a blur's change with sigma is taken.
sqrt : bool
    Sigmas are the roots of even steps.
completeness : bool
    Asks for the scores of the input and of the most blurred image, too.
progress : None, True or callable
    True shows a bar of tqdm; a callable is given a stage's name and the fraction done.

Returns
-------
Attribution)");
  m.def("gaussian_blur", &attribution::gaussian_blur, py::call_guard<py::gil_scoped_release>(), py::arg("input"),
        py::arg("sigma"),
        "Blurred along all spatial axes, 0 beyond the borders, sigma in voxels, cut off at 4 sigma: as SciPy does.");
}

}  // namespace

void bind_paths(py::module_& nn) {
  auto m = nn.def_submodule("attribution");
  bind_completeness(m);
  bind_integrated_gradients(m);
  bind_guided_ig(m);
  bind_blur_ig(m);
}

}  // namespace ichdet::python
