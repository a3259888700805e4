#pragma once

#include "ichdet/core/error.hpp"

namespace ichdet {

ICHDET_INLINE std::string_view to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::io: return "io";
    case ErrorCode::dicom: return "dicom";
    case ErrorCode::geometry: return "geometry";
    case ErrorCode::shape: return "shape";
    case ErrorCode::weights: return "weights";
    case ErrorCode::options: return "options";
    case ErrorCode::limit: return "limit";
    case ErrorCode::cancelled: return "cancelled";
  }
  return "unknown";
}

ICHDET_INLINE Error::Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}

ICHDET_INLINE Error Error::mismatch(ErrorCode code, std::string_view subject, std::string_view expected,
                                    std::string_view found) {
  std::string message(subject);
  message.append(": expected ").append(expected).append(", found ").append(found);
  return Error(code, message);
}

}  // namespace ichdet
