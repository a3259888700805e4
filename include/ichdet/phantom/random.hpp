#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <vector>

#include "ichdet/core/config.hpp"

namespace ichdet {

/// A random number that is a pure function of its arguments (the SplitMix64 finaliser over a sum of odd multiples), so
/// that any voxel's number is the same on any thread and any machine.
std::uint64_t counter_hash(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) noexcept;

/// The same, uniform in [0, 1).
double counter_uniform(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) noexcept;

/// The same, near to normal with mean 0 and variance 1: a scaled sum of four 16-bit uniforms (excess kurtosis -0.3).
float counter_normal(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) noexcept;

/// Smooth value noise in [-1, 1] on a lattice of `period_mm`, of standard deviation near 0.35.
float lattice_noise(std::uint64_t seed, const Eigen::Vector3f& point_mm, float period_mm) noexcept;

/// A random field of one wavelength: a sum of plane waves with random directions and phases, of variance 1. Its zero
/// set is a labyrinth of sheets half a wavelength apart, as the sulci of a brain are.
class WaveField {
 public:
  WaveField(std::uint64_t seed, int waves, float wavelength_mm, float wavelength_spread = 0.2F);

  /// The value at `point_mm`; `gradient`, where given, is per mm.
  float operator()(const Eigen::Vector3f& point_mm, Eigen::Vector3f* gradient = nullptr) const;

 private:
  struct Wave {
    Eigen::Vector3f k;
    float phase;
  };
  std::vector<Wave> waves_;
};

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/phantom/random_inl.hpp"
#endif
