#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "core_ensemble.hpp"
#include "ichdet/ensemble/classes.hpp"
#include "ichdet/ensemble/combine.hpp"
#include "ichdet/ensemble/staple.hpp"

namespace ichdet::python {

using namespace ensemble;

namespace {

std::vector<double> weight_of(const DoubleArray& weight) {
  if (weight.ndim() > 1) {
    throw Error::mismatch(ErrorCode::shape, "ensemble: weights of a member", "a number, or one for each z",
                          std::to_string(weight.ndim()) + " axes");
  }
  return {weight.data(), weight.data() + weight.size()};
}

py::array_t<float> combine_arrays(const std::vector<FloatArray>& members, const std::string& rule,
                                  const std::optional<std::vector<DoubleArray>>& weights,
                                  const std::vector<std::vector<bool>>& answers, std::vector<std::string> classes,
                                  double intercept, int threads) {
  if (members.empty()) throw Error(ErrorCode::options, "ensemble: no member was given");
  std::vector<std::vector<double>> by_member(members.size(), {1.0});
  if (weights && weights->size() != members.size()) {
    throw Error::mismatch(ErrorCode::shape, "ensemble: weights", std::to_string(members.size()),
                          std::to_string(weights->size()));
  }
  if (!answers.empty() && answers.size() != members.size()) {
    throw Error::mismatch(ErrorCode::shape, "ensemble: answers", std::to_string(members.size()),
                          std::to_string(answers.size()));
  }
  std::vector<Array4<float>> arrays;
  for (std::size_t m = 0; m < members.size(); ++m) {
    if (weights) by_member[m] = weight_of((*weights)[m]);
    arrays.push_back(borrow<float, 4>(members[m]));
  }
  const auto& first = arrays.front();
  for (auto c = std::int64_t(classes.size()); c < first.extent(0); ++c) classes.push_back(std::to_string(c));
  const auto combined = [&] {
    const py::gil_scoped_release released;
    Combiner combiner(std::move(classes), {first.extent(1), first.extent(2), first.extent(3)}, parse_combine_rule(rule),
                      intercept, threads);
    for (std::size_t m = 0; m < arrays.size(); ++m) {
      combiner.add(std::to_string(m), arrays[m], by_member[m], answers.empty() ? std::vector<bool>() : answers[m]);
    }
    return combiner.finish();
  }();
  return lend(combined);
}

void bind_combiner(py::module_& m) {
  const auto* doc = R"(Members' probabilities on one grid to the ensemble's.

Parameters
----------
members : list of (class, z, y, x) float32 arrays, or of ProbabilityMap
    Class 0 is background; contiguous float32 is read in place.
rule : str
    "mean": weighted mean. "logits": weighted mean of the logits against background, then softmax. "majority": the
    weighted shares of the votes. "union": at each voxel the member that claims a class most surely has its way.
    "stacking": sigmoid or softmax of intercept + sum of weight * logit, with what fit_stacking gives.
weights : list, optional
    For each member a number, or one number for each z; None: 1. Not negative unless the rule is "stacking".
answers : list of list of bool
    For each member which classes it tells about; empty: all.
classes : list of str
    Names for messages.
intercept : float
    Of "stacking".
threads : int
    0: as many as the machine has. The result does not depend on it.

Returns
-------
(class, z, y, x) float32 array, or ProbabilityMap
    Of what the members were; each voxel's classes sum to 1.

Raises
------
ichdet.Error
    `shape` that names the member where shapes or lengths differ, `options` without members, for a weight out of its
    range, an unknown rule, and a class that no member answers.

Notes
-----
Logits are of probabilities of at least 1e-6.

Examples
--------
>>> a = np.array([0.9, 0.1], np.float32).reshape(2, 1, 1, 1)
>>> b = np.array([0.3, 0.7], np.float32).reshape(2, 1, 1, 1)
>>> ichdet.ensemble.combine([a, b], "mean").ravel().round(3)
array([0.6, 0.4], dtype=float32)
>>> ichdet.ensemble.combine([a, b], "mean", [1, 3]).ravel().round(3)
array([0.45, 0.55], dtype=float32)
>>> ichdet.ensemble.combine([a, b], "union").ravel().round(3)
array([0.3, 0.7], dtype=float32))";
  const auto* mean = "mean";
  m.def("combine", &combine_arrays, py::arg("members"), py::arg("rule") = mean, py::arg("weights") = py::none(),
        py::kw_only(), py::arg("answers") = std::vector<std::vector<bool>>(),
        py::arg("classes") = std::vector<std::string>(), py::arg("intercept") = 0.0, py::arg("threads") = 0, doc);
  m.def(
      "combine",
      [](const std::vector<ProbabilityMap>& members, const std::string& rule, const std::vector<double>& weights,
         double intercept, int threads) {
        const py::gil_scoped_release released;
        return combine(members, parse_combine_rule(rule), weights, intercept, threads);
      },
      py::arg("members"), py::arg("rule") = mean, py::arg("weights") = std::vector<double>(), py::kw_only(),
      py::arg("intercept") = 0.0, py::arg("threads") = 0);
  py::class_<Combiner>(m, "Combiner", R"(Merges members' probabilities as they come, keeping no more than one sum.

Parameters
----------
classes : list of str
    Two or more, class 0 background.
shape : (int, int, int)
    z, y, x.
rule : str
    As for combine.
intercept : float
    Of "stacking".
threads : int
    0: as many as the machine has.

Raises
------
ichdet.Error
    `options`, without at least two classes or for an unknown rule.

Examples
--------
>>> combiner = ichdet.ensemble.Combiner(["background", "blood"], (1, 1, 2), "mean")
>>> combiner.add("a", np.array([[0.8, 0.4], [0.2, 0.6]], np.float32).reshape(2, 1, 1, 2))
>>> combiner.add("b", np.array([[0.6, 0.0], [0.4, 1.0]], np.float32).reshape(2, 1, 1, 2), weights=3)
>>> combiner.finish()[1].round(2)
array([[[0.35, 0.9 ]]], dtype=float32))")
      .def(py::init([](std::vector<std::string> classes, const std::array<std::int64_t, 3>& shape,
                       const std::string& rule, double intercept, int threads) {
             return Combiner(std::move(classes), shape, parse_combine_rule(rule), intercept, threads);
           }),
           py::arg("classes"), py::arg("shape"), py::arg("rule") = mean, py::kw_only(), py::arg("intercept") = 0.0,
           py::arg("threads") = 1)
      .def(
          "add",
          [](Combiner& combiner, const std::string& member, const FloatArray& probabilities, const DoubleArray& weights,
             const std::vector<bool>& answers) {
            const auto values = borrow<float, 4>(probabilities);
            const auto weight = weight_of(weights);
            const py::gil_scoped_release released;
            combiner.add(member, values, weight, answers);
          },
          py::arg("member"), py::arg("probabilities"), py::arg("weights") = 1.0,
          py::arg("answers") = std::vector<bool>(),
          "Adds (class, z, y, x) float32 probabilities, with a weight or one for each z, of the classes that the "
          "member "
          "answers (empty: all).")
      .def(
          "finish",
          [](Combiner& combiner) {
            const auto combined = [&] {
              const py::gil_scoped_release released;
              return combiner.finish();
            }();
            return lend(combined);
          },
          "The combined probabilities, (class, z, y, x) float32: once, for the buffer is the sum's own.");
  m.def(
      "multiply_by_slice",
      [](const py::array_t<float, py::array::c_style>& probabilities, const DoubleArray& by_slice) {
        if (!probabilities.writeable()) {
          throw Error(ErrorCode::options, "multiply_by_slice: the probabilities are read-only");
        }
        auto values = borrow<float, 4>(probabilities);
        const py::gil_scoped_release released;
        multiply_by_slice(values, span_of(by_slice));
      },
      py::arg("probabilities").noconvert(), py::arg("by_slice"),
      R"(A classifier's opinion of each slice on a segmenter's, in place.

Parameters
----------
probabilities : (class, z, y, x) float32 array
    C-contiguous; changed in place: every class but background is multiplied by its slice's probability.
by_slice : (z,) array
    In [0, 1].

Raises
------
ichdet.Error
    `shape` unless there is one for each z, `options` where one is not in [0, 1] or the array is read-only.

Examples
--------
>>> p = np.full((2, 2, 1, 1), 0.5, np.float32)
>>> ichdet.ensemble.multiply_by_slice(p, [1, 0.2])
>>> p[:, :, 0, 0]
array([[0.5, 0.9],
       [0.5, 0.1]], dtype=float32))");
}

py::array_t<std::uint8_t> bytes_from(const py::array& labels) {
  const char kind = labels.dtype().kind();
  if (kind != 'b' && !(kind == 'u' && labels.itemsize() == 1)) {
    const DoubleArray values(labels);
    for (const double value : span_of(values)) {
      if (value >= 0 && value <= 255 && value == std::floor(value)) continue;
      throw Error::mismatch(ErrorCode::options, "ensemble: labels", "integers from 0 to 255", std::to_string(value));
    }
  }
  return py::array_t<std::uint8_t, py::array::c_style | py::array::forcecast>(labels);
}

std::vector<LabelMap> label_maps(const std::vector<NameArray>& given) {
  std::vector<Array3<std::uint8_t>> members;
  std::size_t most = 1;
  for (const auto& member : given) {
    members.push_back(borrow<std::uint8_t, 3>(bytes_from(member.values)));
    const std::span<const std::uint8_t> labels(members.back().data(), std::size_t(members.back().size()));
    if (!labels.empty()) most = std::max<std::size_t>(most, *std::ranges::max_element(labels));
  }
  std::vector<std::string> names;
  for (std::size_t label = 0; label <= most; ++label) names.push_back(std::to_string(label));
  std::vector<LabelMap> maps;
  for (const auto& member : members) {
    maps.emplace_back(member, names,
                      Geometry::aligned({member.extent(2), member.extent(1), member.extent(0)}, {1, 1, 1}));
  }
  return maps;
}

std::vector<std::span<const std::uint8_t>> spans_of(const std::vector<py::array_t<std::uint8_t>>& members) {
  std::vector<std::span<const std::uint8_t>> spans;
  for (const auto& member : members) spans.emplace_back(member.data(), std::size_t(member.size()));
  return spans;
}

std::vector<py::array_t<std::uint8_t>> all_bytes(const std::vector<NameArray>& members) {
  std::vector<py::array_t<std::uint8_t>> bytes;
  for (const auto& member : members) bytes.push_back(bytes_from(member.values));
  return bytes;
}

py::array_t<double> rates_of(const Staple& estimate, std::size_t members, std::size_t labels) {
  py::array_t<double> rates({members, labels, labels});
  auto* into = rates.mutable_data();
  for (std::size_t k = 0; k < members; ++k) {
    for (std::size_t said = 0; said < labels; ++said) {
      for (std::size_t truth = 0; truth < labels; ++truth) *into++ = estimate.rate(k, said, truth);
    }
  }
  return rates;
}

struct CountingStaple {
  std::size_t members, labels;
  Staple estimate;
};

void bind_votes(py::module_& m) {
  const auto* vote_doc = R"(A majority or union vote of label maps on one grid.

Parameters
----------
members : list of (z, y, x) arrays, or of LabelMap
    Whole numbers from 0 to 255; contiguous uint8 is read in place.
rule : str
    "majority": ties to the lower label. "union": ties to the first member's.
weights : list of float
    One for each member; empty: 1.

Returns
-------
(z, y, x) uint8 array, or LabelMap
    Of what the members were.

Raises
------
ichdet.Error
    `options` for another rule or labels that are no bytes, `geometry` or `options` that names the member where grids or
    names differ.

Examples
--------
>>> a, b, c = (np.array(x, np.uint8).reshape(1, 1, 3) for x in ([0, 1, 1], [0, 1, 0], [1, 1, 0]))
>>> ichdet.ensemble.vote([a, b, c])
array([[[0, 1, 0]]], dtype=uint8)
>>> ichdet.ensemble.vote([a, b, c], "union")
array([[[1, 1, 1]]], dtype=uint8))";
  m.def(
      "vote",
      [](const std::vector<NameArray>& members, const std::string& rule, const std::vector<double>& weights) {
        const auto maps = label_maps(members);
        const auto voted = [&] {
          const py::gil_scoped_release released;
          return vote(maps, parse_combine_rule(rule), weights).labels;
        }();
        return lend(voted);
      },
      py::arg("members"), py::arg("rule") = "majority", py::arg("weights") = std::vector<double>(), vote_doc);
  m.def(
      "vote",
      [](const std::vector<LabelMap>& members, const std::string& rule, const std::vector<double>& weights) {
        const py::gil_scoped_release released;
        return vote(members, parse_combine_rule(rule), weights);
      },
      py::arg("members"), py::arg("rule") = "majority", py::arg("weights") = std::vector<double>());
}

