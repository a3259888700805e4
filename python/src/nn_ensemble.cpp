#include <pybind11/stl/filesystem.h>

#include <variant>

#include "convert.hpp"
#include "ichdet/bundle/shipped.hpp"
#include "ichdet/pipeline/open_detector.hpp"
#include "options.hpp"
#include "watched.hpp"

namespace ichdet::python {

namespace {

OpenOptions open_options(int threads, const std::string& precision, const std::string& engine,
                         const std::string& region, std::optional<double> decision_threshold, double min_lesion_ml) {
  OpenOptions options;
  options.segmenter = segmenter_options(threads, precision, engine, region);
  options.classifier.network.threads = threads;
  options.classifier.network.engine = options.segmenter.network.engine;
  if (options.segmenter.network.precision != Precision::adaptive) {
    options.classifier.network.precision = options.segmenter.network.precision;
  }
  options.detector.threads = threads;
  options.detector.decision_threshold = decision_threshold;
  options.detector.min_lesion_ml = min_lesion_ml;
  return options;
}

}  // namespace

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
             const auto options = open_options(threads, precision, engine, region, decision_threshold, min_lesion_ml);
             return EnsembleDetector(read_ensemble(find_ensemble(file.string()).value_or(file)), options.segmenter,
                                     options.classifier, options.detector);
           }),
           py::arg("file"), py::kw_only(), py::arg("threads") = 0, py::arg("precision") = "auto",
           py::arg("engine") = "auto", py::arg("region") = "head", py::arg("decision_threshold") = py::none(),
           py::arg("min_lesion_ml") = 0.1)
      .def(
          "__call__",
          [](const EnsembleDetector& detector, const SliceStack& stack, const ProgressArgument& progress) {
            return watched(progress, [&](const Progress& tell) { return detector(stack, tell); });
          },
          py::arg("stack"), py::kw_only(), py::arg("progress") = py::none(), "A Detection.");

  py::class_<AnyDetector>(m, "AnyDetector", "What open_detector opens: call it with a stack.")
      .def(
          "__call__",
          [](const AnyDetector& detector, const SliceStack& stack, const ProgressArgument& progress) {
            return watched(progress, [&](const Progress& tell) { return detector(stack, tell); });
          },
          py::arg("stack"), py::kw_only(), py::arg("progress") = py::none(), "A Detection.");
  m.def(
      "open_detector",
      [](const std::variant<std::string, std::vector<std::string>>& model, int threads, const std::string& precision,
         const std::string& engine, const std::string& region, std::optional<double> decision_threshold,
         double min_lesion_ml) {
        const py::gil_scoped_release unlocked;
        const auto* one = std::get_if<std::string>(&model);
        return open_detector(one != nullptr ? std::vector{*one} : std::get<std::vector<std::string>>(model),
                             open_options(threads, precision, engine, region, decision_threshold, min_lesion_ml));
      },
      py::arg("model") = default_detector, py::kw_only(), py::arg("threads") = 0, py::arg("precision") = "auto",
      py::arg("engine") = "auto", py::arg("region") = "head", py::arg("decision_threshold") = py::none(),
      py::arg("min_lesion_ml") = 0.1,
      R"(Opens what finds blood, of whatever kind it is; without arguments the model that comes with ichdet.

model : a bundle's name (`ichdet models list`) or folder, a list of them, whose answers are averaged, or an ensemble's
    name, YAML file or folder
The rest is EnsembleDetector's. Raises ichdet.Error for a bundle that marks no blood or cannot be opened.)");
}

}  // namespace ichdet::python
