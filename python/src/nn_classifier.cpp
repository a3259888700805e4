#include <pybind11/stl/filesystem.h>

#include "convert.hpp"
#include "ichdet/pipeline/exam_classifier.hpp"
#include "ichdet/pipeline/make_bundle.hpp"
#include "ichdet/pipeline/slice_classifier.hpp"
#include "ichdet/pipeline/slice_images.hpp"
#include "ichdet/pipeline/write_classification.hpp"
#include "options.hpp"
#include "tensors.hpp"
#include "watched.hpp"

namespace ichdet::python {
namespace {

using Path = std::filesystem::path;

template <class Classifier>
Classifier make(const std::vector<Path>& folders, const std::optional<CaseRule>& rule, int threads,
                const std::string& precision, const std::string& engine, bool skip_empty, std::int64_t batch) {
  const py::gil_scoped_release unlocked;
  ClassifierOptions options;
  options.network = network_options(threads, precision, engine);
  options.skip_empty = skip_empty;
  options.batch = batch;
  options.rule = rule;
  return Classifier(open_bundles(folders), options);
}

attribution::CamOptions cam_options(const std::string& method, bool aug_smooth, bool eigen_smooth) {
  attribution::CamOptions options;
  options.method = attribution::parse_cam_method(method);
  options.aug_smooth = aug_smooth;
  options.eigen_smooth = eigen_smooth;
  return options;
}

template <class Classifier>
Floats probabilities_of(const Classifier& classifier, const Floats& input) {
  at::Tensor rows;
  {
    const auto tensor = to_tensor(input);
    const py::gil_scoped_release unlocked;
    rows = classifier.probabilities(tensor);
  }
  return to_numpy(rows);
}

template <class Classifier>
void bind_common(py::class_<Classifier>& c) {
  c.def(py::init(&make<Classifier>), py::arg("bundles"), py::kw_only(), py::arg("rule") = std::nullopt,
        py::arg("threads") = 0, py::arg("precision") = "auto", py::arg("engine") = "auto", py::arg("skip_empty") = true,
        py::arg("batch") = 1);
  c.def_property_readonly("rule", [](const Classifier& classifier) { return classifier.rule(); })
      .def_property_readonly("classes",
                             [](const Classifier& classifier) {
                               std::vector<std::string> names;
                               for (const auto& known : classifier.spec().classes) names.push_back(known.name);
                               return names;
                             })
      .def(
          "__call__",
          [](const Classifier& classifier, const SliceStack& stack, const ProgressArgument& progress) {
            return watched(progress, [&](const Progress& tell) { return classifier(stack, tell); });
          },
          py::arg("stack"), py::kw_only(), py::arg("progress") = py::none(), "A StudyResult.")
      .def("probabilities", &probabilities_of<Classifier>, py::arg("images"),
           "What `images` of a stack gives, float32, to (image or exam, class).");
}

void bind_slices(py::module_& m) {
  py::class_<SliceClassifier> slices(m, "SliceClassifier",
                                     R"(Says of each slice whether it shows blood, and so of the patient.

bundles : folders of slice classifiers' bundles; several are averaged
rule : CaseRule in place of the bundle's
threads : 0 for LibTorch's own choice
precision : 'auto' (float32), 'float32' or 'bfloat16'
engine : 'auto', 'native', 'torch' or 'openvino'
skip_empty : slices without head are given probability 0 and not computed
batch : slices per call of a network)");
  bind_common(slices);
  slices
      .def(
          "images",
          [](const SliceClassifier& classifier, const SliceStack& stack,
             const std::optional<std::vector<std::int64_t>>& wanted) {
            at::Tensor batch;
            {
              const py::gil_scoped_release unlocked;
              std::vector<std::int64_t> all(std::size_t(stack.geometry.count()));
              for (std::size_t k = 0; k < all.size(); ++k) all[k] = std::int64_t(k);
              batch = SliceImages(stack, classifier.spec())(wanted.value_or(all));
            }
            return to_numpy(batch);
          },
          py::arg("stack"), py::arg("slices") = std::nullopt,
          "What the network reads of these slices, or of all: (image, channel, row, column), float32.")
      .def(
          "scores",
          [](const SliceClassifier& classifier, const SliceStack& stack, const ProgressArgument& progress) {
            return watched(progress, [&](const Progress& tell) { return classifier.scores(stack, tell); });
          },
          py::arg("stack"), py::kw_only(), py::arg("progress") = py::none(), "A list of SliceScore, one for each slice.")
      .def(
          "heat_maps",
          [](const SliceClassifier& classifier, const SliceStack& stack, const std::vector<std::int64_t>& wanted,
             const std::string& method, bool aug_smooth, bool eigen_smooth, const ProgressArgument& progress) {
            const auto options = cam_options(method, aug_smooth, eigen_smooth);
            auto maps = watched(
                progress, [&](const Progress& tell) { return classifier.heat_maps(stack, wanted, options, tell); });
            py::typing::Dict<std::int64_t, Floats> by_slice;
            for (auto& map : maps) by_slice[py::int_(map.slice)] = lend(map.values);
            return by_slice;
          },
          py::arg("stack"), py::arg("slices"), py::arg("method") = "grad-cam", py::arg("aug_smooth") = true,
          py::arg("eigen_smooth") = true, py::kw_only(), py::arg("progress") = py::none(),
          "{slice: (row, column) float32 in [0, 1]}: what spoke for blood.")
      .def(
          "write",
          [](const SliceClassifier&, const SliceStack& stack, const StudyResult& result, const Path& folder,
             const std::map<std::int64_t, Floats>& heat_maps) {
            std::vector<SliceMap> maps;
            for (const auto& [slice, values] : heat_maps) maps.push_back({slice, borrow<float, 2>(values)});
            const py::gil_scoped_release unlocked;
            write_classification(stack, result, maps, folder);
          },
          py::arg("stack"), py::arg("result"), py::arg("folder"),
          py::arg("heat_maps") = std::map<std::int64_t, Floats>(),
          "Write result.json, slices.csv and figure.png into a folder.");
}

void bind_exams(py::module_& m) {
  py::class_<ExamImage>(m, "ExamImage", "One of the images that an exam was resliced to.")
      .def_readonly("position", &ExamImage::position, "In the stack: a slice index with a fraction.")
      .def_readonly("slice", &ExamImage::slice, "Nearest to it.")
      .def_readonly("share", &ExamImage::share, "Of all evidence for blood in the exam.")
      .def_property_readonly(
          "map", [](const ExamImage& image) { return lend(image.map); }, "(row, column) of that slice, in [0, 1].");
  py::class_<ExamClassifier> exams(m, "ExamClassifier",
                                   "Says of a whole exam whether it shows blood. As SliceClassifier.");
  bind_common(exams);
  exams
      .def(
          "images",
          [](const ExamClassifier& classifier, const SliceStack& stack) {
            at::Tensor exam;
            {
              const py::gil_scoped_release unlocked;
              exam = SliceImages(stack, classifier.spec()).exam();
            }
            return to_numpy(exam);
          },
          py::arg("stack"), "What the network reads of a stack: (1, image, channel, row, column), float32.")
      .def(
          "best_images",
          [](const ExamClassifier& classifier, const SliceStack& stack, std::int64_t count, const std::string& method) {
            return classifier.best_images(stack, count, cam_options(method, false, false));
          },
          py::arg("stack"), py::arg("count"), py::arg("method") = "grad-cam", py::call_guard<py::gil_scoped_release>(),
          "The ExamImages with the most evidence, the strongest first.");
}

}  // namespace

void bind_classifier(py::module_& m) {
  bind_slices(m);
  bind_exams(m);
  m.def(
      "make_bundle",
      [](const std::string& recipe, const Path& folder, const std::optional<Path>& weights,
         const std::optional<std::uint64_t>& untrained, const std::string& name) {
        if (weights.has_value() == untrained.has_value()) {
          throw py::value_error("make_bundle: expected weights or untrained, one of them");
        }
        BundleOptions options;
        options.name = name;
        const auto found = find_recipe(recipe);
        if (untrained) return make_untrained_bundle(found, *untrained, folder, options);
        make_bundle(found, *weights, folder, options);
      },
      py::arg("recipe"), py::arg("folder"), py::kw_only(), py::arg("weights") = std::nullopt,
      py::arg("untrained") = std::nullopt, py::arg("name") = "", py::call_guard<py::gil_scoped_release>(),
      R"(A bundle's folder from a recipe (a name, its beginning, or a YAML file) and a state dict, .safetensors or .pt.

untrained : a seed instead of weights; the bundle's results say that they mean nothing)");
}

}  // namespace ichdet::python
