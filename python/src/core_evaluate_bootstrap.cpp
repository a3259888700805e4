#include <map>

#include "core_evaluate.hpp"
#include "ichdet/evaluate/curves.hpp"
#include "watched.hpp"

namespace ichdet::python {

using namespace evaluate;

void bind_evaluate_bootstrap(py::module_& m) {
  py::class_<BootstrapInterval>(m, "BootstrapInterval", R"(A percentile interval and what it was made of.

Examples
--------
>>> values = np.arange(20.0)
>>> found = ichdet.evaluate.bootstrap(lambda rows: values[rows].mean(), 20, resamples=500)
>>> found.resamples, found.degenerate
(500, 0)
>>> low, high = found.interval
>>> bool(low < values.mean() < high)
True)")
      .def_property_readonly(
          "interval", [](const BootstrapInterval& b) { return pair_of(b.interval); },
          "(low, high): percentiles, interpolated linearly; NaN where every resample was degenerate.")
      .def_readonly("standard_error", &BootstrapInterval::standard_error,
                    "Standard deviation over the resamples; NaN with fewer than two.")
      .def_readonly("resamples", &BootstrapInterval::resamples, "That gave a value.")
      .def_readonly("degenerate", &BootstrapInterval::degenerate, "That gave NaN, and were left out.")
      .def("__repr__", [](const BootstrapInterval& b) {
        return "<ichdet.evaluate.BootstrapInterval " + few_digits(b.interval.low) + " to " +
               few_digits(b.interval.high) + ", " + std::to_string(b.resamples) + " resamples>";
      });
  using Rows = py::array_t<std::int64_t>;
  m.def(
      "bootstrap",
      [](const py::typing::Callable<double(Rows)>& statistic, std::size_t rows,
         const std::optional<NameArray>& patients, std::int64_t resamples, std::uint64_t seed, double confidence) {
        const auto numbers = patients_from(patients, rows);
        const auto call = [&](std::span<const std::uint32_t> multiplicity, std::span<double> values) {
          std::vector<std::int64_t> drawn;
          for (std::size_t row = 0; row < multiplicity.size(); ++row) {
            drawn.insert(drawn.end(), multiplicity[row], std::int64_t(row));
          }
          values[0] = statistic(Rows(py::ssize_t(drawn.size()), drawn.data())).cast<double>();
        };
        return bootstrap(numbers, 1, call, bootstrap_options(resamples, seed, confidence, 1)).front();
      },
      py::arg("statistic"), py::arg("rows"), py::arg("patients") = py::none(),
      py::arg("resamples") = BootstrapOptions{}.resamples, py::arg("seed") = BootstrapOptions{}.seed,
      py::arg("confidence") = BootstrapOptions{}.confidence,
      R"(The percentile bootstrap of any statistic, by patient.

Each resample draws as many patients as there are, with replacement, each with all of its rows.

Parameters
----------
statistic : callable
    Of a (rows drawn,) int64 array of row indices, ascending (a row drawn twice occurs twice), to a number; NaN: the
    resample is degenerate, left out and counted.
rows : int
    How many there are.
patients : (rows,) array, optional
    The patient of each row, numbers or names; None: each row is a patient.
resamples : int
    1 or more.
seed : int
    The same seed gives the same resamples on any machine.
confidence : float
    In (0, 1).

Returns
-------
BootstrapInterval

Raises
------
ichdet.Error
    `options` where an argument is out of its range, `shape` without rows or where there are not as many patients.

Examples
--------
>>> volumes = np.array([0.0, 1.5, 12.0, 3.2, 40.0, 7.7, 22.0, 0.4])
>>> found = ichdet.evaluate.bootstrap(lambda rows: np.median(volumes[rows]), 8, resamples=1000)
>>> low, high = found.interval
>>> bool(low <= np.median(volumes) <= high), found.resamples
(True, 1000))");
  m.def(
      "bootstrap_areas",
      [](const LabelArray& truth, const DoubleArray& scores, const std::optional<NameArray>& patients,
         std::int64_t resamples, std::uint64_t seed, double confidence, int threads, const Report& progress) {
        const auto ranking = rank(truth, span_of(scores));
        const auto numbers = patients_from(patients, ranking.rows.size());
        auto options = bootstrap_options(resamples, seed, confidence, threads);
        const auto call = [&](std::span<const std::uint32_t> multiplicity, std::span<double> values) {
          const auto drawn = areas(ranking, multiplicity);
          values[0] = drawn.roc_auc, values[1] = drawn.average_precision, values[2] = drawn.pr_auc;
        };
        const auto found = watched(progress, [&](const Progress& watching) {
          options.progress = watching;
          return bootstrap(numbers, 3, call, options);
        });
        return std::map<std::string, BootstrapInterval>{
            {"roc_auc", found[0]}, {"average_precision", found[1]}, {"pr_auc", found[2]}};
      },
      py::arg("truth"), py::arg("scores"), py::arg("patients") = py::none(),
      py::arg("resamples") = BootstrapOptions{}.resamples, py::arg("seed") = BootstrapOptions{}.seed,
      py::arg("confidence") = BootstrapOptions{}.confidence, py::arg("threads") = BootstrapOptions{}.threads,
      py::kw_only(), py::arg("progress") = py::none(),
      R"(Bootstrap intervals of the ROC area, average precision and the PR area, in one pass.

Parameters
----------
truth : (cases,) array
    0 or 1.
scores : (cases,) array
    Finite, the higher the more positive; float64 is read in place.
patients : (cases,) array, optional
    The patient of each case, numbers or names; None: each case is a patient.
resamples, seed, confidence
    As for bootstrap, whose resamples with the same seed these are.
threads : int
    0: as many as the machine has. The result does not depend on it.
progress : callable, optional
    Called with the stage's name and the fraction done.

Returns
-------
dict of str to BootstrapInterval
    "roc_auc", "average_precision", "pr_auc".

Raises
------
ichdet.Error
    `options` where an argument is out of its range, `shape` where lengths differ.
KeyboardInterrupt
    Within a second of Ctrl-C.

Examples
--------
>>> rng = np.random.default_rng(0)
>>> truth = rng.integers(0, 2, 200)
>>> found = ichdet.evaluate.bootstrap_areas(truth, truth + rng.normal(size=200), resamples=200)
>>> low, high = found["roc_auc"].interval
>>> bool(low < ichdet.evaluate.normal_cdf(0.5 ** 0.5) < high)  # what these scores have in truth
True)");
}

}  // namespace ichdet::python
