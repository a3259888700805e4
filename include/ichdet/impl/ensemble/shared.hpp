#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "ichdet/core/error.hpp"

// What several definitions of this folder use.
namespace ichdet::ensemble::detail {

inline void check_probability(double p, const std::string& subject) {
  if (p >= 0 && p <= 1) return;
  throw Error::mismatch(ErrorCode::options, subject, "0 to 1", std::to_string(p));
}

/// Members have to lie on one grid and to name the same classes.
template <class Map>
void check_member(const Map& first, const Map& other, const std::vector<std::string>& names,
                  const std::vector<std::string>& other_names, std::size_t number) {
  const auto subject = "member " + std::to_string(number);
  if (!first.geometry.same_as(other.geometry)) {
    throw Error::mismatch(ErrorCode::geometry, subject, "the grid of member 0, " + first.geometry.to_string(),
                          other.geometry.to_string());
  }
  for (std::size_t c = 0; c < std::max(names.size(), other_names.size()); ++c) {
    const auto name = [&](const auto& list) { return c < list.size() ? list[c] : std::string("none"); };
    if (name(names) == name(other_names)) continue;
    throw Error::mismatch(ErrorCode::options, subject + ": class " + std::to_string(c), name(names), name(other_names));
  }
}

}  // namespace ichdet::ensemble::detail
