#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

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

/// While it lives, what this thread calls can be stopped between two calls of a Progress too: prepared networks look
/// at `stop` after each of their steps. Scopes nest.
class StopScope {
 public:
  explicit StopScope(std::stop_token stop) : outer_(std::exchange(here(), std::move(stop))) {}
  ~StopScope() { here() = std::move(outer_); }
  StopScope(const StopScope&) = delete;
  StopScope& operator=(const StopScope&) = delete;

  /// Throws Error(cancelled) if this thread's innermost scope was asked to stop.
  static void check(std::string_view stage) { Progress{{}, here()}(stage, 0); }

 private:
  static std::stop_token& here() {
    static thread_local std::stop_token stop;
    return stop;
  }

  std::stop_token outer_;
};

}  // namespace ichdet
