#include <pybind11/stl/filesystem.h>

#include "convert.hpp"
#include "ichdet/train/manifest.hpp"
#include "ichdet/train/rsna.hpp"
#include "ichdet/train/sampling.hpp"
#include "ichdet/train/split.hpp"
#include "watched.hpp"

namespace ichdet::python {

using namespace train;

namespace {

using Parts = std::vector<std::pair<std::string, double>>;

std::vector<SplitPart> to_parts(const Parts& shares) {
  std::vector<SplitPart> parts;
  for (const auto& [name, share] : shares) parts.push_back({name, share});
  return parts;
}

void bind_data_sets(py::module_& m) {
  py::class_<StudyEntry>(m, "StudyEntry", R"(One study of a data set: where its files are and what is known about it.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     entry = ichdet.train.sample_data(folder).studies[0]
>>> entry.study, entry.split, entry.files[0].name
('bleed', 'train', 'bleed.nii.gz'))")
      .def_readwrite("study", &StudyEntry::study, "Its name.")
      .def_readwrite("patient", &StudyEntry::patient, "Whose scan it is; patients are never divided.")
      .def_readwrite("split", &StudyEntry::split, "Empty: not said yet.")
      .def_readonly("group", &StudyEntry::group, "The data set's name.")
      .def_readonly("files", &StudyEntry::files, "A DICOM folder, DICOM files, or one NIfTI file.")
      .def_readonly("mask", &StudyEntry::mask, "NIfTI.")
      .def_readonly("labels", &StudyEntry::labels, "In the order of the data set's label names; NaN: not known.")
      .def_readonly("slice_labels", &StudyEntry::slice_labels, "By index in the sorted stack.")
      .def_readonly("slices", &StudyEntry::slices, "How many the stack has to have; 0: any number.")
      .def_readonly("source", &StudyEntry::source, "\"manifest.csv, line 3\": where it was said.")
      .def("__repr__", [](const StudyEntry& entry) {
        return "<ichdet.train.StudyEntry " + entry.study + ": patient " + entry.patient + ", split " +
               (entry.split.empty() ? "not said" : entry.split) + ">";
      });
  py::class_<Dataset>(m, "Dataset", R"(Studies that share a description. From `read_manifest` or `read_rsna`.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     dataset = ichdet.train.sample_data(folder)
>>> dataset
<ichdet.train.Dataset manifest: 2 studies, labels any>)")
      .def_readonly("name", &Dataset::name, "Of the file.")
      .def_readonly("label_names", &Dataset::label_names, "With any (or blood), asked for or not.")
      .def_readonly("notes", &Dataset::notes, "What was passed over and why.")
      .def_property_readonly(
          "studies", [](Dataset& data) -> std::vector<StudyEntry>& { return data.studies; },
          py::return_value_policy::reference_internal, "In the order of the file.")
      .def(
          "assign_splits",
          [](Dataset& data, const Parts& parts, std::uint64_t seed) {
            assign_splits(data.studies, to_parts(parts), seed);
          },
          py::arg("parts"), py::arg("seed") = 0,
          "Gives each study a split: its own, its patient's, else one of `parts`, [(name, share), ...].")
      .def(
          "assign_splits_from",
          [](Dataset& data, const std::filesystem::path& csv) { assign_splits(data.studies, read_split(csv)); },
          py::arg("csv"), "The same from a file of `write_split`.")
      .def(
          "write_split", [](const Dataset& data, const std::filesystem::path& csv) { write_split(csv, data.studies); },
          py::arg("csv"), "CSV with columns study, patient, split, sorted.")
      .def_property_readonly(
          "split_hash", [](const Dataset& data) { return split_hash(data.studies); },
          "SHA-256 of the sorted lines 'study,patient,split'.")
      .def("__repr__", [](const Dataset& data) {
        std::string names;
        for (const auto& name : data.label_names) names += (names.empty() ? "" : ", ") + name;
        return "<ichdet.train.Dataset " + data.name + ": " + std::to_string(data.studies.size()) +
               " studies, labels " + names + ">";
      });
  m.def("read_manifest", &read_manifest, py::arg("csv"), py::arg("label_names") = std::vector<std::string>{"any"},
        py::call_guard<py::gil_scoped_release>(), R"(A data set from a CSV file with a line for each study or slice.

Parameters
----------
csv : str or path
    Columns study, scan, and where known patient, slice, mask, split and labels (docs/training_data.md). Files are
    looked for here already.
label_names : list of str
    Labels to read.

Returns
-------
Dataset

Raises
------
ichdet.Error
    io: names file, line and column of what is missing, contradictory or unknown.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     _ = ichdet.train.sample_data(folder)
...     dataset = ichdet.train.read_manifest(f"{folder}/manifest.csv", ["any", "subdural"])
>>> dataset.label_names, dataset.studies[1].labels
(['any', 'subdural'], [0.0, 0.0]))");
  m.def(
      "read_rsna",
      [](const std::filesystem::path& csv, const std::filesystem::path& folder, const std::vector<std::string>& names,
         int threads, const ProgressArgument& progress) {
        return watched(progress, [&](const Progress& tell) { return read_rsna(csv, folder, names, threads, tell); });
      },
      py::arg("csv"), py::arg("folder"), py::arg("label_names") = std::vector<std::string>{"any"}, py::kw_only(),
      py::arg("threads") = 0, py::arg("progress") = py::none(),
      R"(RSNA 2019's intracranial hemorrhage data, as they are published, as a data set.

Patient and series come from the files' headers; no pixel is read. The slices of a series are a study, sorted.

Parameters
----------
csv : str or path
    stage_2_train.csv: lines ID_<sop>_<type>,Label.
folder : str or path
    With a file ID_<sop>.dcm for each slice.
label_names : list of str
    any, epidural, intraparenchymal, intraventricular, subarachnoid, subdural.
threads : int
    0: as many as the machine has.
progress : bool, callable or None
    True: a bar (tqdm). A callable is called with the stage's name and the fraction done.

Returns
-------
Dataset

Raises
------
ichdet.Error
    io: a line of another kind, or no slice has a file.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     stack = ichdet.phantom(seed=1, rows=32, columns=32, pixel_mm=7, slices=2, thickness_mm=20).stack
...     lines = ["ID,Label"]
...     for file in ichdet.write_series(stack, f"{folder}/series"):
...         sop = ichdet.read_study(file).stack.geometry.planes[0].sop_instance_uid
...         labels = file.rename(f"{folder}/ID_{sop}.dcm").with_name("labels.csv")
...         for name in ["any", "epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural"]:
...             lines.append(f"ID_{sop}_{name},0")
...     _ = labels.write_text("\n".join(lines))
...     dataset = ichdet.train.read_rsna(labels, folder)
>>> len(dataset.studies), dataset.studies[0].slice_labels
(1, {0: [0.0], 1: [0.0]}))");
}

/// In place: each of `sets` is a Python object.
template <class Change>
void change_together(const std::vector<Dataset*>& sets, const Change& change) {
  std::vector<Dataset> all;
  for (const auto* set : sets) all.push_back(*set);
  change(all);
  for (std::size_t i = 0; i < all.size(); ++i) *sets[i] = std::move(all[i]);
}

void bind_splits(py::module_& m) {
  m.def(
      "split_patients",
      [](const std::set<std::string>& patients, const Parts& parts, std::uint64_t seed) {
        return split_patients(patients, to_parts(parts), seed);
      },
      py::arg("patients"), py::arg("parts"), py::arg("seed") = 0, R"(Which part each patient belongs to.

Patients are sorted by SHA-256 of "seed:patient" and dealt out in that order, each part getting its share, so that a new
patient moves at most one other across each border.

Parameters
----------
patients : set of str
parts : list of (str, float)
    Names and shares, of their sum: 0.9 of 1, or 62 of 87.
seed : int

Returns
-------
dict of str to str

Raises
------
ichdet.Error
    options: no parts, a share that is not positive, or a name that is there twice.

Examples
--------
>>> parts = ichdet.train.split_patients({"a", "b", "c", "d"}, [("train", 3), ("test", 1)])
>>> sorted(parts.values())
['test', 'train', 'train', 'train'])");
  m.def(
      "folds",
      [](int k) {
        Parts parts;
        for (const auto& part : folds(k)) parts.emplace_back(part.name, part.share);
        return parts;
      },
      py::arg("k"), R"(Parts of equal shares, named "0" to "k - 1", for `split_patients`.

Parameters
----------
k : int
    2 or more.

Returns
-------
list of (str, float)

Raises
------
ichdet.Error
    options: `k` below 2.

Examples
--------
>>> ichdet.train.folds(2)
[('0', 1.0), ('1', 1.0)])");
  m.def(
      "assign_splits",
      [](const std::vector<Dataset*>& sets, const Parts& parts, std::uint64_t seed) {
        change_together(sets, [&](std::vector<Dataset>& all) { assign_splits(all, to_parts(parts), seed); });
      },
      py::arg("datasets"), py::arg("parts"), py::arg("seed") = 0,
      R"(Gives each study of several data sets a split, so that a patient of two of them is on one side.

Parameters
----------
datasets : list of Dataset
    Changed in place. Studies that have a split keep it, and so do all of their patients.
parts : list of (str, float)
    Names and shares.
seed : int

Raises
------
ichdet.Error
    options: a patient is in two splits.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     dataset = ichdet.train.sample_data(folder)
>>> for study in dataset.studies:
...     study.split = ""
>>> ichdet.train.assign_splits([dataset], [("train", 1), ("test", 1)])
>>> sorted(study.split for study in dataset.studies)
['test', 'train'])");
  m.def(
      "assign_fold",
      [](const std::vector<Dataset*>& sets, const std::string& fold, const std::string& held_out, std::uint64_t seed) {
        change_together(sets, [&](std::vector<Dataset>& all) { assign_fold(all, parse_fold(fold), held_out, seed); });
      },
      py::arg("datasets"), py::arg("fold"), py::arg("held_out") = "validation", py::arg("seed") = 0,
      R"(One round of cross validation: deals patients into folds anew.

Parameters
----------
datasets : list of Dataset
    Changed in place: patients whose split is empty, "train" or `held_out` are dealt; the others stay apart.
fold : str
    'K/N': the K-th, from 1, of N rounds.
held_out : str
    The split of the fold's patients; the others are "train".
seed : int

Raises
------
ichdet.Error
    options: no such fold, a patient on both sides, or fewer patients than folds.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     dataset = ichdet.train.sample_data(folder)
>>> ichdet.train.assign_fold([dataset], "1/2")
>>> sorted(study.split for study in dataset.studies)
['train', 'validation'])");
  m.def("read_split", &read_split, py::arg("csv"), R"(Splits by patient, from a file of `Dataset.write_split`.

Parameters
----------
csv : str or path

Returns
-------
dict of str to str

Raises
------
ichdet.Error
    io: names the line where a patient is in two splits.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     ichdet.train.sample_data(folder).write_split(f"{folder}/split.csv")
...     ichdet.train.read_split(f"{folder}/split.csv")
{'bleed': 'train', 'sound': 'train'})");
  m.def("permuted", &permuted, py::arg("place"), py::arg("size"), py::arg("seed"), py::arg("stream"),
        R"(The `place`-th of a random order of 0 to size - 1: a pure function of its arguments.

Parameters
----------
place, size : int
seed, stream : int
    Each pair is an order of its own.

Returns
-------
int

Examples
--------
>>> sorted(ichdet.train.permuted(place, 5, seed=1, stream=0) for place in range(5))
[0, 1, 2, 3, 4])");
}

}  // namespace

void bind_losses(py::module_& m);
void bind_augment(py::module_& m);
void bind_painting(py::module_& m);
void bind_studies(py::module_& m);
void bind_log(py::module_& m);
void bind_loop(py::module_& m);
void bind_training(py::module_& m);

void bind_train(py::module_& top) {
  auto m = top.def_submodule("_train");
  bind_data_sets(m);
  bind_splits(m);
  bind_losses(m);
  bind_augment(m);
  bind_painting(m);
  bind_studies(m);
  bind_log(m);
  bind_loop(m);
  bind_training(m);
}

}  // namespace ichdet::python
