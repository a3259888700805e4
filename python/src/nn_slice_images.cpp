// After pybind11's own headers: torch's caster of at::Tensor.
#include "convert.hpp"
#include "ichdet/pipeline/skull_strip.hpp"
#include "ichdet/pipeline/slice_images.hpp"
#include "spec_argument.hpp"
#include "tensor_like.hpp"

namespace ichdet::python {

void bind_slice_images(py::module_& m) {
  py::class_<SliceImages>(m, "SliceImages", R"(What a classifier reads of a stack: HU, windowed, fitted to the network's size and normalised.

Slices are turned upright first, padding reads as air, and of a slice of the network's own size and spacing no pixel is
resampled. Values are those of PIL, NumPy and torchvision's ToTensor and Normalize, in float32.

Parameters
----------
stack : ichdet.SliceStack
spec : str, PathLike, ichdet.ModelSpec or dict
    What is read: that of a bundle, by name or folder, or as it is, or a dict as Member takes it.
threads : int
    Of the search for the brain, where a channel is skull-stripped; 0: as many as the machine has.
skull_strip : SkullStripper or None
    What finds the brain; None: brain_mask.

Raises
------
ichdet.Error
    options: the spec is no classifier's.

Examples
--------
>>> stack = ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.5, slices=4, thickness_mm=30, subsamples=1).stack
>>> images = ichdet.nn.SliceImages(stack, "s1")
>>> images([1, 2]).shape, images.top
(torch.Size([2, 3, 512, 512]), 'A')
>>> images.to_slice(torch.ones(512, 512)).shape
(64, 64))")
      .def(py::init([](const SliceStack& stack, const SpecArgument& spec, int threads,
                       const std::optional<SkullStripper>& skull_strip) {
             py::module_::import("torch");  // whose tensors come out
             const auto model = spec_of(spec);
             const py::gil_scoped_release unlocked;
             return SliceImages(stack, model, threads, skull_strip ? &*skull_strip : nullptr);
           }),
           py::arg("stack"), py::arg("spec"), py::kw_only(), py::arg("threads") = 0,
           py::arg("skull_strip") = py::none())
      .def(
          "__call__",
          [](const SliceImages& images, const std::vector<std::int64_t>& slices) { return images(slices); },
          py::arg("slices"), py::call_guard<py::gil_scoped_release>(),
          "Of these slices: torch.Tensor (image, channel, row, column), float32. Raises ichdet.Error (options) for no "
          "such slice.")
      .def("exam", &SliceImages::exam, py::call_guard<py::gil_scoped_release>(),
           "Of an exam classifier: the stack resliced at equal steps from the first to the last slice: torch.Tensor "
           "(1, image, channel, row, column), float32.")
      .def("exam_positions", &SliceImages::exam_positions,
           "Where the exam's images lie: slice indices with fractions.")
      .def("hu", &SliceImages::hu, py::arg("slice"), py::call_guard<py::gil_scoped_release>(),
           "One slice's HU before windows, fitted: torch.Tensor (row, column), float32.")
      .def(
          "part",
          [](const SliceImages& images, const py::array_t<std::uint8_t, py::array::c_style | py::array::forcecast>& mask,
             std::int64_t slice) {
            const auto values = borrow<std::uint8_t, 3>(mask);
            const py::gil_scoped_release unlocked;
            return images.part(values, slice);
          },
          py::arg("mask"), py::arg("slice"),
          "What part of each of the image's pixels is not 0 in a mask (slice, row, column), uint8, over the stack: "
          "torch.Tensor (row, column), float32 in [0, 1]. Raises ichdet.Error (shape) for a mask of another shape.")
      .def("planes", &SliceImages::planes, "Where the images lie: a list of ichdet.SlicePlane, turned and resized.")
      .def(
          "to_slice",
          [](const SliceImages& images, const TensorLike& map) {
            Array2f values;
            {
              const py::gil_scoped_release unlocked;
              values = images.to_slice(map);
            }
            return lend(values);
          },
          py::arg("map"),
          "A map (row, column) over the network's image, brought to the slice's own (row, column), 0 beyond it: NumPy, "
          "float32.")
      .def_property_readonly("assumptions", &SliceImages::assumptions, "A list of sentences.")
      .def_property_readonly(
          "top", [](const SliceImages& images) { return std::string(1, images.top()); },
          "Where the slices' upper edge points: 'A' for axial ones.");
  m.def("slices_with_head", &slices_with_head, py::arg("stack"), py::kw_only(), py::arg("threads") = 0,
        py::call_guard<py::gil_scoped_release>(),
        R"(Indices of the slices that show some of what head_mask finds, ascending; all where it finds nothing.

Parameters
----------
stack : ichdet.SliceStack
threads : int
    0 for as many as the machine has.

Returns
-------
list of int

Examples
--------
>>> stack = ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.5, slices=6, thickness_mm=8, subsamples=1).stack
>>> hu = stack.hu.copy()
>>> hu[4:] = -1000
>>> ichdet.nn.slices_with_head(ichdet.SliceStack(stack.geometry, hu))
[0, 1, 2, 3])");
}

}  // namespace ichdet::python
