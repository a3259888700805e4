#pragma once

#include <array>
#include <string>
#include <utility>

#include "ichdet/core/error.hpp"

namespace ichdet::attribution {

template <class Value, std::size_t N>
using Names = std::array<std::pair<Value, const char*>, N>;

/// Throws Error(options) that lists the names.
template <class Value, std::size_t N>
Value parse(const Names<Value, N>& names, const char* what, const std::string& text) {
  std::string known;
  for (const auto& [value, name] : names) {
    if (text == name) return value;
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  throw Error::mismatch(ErrorCode::options, what, "one of " + known, text);
}

template <class Value, std::size_t N>
std::string name_of(const Names<Value, N>& names, Value wanted) {
  for (const auto& [value, name] : names) {
    if (value == wanted) return name;
  }
  return {};
}

}  // namespace ichdet::attribution
