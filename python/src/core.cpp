// The extension `ichdet._core`: everything that needs no LibTorch. One function for each folder, in core_<folder>.cpp.
#include <pybind11/pybind11.h>

#include "ichdet/core/error.hpp"
#include "ichdet/core/version.hpp"

namespace py = pybind11;

namespace ichdet::python {
void bind_types(py::module_& m);
void bind_arrays(py::module_& m);
void bind_io(py::module_& m);
void bind_nifti(py::module_& m);
void bind_preprocess(py::module_& m);
void bind_heads_up(py::module_& m);
void bind_phantom(py::module_& m);
void bind_results(py::module_& m);
void bind_lesions(py::module_& m);
void bind_report(py::module_& m);
void bind_heat_map(py::module_& m);
void bind_evaluate(py::module_& m);
void bind_ensemble(py::module_& m);
void bind_spec(py::module_& m);
void bind_bundle(py::module_& m);
void bind_study(py::module_& m);
void bind_case_rules(py::module_& m);

/// Of python/ichdet/_errors.py.
const char* class_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::io: return "IoError";
    case ErrorCode::dicom: return "DicomError";
    case ErrorCode::geometry: return "GeometryError";
    case ErrorCode::shape: return "ShapeError";
    case ErrorCode::weights: return "WeightsError";
    case ErrorCode::options: return "OptionsError";
    case ErrorCode::limit: return "LimitError";
    case ErrorCode::cancelled: return "Cancelled";
  }
  return "Error";
}

}  // namespace ichdet::python

PYBIND11_MODULE(_core, m) {
  m.doc() = "Compiled part of ichdet that needs no LibTorch.";
  m.attr("__version__") = std::string(ichdet::version);
  m.attr("Error") = py::module_::import("ichdet._errors").attr("Error");
  py::register_exception_translator([](std::exception_ptr p) {
    try {
      if (p) std::rethrow_exception(p);
    } catch (const ichdet::Error& e) {
      const auto classes = py::module_::import("ichdet._errors");
      py::set_error(classes.attr(ichdet::python::class_name(e.code())), e.what());
    }
  });
  ichdet::python::bind_types(m);
  ichdet::python::bind_arrays(m);
  ichdet::python::bind_io(m);
  ichdet::python::bind_nifti(m);
  ichdet::python::bind_preprocess(m);
  ichdet::python::bind_heads_up(m);
  ichdet::python::bind_phantom(m);
  ichdet::python::bind_results(m);
  ichdet::python::bind_lesions(m);
  ichdet::python::bind_report(m);
  ichdet::python::bind_heat_map(m);
  ichdet::python::bind_evaluate(m);
  ichdet::python::bind_study(m);
  ichdet::python::bind_case_rules(m);
  ichdet::python::bind_ensemble(m);
  ichdet::python::bind_spec(m);
  ichdet::python::bind_bundle(m);
}