void bind_staple(py::module_& m) {
  const StapleOptions defaults;
  py::class_<CountingStaple>(m, "Staple", R"(STAPLE of voxels that come in parts: count, fit, then ask.

Takes time by the number of different combinations of labels, not of voxels.

Parameters
----------
members : int
    How many there are.
labels : int
    From 2 to 256.

Raises
------
ichdet.Error
    `options` for no member or another number of labels, `limit` where labels to the power of members is above 2^63.

Examples
--------
>>> estimate = ichdet.ensemble.Staple(members=3, labels=2)
>>> estimate.count([[0, 0, 1, 1, 1, 0], [0, 0, 1, 1, 0, 0], [0, 1, 1, 1, 1, 0]])
>>> estimate.fit()
>>> estimate.rates[:, 1, 1].round(2)  # sensitivities
array([1.  , 0.67, 1.  ])
>>> estimate.posterior([[1], [0], [1]])[1].round(2)
array([1.], dtype=float32))")
      .def(py::init([](std::size_t members, std::size_t labels) {
             return CountingStaple{members, labels, Staple(members, labels)};
           }),
           py::arg("members"), py::arg("labels"))
      .def(
          "count",
          [](CountingStaple& s, const std::vector<NameArray>& members) {
            const auto bytes = all_bytes(members);
            const auto spans = spans_of(bytes);
            const py::gil_scoped_release released;
            s.estimate.count(spans);
          },
          py::arg("members"), "Members' labels of some voxels: arrays of one shape, one for each member.")
      .def(
          "fit",
          [](CountingStaple& s, double tolerance, int max_iterations) {
            const py::gil_scoped_release released;
            s.estimate.fit({tolerance, max_iterations});
          },
          py::kw_only(), py::arg("tolerance") = defaults.tolerance, py::arg("max_iterations") = defaults.max_iterations,
          "Expectation maximisation, until no rate changes by more than `tolerance`.")
      .def(
          "posterior",
          [](const CountingStaple& s, const std::vector<NameArray>& members) {
            const auto bytes = all_bytes(members);
            const auto spans = spans_of(bytes);
            std::vector<py::ssize_t> shape{py::ssize_t(s.labels)};
            if (!bytes.empty()) shape.insert(shape.end(), bytes[0].shape(), bytes[0].shape() + bytes[0].ndim());
            py::array_t<float> values(shape);
            const std::span<float> into(values.mutable_data(), std::size_t(values.size()));
            const py::gil_scoped_release released;
            s.estimate.posterior(spans, into);
            return values;
          },
          py::arg("members"), "(label, ...) float32 of voxels whose combination was counted; each voxel's sum is 1.")
      .def_property_readonly(
          "rates", [](const CountingStaple& s) { return rates_of(s.estimate, s.members, s.labels); },
          "(member, said, truth) float64: how often a member says `said` where the truth is `truth`.")
      .def_property_readonly(
          "iterations", [](const CountingStaple& s) { return s.estimate.iterations(); }, "That fit took.");
  m.def(
      "staple",
      [](const std::vector<NameArray>& members, double tolerance, int max_iterations) {
        const auto maps = label_maps(members);
        std::vector<std::span<const std::uint8_t>> labels;
        for (const auto& map : maps) labels.emplace_back(map.labels.data(), std::size_t(map.labels.size()));
        const auto count = maps.empty() ? 2 : maps.front().names.size();
        Staple estimate(maps.size(), count);
        const auto posterior = [&] {
          const py::gil_scoped_release released;
          estimate.count(labels);
          estimate.fit({tolerance, max_iterations});
          const auto& shape = maps.front().labels.shape();
          auto values = Array4<float>::uninitialized({std::int64_t(count), shape[0], shape[1], shape[2]});
          estimate.posterior(labels, {values.data(), std::size_t(values.size())});
          return values;
        }();
        return std::tuple(lend(posterior), rates_of(estimate, maps.size(), count), estimate.iterations());
      },
      py::arg("members"), py::kw_only(), py::arg("tolerance") = defaults.tolerance,
      py::arg("max_iterations") = defaults.max_iterations,
      R"(Simultaneous truth and performance level estimation of label maps on one grid, for any number of labels.

Parameters
----------
members : list of (z, y, x) arrays, or of LabelMap
    Whole numbers from 0 to 255; contiguous uint8 is read in place.
tolerance : float
    The largest change of a rate that counts as none.
max_iterations : int
    Of expectation maximisation.

Returns
-------
posterior : (label, z, y, x) float32 array
    How probable each label is; each voxel's sum is 1. Of LabelMap members this alone, as a ProbabilityMap.
rates : (member, said, truth) float64 array
    How often a member says `said` where the truth is `truth`; rates[:, 1, 1] are sensitivities of two labels.
iterations : int

Raises
------
ichdet.Error
    `options` for no member, labels that are no bytes or where max_iterations do not suffice, `shape` where lengths
    differ, `limit` where labels to the power of members is above 2^63.

Notes
-----
Warfield, Zou and Wells 2004. Of two labels ITK's STAPLEImageFilter; of more it has the fixed points of ITK's
MultiLabelSTAPLEImageFilter.

Examples
--------
>>> members = [np.array(x, np.uint8).reshape(1, 1, 6) for x in
...            ([0, 0, 1, 1, 1, 0], [0, 0, 1, 1, 0, 0], [0, 1, 1, 1, 1, 0])]
>>> posterior, rates, iterations = ichdet.ensemble.staple(members)
>>> posterior[1, 0, 0].round(2)
array([0., 0., 1., 1., 1., 0.], dtype=float32)
>>> rates[:, 1, 1].round(2)
array([1.  , 0.67, 1.  ]))");
  m.def(
      "staple",
      [](const std::vector<LabelMap>& members, double tolerance, int max_iterations) {
        const py::gil_scoped_release released;
        return staple(members, {tolerance, max_iterations});
      },
      py::arg("members"), py::kw_only(), py::arg("tolerance") = defaults.tolerance,
      py::arg("max_iterations") = defaults.max_iterations);
}

