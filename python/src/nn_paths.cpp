// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <variant>

#include "ichdet/attribution/integrated_gradients.hpp"
#include "network.hpp"
#include "watched.hpp"

namespace ichdet::python {
namespace {

using attribution::Attribution;
using attribution::Completeness;
using attribution::Explained;

/// A tensor, or 'zero', 'black', 'white'.
using BaselineArgument = std::variant<at::Tensor, std::string>;

at::Tensor baseline_of(const at::Tensor& input, const BaselineArgument& given) {
  if (const auto* tensor = std::get_if<at::Tensor>(&given)) return *tensor;
  return attribution::baseline_of(input, attribution::parse_baseline(std::get<std::string>(given)));
}

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
         const std::string& quadrature, bool completeness, const py::object& progress) {
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
progress : callable or None
    Called with a stage's name and the fraction done.

Returns
-------
Attribution, or a list of them, one for each baseline)");
  m.def(
      "integrated_gradients",
      [](const Explained& explained, const at::Tensor& input, const std::vector<BaselineArgument>& baselines,
         std::int64_t steps, const std::string& quadrature, bool completeness, const py::object& progress) {
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

}  // namespace

void bind_paths(py::module_& nn) {
  auto m = nn.def_submodule("attribution");
  bind_completeness(m);
  bind_integrated_gradients(m);
}

}  // namespace ichdet::python
