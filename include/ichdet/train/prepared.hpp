#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "ichdet/bundle/spec.hpp"
#include "ichdet/core/progress.hpp"
#include "ichdet/train/manifest.hpp"
#include "ichdet/train/training_study.hpp"

namespace ichdet::train {

struct PreparationOptions {
  std::filesystem::path cache;  ///< folder of prepared studies; empty: none is kept
  /// What a mask file's values are to the model: {{1, 1}, {2, 0}} makes oedema background. Empty: as they are.
  std::map<std::uint8_t, std::uint8_t> mask_classes;
  double mask_tolerance_mm = 0.1;  ///< a mask's corner voxels lie no farther from the scan's
  double slice_thickness_mm = 0;   ///< of a single slice; 0: from the file, else 5 mm, said in the assumptions
  bool allow_gaps = true;          ///< read DICOM series in which slices are missing
  bool anatomy =
      false;        ///< look for the head's anatomy, in HU before `clip_hu`; studies where none is found do without
  int threads = 0;  ///< studies at a time; 0: as many as the machine has
};

/// A study as the model's network reads it before windows.
///
/// For networks of images (slice classification and segmentation, exams, map weights): upright slices of
/// `model.image.size`, as SliceImages makes them; where their order along the normal turns with that, the stack is
/// turned over. For networks of volumes: the segmentation grid of `model.spacing_mm`, as Detector makes it. HU are
/// CompactHu. A mask follows: on images a pixel's class is the one that has the largest part of it (each class is
/// resized as HU are), on volumes the nearest pixel's. A channel that asks for the brain alone finds the same HU as the
/// others: skull stripping is not part of it.
///
/// Labels are the entry's, completed: a slice's mask says whether there is `any` blood where the entry does not, before
/// it is resized; blood in a slice is blood in the study, none in the study none in its slices, and what is true of a
/// study of one slice is true of it. Where a slice is known to have no blood, its mask is 0; where nothing is known,
/// `unknown_label`. Where labels and mask contradict each other both stay, and TrainingStudy::contradictions says so.
///
/// Throws whatever read_study and read_nifti_labels throw; Error(geometry) where a mask does not lie on the scan's
/// slices, saying how they differ; Error(shape) where it has a value that `mask_classes` does not name, or that is no
/// class of the model; Error(options) where an entry has labels for a slice that is not there. All name the entry.
TrainingStudy prepare_study(const StudyEntry& entry, const std::vector<std::string>& label_names,
                            const ModelSpec& model, const PreparationOptions& options = {});

/// All of a data set, in its order.
///
/// With a cache each study is a file there, named by a hash of everything that it was made from: the bytes of scan and
/// mask, the model's part in it, the options and the format's version. Labels are not part of it. A file that is
/// damaged or cut off is made again. Files are mapped, so that a data set may be larger than memory. Reports "prepare
/// 12 of 87".
std::vector<TrainingStudy> prepare_studies(const Dataset& dataset, const ModelSpec& model,
                                           const PreparationOptions& options = {}, const Progress& progress = {});

}  // namespace ichdet::train