void bind_classes(py::module_& m) {
  py::class_<ClassMapping>(m, "ClassMapping", R"(How a member's classes become those of an ensemble.

Examples
--------
>>> mapping = ichdet.ensemble.map_classes("sub", ["bg", "iph", "sdh"], ["background", "blood"],
...                                       {"iph": "blood", "sdh": "blood"})
>>> mapping.names, mapping.to, mapping.answers
(['background', 'blood'], [0, 1, 1], [True, True]))")
      .def_readonly("names", &ClassMapping::names, "The ensemble's classes.")
      .def_readonly("to", &ClassMapping::to, "For each of the member's classes, which of them it becomes.")
      .def_readonly("answers", &ClassMapping::answers,
                    "For each of the ensemble's, whether the member tells about it.");
  m.def("map_classes", &map_classes, py::arg("member"), py::arg("member_classes"), py::arg("ensemble_classes"),
        py::arg("renamed") = std::map<std::string, std::string>(),
        R"(How a member's classes become an ensemble's, by name.

Parameters
----------
member : str
    Its name, for messages.
member_classes, ensemble_classes : list of str
    Class 0 is background in both, whatever it is called.
renamed : dict of str to str
    What a member's class is called in the ensemble; others keep their names.

Returns
-------
ClassMapping

Raises
------
ichdet.Error
    `options` that names the member and the class: one that the ensemble does not have, a key of `renamed` that the
    member does not have, or a member without a class of the ensemble's.

Examples
--------
>>> ichdet.ensemble.map_classes("expert", ["background", "IVH"], ["background", "IPH", "IVH"]).answers
[True, False, True])");
  m.def(
      "to_classes", [](const LabelMap& map, const ClassMapping& mapping) { return to_classes(map, mapping); },
      py::arg("map"), py::arg("mapping"),
      R"(A member's labels or probabilities in the ensemble's classes.

Parameters
----------
map : LabelMap, ProbabilityMap or (class, z, y, x) float32 array
mapping : ClassMapping

Returns
-------
LabelMap, ProbabilityMap or (class, z, y, x) float32 array
    What becomes the same class is added up. The same buffer where nothing changes.

Raises
------
ichdet.Error
    `shape`, where the map has not as many classes as the mapping.

Examples
--------
>>> mapping = ichdet.ensemble.map_classes("sub", ["bg", "iph", "sdh"], ["background", "blood"],
...                                       {"iph": "blood", "sdh": "blood"})
>>> p = np.array([0.5, 0.3, 0.2], np.float32).reshape(3, 1, 1, 1)
>>> ichdet.ensemble.to_classes(p, mapping).ravel()
array([0.5, 0.5], dtype=float32))");
  m.def(
      "to_classes", [](const ProbabilityMap& map, const ClassMapping& mapping) { return to_classes(map, mapping); },
      py::arg("map"), py::arg("mapping"));
  m.def(
      "to_classes",
      [](const FloatArray& map, const ClassMapping& mapping) {
        const auto values = borrow<float, 4>(map);
        if (std::size_t(values.extent(0)) != mapping.to.size()) {
          throw Error::mismatch(ErrorCode::shape, "to_classes", std::to_string(mapping.to.size()) + " classes",
                                std::to_string(values.extent(0)));
        }
        std::vector<std::string> names(mapping.to.size());
        for (std::size_t c = 0; c < names.size(); ++c) names[c] = std::to_string(c);
        const auto grid = Geometry::aligned({values.extent(3), values.extent(2), values.extent(1)}, {1, 1, 1});
        return lend(to_classes(ProbabilityMap(values, names, grid), mapping).values);
      },
      py::arg("map"), py::arg("mapping"));
}

}  // namespace

void bind_ensemble(py::module_& core) {
  auto m = core.def_submodule("_ensemble", "Combination of models and calibration of probabilities.");
  bind_calibration_of_results(m);
  bind_combiner(m);
  bind_votes(m);
  bind_staple(m);
  bind_classes(m);
  bind_learned_weights(m);
}

}  // namespace ichdet::python
