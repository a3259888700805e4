#pragma once

#include <stop_token>
#include <thread>

namespace ichdet::cli {

/// Turns Ctrl-C (SIGINT) and SIGTERM into a stop request while it lives. A second one ends the process at once, with
/// exit code 130. One at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  std::stop_token token() const noexcept { return source_.get_token(); }

 private:
  std::stop_source source_;
  std::jthread watcher_;  ///< waits for the handler's byte: requesting a stop is nothing for a signal handler
};

}  // namespace ichdet::cli
