#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ichdet/train/slab.hpp"

namespace ichdet::train {

/// How often something is done, and between what bounds its strength is drawn, uniformly. JSON: [probability, low,
/// high].
struct Chance {
  double probability = 0;
  std::array<double, 2> range{0, 0};
};

/// Settings of `augment`, in the order in which they are applied. Numbers alone are probabilities.
struct AugmentOptions {
  double neighbour_dropout = 0.25;  ///< the outer slices become copies of the middle one: a single slice as a slab
  double neighbour_repeat = 0.08;   ///< one outer slice becomes a copy of the one further in: an end of the stack

  double flip_columns = 0.5;                ///< left and right
  double flip_rows = 0.1;                   ///< front and back
  double flip_slices = 0.5;                 ///< head and foot
  Chance rotation_degrees{0.6, {-25, 25}};  ///< in the slices
  Chance tilt_degrees;                      ///< about both axes of the slices; for patches of volumes
  Chance scale{0.6, {0.8, 1.25}};           ///< the head's size
  Chance stretch{0.3, {0.9, 1.12}};         ///< of columns against rows
  Chance shear{0.2, {-0.08, 0.08}};
  Chance shift_mm{0.5, {-18, 18}};             ///< along rows and columns, each drawn for itself
  Chance elastic_mm{0.25, {0.5, 2.5}};         ///< root mean square of the displacement
  Chance elastic_period_mm{1, {20, 60}};       ///< distance of its control points
  Chance neighbour_shift_mm{0.1, {0.3, 1.5}};  ///< each slice against the middle one: a patient who moves

  Chance clip_hu{0.2, {78, 95}};           ///< clipped to 0 and to this before anything else: stored windowed
  Chance low_resolution{0.2, {1.2, 2.5}};  ///< pixels grow by this factor and are interpolated back
  Chance blur_mm{0.2, {0.3, 1.1}};         ///< sigma of a Gaussian
  Chance sharpen{0.2, {0.3, 1.5}};         ///< times what a Gaussian of 1 mm takes away: an edge kernel
  Chance slice_blend{0.1, {0.05, 0.15}};    ///< part of each neighbour in a slice: thicker slices

  Chance cupping_hu{0.25, {-8, 12}};    ///< smooth rise (or fall) towards the skull: beam hardening
  Chance shading_hu{0.25, {0.5, 3.5}};  ///< root mean square of a smooth field
  Chance gain{0.3, {0.92, 1.08}};       ///< of HU
  Chance offset_hu{0.4, {-5, 5}};
  Chance brain_gain{0.3, {0.8, 1.25}};     ///< contrast about 32 HU
  Chance gamma{0.2, {0.8, 1.25}};          ///< of 0 to 90 HU
  Chance noise_hu{0.4, {1, 9}};            ///< standard deviation of each pixel, before the grain
  Chance noise_grain_mm{0.6, {0.5, 1.4}};  ///< sigma of the noise's correlation; otherwise none
};

/// Changes a slab as scanners, patients and other hospitals do, in place: one resampling (HU linear with the slab's
/// lowest value outside, mask nearest with 0 outside) for everything that moves pixels, then sharpness, then values.
/// The slab's tensors are replaced or overwritten. A slab that is or was clipped stays within its values.
///
/// A pure function of `seed`. Throws Error(shape) where `hu` is not a contiguous float32 (slice, row, column) on the
/// CPU, or `mask`, if defined, not uint8 of the same shape.
void augment(Slab& slab, const AugmentOptions& options, std::uint64_t seed);

/// From an object with any of the keys above; {} gives the defaults, {"only": true} begins with no augmentation at all. `subject` names it in errors. Throws
/// Error(weights) for an unknown key, a probability outside [0, 1] or bounds in the wrong order.
AugmentOptions augment_options(const nlohmann::json& object, const std::string& subject);

/// Nothing is changed: to turn single things on.
AugmentOptions no_augmentation();

}  // namespace ichdet::train
