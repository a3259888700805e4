#include <pybind11/stl/filesystem.h>

#include <variant>

#include "core_evaluate.hpp"
#include "ichdet/evaluate/drift.hpp"
#include "ichdet/report/drift.hpp"
#include "ichdet/report/json.hpp"
#include "json.hpp"

namespace ichdet::python {

using namespace evaluate;

namespace {

using Source = std::variant<StudyScores, std::filesystem::path>;

void bind_two_samples(py::module_& m) {
  m.def(
      "kolmogorov_smirnov",
      [](const DoubleArray& a, const DoubleArray& b) {
        const auto unlocked = unlocked_for(std::size_t(a.size() * b.size()));
        const auto test = kolmogorov_smirnov(span_of(a), span_of(b));
        return std::pair(test.statistic, test.p_value);
      },
      py::arg("a"), py::arg("b"),
      R"(Kolmogorov and Smirnov's test of two samples, two-sided.

Parameters
----------
a, b : (values,) array
    Of any lengths; float64 is read in place.

Returns
-------
statistic : float
    The largest distance of the two distribution functions.
p_value : float
    NaN where a sample is empty.

Raises
------
ichdet.Error
    `options`, where a value is NaN.

Notes
-----
Exact as if no values were equal, by the paths of Hodges (1957); for more than 4e8 pairs the limiting distribution's.
Equals scipy.stats.ks_2samp.

Examples
--------
>>> statistic, p_value = ichdet.evaluate.kolmogorov_smirnov([1, 2, 3, 4], [3.5, 5, 6, 7])
>>> statistic, round(p_value, 4)
(0.75, 0.2286))");
  py::class_<StabilityIndex>(m, "StabilityIndex", R"(How two samples fill the same bins: sum of (b - a) ln(b / a).

Examples
--------
>>> found = ichdet.evaluate.population_stability(np.arange(100), np.arange(100) + 20, bins=4)
>>> found.edges, found.reference, found.found
(array([24.75, 49.5 , 74.25]), array([25, 25, 25, 25]), array([ 5, 25, 25, 45]))
>>> round(float(found), 3)
0.439)")
      .def_readonly("value", &StabilityIndex::value, "By convention below 0.1 stable, above 0.25 a shift.")
      .def_readonly("expected", &StabilityIndex::expected,
                    "Of two samples of these sizes from one distribution: about (bins - 1)(1/n + 1/m).")
      .def_property_readonly("edges", array_in(&StabilityIndex::edges), "(bins - 1,) float64, between the bins.")
      .def_property_readonly("reference", array_in(&StabilityIndex::reference), "(bins,) int64: cases in each bin.")
      .def_property_readonly("found", array_in(&StabilityIndex::found), "(bins,) int64: cases in each bin.")
      .def("__float__", [](const StabilityIndex& s) { return s.value; })
      .def("__repr__", [](const StabilityIndex& s) {
        return "<ichdet.evaluate.StabilityIndex " + few_digits(s.value) + ", by chance " + few_digits(s.expected) + ">";
      });
  m.def(
      "population_stability",
      [](const DoubleArray& reference, const DoubleArray& found, int bins) {
        return population_stability(span_of(reference), span_of(found), bins);
      },
      py::arg("reference"), py::arg("found"), py::arg("bins") = 10,
      R"(The population stability index, over bins between the reference's quantiles.

Parameters
----------
reference, found : (values,) array
    Of any lengths; float64 is read in place.
bins : int
    2 or more; equal quantiles are merged, the outer bins are open, an empty bin counts half a case.

Returns
-------
StabilityIndex
    NaN where a sample is empty.

Raises
------
ichdet.Error
    `options`, where there are fewer than two bins or a value is NaN.

Examples
--------
>>> ichdet.evaluate.population_stability(np.arange(100), np.arange(100) + 20, bins=4)
<ichdet.evaluate.StabilityIndex 0.4394, by chance 0.06>)");
  m.def(
      "fisher_exact",
      [](std::int64_t a, std::int64_t of_a, std::int64_t b, std::int64_t of_b) {
        return fisher_exact({a, of_a}, {b, of_b});
      },
      py::arg("a"), py::arg("of_a"), py::arg("b"), py::arg("of_b"),
      R"(Fisher's exact test of two equal rates, two-sided.

Parameters
----------
a, of_a, b, of_b : int
    a of of_a cases, and b of of_b.

Returns
-------
float
    p; NaN without trials in either. Equals scipy.stats.fisher_exact.

Examples
--------
>>> round(ichdet.evaluate.fisher_exact(3, 10, 9, 12), 4)
0.0836)");
}

void bind_drift(py::module_& m) {
  py::class_<StudyScores>(m, "StudyScores", R"(What a model said about a study, as far as drift shows in it.

Parameters
----------
study : str
    Its name.
probability : float
    In [0, 1].
positive : bool
    What was decided.
volume_ml : float
    Of blood; NaN: the model measures none.
slices : list of float
    Probability of each slice that was asked about.

Examples
--------
>>> scores = ichdet.evaluate.StudyScores("s1", 0.9, True, volume_ml=12.5, slices=[0.1, 0.9])
>>> scores.study, scores.positive, scores.slices
('s1', True, [0.1, 0.9]))")
      .def(py::init(
               [](std::string study, double probability, bool positive, double volume_ml, std::vector<double> slices) {
                 return StudyScores{std::move(study), probability, positive, volume_ml, std::move(slices)};
               }),
           py::arg("study"), py::arg("probability"), py::arg("positive"), py::kw_only(),
           py::arg_v("volume_ml", undefined, "float('nan')"), py::arg("slices") = std::vector<double>{})
      .def_readonly("study", &StudyScores::study, "Its name.")
      .def_readonly("probability", &StudyScores::probability, "In [0, 1].")
      .def_readonly("positive", &StudyScores::positive, "What was decided.")
      .def_readonly("volume_ml", &StudyScores::volume_ml, "Of blood; NaN: the model measures none.")
      .def_readonly("slices", &StudyScores::slices, "Probability of each slice that was asked about.");
  m.def("scores_of", &scores_of, py::arg("study"), py::arg("result"),
        R"(What a result says that drift shows in.

Parameters
----------
study : str
    Its name.
result : StudyResult

Returns
-------
StudyScores
    Blood labels' volumes added up, NaN where a classifier measures none; slices without a head left out.

Examples
--------
>>> result = ichdet.StudyResult()
>>> result.labels, result.volumes_ml = {1: "iph"}, {"iph": 3.5}
>>> ichdet.evaluate.scores_of("s1", result).volume_ml
3.5)");
  m.def(
      "drift",
      [](const std::vector<Source>& reference, const std::vector<Source>& results, std::uint64_t seed) {
        const auto read = [](const std::vector<Source>& sources) {
          std::vector<StudyScores> scores;
          for (const auto& source : sources) {
            const auto* path = std::get_if<std::filesystem::path>(&source);
            scores.push_back(path != nullptr ? scores_of(path->string(), read_result(*path))
                                             : std::get<StudyScores>(source));
          }
          return scores;
        };
        const auto found = [&] {
          const py::gil_scoped_release unlocked;
          return drift(read(reference), read(results), seed);
        }();
        return JsonObject(to_python(to_json(found)));
      },
      py::arg("reference"), py::arg("results"), py::kw_only(), py::arg("seed") = 0,
      R"(Compares new studies with those of a validation set, as `ichdet monitor` does.

Parameters
----------
reference, results : list of StudyScores or path
    Of the validation set and of the new studies; paths of result.json files.
seed : int
    Draws the random exchanges of whole studies by which slices are compared.

Returns
-------
dict
    "verdict" ("none", "watch" or "drift"), the quantities with their stability index and test, the rate of positive
    studies, and what was seen in words.

Raises
------
ichdet.Error
    `shape` where either has no study, `io` where a file cannot be read.

Notes
-----
A quantity drifts where its stability index exceeds what chance gives by 0.25 and p < 0.01; it is watched where the
index exceeds it by 0.1 and p < 0.05. The rate of positive studies drifts at p < 0.01 and is watched below 0.05.

Examples
--------
>>> def studies(shift):
...     p = np.clip(np.random.default_rng(0).beta(1, 4, 60) + shift, 0, 1)
...     return [ichdet.evaluate.StudyScores(f"s{i}", x, x > 0.5) for i, x in enumerate(p)]
>>> ichdet.evaluate.drift(studies(0), studies(0.3))["verdict"]
'drift')");
}

}  // namespace

void bind_evaluate_drift(py::module_& m) {
  bind_two_samples(m);
  bind_drift(m);
}

}  // namespace ichdet::python
