#pragma once

#include <filesystem>

#include "ichdet/core/progress.hpp"
#include "ichdet/io/study.hpp"
#include "ichdet/pipeline/detector.hpp"

namespace ichdet {

/// Writes `labels.nii.gz`, `slices/NNN.png`, `sheet.png` and `result.json` into `folder`, which is made where it is
/// missing; an earlier result there is replaced. `result.json` comes last: where it is, the result is whole. A stack
/// with variable gaps has a nominal affine in `labels.nii.gz`: the assumptions then say so, and `labels_grid.nii.gz` on
/// a regular grid lies beside it. Of an ensemble, `slices.csv` has what its members said about each slice.
///
/// Returns the result as written, with the assumptions that writing added. Throws Error(io) naming the file.
StudyResult write_detection(const Detection& detection, const io::Study& study, const std::filesystem::path& folder,
                            const Progress& progress = {});

}  // namespace ichdet
