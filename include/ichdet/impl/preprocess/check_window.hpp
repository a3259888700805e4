#pragma once

#include <cmath>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/preprocess/window.hpp"

namespace ichdet::detail {

inline void check_window(const Window& w) {
  if (!(w.low_hu < w.high_hu) || !std::isfinite(w.low_hu) || !std::isfinite(w.high_hu)) {
    throw Error::mismatch(ErrorCode::options, "window", "finite limits, the lower one first",
                          std::to_string(w.low_hu) + " to " + std::to_string(w.high_hu) + " HU");
  }
}

}  // namespace ichdet::detail
