#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ichdet/train/data_sets.hpp"

// Arguments that name data, as several functions of `ichdet.train` take them.
namespace ichdet::python {

using Path = std::filesystem::path;
using Paths = std::vector<Path>;
using MaybePath = std::optional<Path>;  // Python's empty path is "."
using MaskClasses = std::map<std::uint8_t, std::uint8_t>;

inline train::DataOptions data_options(const Paths& data, const Paths& rsna, const Paths& splits,
                                       const std::string& fold, const MaskClasses& mask_classes,
                                       const MaybePath& cache, int threads) {
  train::DataOptions from;
  from.manifests = data;
  from.rsna = rsna;
  from.splits = splits;
  if (!fold.empty()) from.fold = train::parse_fold(fold);
  from.preparation.mask_classes = mask_classes;
  from.preparation.cache = cache.value_or(Path());
  from.preparation.threads = threads;
  return from;
}

}  // namespace ichdet::python
