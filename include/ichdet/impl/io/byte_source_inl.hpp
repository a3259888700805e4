#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "ichdet/core/error.hpp"
#include "ichdet/io/byte_source.hpp"

namespace ichdet::io {

ICHDET_INLINE ByteSource::ByteSource(const std::filesystem::path& file) {
  // Opening a pipe would wait for a writer, for ever; regular files know no O_NONBLOCK.
  descriptor_ = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat status {};
  if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    const int reason = errno;
    if (descriptor_ >= 0) ::close(descriptor_);
    throw Error(ErrorCode::io, file.string() + ": cannot be read: " +
                                   (descriptor_ < 0 ? std::strerror(reason) : "expected a regular file"));
  }
  size_ = std::uint64_t(status.st_size);
}

ICHDET_INLINE ByteSource::ByteSource(std::string bytes) : size_(bytes.size()), memory_(std::move(bytes)) {}

ICHDET_INLINE ByteSource::~ByteSource() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

ICHDET_INLINE bool ByteSource::read(std::uint64_t offset, std::uint64_t count, void* out) {
  if (offset > size_ || count > size_ - offset) return false;
  if (descriptor_ < 0) {
    std::memcpy(out, memory_.data() + offset, count);
    return true;
  }
  auto* next = static_cast<std::uint8_t*>(out);
  while (count > 0) {
    const ssize_t got = ::pread(descriptor_, next, count, off_t(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    next += got;
    offset += std::uint64_t(got);
    count -= std::uint64_t(got);
  }
  return true;
}

ICHDET_INLINE const std::uint8_t* ByteSource::look(std::uint64_t offset, std::uint64_t count) {
  constexpr std::uint64_t window_bytes = 8192;  // most headers fit; one read of pages that the pixels need anyway
  if (offset > size_ || count > size_ - offset || count > (1 << 16)) return nullptr;
  if (descriptor_ < 0) return reinterpret_cast<const std::uint8_t*>(memory_.data()) + offset;
  if (offset < window_offset_ || offset + count > window_offset_ + window_.size()) {
    window_.resize(std::size_t(std::min(std::max(window_bytes, count), size_ - offset)));
    window_offset_ = offset;
    if (!read(offset, window_.size(), window_.data())) {
      window_.clear();
      return nullptr;
    }
  }
  return window_.data() + (offset - window_offset_);
}

}  // namespace ichdet::io
