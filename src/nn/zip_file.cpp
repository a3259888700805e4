#include "zip_file.hpp"

#include <bit>
#include <cstring>

#include "ichdet/core/error.hpp"
#include "printable.hpp"

namespace ichdet::nn {
namespace {

constexpr std::uint64_t saturated32 = 0xffffffff, saturated16 = 0xffff;
constexpr std::uint64_t end_size = 22, end64_locator_size = 20, end64_size = 56, longest_comment = 0xffff;
constexpr std::uint64_t largest_directory = 64 << 20;

/// Little-endian, of `Bytes` bytes.
template <int Bytes>
std::uint64_t number(const std::string& bytes, std::uint64_t at) {
  static_assert(std::endian::native == std::endian::little);
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data() + at, Bytes);
  return value;
}

/// The 64-bit values that an extra field holds for saturated ones.
class Zip64 {
 public:
  explicit Zip64(const std::string& extra) {
    for (std::uint64_t at = 0; at + 4 <= extra.size();) {
      const auto id = number<2>(extra, at), length = number<2>(extra, at + 2);
      if (at + 4 + length > extra.size()) return;
      if (id == 1) values_ = extra.substr(at + 4, length);
      at += 4 + length;
    }
  }
  std::uint64_t resolve(std::uint64_t value) {
    if (value != saturated32 || next_ + 8 > values_.size()) return value;
    next_ += 8;
    return number<8>(values_, next_ - 8);
  }

 private:
  std::string values_;
  std::uint64_t next_ = 0;
};

}  // namespace

bool is_zip(const std::filesystem::path& file) {
  char start[4] = {};
  std::ifstream(file, std::ios::binary).read(start, sizeof start);
  return std::memcmp(start, "PK\x03\x04", sizeof start) == 0;
}

void ZipFile::fail(const std::string& what) const {
  throw Error(ErrorCode::weights, file_.string() + ": damaged zip archive: " + what);
}

std::string ZipFile::bytes(std::uint64_t at, std::uint64_t count) {
  if (at > size_ || count > size_ - at) fail("it points beyond the file's end");
  std::string data(count, '\0');
  stream_.seekg(std::streamoff(at));
  if (!stream_.read(data.data(), std::streamsize(count))) {
    throw Error(ErrorCode::io, file_.string() + ": cannot be read");
  }
  return data;
}

ZipFile::ZipFile(const std::filesystem::path& file) : file_(file), stream_(file, std::ios::binary | std::ios::ate) {
  if (!stream_) throw Error(ErrorCode::io, file.string() + ": cannot be read");
  size_ = std::uint64_t(stream_.tellg());
  const auto tail_size = std::min(size_, end_size + longest_comment);
  const auto tail = bytes(size_ - tail_size, tail_size);
  const auto found = tail.rfind("PK\x05\x06");
  if (found == std::string::npos || found + end_size > tail.size()) fail("it has no end; the file may be cut off");
  auto count = number<2>(tail, found + 10), length = number<4>(tail, found + 12), start = number<4>(tail, found + 16);

  const auto end = size_ - tail_size + found;
  if (count == saturated16 || length == saturated32 || start == saturated32) {
    if (end < end64_locator_size) fail("no 64-bit end");
    const auto locator = bytes(end - end64_locator_size, end64_locator_size);
    if (!locator.starts_with("PK\x06\x07")) fail("no 64-bit end");
    const auto end64 = bytes(number<8>(locator, 8), end64_size);
    if (!end64.starts_with("PK\x06\x06")) fail("no 64-bit end");
    count = number<8>(end64, 32), length = number<8>(end64, 40), start = number<8>(end64, 48);
  }

  if (length > largest_directory) fail("its directory is larger than 64 MiB");
  const auto directory = bytes(start, length);
  constexpr std::uint64_t record = 46;
  std::uint64_t at = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (at + record > length || directory.compare(at, 4, "PK\x01\x02") != 0) fail("its directory is cut off");
    const auto name_size = number<2>(directory, at + 28), extra_size = number<2>(directory, at + 30);
    const auto whole = record + name_size + extra_size + number<2>(directory, at + 32);
    if (at + whole > length) fail("its directory is cut off");
    const auto name = directory.substr(at + record, name_size);
    Zip64 wide(directory.substr(at + record + name_size, extra_size));
    const auto method = number<2>(directory, at + 10);
    Entry entry;
    entry.size = wide.resolve(number<4>(directory, at + 24));
    const auto stored_size = wide.resolve(number<4>(directory, at + 20));
    entry.header = wide.resolve(number<4>(directory, at + 42));
    entry.compressed = method != 0 || stored_size != entry.size;
    if (!entries_.emplace(name, entry).second) fail("it has " + printable(name) + " twice");
    at += whole;
  }
}

void ZipFile::read(const Entry& entry, void* to) {
  if (entry.compressed) throw Error(ErrorCode::weights, file_.string() + ": compressed, which torch.save never does");
  constexpr std::uint64_t header_size = 30;
  const auto header = bytes(entry.header, header_size);
  if (!header.starts_with("PK\x03\x04")) fail("an entry is not where its directory says");
  const auto at = entry.header + header_size + number<2>(header, 26) + number<2>(header, 28);
  if (at > size_ || entry.size > size_ - at) fail("an entry reaches beyond the file's end");
  stream_.seekg(std::streamoff(at));
  if (!stream_.read(static_cast<char*>(to), std::streamsize(entry.size))) {
    throw Error(ErrorCode::io, file_.string() + ": cannot be read");
  }
}

}  // namespace ichdet::nn
