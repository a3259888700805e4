#pragma once

#include <Eigen/Core>
#include <cstdint>

#include "ichdet/core/array.hpp"
#include "ichdet/core/config.hpp"
#include "ichdet/evaluate/overlap.hpp"

/// Whether a map of importance lies where it should: on a mask. Maps are z, y, x (of a picture one plane), higher is
/// more important. Pixels of equal value are equal: where an order is asked for, each counts for the average over all
/// orders, so that a map which says nothing is worth what chance is. All throw Error(shape) where the shapes differ,
/// the mask is empty or holds everything, or a value is not finite.
namespace ichdet::evaluate {

struct PointingOptions {
  /// A maximum this near to the mask is a hit: Euclidean, in units of `spacing`.
  double tolerance = 15;
  Eigen::Vector3d spacing{1, 1, 1};  ///< x, y, z; mm make `tolerance` mm, 1 makes it pixels
};

struct Pointing {
  double hit = 0;           ///< 1 or 0; of several equal maxima the share that hits
  double chance = 0;        ///< of a random pixel: share of pixels within `tolerance` of the mask
  std::int64_t maxima = 0;  ///< equal ones
};

/// The pointing game: Zhang et al., arXiv:1608.00507, whose tolerance is 15 pixels. Throws Error(options) for a
/// tolerance below 0 and a spacing that is not above 0.
Pointing pointing_game(const Array3<float>& map, const Mask& mask, const PointingOptions& options = {});

/// The share of the map's positive values that lies in the mask: the energy-based pointing game of Score-CAM (Wang et
/// al., arXiv:1910.01279). A uniform map has the mask's share of the pixels; so has one without positive values.
double energy_inside(const Array3<float>& map, const Mask& mask);

/// Of as many pixels as the mask has, the most important ones: how they cover it.
struct EqualArea {
  double precision = 0;  ///< share of them in the mask: sensitivity and Dice too. By chance: the mask's share of pixels
  double iou = 0;
};
EqualArea equal_area(const Array3<float>& map, const Mask& mask);

/// The map as a classifier of pixels: how probable it is that a pixel of the mask is more important than one outside.
double pixel_auc(const Array3<float>& map, const Mask& mask);

/// Spearman's correlation of two maps, ties at their mean rank; NaN where one is flat. Of a network's map and that of
/// the same network with random weights: the sanity check of Adebayo et al. (arXiv:1810.03292), near 0 where a map
/// depends on what was learned. Needs no mask.
double rank_correlation(const Array3<float>& a, const Array3<float>& b);

}  // namespace ichdet::evaluate

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/evaluate/localisation_inl.hpp"
#endif
