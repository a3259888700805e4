#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ichdet/core/slice_stack.hpp"
#include "ichdet/phantom/anatomy.hpp"

namespace ichdet::train {

/// Settings of `distract`: the chance of each thing.
struct DistractorOptions {
  double pineal = 0.12;          ///< calcified
  double choroid_plexus = 0.15;  ///< calcified, in both atria
  double basal_ganglia = 0.08;   ///< calcified, often faintly, on both sides
  double falx = 0.2;             ///< dense all along, or calcified or ossified in stretches
  double tentorium = 0.1;        ///< dense, on both sides
  double sinuses = 0.2;          ///< dense venous sinuses
  double arteries = 0.08;        ///< dense vessels at the base
  double inner_table = 0.25;     ///< skull grown thick inwards, hyperostosis
  double bone_partial = 0.25;    ///< bone in part of the slice: vertex, skull base
  double bands = 0.15;           ///< dark and bright across the skull base
  double streaks = 0.1;          ///< from metal
  double motion = 0.06;          ///< doubled edges
  double bright_rim = 0.2;       ///< brain beside the skull raised by beam hardening
  double bright_side = 0.12;     ///< one side, front or back raised
  double bright_cortex = 0.12;   ///< cortex slightly dense, as with contrast
  double nodules = 0.1;          ///< calcified scars; masses with a slightly dense rim
  double infarct = 0.15;         ///< old or fresh: dark
  double hygroma = 0.1;          ///< dark fluid between brain and skull
  double scalp = 0.1;            ///< swollen, with blood in it
};

/// Paints into a slab what is bright, or dark, and is not blood. Draws for itself which; a pure function of `seed`.
/// Pixels where `keep` ((slice, row, column), may be empty) is not 0 keep their value, streaks and shadings excepted.
/// Throws Error(shape) where the arrays' shapes differ.
void distract(SliceStack& slab, const HeadAnatomy& anatomy, const Array3<std::uint8_t>& keep,
              const DistractorOptions& options, std::uint64_t seed);

/// From an object with any of the keys above. Throws Error(weights) for an unknown key or a chance outside [0, 1].
DistractorOptions distractor_options(const nlohmann::json& object, const std::string& subject);

}  // namespace ichdet::train
