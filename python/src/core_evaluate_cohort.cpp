#include <nlohmann/json.hpp>

#include "core_evaluate.hpp"
#include "ichdet/core/version.hpp"
#include "ichdet/evaluate/cohort.hpp"
#include "ichdet/evaluate/evaluation.hpp"
#include "ichdet/report/evaluation.hpp"

namespace ichdet::python {

using namespace evaluate;

void bind_evaluate_cohort(py::module_& m) {
  py::class_<Evaluation>(m, "Evaluation", "The papers' figures of a cohort.")
      .def_readonly("rows", &Evaluation::rows)
      .def_readonly("patients", &Evaluation::patients)
      .def_readonly("only_in_predictions", &Evaluation::only_in_predictions)
      .def_readonly("only_in_truth", &Evaluation::only_in_truth)
      .def_readonly("notes", &Evaluation::notes)
      .def(
          "to_dict", [](const Evaluation& e) { return py::module_::import("json").attr("loads")(to_json(e).dump()); },
          "Every figure, as `ichdet evaluate --json` prints them; what is not defined is None.")
      .def(
          "summary", [](const Evaluation& e) { return summary(e); }, "The figures as tables of text.")
      .def(
          "html_page",
          [](const Evaluation& e, std::string title) {
            PageOptions options;
            options.title = std::move(title);
            options.made_by = "ichdet " + std::string(version);
            return html_page(e, options);
          },
          py::arg("title") = "Evaluation", "One self-contained page with tables and diagrams.");
  m.def(
      "evaluate_files",
      [](const std::string& predictions, const std::string& truth, std::vector<double> thresholds,
         std::vector<std::string> models, std::vector<std::string> classes, double confidence, std::int64_t resamples,
         std::uint64_t seed, int bins, int threads) {
        const py::gil_scoped_release release;
        EvaluationOptions options;
        options.thresholds = std::move(thresholds);
        options.bins = bins;
        options.bootstrap.confidence = confidence;
        options.bootstrap.resamples = resamples;
        options.bootstrap.seed = seed;
        options.bootstrap.threads = threads;
        const auto cohort =
            join_cohort(read_csv(predictions), read_csv(truth), {std::move(models), std::move(classes)});
        return evaluate_cohort(cohort, options);
      },
      py::arg("predictions"), py::arg("truth"), py::kw_only(), py::arg("thresholds") = std::vector<double>{0.5},
      py::arg("models") = std::vector<std::string>{}, py::arg("classes") = std::vector<std::string>{},
      py::arg("confidence") = 0.95, py::arg("resamples") = 2000, py::arg("seed") = 0, py::arg("bins") = 10,
      py::arg("threads") = 0,
      R"(Joins two CSV files and evaluates them, as `ichdet evaluate` does.

Parameters
----------
predictions, truth : paths; docs/evaluation.md tells the columns
thresholds : a case is called positive from these probabilities on
models, classes : evaluate these alone; empty: all)");
}

}  // namespace ichdet::python
