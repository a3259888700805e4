#pragma once

#include <filesystem>
#include <string>

namespace ichdet {

/// A folder of its own inside `parent`, removed when done.
class Staging {
 public:
  /// `parent_words` name the parent where it cannot be written: Error(io).
  Staging(const std::filesystem::path& parent, const std::string& prefix, const std::string& parent_words);
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  const std::filesystem::path& folder() const noexcept { return folder_; }

 private:
  std::filesystem::path folder_;
};

}  // namespace ichdet
