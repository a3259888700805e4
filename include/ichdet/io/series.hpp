#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ichdet/core/progress.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "ichdet/io/dicom_header.hpp"

namespace ichdet::io {

/// How the pixels of one file lie, as its header states.
struct PixelLayout {
  TransferSyntax syntax = TransferSyntax::other;
  std::string transfer_syntax_uid;
  std::int64_t rows = 0, columns = 0, frames = 1;
  int samples_per_pixel = 1;
  int bits_allocated = 16, bits_stored = 16, high_bit = 15;
  bool is_signed = false;
  std::string photometric;  ///< MONOCHROME1 or MONOCHROME2; only a display differs, stored values are HU all the same
  std::uint64_t offset = 0, bytes = 0;  ///< of the pixel data's value; see DicomHeader
  bool encapsulated = false;
  bool lossy = false;  ///< compressed with loss at some time
  /// Stored values from padding_value to padding_limit are padding (PixelPaddingValue, PixelPaddingRangeLimit).
  std::optional<std::int32_t> padding_value, padding_limit;
};

/// One slice: a file, or one frame of a multi-frame file.
struct SliceRef {
  std::filesystem::path file;
  std::int64_t frame = 0;  ///< from 0
  SlicePlane plane;
  PixelLayout pixels;
  double slope = 1, intercept = 0;  ///< HU = slope * stored + intercept
  std::optional<std::int64_t> instance_number;
};

/// A distance between neighbouring slices that is not the usual one.
struct SliceGap {
  std::int64_t after = 0;  ///< between this slice and the next, in order along the normal
  double gap_mm = 0;       ///< along the normal
  double usual_mm = 0;     ///< what the neighbours suggest
  bool missing = false;    ///< taken for a lost slice; otherwise for the protocol's own spacing
  std::string reason;
};

/// What the headers say about one series (or one part of a series that holds several kinds of images).
struct SeriesInfo {
  SeriesIdentity identity;
  std::string frame_of_reference_uid;
  std::string study_description, protocol_name, body_part, image_type;
  bool contrast = false;  ///< ContrastBolusAgent is filled in
  int part = 0;           ///< 0, or which part of a series that was split, from 1
  std::optional<std::int64_t> series_number;
  std::int64_t rows = 0, columns = 0;
  std::vector<SliceRef> slices;                      ///< sorted along the normal
  double row_spacing_mm = 0, column_spacing_mm = 0;  ///< of the first slice
  double thickness_mm = 0;                           ///< of the first slice; 0 where the file does not say
  double gap_mm = 0;                                 ///< median along the normal; 0 for a single slice
  double extent_mm = 0;                              ///< from the first to the last slice, along the normal
  /// Between the normal and the direction from slice to slice. Nothing for a single slice.
  std::optional<double> tilt_degrees;
  std::vector<SliceGap> gaps;         ///< those that are not the usual one
  std::vector<std::string> problems;  ///< why it cannot be read, naming file and tag; empty where it can
  std::vector<std::string> notes;     ///< contradictions that do not stop a reader

  std::int64_t missing_slices() const;
};

/// Why a file is not part of a series. `to_string` gives the name of the rule.
enum class SetAsideRule {
  not_dicom,     ///< no DICM mark at byte 128
  unreadable,    ///< malformed, cut off within its header, or not openable
  not_ct,        ///< Modality or SOP class says something else
  no_pixels,     ///< no image in it (DICOMDIR, reports, ...)
  localizer,     ///< ImageType or frame type says LOCALIZER or SCOUT
  exam_summary,  ///< secondary capture, colour, or an ImageType that names a summary, protocol or dose page
  duplicate,     ///< a SOPInstanceUID that was there before
  stray_image,   ///< at most 3 images of another matrix size or orientation than the rest of their series
};

/// "not DICOM", "unreadable", "not CT", "no pixels", "localizer", "exam summary/secondary capture", "duplicate",
/// "stray orientation".
std::string_view to_string(SetAsideRule rule) noexcept;

struct SetAside {
  std::filesystem::path file;
  SetAsideRule rule = SetAsideRule::not_dicom;
  std::string detail;
  std::string series_instance_uid, series_description;  ///< empty where not known
};

/// What is in a folder.
struct Inventory {
  std::string name = "input";       ///< what was scanned, as errors name it
  std::vector<SeriesInfo> series;   ///< by study, series number, UID, part
  std::vector<SetAside> set_aside;  ///< by path
};

struct ScanOptions {
  int threads = 0;  ///< 0: as many as the machine has
  DicomLimits limits;
};

/// Reads the headers of files and of everything in folders, of any nesting, and groups them by series. No pixel is
/// read. Symbolic links to folders are not followed; the order of the inputs does not matter.
///
/// A series that holds several matrix sizes or orientations is split into parts; parts of at most 3 images beside a
/// larger one are strays and set aside. Where positions coincide and several kernels are in one series, it is split by
/// kernel.
///
/// A gap along the normal counts as a missing slice (Note [Missing slices] in series_gaps_inl.hpp) when it is more than
/// 1.5 times what its neighbours suggest, unless thickness or consecutive instance numbers show a protocol's own
/// spacing, or when instance numbers jump over a gap that the slices' thickness does not cover.
///
/// Throws Error(io) where an input does not exist; what is wrong with single files is told in the inventory.
Inventory scan(const std::vector<std::filesystem::path>& inputs, const ScanOptions& options = {},
               const Progress& progress = {});

struct SelectOptions {
  std::string series_uid;  ///< take this one, whatever the rules say
  std::string study_uid;   ///< look in this study alone
};

struct SeriesChoice {
  std::size_t index = 0;                 ///< into Inventory::series
  std::vector<std::string> assumptions;  ///< what was assumed, one sentence each; empty where there was one series
};

/// Chooses the series that shows the head best for finding blood. A candidate is CT, readable, and within 45 degrees of
/// axial. The rules, each deciding where those before left a tie:
///  1. no contrast agent before contrast agent;
///  2. a head (body part or descriptions name head, brain, skull or neuro) before unknown before another body region;
///  3. extent: 90 mm or more before 40 mm or more before less;
///  4. kernel: soft before unknown before sharp (bone, lung, ...);
///  5. original before reformatted (ImageType names MPR, REFORMATTED, PROJECTION or MIP);
///  6. no missing slices before missing slices;
///  7. the most slices;
///  8. the lowest series number, then the UID in alphabetical order: a tie-break that the assumptions report.
///
/// Throws Error(dicom), listing what was there, where nothing is suitable, where several studies are and none is named,
/// or where a named UID is not there.
SeriesChoice choose_head_series(const Inventory& inventory, const SelectOptions& options = {});

/// "series 3 'HEAD 5mm' (28 slices, STD+)".
std::string describe(const SeriesInfo& series);

}  // namespace ichdet::io

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/io/series_choice_inl.hpp"
#include "ichdet/impl/io/series_gaps_inl.hpp"
#include "ichdet/impl/io/series_inl.hpp"
#include "ichdet/impl/io/series_slices_inl.hpp"
#endif
