#pragma once

#include <filesystem>
#include <string_view>

#include "ichdet/core/error.hpp"
#include "ichdet/io/dicom_pixels.hpp"
#include "ichdet/io/dicom_tags.hpp"

namespace ichdet::io::detail {

[[noreturn]] inline void codec_failure(const std::filesystem::path& file, std::string_view expected,
                                       std::string_view found) {
  throw Error::mismatch(ErrorCode::dicom, tag_in_file(file, tag::pixel_data), expected, found);
}

}  // namespace ichdet::io::detail
