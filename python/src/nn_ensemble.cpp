#include <pybind11/stl/filesystem.h>

#include "convert.hpp"
#include "ichdet/bundle/shipped.hpp"
#include "ichdet/pipeline/ensemble_detector.hpp"
#include "options.hpp"

namespace ichdet::python {

void bind_ensemble_detector(py::module_& m) {
  py::class_<EnsembleDetector>(m, "EnsembleDetector",
                               R"(Several models as one: the YAML file that docs/ensembles.md describes.

file : path of the YAML file, of a folder with ensemble.yaml in it, or the name of an ensemble that came with ichdet
threads, precision, engine, region : as for Segmenter
decision_threshold : study probability from which the answer is yes; None: the ensemble's, else 0.5
min_lesion_ml : smaller pieces are not listed as lesions; their volume still counts)")
      .def(py::init([](const std::filesystem::path& file, int threads, const std::string& precision,
                       const std::string& engine, const std::string& region, std::optional<double> decision_threshold,
                       double min_lesion_ml) {
             const py::gil_scoped_release unlocked;
             const auto segmenter = segmenter_options(threads, precision, engine, region);
             ClassifierOptions classifier;
             classifier.network.threads = threads;
             classifier.network.engine = segmenter.network.engine;
             if (segmenter.network.precision != Precision::adaptive) {
               classifier.network.precision = segmenter.network.precision;
             }
             DetectorOptions options;
             options.threads = threads;
             options.decision_threshold = decision_threshold;
             options.min_lesion_ml = min_lesion_ml;
             return EnsembleDetector(read_ensemble(find_ensemble(file.string()).value_or(file)), segmenter, classifier,
                                     options);
           }),
           py::arg("file"), py::kw_only(), py::arg("threads") = 0, py::arg("precision") = "auto",
           py::arg("engine") = "auto", py::arg("region") = "head", py::arg("decision_threshold") = py::none(),
           py::arg("min_lesion_ml") = 0.1)
      .def(
          "__call__", [](const EnsembleDetector& detector, const SliceStack& stack) { return detector(stack); },
          py::arg("stack"), py::call_guard<py::gil_scoped_release>(), "A Detection.");
}

}  // namespace ichdet::python
