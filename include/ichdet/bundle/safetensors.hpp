#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ichdet {

/// Element types of the safetensors format.
enum class DType { boolean, u8, i8, i16, u16, f16, bf16, i32, u32, f32, f64, i64, u64 };

/// "F32", "BF16", ... as written in the file.
std::string_view to_string(DType type) noexcept;
std::size_t byte_size(DType type) noexcept;

/// One tensor of a file, row-major, little endian. Its bytes live as long as the SafeTensors it came from.
struct TensorView {
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;

  std::int64_t size() const noexcept;
  /// The values as float32; from f16, bf16, f32, f64 and the integer types up to 32 bits. Denormal results become 0:
  /// they carry nothing, and slow a CPU down some thirty times. Throws Error(weights) for other types.
  std::vector<float> to_float32() const;
};

/// A .safetensors file, mapped into memory and never copied.
///
/// Format: 8 bytes length of a JSON header (little endian), the header, the data. The header is not trusted: refused
/// with Error(weights), naming the file and the tensor, are headers longer than the file or 64 MiB, malformed or
/// deeply nested JSON, names given twice, unknown types, negative or overflowing shapes, ranges that do not fit their
/// shape, leave the file, overlap, or leave holes.
class SafeTensors {
 public:
  /// Throws Error(io) where the file cannot be mapped.
  explicit SafeTensors(const std::filesystem::path& file);

  const std::map<std::string, TensorView>& tensors() const noexcept { return tensors_; }
  /// The header's `__metadata__`.
  const std::map<std::string, std::string>& metadata() const noexcept { return metadata_; }
  /// The whole file, for hashing.
  std::span<const std::byte> bytes() const noexcept { return bytes_; }
  const std::filesystem::path& file() const noexcept { return file_; }

 private:
  std::filesystem::path file_;
  std::shared_ptr<const void> mapping_;
  std::span<const std::byte> bytes_;
  std::map<std::string, TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace ichdet
