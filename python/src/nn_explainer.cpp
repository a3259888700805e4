// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include "convert.hpp"
#include "ichdet/pipeline/open_detector.hpp"
#include "ichdet/pipeline/slice_explainer.hpp"
#include "options.hpp"
#include "tensor_like.hpp"
#include "watched.hpp"

namespace ichdet::python {

void bind_judge_explanations(py::module_& nn);

namespace {

std::vector<Member> classifiers(const MembersArgument& given) {
  if (const auto* name = std::get_if<Path>(&given)) return ichdet::members_of(open_classifiers({name->string()}));
  if (const auto* several = std::get_if<std::vector<MemberArgument>>(&given); several && several->size() == 1) {
    if (const auto* name = std::get_if<Path>(&several->front())) return classifiers(*name);
  }
  return open_members(given);
}

void bind_explanation(py::module_& m) {
  py::class_<SliceExplanation>(m, "SliceExplanation", R"(What a slice classifier saw that speaks for its target.

Examples
--------
>>> ichdet.nn.SliceExplanation.map.__doc__
"Over the network's image: torch.Tensor (row, column), float32; the higher, the more it speaks for the target.")")
      .def_readonly("slice", &SliceExplanation::slice, "Its index in the stack.")
      .def_readonly("probability", &SliceExplanation::probability, "Of the target, in [0, 1].")
      .def_readonly("score", &SliceExplanation::score, "What is explained: the logit, or a sum of logits.")
      .def_readonly("map", &SliceExplanation::map,
                    "Over the network's image: torch.Tensor (row, column), float32; the higher, the more it speaks for "
                    "the target.")
      .def_readonly("regions", &SliceExplanation::regions, "Of XRAI: ichdet.attribution.XraiRegions; else None.")
      .def_readonly("sum", &SliceExplanation::sum, "What a path method's attributions add up to; else None.")
      .def_readonly("difference", &SliceExplanation::difference, "What they should add up to; else None.");
}

}  // namespace

void bind_explainer(py::module_& m) {
  bind_explanation(m);
  const ExplainOptions defaults;
  py::class_<SliceExplainer>(m, "SliceExplainer", R"(A slice classifier, explained by any method of ichdet.attribution.

Load once, ask many times; calls may run in several threads at once. Maps of channels are made one: gradients by the sum
of magnitudes, path methods by the sum, so that what speaks against the target is negative; XRAI by the maximum.

Parameters
----------
names : str, PathLike, ichdet.Bundle or Member, or a list of them
    Slice classifiers by name or folder, and networks of your own, which are averaged; or an ensemble, whose
    classifiers are asked.
target : str or None
    The class whose logit is explained; None: those that are blood.
baseline : 'black', 'white' or 'zero'
    Where paths begin, and what occlusion and RISE hide with.
steps : int or None
    Of a path; None: 100, of guided IG 200.
quadrature : 'riemann', 'trapezoid' or 'gauss-legendre'
    Of integrated gradients and XRAI.
samples, spread : int, float
    Of smooth-gradients.
masks, grid : int
    Of rise.
smooth : bool
    aug_smooth and eigen_smooth of grad-cam and its kin.
occlusion_size, occlusion_stride : int
    Of occlusion's window, pixels of the network's image.
completeness : bool
    Asks for two more scores, to tell how far a path method's sum is off.
threads, precision, engine, skull_strip, device, memory_mib, cache_folder
    As for SliceClassifier.
batch : int
    Images per call of a network.

Raises
------
ichdet.Error
    As SliceClassifier; options: a target that is no class, or a method that no Member can be asked by.

Examples
--------
>>> class Small(torch.nn.Module):
...     def forward_features(self, images):
...         return torch.relu(images[:, :, ::32, ::32])
...     def forward_head(self, features):
...         return torch.stack([0 * features.mean((1, 2, 3)), features.mean((1, 2, 3))], dim=1)
...     def forward(self, images):
...         return self.forward_head(self.forward_features(images))
>>> explain = ichdet.nn.SliceExplainer(ichdet.nn.Member(Small().eval(), "s1", name="small"), steps=4)
>>> stack = ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.5, slices=4, thickness_mm=30, subsamples=1).stack
>>> found = explain(stack, [1], "integrated-gradients")[0]
>>> found.slice, found.map.shape, abs(found.sum - found.difference) < 0.1
(1, torch.Size([512, 512]), True)
>>> round(float(explain(stack, [1], "grad-cam")[0].map.max()), 3)
1.0)")
      .def(py::init([](const MembersArgument& names, const std::optional<std::string>& target,
                       const std::string& baseline, const std::optional<std::int64_t>& steps,
                       const std::string& quadrature, std::int64_t samples, double spread, std::int64_t masks,
                       std::int64_t grid, bool smooth, std::int64_t occlusion_size, std::int64_t occlusion_stride,
                       bool completeness, int threads, const std::string& precision, const std::string& engine,
                       std::int64_t batch, const std::optional<SkullStripper>& skull_strip, const std::string& device,
                       double memory_mib, const Path& cache_folder) {
             py::module_::import("torch");  // whose tensors come out
             const py::gil_scoped_release unlocked;
             ExplainOptions options;
             options.network = network_options(threads, precision, engine, device, memory_mib, cache_folder);
             options.batch = batch;
             options.target = target;
             options.baseline = attribution::parse_baseline(baseline);
             options.path.quadrature = attribution::parse_quadrature(quadrature);
             if (steps) options.path.steps = options.guided_ig.steps = options.blur_ig.steps = *steps;
             options.smooth.samples = samples;
             options.smooth.spread = spread;
             options.rise.masks = masks;
             options.rise.grid = {grid};
             options.cam.aug_smooth = options.cam.eigen_smooth = smooth;
             options.occlusion.size = {occlusion_size};
             options.occlusion.stride = {occlusion_stride};
             options.completeness = completeness;
             options.skull_strip = skull_strip;
             return SliceExplainer(classifiers(names), options);
           }),
           py::arg("names") = default_detector, py::kw_only(), py::arg("target") = py::none(),
           py::arg("baseline") = to_string(defaults.baseline), py::arg("steps") = py::none(),
           py::arg("quadrature") = to_string(defaults.path.quadrature), py::arg("samples") = defaults.smooth.samples,
           py::arg("spread") = defaults.smooth.spread, py::arg("masks") = defaults.rise.masks,
           py::arg("grid") = defaults.rise.grid.front(), py::arg("smooth") = defaults.cam.aug_smooth,
           py::arg("occlusion_size") = defaults.occlusion.size.front(),
           py::arg("occlusion_stride") = defaults.occlusion.stride.front(),
           py::arg("completeness") = defaults.completeness, py::arg("threads") = defaults.network.threads,
           py::arg("precision") = "auto", py::arg("engine") = "auto", py::arg("batch") = defaults.batch,
           py::arg("skull_strip") = py::none(), py::arg("device") = defaults.network.device,
           py::arg("memory_mib") = defaults.network.memory_mib, py::arg("cache_folder") = "")
      .def_property_readonly("target", &SliceExplainer::target, "The name of what is explained.")
      .def_property_readonly("spec", &SliceExplainer::spec, "The first member's: ichdet.ModelSpec.")
      .def_property_readonly("rule", &SliceExplainer::rule, "From slices to patient: ichdet.CaseRule.")
      .def_property_readonly("classes", &class_names<SliceExplainer>, "Names of what it tells apart, in its order.")
      .def_property_readonly("identities", &SliceExplainer::identities,
                             "The members': a list of ichdet.BundleIdentity.")
      .def(
          "__call__",
          [](const SliceExplainer& explainer, const SliceStack& stack, const std::vector<std::int64_t>& slices,
             const std::string& method, const ProgressArgument& progress) {
            const auto how = attribution::parse_attribution_method(method);
            return watched(progress, [&](const Progress& tell) { return explainer(stack, slices, how, tell); });
          },
          py::arg("stack"), py::arg("slices"), py::arg("method") = "xrai", py::kw_only(),
          py::arg("progress") = py::none(),
          R"(Explain slices of a study.

Parameters
----------
stack : ichdet.SliceStack
slices : list of int
method : str
    One of ichdet.attribution.attribution_methods().
progress : None, True or callable
    True shows a bar of tqdm; a callable is given a stage's name and the fraction done.

Returns
-------
list of SliceExplanation
    One for each slice.)")
      .def(
          "explain",
          [](const SliceExplainer& explainer, const TensorLike& image, const std::string& method,
             const ProgressArgument& progress) {
            const auto how = attribution::parse_attribution_method(method);
            return watched(progress, [&](const Progress& tell) { return explainer(image, how, tell); });
          },
          py::arg("image"), py::arg("method") = "xrai", py::kw_only(), py::arg("progress") = py::none(),
          "The SliceExplanation of one image (1, channel, row, column), torch or NumPy, as `images` gives them; its "
          "slice stays 0.")
      .def(
          "on_slices",
          [](const SliceExplainer& explainer, const SliceStack& stack, const TensorLike& map) {
            Array2f placed;
            {
              const py::gil_scoped_release unlocked;
              placed = explainer.images(stack).to_slice(map);
            }
            return lend(placed);
          },
          py::arg("stack"), py::arg("map"),
          "A map (row, column) brought to the slices' own (row, column): NumPy, float32.")
      .def(
          "images",
          [](const SliceExplainer& explainer, const SliceStack& stack, const std::vector<std::int64_t>& slices) {
            return explainer.images(stack)(slices);
          },
          py::arg("stack"), py::arg("slices"), py::call_guard<py::gil_scoped_release>(),
          "What the network reads: torch.Tensor (image, channel, row, column).")
      .def("explained", &SliceExplainer::explained,
           "Scores and gradients, for methods of one's own: ichdet.attribution.Explained.")
      .def("likelihood", &SliceExplainer::likelihood,
           "The target's probability as a score, without gradients: ichdet.attribution.Explained.");
  bind_judge_explanations(m);
}

}  // namespace ichdet::python
