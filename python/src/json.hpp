#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include <pybind11/typing.h>

#include "convert.hpp"

// Python's values and JSON's.
namespace ichdet::python {

/// Any object, where a type checker shall not ask which.
struct Any : py::object {
  using py::object::object;
  Any(const py::object& object) : py::object(object) {}
  static bool check_(py::handle) { return true; }
};
/// A dict that JSON can hold.
using JsonDict = py::typing::Dict<py::str, Any>;

inline nlohmann::ordered_json from_python(const py::object& value) {
  return nlohmann::ordered_json::parse(py::module_::import("json").attr("dumps")(value).cast<std::string>());
}

inline py::object to_python(const nlohmann::ordered_json& json) {
  return py::module_::import("json").attr("loads")(json.dump());
}

}  // namespace ichdet::python

template <>
struct pybind11::detail::handle_type_name<ichdet::python::Any> {
  static constexpr auto name = const_name("typing.Any");
};
