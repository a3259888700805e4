#pragma once

#include <pybind11/typing.h>

#include <variant>

#include "json.hpp"
#include "options.hpp"

namespace ichdet::python {

/// What a network reads and answers: a bundle's name or folder, or what bundle.json would say.
using SpecArgument = std::variant<Path, py::typing::Dict<py::str, py::object>>;

inline ModelSpec spec_of(const SpecArgument& given) {
  if (const auto* said = std::get_if<py::typing::Dict<py::str, py::object>>(&given)) {
    return parse_own_spec(from_python(*said), "spec");
  }
  const auto& name = std::get<Path>(given);
  const py::gil_scoped_release unlocked;
  return open_bundle(resolve_bundle(name.string())).spec;
}

}  // namespace ichdet::python
