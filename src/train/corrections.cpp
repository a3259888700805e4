#include <algorithm>
#include <string_view>

#include "blood_labels.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/train/finetune.hpp"

namespace ichdet::train {
namespace {

namespace fs = std::filesystem;

/// The scan's name, where `file` is a mask.
std::optional<std::string> scan_of(const fs::path& file) {
  const auto name = file.filename().string();
  for (const std::string_view ending : {"_mask.nii.gz", "_mask.nii"}) {
    if (name.ends_with(ending) && name.size() > ending.size()) return name.substr(0, name.size() - ending.size());
  }
  return std::nullopt;
}

StudyEntry entry_of(const std::string& name, const fs::path& mask) {
  StudyEntry entry;
  entry.study = entry.patient = name;
  entry.mask = mask;
  entry.source = mask.string();
  for (const char* ending : {".nii.gz", ".nii", ""}) {
    const auto scan = mask.parent_path() / (name + ending);
    if (!fs::exists(scan)) continue;
    entry.files = {scan};
    return entry;
  }
  throw Error::mismatch(ErrorCode::io, mask.string(), "its scan beside it, " + name + ".nii.gz, .nii or a folder",
                        "none");
}

}  // namespace

Dataset read_corrections(const fs::path& place, const std::vector<std::string>& label_names) {
  Dataset dataset;
  if (fs::is_directory(place)) {
    for (const auto& file : fs::directory_iterator(place)) {
      if (const auto name = scan_of(file.path())) dataset.studies.push_back(entry_of(*name, file.path()));
    }
    dataset.label_names = with_any(label_names);
  } else {
    dataset = read_manifest(place, label_names);
  }
  if (dataset.studies.empty()) {
    throw Error::mismatch(ErrorCode::io, place.string(), "corrected scans: NAME_mask.nii.gz beside NAME.nii.gz",
                          "none");
  }
  dataset.name = "corrections";
  std::ranges::sort(dataset.studies, {}, &StudyEntry::study);
  for (auto& entry : dataset.studies) {
    entry.group = dataset.name;
    entry.split = "train";
    if (entry.patient.empty()) entry.patient = entry.study;
  }
  return dataset;
}

}  // namespace ichdet::train
