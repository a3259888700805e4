#pragma once

#include <string>
#include <string_view>

namespace ichdet::nn {

/// Text from a file that is not trusted, fit for a message: at most 200 characters, and none but printable ASCII.
inline std::string printable(std::string_view text) {
  std::string clean(text.substr(0, 200));
  for (auto& c : clean) {
    if (c < ' ' || c > '~') c = '?';
  }
  return clean;
}

}  // namespace ichdet::nn
