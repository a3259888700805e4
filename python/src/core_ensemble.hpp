#pragma once

#include "core_evaluate.hpp"

namespace ichdet::python {

/// Throws Error(shape) unless values are (rows, columns).
std::span<const double> table_of(const DoubleArray& values, const std::string& subject);

void bind_calibration_of_results(py::module_& m);
void bind_learned_weights(py::module_& m);

}  // namespace ichdet::python
