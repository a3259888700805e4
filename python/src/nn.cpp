// The extension `ichdet._nn`: what needs LibTorch. One function for each folder, in nn_<folder>.cpp.
#include <pybind11/pybind11.h>

PYBIND11_MODULE(_nn, m) { m.doc() = "Compiled part of ichdet that needs LibTorch."; }
