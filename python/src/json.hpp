#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "convert.hpp"

// Python's values and JSON's.
namespace ichdet::python {

inline nlohmann::ordered_json from_python(const py::object& value) {
  return nlohmann::ordered_json::parse(py::module_::import("json").attr("dumps")(value).cast<std::string>());
}

inline py::object to_python(const nlohmann::ordered_json& json) {
  return py::module_::import("json").attr("loads")(json.dump());
}

}  // namespace ichdet::python
