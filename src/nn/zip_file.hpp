#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace ichdet::nn {

/// Whether the file begins as a zip archive does.
bool is_zip(const std::filesystem::path& file);

/// A zip archive of stored (uncompressed) entries, as torch.save writes them. Nothing in the file is trusted: what it
/// says is checked against its size. Throws Error(weights) naming the file for what is damaged or compressed, and
/// Error(io) for a file that cannot be read.
class ZipFile {
 public:
  struct Entry {
    std::uint64_t header = 0, size = 0;  ///< where its header lies; bytes of its content
    bool compressed = false;             ///< then it cannot be read
  };

  explicit ZipFile(const std::filesystem::path& file);

  const std::map<std::string, Entry>& entries() const noexcept { return entries_; }
  const std::filesystem::path& file() const noexcept { return file_; }
  /// Reads the entry's content into `to`, which has room for its size.
  void read(const Entry& entry, void* to);

 private:
  [[noreturn]] void fail(const std::string& what) const;
  std::string bytes(std::uint64_t at, std::uint64_t count);

  std::filesystem::path file_;
  std::ifstream stream_;
  std::uint64_t size_ = 0;
  std::map<std::string, Entry> entries_;
};

}  // namespace ichdet::nn
