#include "output_file.hpp"

#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "ichdet/core/error.hpp"

namespace ichdet::cli {

namespace fs = std::filesystem;

namespace {

Error cannot_write(const std::string& name, int code) {
  return {ErrorCode::io, name + ": cannot be written: " + std::generic_category().message(code)};
}

/// Without links and dots, as far as it exists.
fs::path resolved(const fs::path& path) {
  std::error_code failed;
  const auto found = fs::weakly_canonical(fs::absolute(path, failed), failed);
  return failed ? path : found;
}

bool same_file(const fs::path& a, const fs::path& b) {
  std::error_code ignored;
  return fs::equivalent(a, b, ignored) || resolved(a) == resolved(b);
}

}  // namespace

void refuse_same_file(const std::string& option, const std::string& path, std::initializer_list<std::string> others) {
  std::error_code ignored;
  if (path.empty() || fs::is_other(path, ignored)) return;
  for (const auto& other : others) {
    if (other.empty() || !same_file(path, other)) continue;
    throw Error::mismatch(ErrorCode::options, option + " " + path, "a file of its own", "that of " + other);
  }
}

OutputFile::OutputFile(std::string option, const std::string& path) : name_(std::move(option) + " " + path) {
  if (path.empty()) return;
  std::error_code ignored;
  target_ = part_ = path;
  if (fs::is_regular_file(path, ignored) || !fs::exists(path, ignored)) {
    target_ = part_ = resolved(path);  // a link stays one
    part_ += std::to_string(::getpid()).insert(0, 1, '.') + ".part";
  }
  errno = 0;
  file_.open(part_, std::ios::binary | std::ios::trunc);
  if (!file_) throw cannot_write(name_, errno);
}

OutputFile::~OutputFile() {
  std::error_code ignored;
  if (part_ != target_) fs::remove(part_, ignored);
}

void OutputFile::write(const std::string& text) {
  if (target_.empty()) return;
  errno = 0;
  file_ << text;
  file_.close();
  if (!file_) throw cannot_write(name_, errno);
  std::error_code failed;
  if (part_ != target_) fs::rename(part_, target_, failed);
  if (failed) throw cannot_write(name_, failed.value());
}

}  // namespace ichdet::cli
