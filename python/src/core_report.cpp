#include "convert.hpp"
#include "ichdet/aggregate/lesions.hpp"
#include "ichdet/aggregate/slices.hpp"
#include "ichdet/io/png.hpp"
#include "ichdet/report/overlay.hpp"

namespace ichdet::python {

namespace {

using FloatArray = py::array_t<float, py::array::c_style | py::array::forcecast>;
using ByteArray = py::array_t<std::uint8_t, py::array::c_style | py::array::forcecast>;

ByteArray to_numpy(const Image& image) {
  ByteArray pixels({image.rows, image.columns, image.channels});
  std::copy(image.pixels.begin(), image.pixels.end(), pixels.mutable_data());
  return pixels;
}

Image to_image(const ByteArray& pixels) {
  if (pixels.ndim() != 2 && pixels.ndim() != 3) {
    throw Error::mismatch(ErrorCode::shape, "pixels", "2 or 3 axes", shape_text(pixels));
  }
  Image image(pixels.shape(0), pixels.shape(1), pixels.ndim() == 3 ? pixels.shape(2) : 1);
  std::copy(pixels.data(), pixels.data() + pixels.size(), image.pixels.begin());
  return image;
}

void bind_aggregate(py::module_& m) {
  m.def(
      "slice_scores",
      [](FloatArray probability, const SliceGeometry& slices, std::int64_t top_voxels) {
        const auto values = borrow<float, 3>(std::move(probability));
        const py::gil_scoped_release release;
        return slice_scores(values, slices, top_voxels);
      },
      py::arg("blood_probability"), py::arg("slices"), py::arg("top_voxels") = 20,
      R"(Mean of the highest blood probabilities in each slice. Uncalibrated.

Parameters
----------
blood_probability : (slice, row, column) float32 in [0, 1]
slices : SliceGeometry
top_voxels : int)");
  m.def("decide_by_highest_slice", &decide_by_highest_slice, py::arg("slices"), py::arg("threshold") = 0.5,
        "PatientDecision: positive where the highest slice's probability is at least `threshold`.");
  m.def(
      "lesions",
      [](const SliceLabels& labels, FloatArray probability, double min_volume_ml, std::vector<std::uint8_t> which) {
        const auto values = borrow<float, 3>(std::move(probability));
        const py::gil_scoped_release release;
        return lesions(labels, values, {min_volume_ml, std::move(which)});
      },
      py::arg("labels"), py::arg("blood_probability"), py::arg("min_volume_ml") = 0.0,
      py::arg("which") = std::vector<std::uint8_t>{},
      R"(The 26-connected pieces of each label on the native slices, largest first.

Parameters
----------
labels : SliceLabels
blood_probability : (slice, row, column) float32
min_volume_ml : float
    Smaller pieces are left out.
which : list of int
    The labels that have lesions; empty: all but background.

Returns
-------
list of Lesion
    Volumes in mL, centroids in LPS mm, the longest diameter between pixel centres plus one pixel in mm.)");
  m.def("volumes_ml", &volumes_ml, py::arg("labels"), py::call_guard<py::gil_scoped_release>(),
        "Volume of each label in mL, by name: pixel area times SliceGeometry.extents_mm.");
}

OverlayOptions overlay_options(double center, double width, double fill_opacity, std::string caption) {
  OverlayOptions options;
  options.window_center_hu = center;
  options.window_width_hu = width;
  options.fill_opacity = fill_opacity;
  options.caption = std::move(caption);
  return options;
}

void bind_pictures(py::module_& m) {
  m.def(
      "render_slice",
      [](const SliceStack& stack, const SliceLabels& labels, const StudyResult& result, std::int64_t slice,
         double center, double width, double fill_opacity, std::string caption) {
        const auto options = overlay_options(center, width, fill_opacity, std::move(caption));
        Image image;
        {
          const py::gil_scoped_release release;
          image = render_slice(stack, labels, result, slice, options);
        }
        return to_numpy(image);
      },
      py::arg("stack"), py::arg("labels"), py::arg("result"), py::arg("slice"), py::arg("window_center_hu") = 40.0,
      py::arg("window_width_hu") = 80.0, py::arg("fill_opacity") = 0.0, py::arg("caption") = "",
      "One slice with its findings, upright and in radiological convention: (rows, columns, 3) uint8.");
  m.def(
      "render_sheet",
      [](const SliceStack& stack, const SliceLabels& labels, const StudyResult& result, double center, double width,
         double fill_opacity, std::string caption, std::int64_t max_tiles) {
        auto options = overlay_options(center, width, fill_opacity, std::move(caption));
        options.max_tiles = max_tiles;
        Image image;
        {
          const py::gil_scoped_release release;
          image = render_sheet(stack, labels, result, options);
        }
        return to_numpy(image);
      },
      py::arg("stack"), py::arg("labels"), py::arg("result"), py::arg("window_center_hu") = 40.0,
      py::arg("window_width_hu") = 80.0, py::arg("fill_opacity") = 0.0, py::arg("caption") = "",
      py::arg("max_tiles") = 30, "The contact sheet: (rows, columns, 3) uint8.");
  m.def(
      "write_png", [](const std::string& path, const ByteArray& pixels) { io::write_png(path, to_image(pixels)); },
      py::arg("path"), py::arg("pixels"), "Writes (rows, columns) or (rows, columns, 1 or 3) uint8.");
  m.def(
      "read_png", [](const std::string& path) { return to_numpy(io::read_png(path)); }, py::arg("path"),
      "(rows, columns, 1 or 3) uint8.");
}

}  // namespace

void bind_report(py::module_& m) {
  bind_aggregate(m);
  bind_pictures(m);
}

}  // namespace ichdet::python
