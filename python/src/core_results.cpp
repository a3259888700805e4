#include <pybind11/stl/filesystem.h>

#include "ichdet/report/classification.hpp"
#include "ichdet/report/json.hpp"
#include "ichdet/report/summary.hpp"
#include "json.hpp"
#include "value.hpp"

// What was found in a study.
namespace ichdet::python {

namespace {

using Json = py::typing::Dict<py::str, py::object>;

std::string number(double value) { return std::string(py::str(py::float_(std::round(value * 1e3) / 1e3))); }

void bind_parts(py::module_& m) {
  py::class_<SliceScore> score(m, "SliceScore", R"(How likely it is that one slice shows blood.

Parameters
----------
index : int
    In the stack, 0 the first along the normal.
z_mm : float
    LPS z of the slice's centre.
probability : float
    In [0, 1].
sop_instance_uid : str
computed : bool
    False: the slice shows no head, so no network was asked, and `probability` is 0.
classes : list of float
    Probability of each of StudyResult.classes; empty where a slice has no such answer.
raw_probability : float or None
    Before calibration, where there was one.

Examples
--------
>>> ichdet.SliceScore(index=12, z_mm=61.5, probability=0.93)
<ichdet.SliceScore 12 at z = 61.5 mm: 0.93>
)");
  using S = SliceScore;
  plain_struct(score, Field{"index", &S::index, "In the stack, 0 the first along the normal."},
               Field{"z_mm", &S::z_mm, "LPS z of the slice's centre."},
               Field{"probability", &S::probability, "In [0, 1]."},
               Field{"sop_instance_uid", &S::sop_instance_uid, "Empty where it is not from DICOM."},
               Field{"computed", &S::computed, "False: no head there, no network was asked, probability is 0."},
               Field{"classes", &S::classes, "Probability of each of StudyResult.classes, or empty."},
               Field{"raw_probability", &S::raw_probability, "Before calibration, else None."});
  score.def("__repr__", [](const SliceScore& s) {
    return "<ichdet.SliceScore " + std::to_string(s.index) + " at z = " + number(s.z_mm) +
           " mm: " + number(s.probability) + ">";
  });

  py::class_<PatientDecision> decision(m, "PatientDecision", R"(What the slices say about the patient.

Parameters
----------
positive : bool
probability : float
    In [0, 1].
calibrated : bool
    Whether `probability` was fitted to observed frequencies.
rule : str
    How it was reached, in words.
threshold : float
    From this probability on a slice or the study counts as positive.
slice_threshold : float or None
    Of classifiers and calibrated detectors: a slice above it is positive.
raw_probability : float or None
    Before calibration, where there was one.

Examples
--------
>>> scores = [ichdet.SliceScore(index=i, probability=p) for i, p in enumerate((0.1, 0.8, 0.3))]
>>> ichdet.decide_by_highest_slice(scores)
<ichdet.PatientDecision positive, probability 0.8>
)");
  using D = PatientDecision;
  plain_struct(decision, Field{"positive", &D::positive, "Whether the study counts as showing blood."},
               Field{"probability", &D::probability, "In [0, 1]."},
               Field{"calibrated", &D::calibrated, "Whether `probability` was fitted to observed frequencies."},
               Field{"rule", &D::rule, "How it was reached, in words."},
               Field{"threshold", &D::threshold, "From this probability on it counts as positive."},
               Field{"slice_threshold", &D::slice_threshold, "A slice above it is positive; of detectors None."},
               Field{"raw_probability", &D::raw_probability, "Before calibration, else None."});
  decision.def("__repr__", [](const PatientDecision& d) {
    return std::string("<ichdet.PatientDecision ") + (d.positive ? "positive" : "negative") + ", probability " +
           number(d.probability) + ">";
  });

  py::class_<Lesion> lesion(m, "Lesion", R"(One connected piece of one label.

Parameters
----------
label : str
volume_ml : float
diameter_mm : float
    Longest distance between two of its voxels' centres, plus one voxel.
centroid_mm : (3,) float64
    LPS.
slices : list of int
    Indices of the native slices that show it, ascending.
confidence : float
    Mean blood probability over its voxels, in [0, 1].
calibrated : bool
raw_confidence : float or None
    Before calibration, where there was one.

Examples
--------
>>> ichdet.Lesion(label="IPH", volume_ml=23.4, diameter_mm=41, slices=[10, 11, 12])
<ichdet.Lesion IPH, 23.4 mL on 3 slices>
)");
  using L = Lesion;
  plain_struct(lesion, Field{"label", &L::label, "Its name."}, Field{"volume_ml", &L::volume_ml, "In mL."},
               Field{"diameter_mm", &L::diameter_mm, "Longest distance between its voxels' centres, plus one voxel."},
               Field{"centroid_mm", &L::centroid_mm, "(3,) float64, LPS."},
               Field{"slices", &L::slices, "Indices of the native slices that show it, ascending."},
               Field{"confidence", &L::confidence, "Mean blood probability over its voxels, in [0, 1]."},
               Field{"calibrated", &L::calibrated, "Whether `confidence` was fitted to observed frequencies."},
               Field{"raw_confidence", &L::raw_confidence, "Before calibration, else None."});
  lesion.def("__repr__", [](const Lesion& l) {
    return "<ichdet.Lesion " + l.label + ", " + number(l.volume_ml) + " mL on " + std::to_string(l.slices.size()) +
           (l.slices.size() == 1 ? " slice>" : " slices>");
  });

  py::class_<Trust> trust(m, "Trust", R"(Whether the input was something the model may be trusted on.

Parameters
----------
ok : bool
reasons : list of str
    Why not, one sentence each.

Examples
--------
>>> ichdet.Trust(ok=False, reasons=["the scan covers 40 mm of the head"])
<ichdet.Trust no: the scan covers 40 mm of the head>
)");
  plain_struct(trust, Field{"ok", &Trust::ok, "Whether it was."},
               Field{"reasons", &Trust::reasons, "Why not, one sentence each."});
  trust.def("__repr__", [](const Trust& t) {
    std::string text = t.ok ? "yes" : "no";
    for (std::size_t i = 0; i < t.reasons.size(); ++i) text += (i ? "; " : ": ") + t.reasons[i];
    return "<ichdet.Trust " + text + ">";
  });

  py::class_<BundleIdentity> identity(m, "BundleIdentity", R"(Which weights gave the result.

Parameters
----------
name, version : str
sha256 : str
    Of bundle.json, which holds the hash of the weights.

Examples
--------
>>> ichdet.BundleIdentity("blast-ct-v1", "1.0").name
'blast-ct-v1'
)");
  identity
      .def(py::init([](std::string name, std::string version, std::string sha256) {
             return BundleIdentity{std::move(name), std::move(version), std::move(sha256)};
           }),
           py::arg("name") = "", py::arg("version") = "", py::arg("sha256") = "", "See the class.")
      .def_readwrite("name", &BundleIdentity::name, "As `ichdet models list` has it.")
      .def_readwrite("version", &BundleIdentity::version, "The weights' own.")
      .def_readwrite("sha256", &BundleIdentity::sha256, "64 hexadecimal digits, of bundle.json.")
      .def("__repr__", [](const BundleIdentity& b) {
        return "<ichdet.BundleIdentity " + b.name + " " + b.version + (b.sha256.empty() ? "" : ", ") +
               b.sha256.substr(0, 12) + ">";
      });
  pickled(identity, &BundleIdentity::name, &BundleIdentity::version, &BundleIdentity::sha256);

  py::class_<Inference> inference(m, "Inference", R"(How the networks were run.

Parameters
----------
engine, form : str
    Such as "native", "DeepMedic on AMX tiles".
precision : str
    "float32", "bfloat16" or "adaptive".
reason : str
    Why another engine ran than the one asked for, else empty.
threads : int
prepare_s : float
    Part of the time that later calls with the same shapes do not need again.
voxels : int
    That networks answered, of the model's grid; of classifiers, input pixels.
float32_again : int
    Of these, by adaptive precision, in float32 too.
patches, patches_skipped : int
    Of segmenters: how many the volume was asked about in, and those that showed nothing of the search region.

Examples
--------
>>> ichdet.Inference(engine="native", precision="float32", form="traced", voxels=4096)
<ichdet.Inference native float32, traced, 4096 voxels, 0 of them in float32 again>
)");
  using I = Inference;
  plain_struct(inference, Field{"engine", &I::engine, "native, torch or openvino."},
               Field{"form", &I::form, "What became of the network, in words."},
               Field{"precision", &I::precision, "float32, bfloat16 or adaptive."},
               Field{"reason", &I::reason, "Why another engine ran than the one asked for, else empty."},
               Field{"threads", &I::threads, "That the networks ran on."},
               Field{"prepare_s", &I::prepare_s, "Seconds that later calls with the same shapes do not need again."},
               Field{"voxels", &I::voxels, "That each network answered, on the model's grid."},
               Field{"float32_again", &I::float32_again, "Of these, by adaptive precision, in float32 too."},
               Field{"patches", &I::patches, "Of segmenters: how many the volume was asked about in."},
               Field{"patches_skipped", &I::patches_skipped,
                     "Of fixed patches: those that would have shown nothing of the search region."});
  inference.def("__repr__", [](const Inference& i) {
    return "<ichdet.Inference " + i.engine + " " + i.precision + ", " + i.form +
           (i.reason.empty() ? "" : ", because " + i.reason) + ", " + std::to_string(i.voxels) + " voxels, " +
           std::to_string(i.float32_again) + " of them in float32 again>";
  });
}

void bind_result(py::module_& m) {
  py::class_<StudyResult> result(m, "StudyResult", R"(Everything that was found in one study.

Lists are copied in and out: assign a list to change it.

Parameters
----------
version : str
    Of ichdet.
decision : PatientDecision
labels : dict of int to str
    Value in the label map -> name, background left out.
blood_labels : list of int
    Those that count as hemorrhage; empty: all of them do.
volumes_ml : dict of str to float
    Label -> volume.
lesions : list of Lesion
    Largest first.
slices : list of SliceScore
classes : list of str
    What a classifier tells apart, in its order; empty for segmenters.
class_probabilities : list of float
    Of each of them in the whole study, where the network reads it whole.
assumptions : list of str
trust : Trust
review : list of str
    Why a person should look again at what was found, one sentence each.
inference : Inference
bundles : list of BundleIdentity
    The members of the ensemble, in order.
timings_s : list of (str, float)
    Stage and seconds, in order.

Examples
--------
>>> result = ichdet.StudyResult(
...     decision=ichdet.PatientDecision(positive=True, probability=0.97),
...     labels={1: "IPH"}, volumes_ml={"IPH": 23.4},
...     lesions=[ichdet.Lesion(label="IPH", volume_ml=23.4, diameter_mm=41)],
... )
>>> result.finding()
'Hemorrhage: IPH 23.4 mL'
>>> result.to_dict()["probability"]
0.97
>>> ichdet.StudyResult.from_json(result.to_json()).volumes_ml
{'IPH': 23.4}
)");
  using R = StudyResult;
  plain_struct(result, Field{"version", &R::version, "Of ichdet."},
               Field{"decision", &R::decision, "What the slices say about the patient."},
               Field{"labels", &R::labels, "Value in the label map -> name, background left out."},
               Field{"blood_labels", &R::blood_labels, "Those that count as hemorrhage; empty: all of them do."},
               Field{"volumes_ml", &R::volumes_ml, "Label -> volume in mL."},
               Field{"lesions", &R::lesions, "Largest first."}, Field{"slices", &R::slices, "In the stack's order."},
               Field{"classes", &R::classes, "What a classifier tells apart; empty for segmenters."},
               Field{"class_probabilities", &R::class_probabilities, "Of the whole study, or empty."},
               Field{"assumptions", &R::assumptions, "What had to be assumed, one sentence each."},
               Field{"trust", &R::trust, "Whether the input was something the model may be trusted on."},
               Field{"review", &R::review, "Why a person should look again, one sentence each."},
               Field{"inference", &R::inference, "How the networks were run."},
               Field{"bundles", &R::bundles, "The weights: the members of the ensemble, in order."},
               Field{"timings_s", &R::timings_s, "Stage and seconds, in order."});
  result
      .def("to_json", &to_json_text,
           "The text of result.json, indented; docs/result.schema.json describes it. Raises OptionsError where a "
           "number is not finite.")
      .def(
          "to_dict", [](const StudyResult& r) { return Json(to_python(to_json(r))); },
          "What `to_json` says, as dicts, lists and numbers.")
      .def_static(
          "from_json",
          [](const std::string& text) {
            try {
              return study_result_from_json(nlohmann::ordered_json::parse(text));
            } catch (const nlohmann::json::exception& e) {
              throw Error(ErrorCode::io, std::string("result: not valid JSON: ") + e.what());
            }
          },
          py::arg("text"), "The inverse of `to_json`. Raises IoError that names the field.")
      .def_static(
          "from_dict", [](const Json& values) { return study_result_from_json(from_python(values)); },
          py::arg("values"), "The inverse of `to_dict`. Raises IoError that names the field.")
      .def_static("read", &read_result, py::arg("path"), py::call_guard<py::gil_scoped_release>(),
                  "Reads a result.json. Raises IoError that names the file.")
      .def(
          "write", [](const StudyResult& r, const std::filesystem::path& path) { write_result(path, r); },
          py::arg("path"), py::call_guard<py::gil_scoped_release>(), "Writes `to_json` to a file.")
      .def(
          "summary", [](const StudyResult& r, std::size_t lesions) { return summary(r, {lesions}); }, py::kw_only(),
          py::arg("lesions") = SummaryOptions{}.lesions,
          "A few lines of text for people; `lesions`: how many of the largest are listed.")
      .def("finding", &finding, "One line: 'Hemorrhage: IPH 23.4 mL; oedema 8.0 mL', or 'No hemorrhage found'.")
      .def("slice_table", &slice_table,
           "CSV text, a line for each slice: index, z_mm, probability, positive, computed, each class, UID.")
      .def("__repr__", [](const StudyResult& r) { return "<ichdet.StudyResult " + finding(r) + ">"; });
}

}  // namespace

void bind_results(py::module_& m) {
  bind_parts(m);
  bind_result(m);
}

}  // namespace ichdet::python
