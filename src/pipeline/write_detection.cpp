#include "ichdet/pipeline/write_detection.hpp"

#include <charconv>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <string_view>
#include <system_error>

#include "ichdet/core/error.hpp"
#include "ichdet/core/parallel.hpp"
#include "ichdet/io/nifti.hpp"
#include "ichdet/io/png.hpp"
#include "ichdet/report/json.hpp"
#include "ichdet/report/overlay.hpp"

namespace ichdet {

namespace fs = std::filesystem;

namespace {

void make_folder(const fs::path& folder) {
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) throw Error(ErrorCode::io, folder.string() + ": cannot be made: " + failure.message());
}

/// Takes an earlier result out of `folder`. Without its result.json nothing there is taken for ours.
void remove_earlier(const fs::path& folder) {
  if (!fs::remove(folder / "result.json")) return;
  fs::remove(folder / "labels_grid.nii.gz");
  fs::remove(folder / "slices.csv");
  for (const auto& file : fs::directory_iterator(folder / "slices")) {
    const auto name = file.path().stem().string();
    const bool number = name.size() >= 3 && name.find_first_not_of("0123456789") == std::string::npos;
    if (number && file.path().extension() == ".png") fs::remove(file.path());
  }
}

/// What was said of each slice that was looked at, before calibration, as `ichdet evaluate` and `calibrate` read it.
void write_evidence(const Detection& detection, const fs::path& file) {
  std::ofstream out(file, std::ios::binary);
  out << "slice";
  for (const auto name : ensemble::slice_evidence_names) out << ',' << name;
  out << ",probability\n";
  const auto cell = [&](double value) {
    char text[32];
    out << ',' << std::string_view(text, std::to_chars(text, text + sizeof text, value).ptr);
  };
  for (const auto& slice : detection.result.slices) {
    if (!slice.computed) continue;
    out << slice.index;
    for (const double value : detection.evidence[std::size_t(slice.index)].values()) cell(value);
    cell(slice.raw_probability.value_or(slice.probability));
    out << '\n';
  }
  if (!out.flush()) throw Error(ErrorCode::io, file.string() + ": cannot be written");
}

}  // namespace

StudyResult write_detection(const Detection& detection, const io::Study& study, const fs::path& folder,
                            const Progress& progress) {
  make_folder(folder / "slices");
  remove_earlier(folder);

  StudyResult result = detection.result;
  io::write_nifti(folder / "labels.nii.gz", io::on_source_grid(detection.labels, study));
  if (!study.source_grid && !study.stack.geometry.regular()) {
    result.assumptions.emplace_back(
        "The slices are not evenly spaced: the affine of labels.nii.gz is nominal (their mean step); "
        "labels_grid.nii.gz "
        "holds the same labels on a regular grid.");
    io::write_nifti(folder / "labels_grid.nii.gz", detection.grid_labels);
  }

  OverlayOptions pictures;
  pictures.setup = picture_setup(study.stack, detection.labels);
  const auto count = study.stack.geometry.count();
  std::mutex telling;
  std::int64_t done = 0;
  progress("pictures", 0);
  parallel_for(count + 1, result.inference.threads, [&](std::int64_t i) {
    if (i == 0) {
      io::write_png(folder / "sheet.png", render_sheet(study.stack, detection.labels, result, pictures));
    } else {
      char name[16];
      std::snprintf(name, sizeof name, "%03d.png", int(i - 1));
      io::write_png(folder / "slices" / name, render_slice(study.stack, detection.labels, result, i - 1, pictures));
    }
    const std::scoped_lock lock(telling);
    progress("pictures", double(++done) / double(count + 1));
  });
  if (!detection.evidence.empty()) write_evidence(detection, folder / "slices.csv");
  write_result(folder / "result.json", result);
  return result;
}

}  // namespace ichdet
