#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "ichdet/core/config.hpp"

namespace ichdet {

/// What kind of thing was wrong. The command line maps these to exit codes.
enum class ErrorCode {
  io,         ///< a file or folder could not be read or written
  dicom,      ///< a DICOM file or tag is malformed, missing or contradictory
  geometry,   ///< positions, orientations or spacings do not make a usable geometry
  shape,      ///< an array has the wrong shape or type
  weights,    ///< a bundle, a tensor or a hash is not what was announced
  options,    ///< the caller asked for something that does not exist or contradicts itself
  limit,      ///< memory, size or another resource limit
  cancelled,  ///< the caller asked to stop
};

/// "io", "dicom", ... as written in messages: `ichdet: error[dicom]: ...`.
std::string_view to_string(ErrorCode code) noexcept;

/// The one exception of ichdet.
///
/// The message names the offending file, tag or tensor, what was expected and what was found.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message);

  /// `subject: expected <expected>, found <found>`
  static Error mismatch(ErrorCode code, std::string_view subject, std::string_view expected, std::string_view found);

  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/core/error_inl.hpp"
#endif
