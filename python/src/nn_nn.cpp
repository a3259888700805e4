#include "convert.hpp"
#include "ichdet/nn/sliding_window.hpp"

namespace ichdet::python {
namespace {

using FloatArray = py::array_t<float, py::array::c_style | py::array::forcecast>;

template <class T>
T choice(const char* what, const std::string& word, const std::vector<std::pair<std::string, T>>& choices) {
  std::string words;
  for (const auto& [name, value] : choices) {
    if (name == word) return value;
    words += (words.empty() ? "" : ", ") + name;
  }
  throw py::value_error(std::string(what) + ": one of " + words);
}

py::tuple slide(const FloatArray& image, std::int64_t classes, const py::function& predict,
                std::array<std::int64_t, 3> input, std::array<std::int64_t, 3> output, double overlap,
                const std::string& blending, const std::string& padding, const std::string& places,
                std::array<bool, 3> from_end) {
  SlidingWindowOptions options;
  options.input = input;
  options.output = output;
  options.overlap = overlap;
  options.blending = choice<Blending>("blending", blending,
                                      {{"constant", Blending::constant},
                                       {"monai gaussian", Blending::monai_gaussian},
                                       {"nnunet gaussian", Blending::nnunet_gaussian}});
  options.places =
      choice<PatchPlaces>("places", places, {{"monai", PatchPlaces::monai}, {"nnunet", PatchPlaces::nnunet}});
  options.padding = choice<Padding>("padding", padding, {{"edge", Padding::edge}, {"zero", Padding::zero}});
  options.from_end = from_end;
  const auto source = borrow<float, 4>(image);
  Array4<float> values({classes, source.extent(1), source.extent(2), source.extent(3)});
  std::int64_t slabs = 0;
  sliding_window(
      source, classes,
      [&](const Array4<float>& patch) { return borrow<float, 4>(predict(lend(patch)).cast<FloatArray>()); },
      [&](std::int64_t z, const Array4<float>& slab, const Array3<std::uint8_t>&) {
        ++slabs;
        for (std::int64_t c = 0; c < classes; ++c) {
          const auto plane = slab.plane(c);
          std::copy(plane.begin(), plane.end(), &values(c, z, 0, 0));
        }
      },
      options);
  return py::make_tuple(lend(values), slabs);
}

}  // namespace

void bind_nn(py::module_& m) {
  m.def("sliding_window", &slide, py::arg("image"), py::arg("classes"), py::arg("predict"), py::arg("input"),
        py::arg("output"), py::kw_only(), py::arg("overlap") = 0.0, py::arg("blending") = "constant",
        py::arg("padding") = "edge", py::arg("places") = "monai",
        py::arg("from_end") = std::array<bool, 3>{false, false, false},
        R"(Lays `predict` over an image (channel, z, y, x) in patches.

Returns (values (class, z, y, x), number of slabs handed on). `predict` takes (channel, *input) and returns
(classes, *output), float32. blending: 'constant', 'monai gaussian', 'nnunet gaussian'; padding: 'edge', 'zero';
places: 'monai', 'nnunet'; from_end: axes along which patches are laid from the last voxel to the first.)");
}

}  // namespace ichdet::python
