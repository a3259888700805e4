#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ichdet/core/array.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "ichdet/train/compact_anatomy.hpp"

namespace ichdet::train {

/// A mask's value where nothing is known: it counts in no loss.
inline constexpr std::uint8_t unknown_label = 255;

/// Hounsfield units in 16 bits, as a trainer holds thousands of slices: -1024 to 3071.9375 HU in steps of 1/16. What
/// lies beyond is clipped, what lies between is rounded: at most 1/32 HU is lost, and of whole numbers nothing.
struct CompactHu {
  static constexpr float lowest = -1024, step = 1.f / 16;
  Array3<std::uint16_t> steps;  ///< slice, row, column

  CompactHu() = default;
  /// NaN becomes `lowest`.
  explicit CompactHu(const Array3<float>& hu);
  /// Slices `first` to `first + count - 1` as float.
  Array3<float> slices(std::int64_t first, std::int64_t count) const;
};

/// A scan as a trainer holds it: at the network's pixel size, or on its grid, with what is known about it. Copies share
/// the pixels.
struct TrainingStudy {
  std::string study, patient;
  std::string split;       ///< "train", "validation", "test", or what a manifest calls it
  std::string group;       ///< of studies that are drawn together: the name of the manifest they come from
  SliceGeometry geometry;  ///< where the pixels lie
  CompactHu hu;
  Array3<std::uint8_t> mask;  ///< class of each pixel, or `unknown_label`; empty: none is known
  std::vector<std::string> label_names;
  /// labels[slice][i] is 1 where `label_names[i]` holds, 0 where not, NaN where that is not known.
  std::vector<std::vector<float>> labels;
  std::vector<float> study_labels;          ///< the same of the whole study
  std::optional<CompactAnatomy> anatomy;    ///< where it was asked for, and found
  std::vector<std::string> assumptions;     ///< what had to be assumed, one sentence each
  std::vector<std::string> contradictions;  ///< between labels and mask, one sentence each
  std::string content;  ///< SHA-256 of what the pixels were made from: scan, mask and how they were prepared
};

/// Slices `first` to `first + count - 1` as a stack of their own (a plane's thickness, where it has none, becomes the
/// usual gap). Throws Error(shape) where there are no such slices; so do the next two.
SliceStack stack_of(const TrainingStudy& study, std::int64_t first, std::int64_t count);
/// Their mask; all `unknown_label` where the study has none.
Array3<std::uint8_t> mask_of(const TrainingStudy& study, std::int64_t first, std::int64_t count);
/// Their anatomy. Throws Error(options) where the study has none.
HeadAnatomy anatomy_of(const TrainingStudy& study, std::int64_t first, std::int64_t count);

/// The index of a label in `label_names`; `any` and `blood` are two names of the same. None where it is not there.
std::optional<std::size_t> label_index(const TrainingStudy& study, const std::string& name);

}  // namespace ichdet::train
