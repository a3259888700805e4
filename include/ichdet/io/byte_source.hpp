#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "ichdet/core/config.hpp"

namespace ichdet::io {

/// Reads pieces of a file, or of bytes in memory, at stated offsets. Not shared between threads.
class ByteSource {
 public:
  /// Throws Error(io) where the file cannot be opened.
  explicit ByteSource(const std::filesystem::path& file);
  explicit ByteSource(std::string bytes);
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  ~ByteSource();

  std::uint64_t size() const noexcept { return size_; }
  /// Copies `count` bytes to `out`; false where the source ends before.
  bool read(std::uint64_t offset, std::uint64_t count, void* out);
  /// `count` bytes (at most 64 KiB) that stay valid until the next call, or null where the source ends before.
  const std::uint8_t* look(std::uint64_t offset, std::uint64_t count);

 private:
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  std::string memory_;
  std::vector<std::uint8_t> window_;
  std::uint64_t window_offset_ = 0;
};

}  // namespace ichdet::io

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/io/byte_source_inl.hpp"
#endif
