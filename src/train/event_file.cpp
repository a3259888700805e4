#include "ichdet/train/event_file.hpp"

#include <array>
#include <bit>
#include <chrono>
#include <cstdio>

#include "ichdet/core/error.hpp"

namespace ichdet::train {

namespace {

namespace fs = std::filesystem;

std::string little_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += char(value >> 8 * i & 0xFF);
  return text;
}

// Protocol buffers: a field is its number and wire type, then a varint (0), 8 bytes (1), bytes (2) or 4 bytes (5).

std::string varint(std::uint64_t value) {
  std::string text;
  for (; value >= 0x80; value >>= 7) text += char((value & 0x7F) | 0x80);
  return text + char(value);
}

std::string integer(int field, std::int64_t value) {
  return varint(std::uint64_t(field) << 3) + varint(std::uint64_t(value));
}
std::string float64(int field, double value) {
  return varint(std::uint64_t(field) << 3 | 1) + little_endian(std::bit_cast<std::uint64_t>(value), 8);
}
std::string float32(int field, float value) {
  return varint(std::uint64_t(field) << 3 | 5) + little_endian(std::bit_cast<std::uint32_t>(value), 4);
}
std::string bytes(int field, std::string_view value) {
  return varint(std::uint64_t(field) << 3 | 2) + varint(value.size()) + std::string(value);
}

/// TFRecord's check sum: rotated and offset, since a CRC over data that holds its own CRC says little.
std::string masked_crc(std::string_view data) { return little_endian(std::rotr(crc32c(data), 15) + 0xA282EAD8U, 4); }

std::int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

fs::path new_file(const fs::path& folder) {
  std::error_code ignored;  // opening the file will tell
  fs::create_directories(folder, ignored);
  char number[16];
  std::snprintf(number, sizeof number, "%010lld", static_cast<long long>(unix_seconds()));
  const auto stem = "events.out.tfevents." + std::string(number) + ".ichdet";
  for (int i = 0;; ++i) {
    const auto path = folder / (i == 0 ? stem : stem + "." + std::to_string(i));
    if (!fs::exists(path, ignored)) return path;
  }
}

}  // namespace

std::uint32_t crc32c(std::string_view data) noexcept {
  static constexpr auto table = [] {
    std::array<std::uint32_t, 256> entries{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t c = i;
      for (int bit = 0; bit < 8; ++bit) c = c >> 1 ^ (c & 1 ? 0x82F63B78U : 0U);
      entries[i] = c;
    }
    return entries;
  }();
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const char byte : data) crc = crc >> 8 ^ table[(crc ^ static_cast<unsigned char>(byte)) & 0xFF];
  return ~crc;
}

EventFile::EventFile(const fs::path& folder, std::int64_t first_step)
    : path_(new_file(folder)), file_(path_, std::ios::binary) {
  event(0, bytes(3, "brain.Event:2"));                             // Event.file_version
  if (first_step > 0) event(first_step, bytes(7, integer(1, 1)));  // Event.session_log: SessionLog.status = START
}

void EventFile::scalar(std::int64_t step, const std::string& name, double value) {
  event(step, bytes(5, bytes(1, bytes(1, name) + float32(2, float(value)))));  // Event.summary.value{tag, simple_value}
}

void EventFile::picture(std::int64_t step, const std::string& name, const Image& picture) {
  const auto png = io::encode_png(picture);
  const auto image = integer(1, picture.rows) + integer(2, picture.columns) + integer(3, picture.channels) +
                     bytes(4, {reinterpret_cast<const char*>(png.data()), png.size()});
  event(step, bytes(5, bytes(1, bytes(1, name) + bytes(4, image))));  // Event.summary.value{tag, image}
}

void EventFile::event(std::int64_t step, std::string_view what) {
  const auto message = float64(1, double(unix_seconds())) + integer(2, step) + std::string(what);
  const auto length = little_endian(message.size(), 8);
  file_ << length << masked_crc(length) << message << masked_crc(message) << std::flush;
  if (!file_) throw Error(ErrorCode::io, path_.string() + ": cannot be written");
}

}  // namespace ichdet::train
