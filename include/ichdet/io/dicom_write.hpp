#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "ichdet/core/progress.hpp"
#include "ichdet/core/slice_stack.hpp"

namespace ichdet::io {

/// How `write_series` fills what a SliceStack does not say.
struct DicomWriteOptions {
  std::uint64_t seed = 0;  ///< UIDs come from it and from the stack's content; equal input gives equal files
  /// 16: signed, intercept 0, -32768..32767 HU. 12: unsigned, intercept -1024, -1024..3071 HU.
  int bits_stored = 16;
  std::string patient_name = "ICHDET^PHANTOM";
  std::string patient_id = "ICHDET";           ///< used where the stack's identity has none
  std::string series_description = "HEAD CT";  ///< used where the stack's identity has none
  std::string manufacturer = "ichdet";         ///< used where the stack's identity has none
  std::string image_type = "DERIVED\\PRIMARY\\AXIAL";
  int series_number = 1;
  double window_center_hu = 40;  ///< what a viewer shows at first
  double window_width_hu = 80;
  bool overwrite = false;  ///< write into a folder that has something in it
  int threads = 0;         ///< 0: as many as the machine has
};

/// Writes a series of CT Image Storage, explicit VR little endian, one file a slice: `folder/0001.dcm`, ... along the
/// normal. Positions, orientations, spacings and thicknesses are those of the planes, so tilt and variable gaps are
/// kept; a plane without thickness gets the distance to its neighbour.
///
/// HU are rounded to integers (half to even) and clamped to the range of `bits_stored`. Padded pixels are written as
/// PixelPaddingValue: -2000 in 16 bits; 0 in 12 bits, where measured pixels start at 1 (-1023 HU).
///
/// The study, patient and frame of reference of the stack are kept where it names them as valid UIDs; series and
/// instances are new. Returns the files in order.
/// Throws Error(options) for other `bits_stored`, Error(io) where the folder is in use or cannot be written,
/// Error(dicom) where a value is not finite.
std::vector<std::filesystem::path> write_series(const SliceStack& stack, const std::filesystem::path& folder,
                                                const DicomWriteOptions& options = {}, const Progress& progress = {});

}  // namespace ichdet::io

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/io/dicom_write_inl.hpp"
#endif
