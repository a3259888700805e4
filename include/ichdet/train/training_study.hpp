#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ichdet/core/array.hpp"
#include "ichdet/core/slice_stack.hpp"

namespace ichdet::train {

/// A mask's value where nothing is known: it counts in no loss.
inline constexpr std::uint8_t unknown_label = 255;

/// A scan as a trainer holds it: at the network's pixel size, with what is known about it.
struct TrainingStudy {
  std::string study, patient;
  std::string split;  ///< "train", "validation", "test", or what a manifest calls it
  SliceStack stack;   ///< Hounsfield units
  Array3<std::uint8_t> mask;  ///< class of each pixel, or `unknown_label`; empty: none is known
  /// labels[slice][i] is 1 where `label_names[i]` holds, 0 where not, NaN where that is not known.
  std::vector<std::vector<float>> labels;
  std::vector<std::string> label_names;
};

}  // namespace ichdet::train
