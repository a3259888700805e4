#pragma once

#include <cmath>

#include "ichdet/phantom/random.hpp"

namespace ichdet {

namespace phantom_detail {

ICHDET_INLINE std::uint64_t mix64(std::uint64_t x) noexcept {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}  // namespace phantom_detail

ICHDET_INLINE std::uint64_t counter_hash(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) noexcept {
  return phantom_detail::mix64(
      phantom_detail::mix64(seed * 0x9e3779b97f4a7c15ULL + stream * 0xd1342543de82ef95ULL + 1) +
      index * 0x9e3779b97f4a7c15ULL);
}

ICHDET_INLINE double counter_uniform(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) noexcept {
  return double(counter_hash(seed, stream, index) >> 11) * 0x1p-53;
}

ICHDET_INLINE float counter_normal(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) noexcept {
  const std::uint64_t bits = counter_hash(seed, stream, index);
  const auto sum = std::int64_t(bits & 0xffff) + std::int64_t(bits >> 16 & 0xffff) + std::int64_t(bits >> 32 & 0xffff) +
                   std::int64_t(bits >> 48);
  constexpr double deviation = 37837.2277;  // 65536 * sqrt(4 / 12)
  return float((double(sum) - 2 * 65535.0) / deviation);
}

ICHDET_INLINE float lattice_noise(std::uint64_t seed, const Eigen::Vector3f& point_mm, float period_mm) noexcept {
  const Eigen::Vector3f scaled = point_mm / period_mm;
  const Eigen::Vector3f cell = scaled.array().floor();
  Eigen::Vector3f t = scaled - cell;
  t = t.array() * t.array() * (3 - 2 * t.array());
  const auto corner = [&](int dx, int dy, int dz) {
    const auto key = [](float base, int step) { return std::uint64_t(std::int64_t(base) + step + (1 << 20)); };
    const std::uint64_t index = key(cell.x(), dx) | key(cell.y(), dy) << 21 | key(cell.z(), dz) << 42;
    return float(counter_hash(seed, 0, index) >> 40) * 0x1p-23F - 1;
  };
  const auto along_x = [&](int dy, int dz) {
    const float first = corner(0, dy, dz);
    return first + t.x() * (corner(1, dy, dz) - first);
  };
  const auto along_y = [&](int dz) {
    const float first = along_x(0, dz);
    return first + t.y() * (along_x(1, dz) - first);
  };
  const float first = along_y(0);
  return first + t.z() * (along_y(1) - first);
}

ICHDET_INLINE WaveField::WaveField(std::uint64_t seed, int waves, float wavelength_mm, float wavelength_spread) {
  constexpr double two_pi = 6.283185307179586;
  for (int i = 0; i < waves; ++i) {
    const auto draw = [&](std::uint64_t stream) { return counter_uniform(seed, stream, std::uint64_t(i)); };
    const double z = 2 * draw(1) - 1;
    const double around = two_pi * draw(2);
    const double across = std::sqrt(1 - z * z);
    const double number = two_pi / (wavelength_mm * (1 + wavelength_spread * (2 * draw(3) - 1)));
    waves_.push_back({Eigen::Vector3f(float(number * across * std::cos(around)),
                                      float(number * across * std::sin(around)), float(number * z)),
                      float(two_pi * draw(4))});
  }
}

ICHDET_INLINE float WaveField::operator()(const Eigen::Vector3f& point_mm, Eigen::Vector3f* gradient) const {
  float value = 0;
  Eigen::Vector3f slope = Eigen::Vector3f::Zero();
  for (const auto& wave : waves_) {
    const float angle = wave.k.dot(point_mm) + wave.phase;
    value += std::cos(angle);
    if (gradient != nullptr) slope -= wave.k * std::sin(angle);
  }
  const float scale = std::sqrt(2.0F / float(waves_.size()));
  if (gradient != nullptr) *gradient = slope * scale;
  return value * scale;
}

}  // namespace ichdet
