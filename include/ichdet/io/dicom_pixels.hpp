#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ichdet/io/byte_source.hpp"
#include "ichdet/io/series.hpp"

namespace ichdet::io {

/// The pixel data of one file, frame by frame. Not shared between threads.
///
/// The constructor finds the frames and checks their sizes against rows, columns and frames; it throws Error(dicom),
/// naming the file, where the data is cut off, fragments do not make up the frames, or the transfer syntax is not one
/// that ichdet decodes.
class FrameReader {
 public:
  FrameReader(const std::filesystem::path& file, const PixelLayout& layout, const DicomLimits& limits = {});

  /// Stored values of one frame, row-major, one or two bytes each (BitsAllocated) in the byte order of this machine;
  /// bits above BitsStored are as decoded. `out` has rows * columns * bits_allocated / 8 bytes.
  void read(std::int64_t frame, std::span<std::uint8_t> out);

 private:
  using Range = std::pair<std::uint64_t, std::uint64_t>;  ///< offset, bytes

  void find_fragments();
  [[noreturn]] void fail(const std::string& expected, const std::string& found) const;

  std::filesystem::path file_;
  PixelLayout layout_;
  ByteSource source_;
  std::vector<std::vector<Range>> frames_;  ///< encapsulated: each frame's fragments
};

/// Decodes one frame of JPEG-LS or JPEG 2000 through GDCM, whose own messages on stderr are switched off for the
/// process. The stream's header must agree with `layout`; throws Error(dicom), naming `file`, where it does not or
/// where decoding fails.
void decode_with_gdcm(const std::string& stream, const PixelLayout& layout, const std::filesystem::path& file,
                      std::span<std::uint8_t> out);

/// Decodes one frame of lossless JPEG (ITU-T T.81, process 14, any predictor) of one component. Throws as above.
void decode_jpeg_lossless(std::span<const std::uint8_t> stream, const PixelLayout& layout,
                          const std::filesystem::path& file, std::span<std::uint8_t> out);

/// Decodes one RLE frame (PS3.5, annex G) of one sample per pixel.
void decode_rle(std::span<const std::uint8_t> stream, const PixelLayout& layout, const std::filesystem::path& file,
                std::span<std::uint8_t> out);

/// HU = slope * stored + intercept in double, rounded once to float, for each pixel of a frame; bits above BitsStored
/// are dropped, the highest stored bit being the sign where the layout is signed.
void to_hu(std::span<const std::uint8_t> stored, const PixelLayout& layout, double slope, double intercept,
           std::span<float> hu);

/// Marks padded pixels with 1, others with 0. Returns whether any is.
bool mark_padding(std::span<const std::uint8_t> stored, const PixelLayout& layout, std::span<std::uint8_t> mask);

}  // namespace ichdet::io

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/io/dicom_codecs_inl.hpp"
#include "ichdet/impl/io/dicom_jpeg_inl.hpp"
#include "ichdet/impl/io/dicom_pixels_inl.hpp"
#endif
