#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace ichdet::cli {

/// One line on stderr that shows how far a stage is; draws on a terminal only. Not thread-safe.
class ProgressBar {
 public:
  ProgressBar();
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// `fraction` in [0, 1]; at 1 the line is wiped, so that a result can follow. Redraws ten times a second at most.
  void draw(std::string_view stage, double fraction);
  /// Wipes the line, so that something else can be written.
  void clear();

 private:
  bool on_terminal_;
  bool drawn_ = false;
  std::string stage_;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace ichdet::cli
