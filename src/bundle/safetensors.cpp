#include "ichdet/bundle/safetensors.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>

#include "ichdet/core/error.hpp"

static_assert(std::endian::native == std::endian::little, "safetensors data are little endian");

namespace ichdet {
namespace {

constexpr std::uint64_t longest_header = 64u << 20;

struct TypeInfo {
  DType type;
  std::string_view name;
  std::size_t bytes;
};
constexpr std::array<TypeInfo, 13> types{{{DType::boolean, "BOOL", 1},
                                          {DType::u8, "U8", 1},
                                          {DType::i8, "I8", 1},
                                          {DType::i16, "I16", 2},
                                          {DType::u16, "U16", 2},
                                          {DType::f16, "F16", 2},
                                          {DType::bf16, "BF16", 2},
                                          {DType::i32, "I32", 4},
                                          {DType::u32, "U32", 4},
                                          {DType::f32, "F32", 4},
                                          {DType::f64, "F64", 8},
                                          {DType::i64, "I64", 8},
                                          {DType::u64, "U64", 8}}};

const TypeInfo& info(DType type) noexcept { return types[std::size_t(type)]; }

Error refuse(const std::filesystem::path& file, const std::string& what) {
  return Error(ErrorCode::weights, file.string() + ": " + what);
}

std::pair<std::shared_ptr<const void>, std::span<const std::byte>> map_file(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw Error(ErrorCode::io, file.string() + ": cannot be opened: " + std::strerror(errno));
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    throw Error(ErrorCode::io, file.string() + ": is not a regular file");
  }
  const auto size = std::size_t(status.st_size);
  if (size < 8) {
    ::close(descriptor);
    throw refuse(file, "expected a safetensors file, found " + std::to_string(size) + " bytes");
  }
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  ::close(descriptor);
  if (address == MAP_FAILED) throw Error(ErrorCode::io, file.string() + ": cannot be mapped: " + std::strerror(errno));
  std::shared_ptr<const void> owner(address, [size](const void* p) { ::munmap(const_cast<void*>(p), size); });
  return {owner, {static_cast<const std::byte*>(address), size}};
}

/// Parses, refusing names given twice and more depth than a header has.
nlohmann::json parse_header(const std::filesystem::path& file, std::string_view text) {
  using nlohmann::json;
  std::set<std::string> names;
  const auto watch = [&](int depth, json::parse_event_t event, json& value) {
    if (depth > 3) throw refuse(file, "header: nested deeper than a safetensors header is");
    if (event == json::parse_event_t::key && depth == 1 && !names.insert(value.get<std::string>()).second) {
      throw refuse(file, "tensor " + value.get<std::string>() + ": named twice in the header");
    }
    return true;
  };
  try {
    auto header = json::parse(text, watch);
    if (!header.is_object()) throw refuse(file, "header: expected a JSON object");
    return header;
  } catch (const json::exception& e) {
    throw refuse(file, std::string("header: ") + e.what());
  }
}

std::uint64_t unsigned_at(const std::filesystem::path& file, const std::string& what, const nlohmann::json& value) {
  if (!value.is_number_unsigned())
    throw refuse(file, what + ": expected a non-negative integer, found " + value.dump());
  return value.get<std::uint64_t>();
}

float half_to_float(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t(bits >> 15) << 31;
  const std::uint32_t exponent = (bits >> 10) & 31, mantissa = bits & 1023;
  if (exponent == 0) return std::copysign(std::ldexp(float(mantissa), -24), sign ? -1.f : 1.f);
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | mantissa << 13);
}

template <class T, class Convert>
void convert(std::span<const std::byte> bytes, std::vector<float>& out, Convert&& to_float) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    out[i] = to_float(value);
  }
}

}  // namespace

std::string_view to_string(DType type) noexcept { return info(type).name; }
std::size_t byte_size(DType type) noexcept { return info(type).bytes; }

std::int64_t TensorView::size() const noexcept {
  std::int64_t n = 1;
  for (const auto extent : shape) n *= extent;
  return n;
}

