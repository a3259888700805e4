// The extension `ichdet._core`: everything that needs no LibTorch. One function for each folder, in core_<folder>.cpp.
#include <pybind11/pybind11.h>

#include "ichdet/core/error.hpp"

namespace py = pybind11;

namespace ichdet::python {
void bind_types(py::module_& m);
void bind_io(py::module_& m);
void bind_nifti(py::module_& m);
void bind_preprocess(py::module_& m);
void bind_heads_up(py::module_& m);
void bind_phantom(py::module_& m);
void bind_report(py::module_& m);
void bind_heat_map(py::module_& m);
void bind_evaluate(py::module_& m);
void bind_ensemble(py::module_& m);
void bind_study(py::module_& m);
void bind_case_rules(py::module_& m);
}  // namespace ichdet::python

PYBIND11_MODULE(_core, m) {
  m.doc() = "Compiled part of ichdet that needs no LibTorch.";
  static py::exception<ichdet::Error> error(m, "Error", PyExc_RuntimeError);
  error.doc() = "What ichdet raises: the message names the file, tag or tensor; `code` says what kind it is.";
  py::register_exception_translator([](std::exception_ptr p) {
    try {
      if (p) std::rethrow_exception(p);
    } catch (const ichdet::Error& e) {
      py::object value = static_cast<const py::object&>(error)(e.what());
      value.attr("code") = std::string(ichdet::to_string(e.code()));
      PyErr_SetObject(error.ptr(), value.ptr());
    }
  });
  ichdet::python::bind_types(m);
  ichdet::python::bind_io(m);
  ichdet::python::bind_nifti(m);
  ichdet::python::bind_preprocess(m);
  ichdet::python::bind_heads_up(m);
  ichdet::python::bind_phantom(m);
  ichdet::python::bind_report(m);
  ichdet::python::bind_heat_map(m);
  ichdet::python::bind_evaluate(m);
  ichdet::python::bind_study(m);
  ichdet::python::bind_case_rules(m);
  ichdet::python::bind_ensemble(m);
}
