#include <pybind11/stl/filesystem.h>

#include "convert.hpp"
#include "ichdet/train/manifest.hpp"
#include "ichdet/train/rsna.hpp"
#include "ichdet/train/sampling.hpp"
#include "ichdet/train/split.hpp"

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
  py::class_<StudyEntry>(m, "StudyEntry", "One study of a data set: where its files are and what is known about it.")
      .def_readwrite("study", &StudyEntry::study)
      .def_readwrite("patient", &StudyEntry::patient)
      .def_readwrite("split", &StudyEntry::split)
      .def_readonly("group", &StudyEntry::group)
      .def_readonly("files", &StudyEntry::files)
      .def_readonly("mask", &StudyEntry::mask)
      .def_readonly("labels", &StudyEntry::labels, "In the order of the data set's label names; NaN: not known.")
      .def_readonly("slice_labels", &StudyEntry::slice_labels, "By index in the sorted stack.")
      .def_readonly("source", &StudyEntry::source);
  py::class_<Dataset>(m, "Dataset", "Studies that share a description. From `read_manifest` or `read_rsna`.")
      .def_readonly("name", &Dataset::name)
      .def_readonly("label_names", &Dataset::label_names)
      .def_readonly("notes", &Dataset::notes, "What was passed over and why.")
      .def_property_readonly(
          "studies", [](Dataset& data) -> std::vector<StudyEntry>& { return data.studies; },
          py::return_value_policy::reference_internal)
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
          py::arg("csv"))
      .def_property_readonly(
          "split_hash", [](const Dataset& data) { return split_hash(data.studies); },
          "SHA-256 of the sorted lines 'study,patient,split'.");
  m.def("read_manifest", &read_manifest, py::arg("csv"), py::arg("label_names") = std::vector<std::string>{"any"},
        py::call_guard<py::gil_scoped_release>(), "A CSV file of studies (docs/training_data.md) as a Dataset.");
  m.def(
      "read_rsna",
      [](const std::filesystem::path& csv, const std::filesystem::path& folder, const std::vector<std::string>& names,
         int threads) { return read_rsna(csv, folder, names, threads); },
      py::arg("csv"), py::arg("folder"), py::arg("label_names") = std::vector<std::string>{"any"}, py::kw_only(),
      py::arg("threads") = 0, py::call_guard<py::gil_scoped_release>(),
      "RSNA 2019's intracranial hemorrhage data, as they are published, as a Dataset.");
}

}  // namespace

void bind_losses(py::module_& m);
void bind_training(py::module_& m);

void bind_train(py::module_& top) {
  auto m = top.def_submodule("_train");
  bind_data_sets(m);
  bind_losses(m);
  bind_training(m);
  m.def(
      "split_patients",
      [](const std::set<std::string>& patients, const Parts& parts, std::uint64_t seed) {
        return split_patients(patients, to_parts(parts), seed);
      },
      py::arg("patients"), py::arg("parts"), py::arg("seed") = 0,
      "The part, of [(name, share), ...], that each patient belongs to, as a dict.");
  m.def(
      "assign_splits",
      [](const std::vector<Dataset*>& sets, const Parts& parts, std::uint64_t seed) {
        std::vector<Dataset> all;
        for (const auto* set : sets) all.push_back(*set);
        assign_splits(all, to_parts(parts), seed);
        for (std::size_t i = 0; i < all.size(); ++i) *sets[i] = std::move(all[i]);
      },
      py::arg("datasets"), py::arg("parts"), py::arg("seed") = 0,
      "As Dataset.assign_splits, over several at once, so that a patient of two of them is on one side.");
  m.def("read_split", &read_split, py::arg("csv"), "Splits by patient, from a file of `write_split`.");
  m.def("permuted", &permuted, py::arg("place"), py::arg("size"), py::arg("seed"), py::arg("stream"),
        "The `place`-th of a random order of 0 to size - 1.");
}

}  // namespace ichdet::python
