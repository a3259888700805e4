#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/core/volume.hpp"

namespace ichdet::io {

/// Note [NIfTI]
///
/// Reads single-file NIfTI-1 and NIfTI-2 (.nii, .nii.gz, told apart by content), either byte order, one volume of any
/// integer or floating type of up to 64 bits. The bytes are parsed here and not by niftilib, which prints, keeps
/// global state and trusts the sizes that a file declares.
///
/// Place: the sform where its code is above 0; else the qform where its code is above 0; else pixdim alone, centred,
/// with x running to the left: nibabel's rule. Where both forms are set and place a corner voxel more than 0.1 mm
/// apart, the assumptions say so. RAS becomes LPS by negating x and y. Voxels keep the file's order, so that labels go
/// back onto the same grid. Lengths in metres and micrometres become millimetres; no unit means millimetres.
///
/// Values: raw · scl_slope + scl_inter in double, rounded once to float; no scaling where the slope is 0 or not
/// finite (as nibabel).

/// Whether a file's name says that it is NIfTI: it ends in .nii or .nii.gz.
bool is_nifti(const std::filesystem::path& path);

struct NiftiOptions {
  std::int64_t max_voxels = std::int64_t{1} << 29;  ///< files that declare more are refused (2 GiB of float)
  std::optional<float> nonfinite_hu = {};  ///< replaces NaN and infinities; without it, a file that has any is refused
};

struct NiftiVolume {
  Volume volume;
  std::vector<std::string> assumptions;  ///< what had to be assumed or chosen, one sentence each
};

/// Throws Error(io) for a file that cannot be read, is truncated, is no NIfTI or holds anything but one volume of
/// real numbers, Error(geometry) for a place that makes no grid, Error(limit) above `max_voxels`; each names the file.
NiftiVolume read_nifti(const std::filesystem::path& path, const NiftiOptions& options = {});

/// The same for a file of labels: whole numbers from 0 to 255, else Error(shape). Names come from write_nifti's own
/// extension, else they are "background", "label 1", ...
LabelMap read_nifti_labels(const std::filesystem::path& path, const NiftiOptions& options = {});

struct NiftiWriteOptions {
  int compression_level = 6;  ///< 1 to 9, for .gz
};

/// NIfTI-1, compressed where the name ends in .gz. HU are stored as int16 where all are whole numbers that fit, else
/// as float32. sform and qform both get code 1 (scanner); a sheared grid (tilted gantry) does not fit a qform, which
/// then gets code 0. The affine is stored in float32. The same volume gives the same bytes (no time, no file name
/// inside; with the same zlib). Written to a file beside it first, then renamed.
/// Throws Error(options) where the name ends in neither .nii nor .nii.gz, Error(shape) above 32767 voxels along an
/// axis, Error(io) where it cannot be written.
void write_nifti(const std::filesystem::path& path, const Volume& volume, const NiftiWriteOptions& options = {});

/// uint8, intent "label"; the names go into a comment extension (code 6): "ichdet labels", then a line "1 IPH" for
/// each label.
void write_nifti(const std::filesystem::path& path, const LabelMap& labels, const NiftiWriteOptions& options = {});

}  // namespace ichdet::io

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/io/nifti_inl.hpp"
#endif