std::vector<float> TensorView::to_float32() const {
  std::vector<float> out(static_cast<std::size_t>(size()));
  const auto cast = [](auto value) { return static_cast<float>(value); };
  switch (dtype) {
    case DType::f32: std::memcpy(out.data(), bytes.data(), bytes.size()); break;
    case DType::f64: convert<double>(bytes, out, cast); break;
    case DType::f16: convert<std::uint16_t>(bytes, out, half_to_float); break;
    case DType::bf16:
      convert<std::uint16_t>(bytes, out, [](std::uint16_t v) { return std::bit_cast<float>(std::uint32_t(v) << 16); });
      break;
    case DType::boolean:
    case DType::u8: convert<std::uint8_t>(bytes, out, cast); break;
    case DType::i8: convert<std::int8_t>(bytes, out, cast); break;
    case DType::i16: convert<std::int16_t>(bytes, out, cast); break;
    case DType::u16: convert<std::uint16_t>(bytes, out, cast); break;
    case DType::i32: convert<std::int32_t>(bytes, out, cast); break;
    case DType::u32: convert<std::uint32_t>(bytes, out, cast); break;
    default:
      throw Error::mismatch(ErrorCode::weights, "tensor", "a type that float32 holds", std::string(to_string(dtype)));
  }
  for (float& value : out) {
    if (std::fpclassify(value) == FP_SUBNORMAL) value = 0;
  }
  return out;
}

SafeTensors::SafeTensors(const std::filesystem::path& file) : file_(file) {
  std::tie(mapping_, bytes_) = map_file(file);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes_.data(), 8);
  if (length > bytes_.size() - 8 || length > longest_header) {
    throw refuse(
        file, "header: announced " + std::to_string(length) + " bytes in a file of " + std::to_string(bytes_.size()));
  }
  const auto header = parse_header(file, {reinterpret_cast<const char*>(bytes_.data()) + 8, std::size_t(length)});
  const auto data = bytes_.subspan(8 + std::size_t(length));

  std::vector<std::tuple<std::uint64_t, std::uint64_t, std::string>> ranges;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      if (!entry.is_object()) throw refuse(file, "__metadata__: expected an object of texts");
      for (const auto& [key, value] : entry.items()) {
        if (!value.is_string()) throw refuse(file, "__metadata__." + key + ": expected a text");
        metadata_[key] = value.get<std::string>();
      }
      continue;
    }
    const std::string tensor = "tensor " + name;
    if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") || !entry.contains("data_offsets") ||
        !entry["dtype"].is_string() || !entry["shape"].is_array() || !entry["data_offsets"].is_array() ||
        entry["data_offsets"].size() != 2) {
      throw refuse(file, tensor + ": expected dtype, shape and two data_offsets");
    }
    const auto type = entry["dtype"].get<std::string>();
    const auto* found = std::find_if(types.begin(), types.end(), [&](const TypeInfo& t) { return t.name == type; });
    if (found == types.end()) throw refuse(file, tensor + ": unknown type " + type);

    TensorView view;
    view.dtype = found->type;
    std::uint64_t count = found->bytes;
    for (const auto& extent : entry["shape"]) {
      const auto n = unsigned_at(file, tensor + ": shape", extent);
      if (n > std::uint64_t(std::numeric_limits<std::int64_t>::max()) || __builtin_mul_overflow(count, n, &count)) {
        throw refuse(file, tensor + ": shape overflows");
      }
      view.shape.push_back(std::int64_t(n));
    }
    const auto begin = unsigned_at(file, tensor + ": data_offsets", entry["data_offsets"][0]);
    const auto end = unsigned_at(file, tensor + ": data_offsets", entry["data_offsets"][1]);
    if (begin > end || end > data.size()) {
      throw refuse(file, tensor + ": bytes " + std::to_string(begin) + " to " + std::to_string(end) +
                             " leave the file's " + std::to_string(data.size()) + " bytes of data");
    }
    if (end - begin != count) {
      throw refuse(file, tensor + ": expected " + std::to_string(count) + " bytes for its shape, found " +
                             std::to_string(end - begin));
    }
    view.bytes = data.subspan(std::size_t(begin), std::size_t(count));
    ranges.emplace_back(begin, end, name);
    tensors_.emplace(name, std::move(view));
  }
  std::sort(ranges.begin(), ranges.end());
  std::uint64_t at = 0;
  for (const auto& [begin, end, name] : ranges) {
    if (begin != at) {
      throw refuse(file, "tensor " + name + ": " + (begin < at ? "overlaps the one before it" : "follows a hole"));
    }
    at = end;
  }
  if (at != data.size()) throw refuse(file, std::to_string(data.size() - at) + " bytes of data belong to no tensor");
}

}  // namespace ichdet
