#pragma once

#include <functional>
#include <stop_token>
#include <string_view>

#include "ichdet/core/error.hpp"

namespace ichdet {

/// How a long call tells how far it is, and how it is told to stop. Default constructed: silent, never stops.
struct Progress {
  /// Called with the stage's name and its fraction done in [0, 1]; from one thread at a time.
  std::function<void(std::string_view stage, double fraction)> report;
  std::stop_token stop;

  /// Reports, after checking for a stop. Throws Error(cancelled) if one was requested.
  void operator()(std::string_view stage, double fraction) const {
    if (stop.stop_requested()) throw Error(ErrorCode::cancelled, std::string(stage) + ": stopped on request");
    if (report) report(stage, fraction);
  }
};

}  // namespace ichdet
