// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include "explained.hpp"
#include "ichdet/attribution/blur_ig.hpp"
#include "ichdet/attribution/completeness.hpp"
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

Examples
--------
>>> network = lambda x: x.flatten(1) @ torch.tensor([[1.0, 0], [0, 2], [0, 0], [0, -1]])  # 2 x 2 pixels, 2 classes
>>> explained = ichdet.attribution.Explained(network, 1)
>>> x = torch.tensor([[[[3.0, 1], [0, 2]]]])
>>> path = ichdet.attribution.integrated_gradients(explained, x, "zero", steps=10, completeness=True)
>>> path.completeness.gap
tensor([0.], dtype=torch.float64))")
      .def_readonly("sum", &Completeness::sum, "Of each image's attributions: torch.Tensor (image), float64.")
      .def_readonly("difference", &Completeness::difference,
                    "score(input) - score(baseline): torch.Tensor (image), float64.")
      .def_property_readonly("gap", &Completeness::gap, "sum - difference: torch.Tensor (image), float64.")
      .def_property_readonly("share", &Completeness::share,
                             "|gap| / |difference|: torch.Tensor (image), float64; NaN or infinite where there is none.");
  m.def(
      "completeness",
      [](const Explained& explained, const TensorLike& input, const BaselineArgument& baseline,
         const TensorLike& attributions) {
        const auto from = baseline_of(input, baseline);
        const py::gil_scoped_release unlocked;
        return attribution::completeness(explained, input, from, attributions);
      },
      py::arg("explained"), py::arg("input"), py::arg("baseline"), py::arg("attributions"),
      R"(Whether attributions of one's own add up: asks for the scores of input and baseline.

Parameters
----------
explained : Explained
input : torch.Tensor or numpy.ndarray, (image, channel, ...)
baseline : 'black', 'white', 'zero', or torch.Tensor or numpy.ndarray of a shape that broadcasts to the input's
attributions : torch.Tensor or numpy.ndarray of the input's shape

Returns
-------
Completeness

Examples
--------
>>> network = lambda x: x.flatten(1) @ torch.tensor([[1.0, 0], [0, 2], [0, 0], [0, -1]])  # 2 x 2 pixels, 2 classes
>>> explained = ichdet.attribution.Explained(network, 1)
>>> x = torch.tensor([[[[3.0, 1], [0, 2]]]])
>>> ichdet.attribution.completeness(explained, x, "zero", torch.ones(1, 1, 2, 2)).gap
tensor([4.], dtype=torch.float64))");
  m.def(
      "baseline",
      [](const TensorLike& input, const std::string& name) {
        return attribution::baseline_of(input, attribution::parse_baseline(name));
      },
      py::arg("input"), py::arg("name"),
      R"(An input that stands for nothing to see, where a path to the input begins.

Parameters
----------
input : torch.Tensor or numpy.ndarray, (image, channel, ...)
name : 'zero', 'black' or 'white'
    Black and white are each image's minimum and maximum, over all channels.

Returns
-------
torch.Tensor of the input's shape and type

Examples
--------
>>> ichdet.attribution.baseline(torch.tensor([[[[1.0, 2, 4]]]]), "black")
tensor([[[[1., 1., 1.]]]]))");
  py::class_<Attribution>(m, "Attribution", R"(What a path method found.

Examples
--------
>>> network = lambda x: x.flatten(1) @ torch.tensor([[1.0, 0], [0, 2], [0, 0], [0, -1]])  # 2 x 2 pixels, 2 classes
>>> explained = ichdet.attribution.Explained(network, 1)
>>> x = torch.tensor([[[[3.0, 1], [0, 2]]]])
>>> ichdet.attribution.integrated_gradients(explained, x, "zero", steps=10).values.sum()
tensor(0.))")
      .def_readonly("values", &Attribution::values, "torch.Tensor of the input's shape and type.")
      .def_readonly("completeness", &Attribution::completeness, "Completeness where it was asked for, else None.");
}

