#include "core_evaluate.hpp"
#include "ichdet/evaluate/lesion_match.hpp"
#include "ichdet/evaluate/overlap.hpp"
#include "ichdet/evaluate/surface.hpp"

namespace ichdet::python {

using namespace evaluate;

namespace {

void bind_overlap(py::module_& m) {
  py::class_<Overlap>(m, "Overlap", R"(How two masks cover each other, in voxels.

Parameters
----------
predicted, truth, both : int
    Voxels of either mask and of their intersection.

Examples
--------
>>> found = ichdet.evaluate.Overlap(predicted=100, truth=80, both=60)
>>> round(found.dice, 4), found.iou, found.sensitivity
(0.6667, 0.5, <ichdet.evaluate.Proportion 60 / 80>))")
      .def(py::init([](std::int64_t predicted, std::int64_t truth, std::int64_t both) {
             return Overlap{predicted, truth, both};
           }),
           py::arg("predicted"), py::arg("truth"), py::arg("both"))
      .def_readonly("predicted", &Overlap::predicted, "Voxels of the predicted mask.")
      .def_readonly("truth", &Overlap::truth, "Voxels of the true mask.")
      .def_readonly("both", &Overlap::both, "Voxels of their intersection.")
      .def_property_readonly("dice", &Overlap::dice, "0 where one mask is empty, NaN where both are.")
      .def_property_readonly("iou", &Overlap::iou, "0 where one mask is empty, NaN where both are.")
      .def_property_readonly("sensitivity", &Overlap::sensitivity, "Of the true voxels, those predicted.")
      .def_property_readonly("precision", &Overlap::precision, "Of the predicted voxels, the true ones.")
      .def("__repr__", [](const Overlap& o) {
        return "<ichdet.evaluate.Overlap " + std::to_string(o.both) + " of " + std::to_string(o.predicted) + " and " +
               std::to_string(o.truth) + " voxels, Dice " + few_digits(o.dice()) + ">";
      });
  m.def(
      "overlap",
      [](const MaskArray& predicted, const MaskArray& truth) {
        const auto unlocked = unlocked_for(std::size_t(truth.mask.size()));
        return overlap(predicted.mask, truth.mask);
      },
      py::arg("predicted"), py::arg("truth"),
      R"(Dice, IoU and their kin of two masks.

Parameters
----------
predicted, truth : (z, y, x) array
    What is not 0 is inside; contiguous bool and bytes are read in place.

Returns
-------
Overlap

Raises
------
ichdet.Error
    `shape`, where the shapes differ.

Examples
--------
>>> truth = np.zeros((2, 8, 8), bool); truth[:, 2:6, 2:6] = True
>>> ichdet.evaluate.overlap(np.roll(truth, 1, axis=2), truth)
<ichdet.evaluate.Overlap 24 of 32 and 32 voxels, Dice 0.75>)");
  py::class_<VolumeError>(m, "VolumeError", R"(What was measured against what is there, in mL.

Examples
--------
>>> error = ichdet.evaluate.volume_error(ichdet.evaluate.Overlap(1200, 1000, 900), (1, 1, 5))
>>> error.predicted_ml, error.error_ml, round(error.relative, 2)
(6.0, 1.0, 0.2))")
      .def_readonly("predicted_ml", &VolumeError::predicted_ml, "mL.")
      .def_readonly("truth_ml", &VolumeError::truth_ml, "mL.")
      .def_property_readonly("error_ml", &VolumeError::error_ml, "predicted_ml - truth_ml.")
      .def_property_readonly("relative", &VolumeError::relative, "error_ml / truth_ml; NaN where the truth is empty.");
  m.def("volume_error", &volume_error, py::arg("overlap"), py::arg("spacing_mm"),
        R"(Volumes of two masks.

Parameters
----------
overlap : Overlap
spacing_mm : (float, float, float)
    Of a voxel: x, y, z.

Returns
-------
VolumeError

Raises
------
ichdet.Error
    `options`, unless the spacing is above 0.

Examples
--------
>>> ichdet.evaluate.volume_error(ichdet.evaluate.Overlap(1200, 1000, 900), (1, 1, 5)).truth_ml
5.0)");
}

void bind_surface(py::module_& m) {
  py::class_<SurfaceDistances>(m, "SurfaceDistances",
                               R"(From each surface voxel of one mask to the nearest of the other's, in mm.

Examples
--------
>>> truth = np.zeros((3, 20, 20), bool); truth[1, 5:15, 5:15] = True
>>> found = ichdet.evaluate.surface_distances(np.roll(truth, 2, axis=2), truth, (0.5, 0.5, 5))
>>> found.hausdorff_mm(100), found.hausdorff_mm(), round(found.surface_dice(0.5), 3)
(1.0, 1.0, 0.9))")
      .def_property_readonly("from_predicted_mm", array_in(&SurfaceDistances::from_predicted_mm),
                             "(surface voxels of the prediction,) float64, mm, in raster order.")
      .def_property_readonly("from_truth_mm", array_in(&SurfaceDistances::from_truth_mm),
                             "(surface voxels of the truth,) float64, mm, in raster order.")
      .def("hausdorff_mm", &hausdorff_mm, py::arg("percentile") = 95,
           "The larger of the two directed percentiles, mm: HD95, or with 100 the Hausdorff distance. Infinite where "
           "one mask is empty, NaN where both are.")
      .def("surface_dice", &surface_dice, py::arg("tolerance_mm"),
           "The part of both surfaces within the tolerance of the other. 0 where one mask is empty, NaN where both "
           "are.")
      .def("mean_mm", &mean_surface_distance_mm,
           "Mean over the voxels of both surfaces. Infinite where one mask is empty, NaN where both are.")
      .def("__repr__", [](const SurfaceDistances& d) {
        return "<ichdet.evaluate.SurfaceDistances of " + std::to_string(d.from_predicted_mm.size()) + " and " +
               std::to_string(d.from_truth_mm.size()) + " voxels>";
      });
  m.def(
      "surface_distances",
      [](const MaskArray& predicted, const MaskArray& truth, const Eigen::Vector3d& spacing_mm) {
        const py::gil_scoped_release release;
        return surface_distances(predicted.mask, truth.mask, spacing_mm);
      },
      py::arg("predicted"), py::arg("truth"), py::arg("spacing_mm"),
      R"(Exact distances between the surfaces of two masks on a regular grid.

Parameters
----------
predicted, truth : (z, y, x) array
    What is not 0 is inside; contiguous bool and bytes are read in place.
spacing_mm : (float, float, float)
    Of a voxel: x, y, z.

Returns
-------
SurfaceDistances
    Infinite distances where the other mask is empty.

Raises
------
ichdet.Error
    `shape` where the shapes differ, `options` unless the spacing is above 0.

Notes
-----
Euclidean, between voxel centres. The surface is what erosion with the six face neighbours takes away; the array's
border counts as outside (MONAI's conventions, without subvoxels).

Examples
--------
>>> truth = np.zeros((3, 20, 20), bool); truth[1, 5:15, 5:15] = True
>>> found = ichdet.evaluate.surface_distances(np.roll(truth, 2, axis=2), truth, (0.5, 0.5, 5))
>>> round(found.mean_mm(), 3), float(found.from_truth_mm.max())
(0.15, 1.0))");
}

void bind_lesions(py::module_& m) {
  py::class_<MatchedLesion>(m, "MatchedLesion", R"(A connected piece of one mask against the whole of the other.

Examples
--------
>>> truth = np.zeros((1, 4, 8), bool); truth[0, :2, :2] = True
>>> found = ichdet.evaluate.match_lesions(truth, truth).truth[0]
>>> found.voxels, found.covered, found.matched
(4, 4, True))")
      .def_readonly("voxels", &MatchedLesion::voxels, "Its size.")
      .def_readonly("covered", &MatchedLesion::covered, "Its voxels that are in the other mask too.")
      .def_readonly("matched", &MatchedLesion::matched, "Whether enough of it is covered.")
      .def_readonly("score", &MatchedLesion::score,
                    "Of a predicted piece its highest probability; of a matched true one the highest of the pieces "
                    "that touch it, else 0.");
  py::class_<LesionMatch>(m, "LesionMatch", R"(Lesion by lesion: which pieces of two masks cover each other.

Examples
--------
>>> truth = np.zeros((1, 4, 8), bool); truth[0, :2, :2] = True
>>> predicted = truth.copy(); predicted[0, 3, 6:] = True
>>> found = ichdet.evaluate.match_lesions(predicted, truth)
>>> found.sensitivity, found.precision
(<ichdet.evaluate.Proportion 1 / 1>, <ichdet.evaluate.Proportion 1 / 2>))")
      .def_readonly("truth", &LesionMatch::truth, "The true pieces, in the order of their first voxels.")
      .def_readonly("predicted", &LesionMatch::predicted, "The predicted pieces, in the order of their first voxels.")
      .def_property_readonly("sensitivity", &LesionMatch::sensitivity, "Lesions found, of the true ones.")
      .def_property_readonly("precision", &LesionMatch::precision, "Pieces that are lesions, of the predicted ones.")
      .def("__repr__", [](const LesionMatch& l) {
        return "<ichdet.evaluate.LesionMatch found " + text_of(l.sensitivity()) + ", right " + text_of(l.precision()) +
               ">";
      });
  m.def(
      "match_lesions",
      [](const MaskArray& predicted, const MaskArray& truth, std::optional<FloatArray> probability, double min_overlap,
         std::int64_t min_voxels) {
        const auto scores = probability ? borrow<float, 3>(std::move(*probability)) : Array3<float>();
        const py::gil_scoped_release release;
        return match_lesions(predicted.mask, truth.mask, scores, {min_overlap, min_voxels});
      },
      py::arg("predicted"), py::arg("truth"), py::arg("probability") = py::none(),
      py::arg("min_overlap") = LesionMatchOptions{}.min_overlap,
      py::arg("min_voxels") = LesionMatchOptions{}.min_voxels,
      R"(Lesion by lesion: the 26-connected pieces of both masks, and which of them cover each other.

Parameters
----------
predicted, truth : (z, y, x) array
    What is not 0 is inside; contiguous bool and bytes are read in place.
probability : (z, y, x) float32 array, optional
    Scores each predicted piece with its highest value; None: 1.
min_overlap : float
    The part of a piece that must be covered, in [0, 1]; 0: any voxel of it will do.
min_voxels : int
    Smaller predicted pieces are passed over; the truth's are all kept.

Returns
-------
LesionMatch

Raises
------
ichdet.Error
    `shape` where shapes differ, `options` where a number is out of its range.

Examples
--------
>>> truth = np.zeros((1, 4, 8), bool); truth[0, :2, :2] = truth[0, 3, 7] = True
>>> predicted = np.zeros_like(truth); predicted[0, 1:3, :2] = True
>>> ichdet.evaluate.match_lesions(predicted, truth)
<ichdet.evaluate.LesionMatch found 1 / 2, right 1 / 1>)");
  m.def(
      "froc", [](const std::vector<LesionMatch>& images) { return froc(images); }, py::arg("images"),
      R"(Free-response ROC of all images together.

Parameters
----------
images : list of LesionMatch
    One for each image, matched with probabilities.

Returns
-------
FrocCurve
    false_positives_per_image, sensitivity, thresholds: from (0, 0) on, a point for each score above 0.

Raises
------
ichdet.Error
    `options`, without images.

Notes
-----
MONAI's compute_froc_curve_data leaves out the lowest score; this does not.

Examples
--------
>>> truth = np.zeros((1, 4, 8), bool); truth[0, :2, :2] = True
>>> predicted = truth.copy(); predicted[0, 3, 6:] = True
>>> p = np.where(truth, 0.9, 0.4).astype(np.float32)
>>> curve = ichdet.evaluate.froc([ichdet.evaluate.match_lesions(predicted, truth, p)])
>>> curve.false_positives_per_image, curve.sensitivity
(array([0., 0., 1.]), array([0., 1., 1.])))");
  m.def(
      "froc_score",
      [](const std::vector<LesionMatch>& images, const std::vector<double>& rates) {
        return froc_score(froc(images), rates);
      },
      py::arg("images"), py::arg("rates") = std::vector<double>{0.25, 0.5, 1, 2, 4, 8},
      R"(Mean sensitivity at some rates of false positives.

Parameters
----------
images : list of LesionMatch
rates : list of float
    False positives per image; the default ones are CAMELYON16's.

Returns
-------
float
    Interpolated linearly, held constant beyond the curve's end.

Raises
------
ichdet.Error
    `options`, without images.

Examples
--------
>>> truth = np.zeros((1, 4, 8), bool); truth[0, :2, :2] = True
>>> ichdet.evaluate.froc_score([ichdet.evaluate.match_lesions(truth, truth)])
1.0)");
}

}  // namespace

void bind_evaluate_masks(py::module_& m) {
  bind_overlap(m);
  bind_surface(m);
  bind_lesions(m);
}

}  // namespace ichdet::python
