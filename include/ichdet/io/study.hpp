#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "ichdet/core/progress.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "ichdet/core/volume.hpp"

namespace ichdet::io {

struct StudyOptions {
  std::string series_uid;            ///< DICOM: this series; empty: the head series, by choose_head_series' rules
  bool allow_gaps = false;           ///< DICOM: read a series even where a slice seems to be missing
  double slice_thickness_mm = 0;     ///< of a single slice; 0: from the file, else 5 mm, said in the assumptions
  bool repair_wrapped_12bit = true;  ///< DICOM: RSNA's wrapped slices are mended, and the assumptions say so
};

/// One study, from whatever kind of file it came.
struct Study {
  SliceStack stack;
  /// NIfTI: the file's own grid, axes in storage order. Results are written on it.
  std::optional<Geometry> source_grid;
};

/// Reads a DICOM folder, one DICOM file, or a NIfTI file (.nii, .nii.gz; its slices are the planes along the axis that
/// runs nearest to head-foot).
///
/// Throws Error(io) where there is no such file, and whatever read_series and read_nifti throw.
Study read_study(const std::filesystem::path& input, const StudyOptions& options = {}, const Progress& progress = {});

/// Labels found on `study.stack`, on the study's own grid, exactly: its NIfTI grid, or the stack's nominal geometry.
LabelMap on_source_grid(const SliceLabels& labels, const Study& study);

}  // namespace ichdet::io

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/io/study_inl.hpp"
#endif
