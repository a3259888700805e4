#pragma once

#include <span>
#include <vector>

#include "convert.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/bootstrap.hpp"
#include "ichdet/evaluate/proportion.hpp"

namespace ichdet::python {

using DoubleArray = py::array_t<double, py::array::c_style | py::array::forcecast>;

/// 0 and 1 from an array of any type. Throws Error(options) that names the row of another value.
std::vector<std::uint8_t> labels_from(const DoubleArray& values);
std::span<const double> span_of(const DoubleArray& values);
py::array_t<double> to_numpy(const std::vector<double>& values);
py::tuple to_tuple(const evaluate::Interval& interval);
evaluate::BootstrapOptions bootstrap_options(std::int64_t resamples, std::uint64_t seed, double confidence,
                                             int threads);

void bind_evaluate_masks(py::module_& m);
void bind_evaluate_cohort(py::module_& m);
void bind_evaluate_figures(py::module_& m);

}  // namespace ichdet::python
