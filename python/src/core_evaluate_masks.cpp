#include "core_evaluate.hpp"
#include "ichdet/evaluate/lesion_match.hpp"
#include "ichdet/evaluate/overlap.hpp"
#include "ichdet/evaluate/surface.hpp"

namespace ichdet::python {

using namespace evaluate;

namespace {

using ByteArray = py::array_t<std::uint8_t, py::array::c_style | py::array::forcecast>;
using FloatArray = py::array_t<float, py::array::c_style | py::array::forcecast>;

Mask mask_of(ByteArray values) { return borrow<std::uint8_t, 3>(std::move(values)); }

void bind_overlap(py::module_& m) {
  py::class_<Overlap>(m, "Overlap", "How two masks cover each other, in voxels.")
      .def_readonly("predicted", &Overlap::predicted)
      .def_readonly("truth", &Overlap::truth)
      .def_readonly("both", &Overlap::both)
      .def_property_readonly("dice", &Overlap::dice, "0 where one mask is empty, NaN where both are.")
      .def_property_readonly("iou", &Overlap::iou, "0 where one mask is empty, NaN where both are.")
      .def_property_readonly("sensitivity", &Overlap::sensitivity)
      .def_property_readonly("precision", &Overlap::precision);
  m.def(
      "overlap", [](ByteArray predicted, ByteArray truth) { return overlap(mask_of(predicted), mask_of(truth)); },
      py::arg("predicted"), py::arg("truth"), "Of two masks (z, y, x), anything but 0 inside.");
  py::class_<VolumeError>(m, "VolumeError")
      .def_readonly("predicted_ml", &VolumeError::predicted_ml)
      .def_readonly("truth_ml", &VolumeError::truth_ml)
      .def_property_readonly("error_ml", &VolumeError::error_ml)
      .def_property_readonly("relative", &VolumeError::relative, "NaN where the truth is empty.");
  m.def("volume_error", &volume_error, py::arg("overlap"), py::arg("spacing_mm"), "spacing_mm is x, y, z.");
}

void bind_surface(py::module_& m) {
  py::class_<SurfaceDistances>(m, "SurfaceDistances", "From each surface voxel to the other mask's surface, in mm.")
      .def_property_readonly("from_predicted_mm",
                             [](const SurfaceDistances& d) { return to_numpy(d.from_predicted_mm); })
      .def_property_readonly("from_truth_mm", [](const SurfaceDistances& d) { return to_numpy(d.from_truth_mm); })
      .def("hausdorff_mm", &hausdorff_mm, py::arg("percentile") = 95,
           "Infinite where one mask is empty, NaN where both are.")
      .def("surface_dice", &surface_dice, py::arg("tolerance_mm"), "0 where one mask is empty, NaN where both are.")
      .def("mean_mm", &mean_surface_distance_mm);
  m.def(
      "surface_distances",
      [](ByteArray predicted, ByteArray truth, const Eigen::Vector3d& spacing_mm) {
        const auto p = mask_of(std::move(predicted)), t = mask_of(std::move(truth));
        const py::gil_scoped_release release;
        return surface_distances(p, t, spacing_mm);
      },
      py::arg("predicted"), py::arg("truth"), py::arg("spacing_mm"),
      R"(Exact distances between the surfaces of two masks on a regular grid (MONAI's conventions).

Parameters
----------
predicted, truth : (z, y, x), anything but 0 inside
spacing_mm : x, y, z)");
}

void bind_lesions(py::module_& m) {
  py::class_<MatchedLesion>(m, "MatchedLesion", "A connected piece of one mask against the whole of the other.")
      .def_readonly("voxels", &MatchedLesion::voxels)
      .def_readonly("covered", &MatchedLesion::covered)
      .def_readonly("matched", &MatchedLesion::matched)
      .def_readonly("score", &MatchedLesion::score);
  py::class_<LesionMatch>(m, "LesionMatch")
      .def_readonly("truth", &LesionMatch::truth)
      .def_readonly("predicted", &LesionMatch::predicted)
      .def_property_readonly("sensitivity", &LesionMatch::sensitivity)
      .def_property_readonly("precision", &LesionMatch::precision);
  m.def(
      "match_lesions",
      [](ByteArray predicted, ByteArray truth, std::optional<FloatArray> probability, double min_overlap,
         std::int64_t min_voxels) {
        const auto p = mask_of(std::move(predicted)), t = mask_of(std::move(truth));
        const auto scores = probability ? borrow<float, 3>(std::move(*probability)) : Array3<float>();
        const py::gil_scoped_release release;
        return match_lesions(p, t, scores, {min_overlap, min_voxels});
      },
      py::arg("predicted"), py::arg("truth"), py::arg("probability") = py::none(), py::arg("min_overlap") = 0.0,
      py::arg("min_voxels") = 1,
      R"(Lesion by lesion: the 26-connected pieces of both masks, and which of them cover each other.

Parameters
----------
predicted, truth : (z, y, x), anything but 0 inside
probability : (z, y, x), scores each predicted piece with its highest value; None: 1
min_overlap : the part of a piece that must be covered; 0: any voxel
min_voxels : smaller predicted pieces are passed over)");
  m.def(
      "froc",
      [](const std::vector<LesionMatch>& images) {
        const auto curve = froc(images);
        return py::make_tuple(to_numpy(curve.false_positives_per_image), to_numpy(curve.sensitivity),
                              to_numpy(curve.thresholds));
      },
      py::arg("images"), "(false positives per image, sensitivity, thresholds) of all images together.");
  m.def(
      "froc_score",
      [](const std::vector<LesionMatch>& images, const std::vector<double>& rates) {
        return froc_score(froc(images), rates);
      },
      py::arg("images"), py::arg("rates") = std::vector<double>{0.25, 0.5, 1, 2, 4, 8},
      "Mean sensitivity at these false positives per image.");
}

}  // namespace

void bind_evaluate_masks(py::module_& m) {
  bind_overlap(m);
  bind_surface(m);
  bind_lesions(m);
}

}  // namespace ichdet::python
