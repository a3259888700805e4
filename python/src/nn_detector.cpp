#include <pybind11/stl/filesystem.h>

#include <algorithm>

#include "convert.hpp"
#include "ichdet/pipeline/detector.hpp"
#include "ichdet/pipeline/write_detection.hpp"
#include "ichdet/report/summary.hpp"
#include "options.hpp"
#include "watched.hpp"

namespace ichdet::python {

void bind_detector(py::module_& m) {
  py::class_<Detection>(m, "Detection", "What a study showed: the findings, and where they are.")
      .def_readonly("result", &Detection::result, "What was found: ichdet.StudyResult.")
      .def_readonly("labels", &Detection::labels, "ichdet.SliceLabels on the stack's own slices.")
      .def_readonly("grid_labels", &Detection::grid_labels,
                    "ichdet.LabelMap on the grid that the segmenter read, or, of slices alone, on their nominal one.")
      .def_property_readonly(
          "evidence",
          [](const Detection& d) {
            py::array_t<double> values({py::ssize_t(d.evidence.size()), py::ssize_t(3)});
            for (std::size_t k = 0; k < d.evidence.size(); ++k) {
              std::ranges::copy(d.evidence[k].values(), values.mutable_data(py::ssize_t(k), 0));
            }
            return values;
          },
          "Of an ensemble, what its members said about each slice: (slice, 3), map, area and classifier; else none.")
      .def("__str__", [](const Detection& d) { return summary(d.result); })
      .def(
          "write",
          [](const Detection& d, const io::Study& study, const std::filesystem::path& folder,
             const ProgressArgument& progress) {
            return watched(progress, [&](const Progress& tell) { return write_detection(d, study, folder, tell); });
          },
          py::arg("study"), py::arg("folder"), py::kw_only(), py::arg("progress") = py::none(),
          "Write result.json, labels.nii.gz, sheet.png and slices/ into a folder; the StudyResult as written.");

  py::class_<Detector>(m, "Detector", R"(Finds blood in head CT studies. Load once, apply to many.

bundles : folders of bundles; several are averaged
threads : 0 for as many as the machine has
precision, engine, region : as for Segmenter
decision_threshold : study probability from which the answer is yes; None: the bundle's, else 0.5
min_lesion_ml : smaller pieces are not listed as lesions; their volume still counts)")
      .def(py::init([](const std::vector<std::filesystem::path>& bundles, int threads, const std::string& precision,
                       const std::string& engine, const std::string& region, std::optional<double> decision_threshold,
                       double min_lesion_ml) {
             const py::gil_scoped_release unlocked;
             const auto segmenter = segmenter_options(threads, precision, engine, region);
             DetectorOptions options;
             options.threads = threads;
             options.decision_threshold = decision_threshold;
             options.min_lesion_ml = min_lesion_ml;
             return Detector(Segmenter(open_bundles(bundles), segmenter), options);
           }),
           py::arg("bundles"), py::kw_only(), py::arg("threads") = 0, py::arg("precision") = "auto",
           py::arg("engine") = "auto", py::arg("region") = "head", py::arg("decision_threshold") = py::none(),
           py::arg("min_lesion_ml") = 0.1)
      .def(
          "__call__",
          [](const Detector& detector, const SliceStack& stack, const ProgressArgument& progress) {
            return watched(progress, [&](const Progress& tell) { return detector(stack, tell); });
          },
          py::arg("stack"), py::kw_only(), py::arg("progress") = py::none());
}

}  // namespace ichdet::python
