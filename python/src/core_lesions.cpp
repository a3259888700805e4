#include "ichdet/aggregate/lesions.hpp"
#include "ichdet/aggregate/slices.hpp"
#include "value.hpp"

// From maps and labels on the native slices to scores, lesions and volumes.
namespace ichdet::python {

void bind_lesions(py::module_& m) {
  m.def(
      "slice_scores",
      [](const Floats32<3>& probability, const SliceGeometry& slices, std::int64_t top_voxels) {
        return unlocked([&] { return slice_scores(probability.values, slices, top_voxels); });
      },
      py::arg("blood_probability"), py::arg("slices"), py::arg("top_voxels") = 20,
      R"(One score for each slice: the mean of its highest blood probabilities. Uncalibrated.

Parameters
----------
blood_probability : (slice, row, column) float32
    In [0, 1].
slices : SliceGeometry
top_voxels : int
    How many of the highest; all of a slice's pixels, where it has fewer.

Returns
-------
list of SliceScore

Raises
------
ShapeError
    Another shape than the slices'.
OptionsError
    `top_voxels` is below 1, or a value is not in [0, 1].

Examples
--------
>>> grid = ichdet.Geometry.aligned(size=(8, 8, 2), spacing_mm=(1, 1, 5))
>>> probability = np.zeros(grid.shape, "float32")
>>> probability[1, 2:6, 2:6] = 0.75
>>> ichdet.slice_scores(probability, ichdet.SliceGeometry(grid), top_voxels=16)
[<ichdet.SliceScore 0 at z = 0.0 mm: 0.0>, <ichdet.SliceScore 1 at z = 5.0 mm: 0.75>]
)");
  m.def("decide_by_highest_slice", &decide_by_highest_slice, py::arg("slices"), py::arg("threshold") = 0.5,
        R"(The patient is as positive as the highest slice. Uncalibrated.

Parameters
----------
slices : list of SliceScore
threshold : float
    Positive where a slice's probability is at least this.

Returns
-------
PatientDecision

Examples
--------
>>> scores = [ichdet.SliceScore(index=i, probability=p) for i, p in enumerate((0.1, 0.4))]
>>> ichdet.decide_by_highest_slice(scores, threshold=0.5)
<ichdet.PatientDecision negative, probability 0.4>
)");
  m.def(
      "lesions",
      [](const SliceLabels& labels, const Floats32<3>& probability, double min_volume_ml,
         std::vector<std::uint8_t> which) {
        return unlocked([&] { return lesions(labels, probability.values, {min_volume_ml, std::move(which)}); });
      },
      py::arg("labels"), py::arg("blood_probability"), py::arg("min_volume_ml") = LesionOptions{}.min_volume_ml,
      py::arg("which") = LesionOptions{}.labels,
      R"(The 26-connected pieces of each label on the native slices, largest first.

Parameters
----------
labels : SliceLabels
blood_probability : (slice, row, column) float32
    On the labels' planes.
min_volume_ml : float
    Smaller pieces are left out.
which : list of int
    The labels that have lesions; empty: all but background.

Returns
-------
list of Lesion
    Volumes in mL, centroids in LPS mm, the longest diameter between pixel centres plus one pixel in mm.

Raises
------
ShapeError
    Another shape than the labels'.
OptionsError
    A chosen label is background or has no name.

Notes
-----
A pixel's volume is its area times SliceGeometry.extents_mm: right with tilt and variable gaps.

Examples
--------
>>> slices = ichdet.SliceGeometry(ichdet.Geometry.aligned(size=(20, 20, 4), spacing_mm=(1, 1, 5)))
>>> labels = ichdet.SliceLabels(np.zeros(slices.shape, "uint8"), ["background", "IPH"], slices)
>>> labels.labels[1:3, 5:15, 5:15] = 1
>>> labels.labels[0, 0, 0] = 1
>>> ichdet.lesions(labels, 0.9 * labels.labels, min_volume_ml=0.01)
[<ichdet.Lesion IPH, 1.0 mL on 2 slices>]
)");
  m.def("volumes_ml", &volumes_ml, py::arg("labels"), py::call_guard<py::gil_scoped_release>(),
        R"(Volume of each label but background.

Parameters
----------
labels : SliceLabels

Returns
-------
dict of str to float
    By name, in mL: pixel area times SliceGeometry.extents_mm; 0 where a label is not present.

Raises
------
ShapeError
    A value has no name.

Examples
--------
>>> grid = ichdet.Geometry.aligned(size=(10, 10, 4), spacing_mm=(1, 1, 5))
>>> labels = ichdet.SliceLabels(np.ones(grid.shape, "uint8"), ["background", "blood"], ichdet.SliceGeometry(grid))
>>> ichdet.volumes_ml(labels)
{'blood': 2.0}
)");
}

}  // namespace ichdet::python
