#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "ichdet/io/png.hpp"

namespace ichdet::train {

/// CRC-32C (Castagnoli), the check sum of TFRecord files.
std::uint32_t crc32c(std::string_view bytes) noexcept;

/// A file that TensorBoard shows: TFRecord frames around tensorflow.Event messages of scalars and pictures. Each event
/// is on disk when the call returns.
class EventFile {
 public:
  /// Makes `folder`/events.out.tfevents.SECONDS.ichdet, numbered where a file of this second exists. TensorBoard reads
  /// a folder's files one after the other; with `first_step` above 0 it is told to forget what earlier files say of
  /// this step and later ones. Throws Error(io) that names the file.
  explicit EventFile(const std::filesystem::path& folder, std::int64_t first_step = 0);

  void scalar(std::int64_t step, const std::string& name, double value);
  void picture(std::int64_t step, const std::string& name, const Image& picture);

  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  void event(std::int64_t step, std::string_view what);

  std::filesystem::path path_;
  std::ofstream file_;
};

}  // namespace ichdet::train
