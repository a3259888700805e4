#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ichdet/core/slice_stack.hpp"
#include "ichdet/phantom/anatomy.hpp"

namespace ichdet::train {

/// Settings of `distract`: the chance of each thing.
struct DistractorOptions {
  double pineal = 0.12;          ///< calcified, and the habenula
  double choroid_plexus = 0.15;  ///< calcified, in both atria
  double basal_ganglia = 0.08;   ///< faintly calcified on both sides
  double falx = 0.2;             ///< dense, calcified or ossified, in stretches
  double tentorium = 0.12;       ///< dense
  double sinuses = 0.2;          ///< dense venous sinuses
  double arteries = 0.1;         ///< dense vessels at the base
  double inner_table = 0.25;     ///< thick or irregular skull, hyperostosis
  double bone_partial = 0.25;    ///< bone and brain in one pixel over an area: vertex, skull base
  double petrous_bands = 0.15;   ///< dark and bright bands across the skull base
  double streaks = 0.12;         ///< from metal
  double motion = 0.08;          ///< bands and doubled edges
  double bright_rim = 0.2;       ///< brain beside the skull raised by beam hardening
  double bright_side = 0.12;     ///< one hemisphere or lobe raised
  double bright_cortex = 0.12;   ///< cortex slightly dense, as with contrast
  double tumour = 0.08;          ///< slightly dense masses with rims (meningioma), calcified granulomas
  double infarct = 0.15;         ///< old or fresh, dark
  double atrophy = 0.15;         ///< wide, dark sulci and extra-axial fluid
};

/// Paints into a slab what is bright, or dark, and is not blood. Draws for itself which; a pure function of `seed`.
/// Pixels where `keep` ((slice, row, column), may be empty) is not 0 keep their value, streaks and shadings excepted.
/// Throws Error(shape) where the arrays' shapes differ.
void distract(SliceStack& slab, const HeadAnatomy& anatomy, const Array3<std::uint8_t>& keep,
              const DistractorOptions& options, std::uint64_t seed);

/// From an object with any of the keys above. Throws Error(weights) for an unknown key or a chance outside [0, 1].
DistractorOptions distractor_options(const nlohmann::json& object, const std::string& subject);

}  // namespace ichdet::train