void bind_integrated_gradients(py::module_& m) {
  m.def(
      "integrated_gradients",
      [](const Explained& explained, const TensorLike& input, const BaselineArgument& baseline, std::int64_t steps,
         const std::string& quadrature, bool completeness, const ProgressArgument& progress) {
        const auto from = baseline_of(input, baseline);
        const auto options = integrated_gradients_options(steps, quadrature, completeness);
        return watched(progress, [&](const Progress& tell) {
          return attribution::integrated_gradients(explained, input, from, options, tell);
        });
      },
      py::arg("explained"), py::arg("input"), py::arg("baseline") = "black", py::kw_only(), py::arg("steps") = attribution::IntegratedGradientsOptions{}.steps,
      py::arg("quadrature") = to_string(attribution::IntegratedGradientsOptions{}.quadrature), py::arg("completeness") = false, py::arg("progress") = py::none(),
      R"(Integrated gradients, Sundararajan et al., arXiv:1703.01365.

Equals the Python package saliency 0.2.1 with quadrature 'riemann'.

Parameters
----------
explained : Explained
input : torch.Tensor or numpy.ndarray, (image, channel, y, x) or (image, channel, z, y, x), float32 or float64
baseline : 'black', 'white', 'zero', or torch.Tensor or numpy.ndarray of a shape that broadcasts to the input's
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
Attribution

Raises
------
ichdet.Error
    shape: an input or what goes with it of another shape; options: a number out of its range.

Examples
--------
>>> network = lambda x: x.flatten(1) @ torch.tensor([[1.0, 0], [0, 2], [0, 0], [0, -1]])  # 2 x 2 pixels, 2 classes
>>> explained = ichdet.attribution.Explained(network, 1)
>>> x = torch.tensor([[[[3.0, 1], [0, 2]]]])
>>> found = ichdet.attribution.integrated_gradients(explained, x, "zero", steps=10, completeness=True)
>>> found.values
tensor([[[[ 0.,  2.],
          [ 0., -2.]]]])
>>> found.completeness.sum, found.completeness.difference
(tensor([0.], dtype=torch.float64), tensor([0.], dtype=torch.float64)))");
  m.def(
      "integrated_gradients",
      [](const Explained& explained, const TensorLike& input, const std::vector<BaselineArgument>& baselines,
         std::int64_t steps, const std::string& quadrature, bool completeness, const ProgressArgument& progress) {
        std::vector<at::Tensor> from;
        for (const auto& baseline : baselines) from.push_back(baseline_of(input, baseline));
        const auto options = integrated_gradients_options(steps, quadrature, completeness);
        return watched(progress, [&](const Progress& tell) {
          return attribution::integrated_gradients(explained, input, from, options, tell);
        });
      },
      py::arg("explained"), py::arg("input"), py::arg("baselines"), py::kw_only(), py::arg("steps") = attribution::IntegratedGradientsOptions{}.steps,
      py::arg("quadrature") = to_string(attribution::IntegratedGradientsOptions{}.quadrature), py::arg("completeness") = false, py::arg("progress") = py::none(),
      R"(The same for each of several baselines: a list of Attribution.

The gradient of the input itself, where all paths end, is taken once.)");
  m.def(
      "quadrature_nodes",
      [](const std::string& quadrature, std::int64_t steps) {
        auto nodes = attribution::quadrature_nodes(attribution::parse_quadrature(quadrature), steps);
        return std::pair(std::move(nodes.places), std::move(nodes.weights));
      },
      py::arg("quadrature"), py::arg("steps"),
      R"(Where a path from 0 to 1 is sampled.

Parameters
----------
quadrature : 'riemann', 'trapezoid' or 'gauss-legendre'
steps : int

Returns
-------
places : list of float, ascending
weights : list of float, of sum 1

Examples
--------
>>> ichdet.attribution.quadrature_nodes("trapezoid", 3)
([0.0, 0.5, 1.0], [0.25, 0.5, 0.25]))");
}

