#pragma once

#include <string>
#include <utility>

#include "ichdet/core/error.hpp"
#include "ichdet/io/dicom.hpp"
#include "ichdet/io/nifti.hpp"
#include "ichdet/io/study.hpp"
#include "ichdet/preprocess/resample.hpp"

namespace ichdet::io {

namespace detail {

ICHDET_INLINE Study read_nifti_study(const std::filesystem::path& path, const StudyOptions& options) {
  if (!options.series_uid.empty()) {
    throw Error(ErrorCode::options, path.string() + ": a series was asked for by UID, but a NIfTI file holds only one");
  }
  auto nifti = read_nifti(path);
  const Geometry source = nifti.volume.geometry;
  const Geometry upright = source.reoriented_to_lps();
  // The same lattice with axes permuted and flipped: nearest neighbour moves every voxel and changes none.
  Volume volume = resample_to(nifti.volume, upright, {.interpolation = Interpolation::nearest});

  SliceGeometry slices(upright);
  if (slices.count() == 1 && options.slice_thickness_mm > 0) {
    auto planes = slices.planes();
    planes.front().thickness_mm = options.slice_thickness_mm;
    slices = SliceGeometry(std::move(planes), slices.rows(), slices.columns());
    nifti.assumptions.emplace_back("Slice thickness: the caller's, instead of the file's.");
  }
  SliceStack stack(std::move(slices), std::move(volume.hu));
  stack.assumptions = std::move(nifti.assumptions);
  return {std::move(stack), source};
}

}  // namespace detail

ICHDET_INLINE Study read_study(const std::filesystem::path& input, const StudyOptions& options,
                               const Progress& progress) {
  if (!std::filesystem::exists(input)) throw Error(ErrorCode::io, input.string() + ": no such file or folder");
  if (is_nifti(input)) return detail::read_nifti_study(input, options);
  DicomReadOptions read;
  read.allow_gaps = options.allow_gaps;
  read.slice_thickness_mm = options.slice_thickness_mm;
  read.repair_wrapped_12bit = options.repair_wrapped_12bit;
  SelectOptions select;
  select.series_uid = options.series_uid;
  return {read_dicom({input}, read, select, progress), std::nullopt};
}

ICHDET_INLINE LabelMap on_source_grid(const SliceLabels& labels, const Study& study) {
  if (study.source_grid) return resample_to(labels, *study.source_grid);
  return LabelMap(labels.labels, labels.names, study.stack.geometry.nominal());
}

}  // namespace ichdet::io
