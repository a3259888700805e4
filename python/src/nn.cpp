// The extension `ichdet._nn`: what needs LibTorch. One function for each folder, in nn_<folder>.cpp.
#include <pybind11/pybind11.h>

namespace py = pybind11;

namespace ichdet::python {
void bind_nn(py::module_& m);
void bind_module(py::module_& m);
void bind_models(py::module_& m);
void bind_pipeline(py::module_& m);
void bind_detector(py::module_& m);
void bind_ensemble_detector(py::module_& m);
void bind_attribution(py::module_& m);
void bind_explained(py::module_& m);
void bind_paths(py::module_& m);
void bind_judging(py::module_& m);
void bind_gradients(py::module_& m);
void bind_hiding(py::module_& m);
void bind_xrai(py::module_& m);
void bind_classifier(py::module_& m);
void bind_explainer(py::module_& m);
void bind_export(py::module_& m);
void bind_slice_segmenter(py::module_& m);
void bind_train(py::module_& m);
}  // namespace ichdet::python

PYBIND11_MODULE(_nn, m) {
  m.doc() = "Compiled part of ichdet that needs LibTorch.";
  py::module_::import("ichdet._core");  // its Volume and Error are used here
  ichdet::python::bind_nn(m);
  ichdet::python::bind_module(m);
  ichdet::python::bind_models(m);
  ichdet::python::bind_pipeline(m);
  ichdet::python::bind_detector(m);
  ichdet::python::bind_ensemble_detector(m);
  ichdet::python::bind_attribution(m);
  ichdet::python::bind_explained(m);
  ichdet::python::bind_paths(m);
  ichdet::python::bind_judging(m);
  ichdet::python::bind_gradients(m);
  ichdet::python::bind_hiding(m);
  ichdet::python::bind_xrai(m);
  ichdet::python::bind_classifier(m);
  ichdet::python::bind_explainer(m);
  ichdet::python::bind_export(m);
  ichdet::python::bind_slice_segmenter(m);
  ichdet::python::bind_train(m);
}
