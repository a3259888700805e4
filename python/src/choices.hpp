#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ichdet/core/error.hpp"

// Enums as Python has them: words.
namespace ichdet::python {

template <class T>
using Choices = std::vector<std::pair<std::string, T>>;

/// Throws Error(options) that lists the words.
template <class T>
T choice(const char* what, const std::string& word, const Choices<T>& choices) {
  std::string words;
  for (const auto& [name, value] : choices) {
    if (name == word) return value;
    words += (words.empty() ? "" : ", ") + name;
  }
  throw Error::mismatch(ErrorCode::options, what, "one of " + words, word);
}

template <class T>
std::string word_of(const T& value, const Choices<T>& choices) {
  for (const auto& [name, known] : choices) {
    if (known == value) return name;
  }
  return {};
}

}  // namespace ichdet::python
