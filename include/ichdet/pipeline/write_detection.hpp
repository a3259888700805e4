#pragma once

#include <filesystem>

#include "ichdet/core/progress.hpp"
#include "ichdet/io/study.hpp"
#include "ichdet/pipeline/detector.hpp"

namespace ichdet {

/// Writes `result.json`, `labels.nii.gz`, `sheet.png` and `slices/NNN.png` into `folder`, which is made where it is
/// missing; files of an earlier result there are replaced. A stack with variable gaps has a nominal affine in
/// `labels.nii.gz`: the assumptions then say so, and `labels_grid.nii.gz` on the segmenter's regular grid lies beside it.
///
/// Returns the result as written, with the assumptions that writing added. Throws Error(io) naming the file.
StudyResult write_detection(const Detection& detection, const io::Study& study, const std::filesystem::path& folder,
                         const Progress& progress = {});

}  // namespace ichdet
