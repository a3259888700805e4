#include <pybind11/stl/filesystem.h>

#include "ichdet/bundle/bundle.hpp"
#include "ichdet/bundle/calibration.hpp"
#include "ichdet/bundle/ensemble_spec.hpp"
#include "ichdet/bundle/shipped.hpp"
#include "json.hpp"
#include "value.hpp"

// What bundle.json and an ensemble's file say. Words are those of the files.
namespace ichdet::python {

namespace {

using Json = py::typing::Dict<py::str, py::object>;

Json object(const nlohmann::json& json) { return json.is_null() ? Json() : Json(to_python(json)); }

void bind_input(py::module_& m) {
  py::class_<ClassSpec>(m, "ClassSpec", R"(One output of a model.

Examples
--------
>>> [(c.name, c.blood) for c in ichdet.open_bundle("s1").spec.classes]
[('no hemorrhage', False), ('hemorrhage', True)]
)")
      .def_readonly("name", &ClassSpec::name, "What it is called.")
      .def_readonly("blood", &ClassSpec::blood, "Counts as hemorrhage; of sigmoids, decides about it.")
      .def("__repr__", [](const ClassSpec& c) { return "<ichdet.ClassSpec " + c.name + (c.blood ? ", blood>" : ">"); });

  py::class_<ChannelSpec>(m, "ChannelSpec",
                          R"(One input channel: a window of HU, mapped to [to_low, to_high], then to (x - mean) / std.

Examples
--------
>>> [(c.window.low_hu, c.window.high_hu) for c in ichdet.open_bundle("s1").spec.channels]
[(0.0, 80.0), (20.0, 60.0), (20.0, 70.0)]
)")
      .def_readonly("low_hu", &ChannelSpec::low_hu, "What is below becomes this.")
      .def_readonly("high_hu", &ChannelSpec::high_hu, "What is above becomes this.")
      .def_property_readonly(
          "window",
          [](const ChannelSpec& c) {
            return Window{c.low_hu, c.high_hu};
          },
          "low_hu to high_hu.")
      .def_readonly("to_low", &ChannelSpec::to_low, "What low_hu is mapped to.")
      .def_readonly("to_high", &ChannelSpec::to_high, "What high_hu is mapped to.")
      .def_readonly("mean", &ChannelSpec::mean, "Subtracted after that.")
      .def_readonly("std", &ChannelSpec::std, "Divided by after that.")
      .def_readonly("slice", &ChannelSpec::slice, "Of a neighbour: 1 the next one along the normal.")
      .def_readonly("brain", &ChannelSpec::brain, "Skull-stripped: low_hu outside the brain.")
      .def_property_readonly(
          "mix",
          [](const ChannelSpec& c) {
            std::vector<std::pair<Window, double>> mix;
            for (const auto& [window, weight] : c.mix) mix.emplace_back(window, weight);
            return mix;
          },
          "In place of one window, a weighted sum of several: (window, weight) of each. May be empty.")
      .def("__repr__", [](const ChannelSpec& c) {
        return "<ichdet.ChannelSpec " + std::string(py::str(py::float_(c.low_hu))) + " to " +
               std::string(py::str(py::float_(c.high_hu))) + " HU, slice " + std::to_string(c.slice) +
               (c.brain ? ", brain>" : ">");
      });

  py::class_<ImageSpec>(m, "ImageSpec", R"(How a slice becomes the image of a classifier or slice segmenter.

Examples
--------
>>> image = ichdet.open_bundle("s1").spec.image
>>> image.size, image.fit, image.levels, image.clip_hu
((512, 512), 'resize', 'truncate', (0.0, 80.0))
)")
      .def_property_readonly(
          "size", [](const ImageSpec& i) { return tuple_of(i.size); }, "(rows, columns).")
      .def_property_readonly(
          "fit", [](const ImageSpec& i) { return i.fit == ImageSpec::Fit::resize ? "resize" : "crop"; },
          "'resize' to the largest size that fits, then padded with air; or 'crop', a part of this size.")
      .def_readonly("spacing_mm", &ImageSpec::spacing_mm, "Of 'crop': resized to such pixels first; 0: as acquired.")
      .def_property_readonly(
          "centre", [](const ImageSpec& i) { return i.centre == ImageSpec::Centre::image ? "image" : "head"; },
          "Of 'crop': 'image' or 'head'.")
      .def_property_readonly(
          "levels",
          [](const ImageSpec& i) {
            return !i.levels ? "float" : *i.levels == Rounding::truncate ? "truncate" : "nearest";
          },
          "'truncate' or 'nearest': windows to 0..255 and back, as in a PNG file; 'float': they stay.")
      .def_property_readonly(
          "clip_hu",
          [](const ImageSpec& i) {
            return i.clip_hu ? std::optional(std::pair((*i.clip_hu)[0], (*i.clip_hu)[1])) : std::nullopt;
          },
          "(low, high) that HU are clipped to before they are resized, or None.")
      .def_readonly("slice_mm", &ImageSpec::slice_mm,
                    "Thinner slices are averaged over this thickness, and a neighbour is the slice nearest to this "
                    "distance; 0: slices as they are.")
      .def_readonly("exam_slices", &ImageSpec::exam_slices, "Of exam classifiers: how many slices they read.");
}

void bind_procedure(py::module_& m) {
  const View usual;
  py::class_<View>(m, "View", R"(A copy of the input that a network is shown: flipped, then turned, then scaled.

Parameters
----------
flip : (bool, bool, bool)
    Along z, y, x.
plane : (int, int)
    Axes of the quarter turns; one turn brings the first one's direction to the second's.
turns : int
    Quarter turns, 0 to 3.
scale : float
    2: twice as large.

Examples
--------
>>> ichdet.View(flip=(False, False, True))
ichdet.View(flip=(False, False, True), plane=(1, 2), turns=0, scale=1.0))")
      .def(py::init([](std::array<bool, 3> flip, std::array<std::size_t, 2> plane, int turns, double scale) {
             if (turns < 0 || turns > 3 || plane[0] > 2 || plane[1] > 2 || plane[0] == plane[1] || !(scale > 0)) {
               throw Error(ErrorCode::options, "View: expected two different axes of 0 to 2, 0 to 3 turns, scale above 0");
             }
             return View{flip, {plane, turns}, scale};
           }),
           py::kw_only(), py::arg("flip") = tuple_of(usual.flip),
           py::arg("plane") = tuple_of(usual.rotate90.plane),
           py::arg("turns") = usual.rotate90.turns, py::arg("scale") = usual.scale)
      .def_property_readonly(
          "flip", [](const View& view) { return tuple_of(view.flip); }, "(z, y, x): along which axes.")
      .def_property_readonly(
          "plane", [](const View& view) { return tuple_of(view.rotate90.plane); },
          "Axes (z 0, y 1, x 2); a turn brings the first one's direction to the second's.")
      .def_property_readonly(
          "turns", [](const View& view) { return view.rotate90.turns; }, "Quarter turns, 0 to 3.")
      .def_readonly("scale", &View::scale, "2: twice as large.")
      .def(
          "__eq__", [](const View& a, const View& b) { return a == b; }, py::arg("other"), "Of equal values.")
      .def("__repr__", [](const View& view) {
        return py::str("ichdet.View(flip={}, plane={}, turns={}, scale={})")
            .format(py::tuple(py::cast(view.flip)), py::tuple(py::cast(view.rotate90.plane)), view.rotate90.turns,
                    view.scale);
      });

  py::class_<PatchSpec>(m, "PatchSpec",
                        R"(How a segmentation network is laid over a volume, in voxels (z, y, x) at its spacing.

Examples
--------
>>> patch = ichdet.find_recipe("s2-dynunet").model_spec().patch
>>> patch.input, patch.blending, patch.places
((32, 160, 160), 'constant', 'monai')
)")
      .def_property_readonly(
          "input", [](const PatchSpec& p) { return tuple_of(p.input); }, "(z, y, x).")
      .def_property_readonly(
          "output", [](const PatchSpec& p) { return tuple_of(p.output); },
          "(z, y, x), smaller than `input` for valid convolutions.")
      .def_readonly(
          "step", &PatchSpec::step,
          "Outputs that start at, and extend over, multiples of this are the same whatever the patch size; 0: "
          "fixed patches.")
      .def_property_readonly(
          "padding", [](const PatchSpec& p) { return p.padding == Padding::edge ? "edge" : "zero"; },
          "Beyond the image: 'edge', the nearest voxel, or 'zero', in the channels that the network reads.")
      .def_readonly("overlap", &PatchSpec::overlap, "Of neighbouring outputs, in [0, 1).")
      .def_property_readonly(
          "blending",
          [](const PatchSpec& p) {
            return p.blending == Blending::constant         ? "constant"
                   : p.blending == Blending::monai_gaussian ? "monai gaussian"
                                                            : "nnunet gaussian";
          },
          "How much a voxel of a patch weighs where patches overlap: 'constant', 'monai gaussian', 'nnunet gaussian'.")
      .def_property_readonly(
          "places", [](const PatchSpec& p) { return p.places == PatchPlaces::monai ? "monai" : "nnunet"; },
          "Where patches start: 'monai', fixed steps, the last moved back; 'nnunet', as few as needed, evenly.");

  py::class_<RescueSpec>(m, "RescueSpec", R"(A second look where a network found next to nothing (S2).

Examples
--------
>>> ichdet.find_recipe("s2-viola").model_spec().procedure.rescue.below_ml
0.1
)")
      .def_readonly("below_ml", &RescueSpec::below_ml, "Of blood, in all of the network's own labels.")
      .def_property_readonly(
          "patch", [](const RescueSpec& r) { return tuple_of(r.patch); }, "(z, y, x), input and output.")
      .def_readonly("overlap", &RescueSpec::overlap, "Of neighbouring patches.")
      .def_readonly("views", &RescueSpec::views, "View: each looked at by itself.");

  py::class_<ProcedureSpec>(m, "ProcedureSpec", R"(What is done around a segmentation network.

Examples
--------
>>> procedure = ichdet.find_recipe("s2-viola").model_spec().procedure
>>> procedure.crop, procedure.merge, procedure.inversion
('foreground', 'logits', 'probabilities')
)")
      .def_property_readonly(
          "crop", [](const ProcedureSpec& p) { return p.crop == ProcedureSpec::Crop::none ? "none" : "foreground"; },
          "'none', or 'foreground': to the smallest box that holds every voxel with a channel above 0.")
      .def_readonly("views", &ProcedureSpec::views, "View: test-time augmentation; the answer is their mean.")
      .def_property_readonly(
          "merge",
          [](const ProcedureSpec& p) { return p.merge == ProcedureSpec::Merge::logits ? "logits" : "probabilities"; },
          "What is averaged over members, views and patches: 'logits' or 'probabilities'.")
      .def_property_readonly(
          "inversion",
          [](const ProcedureSpec& p) {
            return p.inversion == ProcedureSpec::Inversion::labels ? "labels" : "probabilities";
          },
          "What returns to the native slices: 'labels', nearest neighbour, or 'probabilities', linear.")
      .def_readonly("rescue", &ProcedureSpec::rescue, "RescueSpec, or None.");
}

void bind_model(py::module_& m) {
  py::class_<ProvenanceSpec>(m, "ProvenanceSpec", R"(Where weights came from.

Examples
--------
>>> ichdet.open_bundle("s1").spec.provenance.authors
'the authors of ichdet'
)")
      .def_readonly("source", &ProvenanceSpec::source, "Where they were published, or what made them.")
      .def_readonly("authors", &ProvenanceSpec::authors, "Whose they are.")
      .def_readonly("citation", &ProvenanceSpec::citation, "The paper.")
      .def_readonly("converted_by", &ProvenanceSpec::converted_by, "Program and version.")
      .def_readonly("files", &ProvenanceSpec::files, "Published file -> SHA-256.")
      .def_readonly("parent", &ProvenanceSpec::parent, "BundleIdentity of what its training began with, or None.")
      .def_readonly("split_sha256", &ProvenanceSpec::split_sha256,
                    "Of the file that says which patients it was trained on; may be empty.");

  py::class_<ModelSpec>(m, "ModelSpec", R"(Everything a set of weights needs to be used right: what bundle.json says.

Examples
--------
>>> spec = ichdet.open_bundle("s1").spec
>>> spec.architecture, spec.activation, spec.rule.kind
('EfficientClassification', 'softmax', 'percent')
>>> spec.licence, spec.not_for_clinical_use
('LicenseRef-ichdet-weights-non-commercial', True)
)")
      .def_static(
          "from_dict",
          [](const Json& values, const std::string& subject) {
            return parse_spec(nlohmann::json::parse(from_python(values).dump()), subject);
          },
          py::arg("values"), py::arg("subject") = "bundle.json",
          "Reads and validates what a bundle.json holds. Raises WeightsError that starts with `subject` and names the "
          "JSON path, what was expected and what was found; unknown keys are refused.")
      .def_readonly("name", &ModelSpec::name, "What results call it.")
      .def_readonly("version", &ModelSpec::version, "The weights' own.")
      .def_property_readonly(
          "task", [](const ModelSpec& s) { return to_string(s.task); },
          "'segmentation', 'slice classification', 'exam classification', 'slice segmentation', 'map weights' or "
          "'brain "
          "extraction'.")
      .def_readonly("untrained", &ModelSpec::untrained, "Its weights are random numbers: no result means anything.")
      .def_readonly("architecture", &ModelSpec::architecture, "A name that ichdet.nn.create knows.")
      .def_property_readonly(
          "options", [](const ModelSpec& s) { return object(s.options); }, "The architecture's own.")
      .def_property_readonly(
          "spacing_mm", [](const ModelSpec& s) { return tuple_of(s.spacing_mm); },
          "(x, y, z) of the grid it reads; of segmenters.")
      .def_readonly("orientation", &ModelSpec::orientation, "'LPS': x, y, z run to the patient's left, back and head.")
      .def_property_readonly(
          "axes", [](const ModelSpec& s) { return s.axes == AxisOrder::zyx ? "zyx" : "xyz"; },
          "Order of a segmentation network's spatial axes: 'zyx' or 'xyz'.")
      .def_readonly("channels", &ModelSpec::channels, "ChannelSpec of each input channel: windows and scaling.")
      .def_readonly("classes", &ModelSpec::classes, "ClassSpec of each output; of segmenters, class 0 is background.")
      .def_readonly("patch", &ModelSpec::patch, "PatchSpec, of segmenters.")
      .def_readonly("procedure", &ModelSpec::procedure, "ProcedureSpec, of segmenters.")
      .def_readonly("image", &ModelSpec::image, "ImageSpec, of classifiers and slice segmenters.")
      .def_property_readonly(
          "activation", [](const ModelSpec& s) { return s.activation == Activation::softmax ? "softmax" : "sigmoid"; },
          "Of classifiers and slice segmenters: 'softmax' or 'sigmoid'.")
      .def_readonly("rule", &ModelSpec::rule, "CaseRule: from slices to patient; of classifiers.")
      .def_readonly("thresholds", &ModelSpec::thresholds, "By class or purpose ('study'); empty: the likeliest class.")
      .def_property_readonly(
          "calibration", [](const ModelSpec& s) { return object(to_json(s.calibration)); },
          "Of 'study', 'slice' and 'lesion', as bundle.json has it; empty: probabilities are not calibrated.")
      .def_readonly("provenance", &ModelSpec::provenance, "Where the weights came from.")
      .def_readonly("licence", &ModelSpec::licence, "SPDX expression.")
      .def_readonly("licence_file", &ModelSpec::licence_file, "In the bundle.")
      .def_readonly("not_for_clinical_use", &ModelSpec::not_for_clinical_use, "True.")
      .def_readonly("training_data", &ModelSpec::training_data, "What it learned from, in words.")
      .def_property_readonly(
          "metrics", [](const ModelSpec& s) { return object(s.metrics); },
          "What it was worth, where that was measured.")
      .def_readonly("weights_file", &ModelSpec::weights_file, "In the bundle.")
      .def_readonly("weights_sha256", &ModelSpec::weights_sha256, "64 lower-case hexadecimal digits.")
      .def("__repr__", [](const ModelSpec& s) {
        return "<ichdet.ModelSpec " + s.name + " " + s.version + ": " + to_string(s.task) + ", " + s.architecture + ">";
      });
}

void bind_ensemble_spec(py::module_& m) {
  py::class_<EnsembleMember>(m, "EnsembleMember",
                             R"(One voice in an ensemble: a bundle, or bundles that are averaged before anything else.

Examples
--------
>>> [(member.bundle, member.kind) for member in ichdet.read_ensemble("ichdet").members]
[('segmenter', 'slice segmentation'), ('classifier', 'slice classification')]
)")
      .def_readonly("bundle", &EnsembleMember::bundle, "A name, or a bundle's folder, as the file has it.")
      .def_readonly("folders", &EnsembleMember::folders, "Where the file was found to mean.")
      .def_property_readonly(
          "kind", [](const EnsembleMember& e) { return e.kind ? std::optional(to_string(*e.kind)) : std::nullopt; },
          "What it has to be: 'segmentation', 'slice segmentation' or 'slice classification'; or None.")
      .def_readonly("weight", &EnsembleMember::weight, "Of stacking, of the member's logit.")
      .def_readonly("classes", &EnsembleMember::classes, "Its class -> the ensemble's; others keep their names.");

  py::class_<EnsembleSpec>(m, "EnsembleSpec",
                           R"(How several models answer as one: what an ensemble's YAML file says. From `read_ensemble`.

Examples
--------
>>> spec = ichdet.read_ensemble("ichdet")
>>> spec.rule, [c.name for c in spec.classes]
('mean', ['background', 'hemorrhage'])
>>> spec.calibration["study"]["method"]
'platt'
)")
      .def_readonly("name", &EnsembleSpec::name, "What results call it.")
      .def_readonly("classes", &EnsembleSpec::classes, "ClassSpec; empty: those of the first segmenter.")
      .def_property_readonly(
          "rule", [](const EnsembleSpec& e) { return e.staple ? "staple" : to_string(e.rule); },
          "'mean', 'logits', 'majority', 'union', 'stacking' or 'staple'.")
      .def_readonly("intercept", &EnsembleSpec::intercept, "Of stacking.")
      .def_readonly("members", &EnsembleSpec::members, "EnsembleMember of each.")
      .def_property_readonly(
          "slices",
          [](const EnsembleSpec& e) { return e.slices ? std::optional(object(to_json(*e.slices))) : std::nullopt; },
          "How likely blood is on a slice, as the file has it; or None.")
      .def_property_readonly(
          "calibration", [](const EnsembleSpec& e) { return object(to_json(e.calibration)); },
          "Of 'study', 'slice' and 'lesion', as the file has it; members' own are not used.")
      .def_readonly("thresholds", &EnsembleSpec::thresholds, "By class or purpose ('study').")
      .def_property_readonly(
          "review", [](const EnsembleSpec& e) { return std::pair(e.review.low, e.review.high); },
          "(low, high): between these probabilities a person should look.")
      .def("__repr__", [](const EnsembleSpec& e) {
        return "<ichdet.EnsembleSpec " + e.name + ": " + (e.staple ? "staple" : to_string(e.rule)) + " of " +
               std::to_string(e.members.size()) + " members>";
      });
  m.def(
      "read_ensemble",
      [](const std::filesystem::path& ensemble) {
        const auto file = find_ensemble(ensemble.string());
        return read_ensemble(file.value_or(ensemble));
      },
      py::arg("ensemble"), py::call_guard<py::gil_scoped_release>(),
      R"(Read what an ensemble's file says, its members looked up.

Parameters
----------
ensemble : str or path
    The name of a shipped one, a YAML file, or a folder with ensemble.yaml. docs/ensembles.md describes the file.

Returns
-------
EnsembleSpec

Raises
------
WeightsError
    No such file, or one that is no ensemble (naming line or path), or a member is not there.

Examples
--------
>>> ichdet.read_ensemble("ichdet")
<ichdet.EnsembleSpec ichdet: mean of 2 members>
)");
}

}  // namespace

void bind_spec(py::module_& m) {
  bind_input(m);
  bind_procedure(m);
  bind_model(m);
  bind_ensemble_spec(m);
}

}  // namespace ichdet::python
