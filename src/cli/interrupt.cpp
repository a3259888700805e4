#include "interrupt.hpp"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>

namespace ichdet::cli {
namespace {

int pipe_ends[2] = {-1, -1};
std::atomic<bool> asked{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void send(char byte) {
  while (::write(pipe_ends[1], &byte, 1) < 0 && errno == EINTR) {
  }
}

void on_signal(int) {
  if (asked.exchange(true)) ::_exit(130);
  const int kept = errno;
  send('s');
  errno = kept;
}

}  // namespace

Interrupt::Interrupt() {
  if (::pipe(pipe_ends) != 0) return;  // then Ctrl-C ends the process as it always does
  watcher_ = std::jthread([source = source_]() mutable {
    char byte = 0;
    while (::read(pipe_ends[0], &byte, 1) < 0 && errno == EINTR) {
    }
    if (byte == 's') source.request_stop();
  });
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

Interrupt::~Interrupt() {
  if (!watcher_.joinable()) return;
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  send('q');
  watcher_.join();
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
}

}  // namespace ichdet::cli
