// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include "convert.hpp"
#include "ichdet/pipeline/open_detector.hpp"
#include "ichdet/pipeline/slice_explainer.hpp"
#include "options.hpp"
#include "watched.hpp"

namespace ichdet::python {
namespace {

SliceExplainer make(const std::vector<std::string>& names, const std::optional<std::string>& target,
                    const std::string& baseline, const std::optional<std::int64_t>& steps,
                    const std::string& quadrature, std::int64_t samples, std::int64_t masks, bool smooth, int threads,
                    const std::string& precision, const std::string& engine, std::int64_t batch) {
  py::module_::import("torch");  // whose tensors come out
  const py::gil_scoped_release unlocked;
  ExplainOptions options;
  options.network = network_options(threads, precision, engine);
  options.batch = batch;
  options.target = target;
  options.baseline = attribution::parse_baseline(baseline);
  options.path.quadrature = attribution::parse_quadrature(quadrature);
  if (steps) options.path.steps = options.guided_ig.steps = options.blur_ig.steps = *steps;
  options.smooth.samples = samples;
  options.rise.masks = masks;
  options.cam.aug_smooth = options.cam.eigen_smooth = smooth;
  return SliceExplainer(open_classifiers(names), options);
}

void bind_explanation(py::module_& m) {
  py::class_<SliceExplanation>(m, "SliceExplanation", R"(What a slice classifier saw that speaks for its target.

Attributes
----------
slice : int
probability : float
    Of the target.
score : float
    What is explained: the logit.
map : torch.Tensor, (row, column), float32
    Over the network's image; the higher, the more it speaks for the target.
regions : XraiRegions or None
    Of XRAI.
sum, difference : float or None
    What a path method's attributions add up to, and should.)")
      .def_readonly("slice", &SliceExplanation::slice)
      .def_readonly("probability", &SliceExplanation::probability)
      .def_readonly("score", &SliceExplanation::score)
      .def_readonly("map", &SliceExplanation::map)
      .def_readonly("regions", &SliceExplanation::regions)
      .def_readonly("sum", &SliceExplanation::sum)
      .def_readonly("difference", &SliceExplanation::difference);
}

}  // namespace

void bind_explainer(py::module_& m) {
  bind_explanation(m);
  const ExplainOptions defaults;
  py::class_<SliceExplainer>(m, "SliceExplainer", R"(A slice classifier, explained by any method of ichdet.attribution.

names : bundles by name or folder, which are averaged, or an ensemble, whose classifiers are asked
target : the class whose logit is explained; None: those that are blood
baseline : 'black', 'white' or 'zero', where paths begin and what occlusion and RISE hide with
steps : of a path; None: 100, of guided IG 200
quadrature : 'riemann', 'trapezoid' or 'gauss-legendre', of integrated gradients and XRAI
samples, masks : of smooth-gradients and rise
smooth : aug_smooth and eigen_smooth of grad-cam and its kin
threads, precision, engine, batch : as SliceClassifier's)")
      .def(py::init(&make), py::arg("names") = std::vector<std::string>{default_detector}, py::kw_only(),
           py::arg("target") = py::none(), py::arg("baseline") = "black", py::arg("steps") = py::none(),
           py::arg("quadrature") = "riemann", py::arg("samples") = defaults.smooth.samples,
           py::arg("masks") = defaults.rise.masks, py::arg("smooth") = false, py::arg("threads") = 0,
           py::arg("precision") = "auto", py::arg("engine") = "auto", py::arg("batch") = defaults.batch)
      .def_property_readonly("target", &SliceExplainer::target, "The name of what is explained.")
      .def(
          "__call__",
          [](const SliceExplainer& explainer, const SliceStack& stack, const std::vector<std::int64_t>& slices,
             const std::string& method, const ProgressArgument& progress) {
            const auto how = attribution::parse_attribution_method(method);
            return watched(progress, [&](const Progress& tell) { return explainer(stack, slices, how, tell); });
          },
          py::arg("stack"), py::arg("slices"), py::arg("method") = "xrai", py::kw_only(),
          py::arg("progress") = py::none(), "A list of SliceExplanation, one for each slice.")
      .def(
          "on_slices",
          [](const SliceExplainer& explainer, const SliceStack& stack, const at::Tensor& map) {
            Array2f placed;
            {
              const py::gil_scoped_release unlocked;
              placed = explainer.images(stack).to_slice(map);
            }
            return lend(placed);
          },
          py::arg("stack"), py::arg("map"), "A map brought to the slices' own (row, column), NumPy float32.")
      .def(
          "images",
          [](const SliceExplainer& explainer, const SliceStack& stack, const std::vector<std::int64_t>& slices) {
            return explainer.images(stack)(slices);
          },
          py::arg("stack"), py::arg("slices"), py::call_guard<py::gil_scoped_release>(),
          "What the network reads: torch.Tensor (image, channel, row, column).")
      .def("explained", &SliceExplainer::explained,
           "attribution.Explained: scores and gradients, for methods of one's own.");
}

}  // namespace ichdet::python
