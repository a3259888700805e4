#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cmath>

/// Signed distances (negative inside) to the shapes a head is made of, and ways to join them. Distances are exact on
/// the surface and right to first order near it.
namespace ichdet::shapes {

using Eigen::Vector3f;

inline float ellipsoid(const Vector3f& p, const Vector3f& centre, const Vector3f& radii) {
  const Vector3f q = (p - centre).cwiseQuotient(radii);
  const float length = q.norm();
  const float slope = q.cwiseQuotient(radii).norm();
  return slope > 1e-6F ? length * (length - 1) / slope : -radii.minCoeff();
}

/// |x/a|^n + |y/b|^n + |z/c|^n = 1
inline float superellipsoid(const Vector3f& p, const Vector3f& radii, float n) {
  const Eigen::Array3f q = p.cwiseQuotient(radii).array().abs().max(1e-5F);
  const float value = std::pow(q.pow(n).sum(), 1 / n);
  const float slope = std::pow(value, 1 - n) * (q.pow(n - 1) / radii.array()).matrix().norm();
  return (value - 1) / std::max(slope, 1e-4F);
}

/// A tube from `a` to `b` whose radius goes linearly from `ra` to `rb`.
inline float tube(const Vector3f& p, const Vector3f& a, float ra, const Vector3f& b, float rb) {
  const Vector3f axis = b - a;
  const float t = std::clamp((p - a).dot(axis) / axis.squaredNorm(), 0.0F, 1.0F);
  return (p - a - axis * t).norm() - (ra + (rb - ra) * t);
}

/// The union, with a fillet of about `k` mm.
inline float join(float a, float b, float k) {
  const float h = std::max(k - std::abs(a - b), 0.0F) / k;
  return std::min(a, b) - h * h * k * 0.25F;
}

/// The intersection, with a fillet of about `k` mm.
inline float meet(float a, float b, float k) { return -join(-a, -b, k); }

/// 0 below `low`, 1 above `high`, smooth between.
inline float ramp(float x, float low, float high) {
  const float t = std::clamp((x - low) / (high - low), 0.0F, 1.0F);
  return t * t * (3 - 2 * t);
}

/// How much of a small pixel lies inside a surface at this signed distance, with an edge `width` mm wide.
inline float inside(float distance, float width = 0.6F) { return std::clamp(0.5F - distance / width, 0.0F, 1.0F); }

inline float mix(float a, float b, float t) { return a + (b - a) * t; }

}  // namespace ichdet::shapes
