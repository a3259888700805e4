#pragma once

#include <cstdint>

#include "ichdet/train/slab.hpp"

namespace ichdet::train {

/// What scanners do to the values of a slab, in place. The neutral value of each does nothing.
class SlabValues {
 public:
  explicit SlabValues(Slab& slab);

  void low_resolution(double factor);  ///< averaged over `factor` pixels and interpolated back; neutral 1
  void blur(double sigma_mm);
  void sharpen(double strength);    ///< adds what a Gaussian of 1 mm takes away, at most 60 HU
  void blend_slices(double share);  ///< of each neighbour
  /// In a slab clipped to `low` and `high`: what lies at an end goes far beyond it, as bone and air do, so that what
  /// follows does not bring it back. To be clipped again.
  void unclip(float low_hu, float high_hu);
  void cup(double rise_hu);  ///< from the head's middle to its skin, with the square of the way
  void shade(double hu, std::uint64_t seed);
  /// gain * hu + offset, then contrast about 32 HU, then a gamma between 0 and 90 HU.
  void tone(double gain, double offset_hu, double brain_gain, double gamma);
  void add_noise(double hu, double grain_mm, std::uint64_t seed);

 private:
  Slab& slab_;
  float* hu_;
  std::int64_t slices_, rows_, columns_;
};

}  // namespace ichdet::train
