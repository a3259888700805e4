#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "ichdet/core/progress.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "ichdet/io/series.hpp"

namespace ichdet::io {

struct DicomReadOptions {
  bool allow_gaps = false;           ///< read a series in which slices are missing; the assumptions say where
  bool repair_wrapped_12bit = true;  ///< see `repair_wrapped_12bit`
  double slice_thickness_mm = 0;     ///< over what the files say; 0: the files', and 5 mm where a single slice has none
  std::int64_t max_bytes = std::int64_t(8) << 30;  ///< of the HU array
  int threads = 0;                                 ///< 0: as many as the machine has
};

/// Reads a series: slices sorted along the normal, tilt and variable gaps kept.
///
/// HU are slope * stored + intercept with each slice's own numbers, computed in double and rounded once to float:
/// bit for bit pydicom's `apply_rescale(ds.pixel_array, ds).astype("float32")`. Bits above BitsStored are not looked
/// at. MONOCHROME1 is not inverted: stored values are Hounsfield units all the same; the assumptions mention it. Pixels
/// that PixelPaddingValue (and PixelPaddingRangeLimit) name are marked in `padding`, and keep their value. No other
/// value is taken for padding.
///
/// Native pixels (implicit, explicit, big endian, deflated), RLE and lossless JPEG are decoded here; JPEG-LS and
/// JPEG 2000 by GDCM, after their headers were checked against the file's.
///
/// Throws Error(dicom) for what is missing, contradictory or cut off, naming file and tag; Error(geometry) where slices
/// are missing and gaps not allowed; Error(limit) beyond `max_bytes`.
SliceStack read_series(const SeriesInfo& series, const DicomReadOptions& options = {}, const Progress& progress = {});

/// Scans, chooses the head series and reads it. The assumptions tell which series was chosen and why, and which files
/// of it could not be read.
SliceStack read_dicom(const std::vector<std::filesystem::path>& inputs, const DicomReadOptions& options = {},
                      const SelectOptions& select = {}, const Progress& progress = {});

/// Mends slices of the RSNA 2019 challenge whose 12-bit values wrapped around: 1000 is added to the stored values,
/// those from 4096 on lose 4096, and the intercept becomes -1000 (fix_pxrepr in the challenge's public notebooks). `hu`
/// are raw, from unsigned pixels with BitsStored 12 and an intercept above -100: see `is_wrapped_12bit`.
void repair_wrapped_12bit(std::span<float> hu, double slope, double intercept);
bool is_wrapped_12bit(const SliceRef& slice) noexcept;

}  // namespace ichdet::io

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/io/dicom_inl.hpp"
#endif
