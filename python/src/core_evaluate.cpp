#include "core_evaluate.hpp"

#include <cstdio>

#include "ichdet/evaluate/special.hpp"

namespace ichdet::python {

using namespace evaluate;

namespace {

/// Whether a contiguous array can be read where it lies as values of this kind and size.
bool holds(const py::array& values, char kind, py::ssize_t bytes) {
  const auto type = values.dtype();
  return type.kind() == kind && type.itemsize() == bytes && type.byteorder() != '>';
}

template <class T>
void fill_labels(const py::array& values, std::uint8_t* labels) {
  const auto* data = static_cast<const T*>(values.data());
  for (py::ssize_t i = 0; i < values.size(); ++i) {
    if (data[i] != T(0) && data[i] != T(1)) {
      throw Error::mismatch(ErrorCode::options, "labels, row " + std::to_string(i), "0 or 1",
                            few_digits(double(data[i])));
    }
    if (labels != nullptr) labels[i] = data[i] == T(1);
  }
}

}  // namespace

LabelArray::LabelArray(const py::array& values) {
  if (holds(values, 'b', 1) || holds(values, 'u', 1)) {
    if (holds(values, 'u', 1)) fill_labels<std::uint8_t>(values, nullptr);
    held_ = values;
    data_ = static_cast<const std::uint8_t*>(held_.data());
    return;
  }
  py::array_t<std::uint8_t> labels(values.size());
  auto* into = labels.mutable_data();
  if (holds(values, 'i', 8)) {
    fill_labels<std::int64_t>(values, into);
  } else if (holds(values, 'f', 8)) {
    fill_labels<double>(values, into);
  } else {
    fill_labels<double>(DoubleArray(values), into);
  }
  data_ = into;
  held_ = std::move(labels);
}

MaskArray mask_from(const py::array& values) {
  if (values.itemsize() == 1 &&
      (values.dtype().kind() == 'b' || values.dtype().kind() == 'u' || values.dtype().kind() == 'i')) {
    const std::vector<py::ssize_t> shape(values.shape(), values.shape() + values.ndim());
    const auto* bytes = static_cast<const std::uint8_t*>(values.data());
    return {borrow<std::uint8_t, 3>(py::array_t<std::uint8_t>(shape, bytes, values))};
  }
  return mask_from(py::module_::import("numpy").attr("not_equal")(values, 0));
}

std::string few_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

std::string text_of(const Proportion& p) { return std::to_string(p.successes) + " / " + std::to_string(p.trials); }

BootstrapOptions bootstrap_options(std::int64_t resamples, std::uint64_t seed, double confidence, int threads) {
  BootstrapOptions options;
  options.resamples = resamples;
  options.seed = seed;
  options.confidence = confidence;
  options.threads = threads;
  return options;
}

std::vector<std::int32_t> patients_from(const std::optional<NameArray>& patients, std::size_t rows) {
  std::vector<std::int32_t> numbers(rows);
  if (!patients) {
    for (std::size_t i = 0; i < rows; ++i) numbers[i] = std::int32_t(i);
    return numbers;
  }
  const auto unique = py::module_::import("numpy").attr("unique");
  const py::tuple found = unique(patients->values, py::arg("return_inverse") = true);
  const IntArray inverse(found[1]);
  if (std::size_t(inverse.size()) != rows) {
    throw Error::mismatch(ErrorCode::shape, "patients", std::to_string(rows) + " rows", std::to_string(inverse.size()));
  }
  std::copy(inverse.data(), inverse.data() + inverse.size(), numbers.begin());
  return numbers;
}

namespace {

void bind_special(py::module_& m) {
  def_elementwise(m, "incomplete_beta", incomplete_beta,
                  R"(The regularised incomplete beta function I_x(a, b), elementwise.

Parameters
----------
a, b : float or array
    In (0, 1e15].
x : float or array
    In [0, 1].

Returns
-------
float or float64 array
    To about 1e-13 relative for a + b up to 1e6.

Raises
------
ichdet.Error
    `options`, where an argument is out of its range.

Notes
-----
The continued fraction of DiDonato and Morris (ACM TOMS 18, 1992). Equals scipy.special.betainc.

Examples
--------
>>> round(ichdet.evaluate.incomplete_beta(2, 3, 0.5), 6)
0.6875)",
                  py::arg("a"), py::arg("b"), py::arg("x"));
  def_elementwise(m, "incomplete_beta_inverse", incomplete_beta_inverse,
                  R"(The x for which I_x(a, b) is p, elementwise.

Parameters
----------
a, b : float or array
    In (0, 1e15].
p : float or array
    In [0, 1].

Returns
-------
float or float64 array
    In [0, 1]. Equals scipy.special.betaincinv.

Raises
------
ichdet.Error
    `options`, where an argument is out of its range.

Examples
--------
>>> round(ichdet.evaluate.incomplete_beta_inverse(2, 3, 0.6875), 6)
0.5)",
                  py::arg("a"), py::arg("b"), py::arg("p"));
  def_elementwise(m, "normal_cdf", normal_cdf,
                  R"(The distribution function of a standard normal, elementwise.

Parameters
----------
z : float or array

Returns
-------
float or float64 array
    P(Z <= z), precise far out at the left too. Equals scipy.special.ndtr.

Examples
--------
>>> ichdet.evaluate.normal_cdf([-1.96, 0, 1.96]).round(4)
array([0.025, 0.5  , 0.975]))",
                  py::arg("z"));
  def_elementwise(m, "normal_quantile", normal_quantile,
                  R"(The inverse of normal_cdf, elementwise.

Parameters
----------
p : float or array
    In [0, 1].

Returns
-------
float or float64 array
    Infinite at 0 and 1. Equals scipy.special.ndtri.

Raises
------
ichdet.Error
    `options`, where p is outside [0, 1].

Examples
--------
>>> round(ichdet.evaluate.normal_quantile(0.975), 4)
1.96)",
                  py::arg("p"));
  def_elementwise(m, "student_t_quantile", student_t_quantile,
                  R"(A quantile of Student's t, elementwise.

Parameters
----------
p : float or array
    In (0, 1).
degrees : float or array
    Of freedom, above 0.

Returns
-------
float or float64 array
    Equals scipy.stats.t.ppf.

Raises
------
ichdet.Error
    `options`, where an argument is out of its range.

Examples
--------
>>> ichdet.evaluate.student_t_quantile(0.975, [1, 10, 1000]).round(3)
array([12.706,  2.228,  1.962]))",
                  py::arg("p"), py::arg("degrees"));
}

}  // namespace

void bind_evaluate(py::module_& m) {
  auto evaluate = m.def_submodule("_evaluate", "Metrics, intervals and tests.");
  bind_special(evaluate);
  bind_evaluate_rates(evaluate);
  bind_evaluate_curves(evaluate);
  bind_evaluate_bootstrap(evaluate);
  bind_evaluate_agreement(evaluate);
  bind_evaluate_masks(evaluate);
  bind_evaluate_cohort(evaluate);
  bind_evaluate_figures(evaluate);
  bind_evaluate_drift(evaluate);
}

}  // namespace ichdet::python