void bind_guided_ig(py::module_& m) {
  const attribution::GuidedIgOptions defaults;
  m.def(
      "guided_ig",
      [](const Explained& explained, const TensorLike& input, const BaselineArgument& baseline, std::int64_t steps,
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
input : torch.Tensor or numpy.ndarray, (image, channel, y, x) or (image, channel, z, y, x), float32 or float64
baseline : 'black', 'white', 'zero', or torch.Tensor or numpy.ndarray of a shape that broadcasts to the input's
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
Attribution

Raises
------
ichdet.Error
    shape: an input or what goes with it of another shape; options: a number out of its range.

Examples
--------
>>> network = lambda x: x.flatten(1) @ torch.tensor([[1.0, 0], [0, 2], [0, 0], [0, -1]])  # 2 x 2 pixels, 2 classes
>>> explained = ichdet.attribution.Explained(network, 1)
>>> x = torch.tensor([[[[3.0, 1], [0, 2]]]])
>>> ichdet.attribution.guided_ig(explained, x, "zero", steps=20).values.round(decimals=3)
tensor([[[[ 0.,  2.],
          [ 0., -2.]]]]))");
}

void bind_blur_ig(py::module_& m) {
  const attribution::BlurIgOptions defaults;
  m.def(
      "blur_ig",
      [](const Explained& explained, const TensorLike& input, double max_sigma, std::int64_t steps, double grad_step,
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
input : torch.Tensor or numpy.ndarray, (image, channel, y, x) or (image, channel, z, y, x), float32 or float64
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
Attribution

Raises
------
ichdet.Error
    shape: an input or what goes with it of another shape; options: a number out of its range.

Examples
--------
>>> bright = lambda x: x.square().sum((2, 3))
>>> x = torch.zeros(1, 1, 15, 15)
>>> x[..., 7, 7] = 1
>>> found = ichdet.attribution.blur_ig(ichdet.attribution.Explained(bright, 0), x, max_sigma=5, steps=50)
>>> divmod(int(found.values.argmax()), 15)
(7, 7))");
  m.def(
      "gaussian_blur",
      [](const TensorLike& input, double sigma) { return attribution::gaussian_blur(input, sigma); },
      py::call_guard<py::gil_scoped_release>(), py::arg("input"), py::arg("sigma"),
      R"(Images blurred along all spatial axes, as SciPy's gaussian_filter(mode="constant") does.

Parameters
----------
input : torch.Tensor or numpy.ndarray, (image, channel, y, x) or (image, channel, z, y, x)
    0 beyond its borders.
sigma : float
    Voxels; cut off at 4 sigma.

Returns
-------
torch.Tensor of the input's shape and type

Examples
--------
>>> ichdet.attribution.gaussian_blur(torch.eye(3)[None, None], 1.0)[0, 0, 1].round(decimals=2)
tensor([0.2100, 0.2800, 0.2100]))");
  m.def(
      "gaussian_blur_slope",
      [](const TensorLike& input, double sigma, double step) {
        auto found = attribution::gaussian_blur_slope(input, sigma, step);
        return std::pair(std::move(found.blurred), std::move(found.slope));
      },
      py::call_guard<py::gil_scoped_release>(), py::arg("input"), py::arg("sigma"), py::arg("step"),
      R"(A blurred image, and how it changes with sigma: (blur(sigma + step) - blur(sigma)) / step.

Without the rounding error of a difference of two images.

Parameters
----------
input : torch.Tensor or numpy.ndarray, (image, channel, y, x) or (image, channel, z, y, x)
sigma, step : float
    Voxels.

Returns
-------
blurred, slope : torch.Tensor of the input's shape and type

Examples
--------
>>> blurred, slope = ichdet.attribution.gaussian_blur_slope(torch.eye(3)[None, None], 1.0, 0.01)
>>> bool(slope[0, 0, 1, 1] < 0)  # the middle fades
True)");
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
