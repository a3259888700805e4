#include "ichdet/bundle/staging.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "ichdet/core/error.hpp"

namespace ichdet {

Staging::Staging(const std::filesystem::path& parent, const std::string& prefix, const std::string& parent_words) {
  std::string name = (parent / (prefix + "XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) {
    throw Error(ErrorCode::io, parent.string() + ": " + parent_words + " cannot be written: " + std::strerror(errno));
  }
  folder_ = name;
}

Staging::~Staging() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

}  // namespace ichdet
