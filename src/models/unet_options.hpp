#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "ichdet/models/convolution.hpp"
#include "options.hpp"

namespace ichdet::models {

/// What U-Nets' options have in common, on top of OptionReader.

inline std::size_t dimensions_of(const std::vector<Axes>& levels) { return levels.empty() ? 0 : levels.front().size(); }

/// Along each axis.
inline Axes product(const std::vector<Axes>& levels) {
  Axes product(dimensions_of(levels), 1);
  for (const auto& level : levels) {
    for (std::size_t axis = 0; axis < std::min(level.size(), product.size()); ++axis) product[axis] *= level[axis];
  }
  return product;
}

/// A list with an entry for each level, either of as many numbers as there are axes, or one for all `dimensions` of
/// them.
inline void read_levels(OptionReader& reader, const char* key, std::vector<Axes>& levels, std::size_t dimensions) {
  nlohmann::json json;
  reader.read(key, json);
  if (json.is_null()) return;
  if (json.is_array()) {
    for (auto& level : json) {
      if (level.is_number_integer()) level = Axes(dimensions, level.get<std::int64_t>());
    }
  }
  reader.read(key, levels, json);
}

/// As many entries as `levels`, each of two or three axes, within the range.
inline void check_levels(const OptionReader& reader, const std::string& key, const std::vector<Axes>& entries,
                         std::size_t levels, std::size_t dimensions, std::int64_t low, std::int64_t high) {
  reader.check(entries.size() == levels,
               key + ": expected " + std::to_string(levels) + " of them, found " + std::to_string(entries.size()));
  for (const auto& axes : entries) {
    reader.check(axes.size() == dimensions && (dimensions == 2 || dimensions == 3),
                 key + ": expected entries of 2 or 3 axes, all alike");
    for (const auto value : axes) reader.within(key, value, low, high);
  }
}

inline void check_counts(const OptionReader& reader, const std::string& key, const std::vector<std::int64_t>& values,
                         std::size_t count, std::int64_t high) {
  reader.check(values.size() == count,
               key + ": expected " + std::to_string(count) + " of them, found " + std::to_string(values.size()));
  for (const auto value : values) reader.within(key, value, 1, high);
}

inline void check_odd(const OptionReader& reader, const std::string& key, const std::vector<Axes>& kernels) {
  for (const auto& kernel : kernels) {
    for (const auto k : kernel) reader.check(k % 2 == 1, key + ": expected odd ones, found " + std::to_string(k));
  }
}

inline void read_norm(OptionReader& reader, NormKind& norm) {
  std::string name = norm == NormKind::batch ? "batch" : "instance";
  reader.read("norm", name);
  reader.check(name == "batch" || name == "instance", "norm: expected instance or batch, found " + name);
  norm = name == "batch" ? NormKind::batch : NormKind::instance;
}

}  // namespace ichdet::models
