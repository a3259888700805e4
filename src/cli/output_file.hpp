#pragma once

#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>

namespace ichdet::cli {

/// Throws Error(options) where `path`, which `option` gave, is one of `others`. Empty names are none; devices may be
/// shared.
void refuse_same_file(const std::string& option, const std::string& path, std::initializer_list<std::string> others);

/// A result that takes its name when it is complete: until then it is a file beside it, which goes away with this
/// object. Devices and pipes are written directly. An empty path is no file at all.
class OutputFile {
 public:
  /// Opens it before the work, so that what cannot be written is refused at once: Error(io).
  OutputFile(std::string option, const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// The whole text. Throws Error(io).
  void write(const std::string& text);

 private:
  std::string name_;  ///< for messages
  std::filesystem::path target_, part_;
  std::ofstream file_;
};

}  // namespace ichdet::cli
