#include <pybind11/stl/filesystem.h>

#include "convert.hpp"
#include "ichdet/pipeline/slice_images.hpp"
#include "ichdet/pipeline/slice_segmenter.hpp"
#include "options.hpp"
#include "tensors.hpp"
#include "watched.hpp"

namespace ichdet::python {
namespace {

using Path = std::filesystem::path;

SliceSegmenter make(const std::vector<Path>& folders, const std::optional<Path>& weight_model,
                    const std::vector<double>& weights, const std::optional<CaseRule>& rule, int threads,
                    const std::string& precision, const std::string& engine, bool skip_empty, std::int64_t batch,
                    double min_lesion_ml) {
  const py::gil_scoped_release unlocked;
  SliceSegmenterOptions options;
  options.network = network_options(threads, precision, engine);
  options.skip_empty = skip_empty;
  options.batch = batch;
  options.rule = rule;
  options.weights = weights;
  options.min_lesion_ml = min_lesion_ml;
  std::optional<Bundle> weigher;
  if (weight_model) weigher = open_bundle(*weight_model);
  return SliceSegmenter(open_bundles(folders), weigher, options);
}

template <class Call>
Floats unlocked(const Call& call) {
  at::Tensor values;
  {
    const py::gil_scoped_release released;
    values = call();
  }
  return to_numpy(values);
}

}  // namespace

void bind_slice_segmenter(py::module_& m) {
  py::class_<SliceSegmentation>(m, "SliceSegmentation", "What a study showed, pixel by pixel of its own slices.")
      .def_readonly("detection", &SliceSegmentation::detection, "Result and labels: a Detection.")
      .def_property_readonly(
          "blood", [](const SliceSegmentation& found) { return lend(found.blood); },
          "(slice, row, column) float32: the probability of blood.")
      .def_readonly("weights", &SliceSegmentation::weights,
                    "Of each member on each slice; empty for slices that were not computed.");
  py::class_<SliceReading>(m, "SliceReading", "What the networks said about each pixel, before anything is measured.")
      .def_property_readonly(
          "blood", [](const SliceReading& reading) { return lend(reading.blood); },
          "(slice, row, column) float32: the probability of blood.")
      .def_readonly("weights", &SliceReading::weights,
                    "Of each member on each slice; empty for slices that were not computed.");
  py::class_<SliceSegmenter>(m, "SliceSegmenter",
                             R"(Segments each slice by several 2D networks whose maps are weighted and summed: S3.

bundles : folders of the members' bundles
weight_model : folder of the bundle that weighs their maps; None: `weights`, or equal ones
weights : one for each member, in place of the weight model's
others : as for SliceClassifier; min_lesion_ml as for Detector)")
      .def(py::init(&make), py::arg("bundles"), py::arg("weight_model") = std::nullopt, py::kw_only(),
           py::arg("weights") = std::vector<double>(), py::arg("rule") = std::nullopt, py::arg("threads") = 0,
           py::arg("precision") = "auto", py::arg("engine") = "auto", py::arg("skip_empty") = true,
           py::arg("batch") = 1, py::arg("min_lesion_ml") = 0.1)
      .def(
          "__call__",
          [](const SliceSegmenter& segmenter, const SliceStack& stack, const ProgressArgument& progress) {
            return watched(progress, [&](const Progress& tell) { return segmenter(stack, tell); });
          },
          py::arg("stack"), py::kw_only(), py::arg("progress") = py::none(), "A SliceSegmentation.")
      .def(
          "read",
          [](const SliceSegmenter& segmenter, const SliceStack& stack, const ProgressArgument& progress) {
            return watched(progress, [&](const Progress& tell) { return segmenter.read(stack, tell); });
          },
          py::arg("stack"), py::kw_only(), py::arg("progress") = py::none(), "A SliceReading.")
      .def(
          "images",
          [](const SliceSegmenter& segmenter, const SliceStack& stack, const std::vector<std::int64_t>& slices) {
            return unlocked([&] { return SliceImages(stack, segmenter.spec())(slices); });
          },
          py::arg("stack"), py::arg("slices"), "What the networks read: (image, channel, row, column), float32.")
      .def(
          "maps",
          [](const SliceSegmenter& segmenter, const Floats& images) {
            const auto input = to_tensor(images);
            return unlocked([&] { return segmenter.maps(input); });
          },
          py::arg("images"), "Each member's probability of blood: (image, member, row, column).")
      .def(
          "weights",
          [](const SliceSegmenter& segmenter, const Floats& maps) {
            const auto input = to_tensor(maps);
            return unlocked([&] { return segmenter.weights(input); });
          },
          py::arg("maps"), "The members' weights: (image, member), each row's sum 1.");
}

}  // namespace ichdet::python
