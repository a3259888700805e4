#include <nlohmann/json.hpp>

#include "convert.hpp"
#include "ichdet/aggregate/lesions.hpp"
#include "ichdet/aggregate/slices.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/io/png.hpp"
#include "ichdet/report/json.hpp"
#include "ichdet/report/overlay.hpp"
#include "ichdet/report/summary.hpp"

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
    throw py::value_error("pixels: expected 2 or 3 axes, found " + std::to_string(pixels.ndim()));
  }
  Image image(pixels.shape(0), pixels.shape(1), pixels.ndim() == 3 ? pixels.shape(2) : 1);
  std::copy(pixels.data(), pixels.data() + pixels.size(), image.pixels.begin());
  return image;
}

void bind_results(py::module_& m) {
  py::class_<SliceScore>(m, "SliceScore", "How likely it is that one slice shows blood.")
      .def(py::init<>())
      .def_readwrite("index", &SliceScore::index)
      .def_readwrite("z_mm", &SliceScore::z_mm)
      .def_readwrite("probability", &SliceScore::probability)
      .def_readwrite("sop_instance_uid", &SliceScore::sop_instance_uid)
      .def_readwrite("raw_probability", &SliceScore::raw_probability, "Before calibration, else None.")
      .def_readwrite("computed", &SliceScore::computed, "False: no head there, no network was asked, probability is 0.")
      .def_readwrite("classes", &SliceScore::classes, "Probability of each of StudyResult.classes.")
      .def("__repr__", [](const SliceScore& s) {
        return "<ichdet.SliceScore " + std::to_string(s.index) + ": " + std::to_string(s.probability) + ">";
      });
  py::class_<PatientDecision>(m, "PatientDecision", "What the slices say about the patient.")
      .def(py::init<>())
      .def_readwrite("positive", &PatientDecision::positive)
      .def_readwrite("probability", &PatientDecision::probability)
      .def_readwrite("calibrated", &PatientDecision::calibrated)
      .def_readwrite("raw_probability", &PatientDecision::raw_probability, "Before calibration, else None.")
      .def_readwrite("rule", &PatientDecision::rule)
      .def_readwrite("threshold", &PatientDecision::threshold)
      .def_readwrite("slice_threshold", &PatientDecision::slice_threshold, "Of classifiers, else None.");
  py::class_<Lesion>(m, "Lesion", "One connected piece of one label.")
      .def(py::init<>())
      .def_readwrite("label", &Lesion::label)
      .def_readwrite("volume_ml", &Lesion::volume_ml)
      .def_readwrite("diameter_mm", &Lesion::diameter_mm)
      .def_readwrite("centroid_mm", &Lesion::centroid_mm)
      .def_readwrite("slices", &Lesion::slices)
      .def_readwrite("confidence", &Lesion::confidence)
      .def_readwrite("calibrated", &Lesion::calibrated)
      .def_readwrite("raw_confidence", &Lesion::raw_confidence, "Before calibration, else None.")
      .def("__repr__",
           [](const Lesion& s) { return "<ichdet.Lesion " + s.label + ", " + std::to_string(s.volume_ml) + " mL>"; });
  py::class_<Trust>(m, "Trust", "Whether the input was something the model may be trusted on.")
      .def(py::init<>())
      .def_readwrite("ok", &Trust::ok)
      .def_readwrite("reasons", &Trust::reasons);
  py::class_<BundleIdentity>(m, "BundleIdentity", "Which weights gave the result.")
      .def(py::init([](std::string name, std::string version, std::string sha256) {
             return BundleIdentity{std::move(name), std::move(version), std::move(sha256)};
           }),
           py::arg("name") = "", py::arg("version") = "", py::arg("sha256") = "")
      .def_readwrite("name", &BundleIdentity::name)
      .def_readwrite("version", &BundleIdentity::version)
      .def_readwrite("sha256", &BundleIdentity::sha256);
  py::class_<Inference>(m, "Inference", "How the networks were run.")
      .def(py::init<>())
      .def_readwrite("engine", &Inference::engine)
      .def_readwrite("form", &Inference::form)
      .def_readwrite("precision", &Inference::precision)
      .def_readwrite("reason", &Inference::reason, "Why another engine ran than the one asked for, else empty.")
      .def_readwrite("threads", &Inference::threads)
      .def_readwrite("prepare_s", &Inference::prepare_s)
      .def_readwrite("voxels", &Inference::voxels, "That each network answered, on the model's grid.")
      .def_readwrite("float32_again", &Inference::float32_again, "Of these, by adaptive precision, in float32 too.")
      .def_readwrite("patches", &Inference::patches, "Of segmenters: how many the volume was asked about in.")
      .def_readwrite("patches_skipped", &Inference::patches_skipped,
                     "Of fixed patches: those that would have shown nothing of the search region.")
      .def("__repr__", [](const Inference& i) {
        return "<ichdet.Inference " + i.engine + " " + i.precision + ", " + i.form +
               (i.reason.empty() ? "" : ", because " + i.reason) + ", " + std::to_string(i.voxels) + " voxels, " +
               std::to_string(i.float32_again) + " of them in float32 again>";
      });
  py::class_<StudyResult>(m, "StudyResult", "Everything that was found in one study. Lists are copied in and out.")
      .def(py::init<>())
      .def_readwrite("version", &StudyResult::version)
      .def_readwrite("decision", &StudyResult::decision)
      .def_readwrite("labels", &StudyResult::labels)
      .def_readwrite("blood_labels", &StudyResult::blood_labels)
      .def_readwrite("volumes_ml", &StudyResult::volumes_ml)
      .def_readwrite("lesions", &StudyResult::lesions)
      .def_readwrite("slices", &StudyResult::slices)
      .def_readwrite("classes", &StudyResult::classes, "What a classifier tells apart; empty for segmenters.")
      .def_readwrite("class_probabilities", &StudyResult::class_probabilities, "Of the whole study, or empty.")
      .def_readwrite("assumptions", &StudyResult::assumptions)
      .def_readwrite("trust", &StudyResult::trust)
      .def_readwrite("review", &StudyResult::review, "Why a person should look again, one sentence each.")
      .def_readwrite("inference", &StudyResult::inference)
      .def_readwrite("bundles", &StudyResult::bundles)
      .def_readwrite("timings_s", &StudyResult::timings_s)
      .def("to_json", &to_json_text, "The text of result.json; docs/result.schema.json describes it.")
      .def_static(
          "from_json",
          [](const std::string& text) {
            try {
              return study_result_from_json(nlohmann::ordered_json::parse(text));
            } catch (const nlohmann::json::exception& e) {
              throw Error(ErrorCode::io, std::string("result: not valid JSON: ") + e.what());
            }
          },
          py::arg("text"))
      .def("summary", [](const StudyResult& result) { return summary(result); })
      .def("finding", &finding)
      .def("__repr__", [](const StudyResult& result) { return "<ichdet.StudyResult " + finding(result) + ">"; });
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
  bind_results(m);
  bind_aggregate(m);
  bind_pictures(m);
}

}  // namespace ichdet::python
