#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace ichdet::onnx {

/// A protocol buffer being written, field by field (protobuf.dev, "Encoding").
class Message {
 public:
  Message& integer(int field, std::int64_t value) {
    varint(std::uint64_t(field) << 3);
    varint(std::uint64_t(value));
    return *this;
  }

  Message& real(int field, float value) {
    varint(std::uint64_t(field) << 3 | 5);
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (int i = 0; i < 4; ++i) bytes_ += char(bits >> (8 * i));
    return *this;
  }

  Message& text(int field, std::string_view value) {
    varint(std::uint64_t(field) << 3 | 2);
    varint(value.size());
    bytes_ += value;
    return *this;
  }

  Message& message(int field, const Message& value) { return text(field, value.bytes_); }

  /// Fields that are encoded already.
  Message& append(std::string_view fields) {
    bytes_ += fields;
    return *this;
  }

  const std::string& bytes() const noexcept { return bytes_; }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += char(value | 0x80);
    bytes_ += char(value);
  }

  std::string bytes_;
};

}  // namespace ichdet::onnx
