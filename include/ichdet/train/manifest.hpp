#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace ichdet::train {

/// One study of a data set: where its files are and what is known about it.
struct StudyEntry {
  std::string study, patient;
  std::string split;                         ///< empty: not said yet
  std::string group;                         ///< the data set's name
  std::vector<std::filesystem::path> files;  ///< a DICOM folder, DICOM files, or one NIfTI file
  std::filesystem::path mask;                ///< NIfTI; empty: none
  std::vector<float> labels;                 ///< of the study, in the order of the data set's names; NaN: not known
  std::map<std::int64_t, std::vector<float>> slice_labels;  ///< by index in the sorted stack
  std::int64_t slices = 0;                                  ///< how many the stack has to have; 0: any number
  std::string source;                                       ///< "manifest.csv, line 3": where it was said, for messages
};

/// Studies that share a description.
struct Dataset {
  std::string name;
  std::vector<std::string> label_names;  ///< with "any" (or "blood"), asked for or not
  std::vector<StudyEntry> studies;
  std::vector<std::string> notes;  ///< what was passed over and why, one sentence each
};

/// Reads a manifest: a CSV file with a line for each study, or for each of its slices.
///
/// Columns: `study`; `scan`, a DICOM folder or file or a NIfTI file, relative to the CSV file; and where known
/// `patient` (else each study is a patient of its own), `slice` (index in the stack, sorted along its normal), `mask`
/// (NIfTI on the scan's slices), `split`, and labels 0, 1 or empty in columns of the names in `label_names` and of the
/// six that RSNA gave: any (or blood), epidural, intraparenchymal, intraventricular, subarachnoid, subdural. No blood
/// is none of any type, blood of a type is blood. Other columns are not read, and the notes name them.
///
/// Lines of one study agree on scan, mask, patient and split, or leave them empty after the first. Throws Error(io)
/// that names file, line and column for what is missing, contradictory or unknown; files are looked for here already.
Dataset read_manifest(const std::filesystem::path& csv, const std::vector<std::string>& label_names);

}  // namespace ichdet::train
