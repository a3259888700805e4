#pragma once

#include "ichdet/bundle/spec.hpp"
#include "ichdet/train/prepared.hpp"

namespace ichdet::train {

/// As it is on disk.
struct Scan {
  SliceStack stack;
  Array3<std::uint8_t> mask;  ///< of the stack's shape, in the model's classes; empty: the entry has none
};

/// Throws as prepare_study() does; messages do not name the entry.
Scan read_scan(const StudyEntry& entry, const ModelSpec& model, const PreparationOptions& options);

}  // namespace ichdet::train
