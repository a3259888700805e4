#pragma once

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/io/npy.hpp"

namespace ichdet::io {
namespace detail {

template <class T>
void write_npy_file(const std::filesystem::path& path, std::span<const T> values, const char* type,
                    const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  std::string sizes;
  for (const auto size : shape) {
    count *= size;
    sizes += std::to_string(size) + ", ";
  }
  if (count != std::int64_t(values.size())) {
    throw Error::mismatch(ErrorCode::shape, path.string(), std::to_string(count) + " values, as its shape holds",
                          std::to_string(values.size()));
  }
  std::string header = std::string("{'descr': '") + type + "', 'fortran_order': False, 'shape': (" + sizes + "), }";
  constexpr std::size_t before = 10, unit = 64;
  header.append((unit - (before + header.size() + 1) % unit) % unit, ' ').append(1, '\n');
  auto part = path;
  part += ".part";
  errno = 0;
  std::ofstream file(part, std::ios::binary | std::ios::trunc);
  file.write("\x93NUMPY\x01\x00", 8).put(char(header.size() & 0xff)).put(char(header.size() >> 8));
  file << header;
  file.write(reinterpret_cast<const char*>(values.data()), std::streamsize(values.size_bytes()));
  file.close();
  std::error_code failed;
  if (!file) failed.assign(errno, std::generic_category());
  if (!failed) std::filesystem::rename(part, path, failed);
  if (!failed) return;
  std::error_code ignored;
  std::filesystem::remove(part, ignored);
  throw Error(ErrorCode::io, path.string() + ": cannot be written: " + failed.message());
}

}  // namespace detail

ICHDET_INLINE void write_npy(const std::filesystem::path& path, std::span<const float> values,
                             const std::vector<std::int64_t>& shape) {
  detail::write_npy_file(path, values, "<f4", shape);
}

ICHDET_INLINE void write_npy(const std::filesystem::path& path, std::span<const std::int64_t> values,
                             const std::vector<std::int64_t>& shape) {
  detail::write_npy_file(path, values, "<i8", shape);
}

}  // namespace ichdet::io
