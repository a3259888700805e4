#include "progress_bar.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace ichdet::cli {
namespace {

int terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

ProgressBar::ProgressBar() {
  const char* terminal = std::getenv("TERM");
  on_terminal_ = ::isatty(STDERR_FILENO) != 0 && (terminal == nullptr || std::string_view(terminal) != "dumb");
}

void ProgressBar::draw(std::string_view stage, double fraction) {
  if (!on_terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (fraction >= 1) return clear();
  if (stage == stage_ && now - last_ < std::chrono::milliseconds(100)) return;
  stage_ = stage;
  last_ = now;
  const double done = std::clamp(std::isfinite(fraction) ? fraction : 0.0, 0.0, 1.0);
  const int width = terminal_width();
  constexpr int bar = 24;
  constexpr int beside = bar + 10;  // brackets, blanks, percentage
  const auto room = std::size_t(std::max(0, width - beside));
  std::string text(stage.substr(0, room));
  text.resize(std::max(text.size(), std::min<std::size_t>(room, 40)),
              ' ');  // bars of short names stand below each other
  std::string cells(bar, ' ');
  std::fill_n(cells.begin(), int(std::lround(done * bar)), '#');
  std::fprintf(stderr, "\r\033[K%s [%s] %3.0f %%\r", text.c_str(), cells.c_str(), std::floor(done * 100));
  std::fflush(stderr);
  drawn_ = true;
}

void ProgressBar::clear() {
  if (!drawn_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
  stage_.clear();
}

}  // namespace ichdet::cli
