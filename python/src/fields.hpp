#pragma once

#include <pybind11/pybind11.h>

#include <string>

namespace ichdet::python {

namespace py = pybind11;

/// A field of a struct of options.
template <class Options, class Value>
struct Field {
  const char* name;
  Value Options::*member;
  const char* doc;
};
template <class Options, class Value>
Field(const char*, Value Options::*, const char*) -> Field<Options, Value>;

/// The class's constructor, keyword arguments whose defaults are the struct's, and a property for each.
template <class Options, class... Values>
void define_fields(py::class_<Options>& c, const Field<Options, Values>&... fields) {
  const Options usual;
  c.def(py::init([fields...](const Values&... values) {
          Options options;
          ((options.*(fields.member) = values), ...);
          return options;
        }),
        py::kw_only(), (py::arg(fields.name) = usual.*(fields.member))...);
  (c.def_readwrite(fields.name, fields.member, fields.doc), ...);
  c.def("__repr__", [c, fields...](const Options& options) {
    std::string text;
    ((text += (text.empty() ? "" : ", ") + std::string(fields.name) + "=" +
              py::repr(py::cast(options.*(fields.member))).template cast<std::string>()),
     ...);
    return c.attr("__name__").template cast<std::string>() + "(" + text + ")";
  });
}

}  // namespace ichdet::python
