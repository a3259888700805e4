#pragma once

#include <variant>

#include "json.hpp"
#include "options.hpp"

namespace ichdet::python {

/// What a network reads and answers: a bundle's name or folder, its spec, or what bundle.json would say.
using SpecArgument = std::variant<Path, ModelSpec, JsonDict>;

inline ModelSpec spec_of(const SpecArgument& given) {
  if (const auto* spec = std::get_if<ModelSpec>(&given)) return *spec;
  if (const auto* said = std::get_if<JsonDict>(&given)) return parse_own_spec(from_python(*said), "spec");
  const auto& name = std::get<Path>(given);
  const py::gil_scoped_release unlocked;
  return open_bundle(resolve_bundle(name.string())).spec;
}

}  // namespace ichdet::python
