#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>

#include "ichdet/core/error.hpp"

/// What the functions of this folder ask of their arguments.
namespace ichdet::evaluate::detail {

/// The part outside an interval at each side.
inline double tail_of(double confidence) {
  if (confidence > 0 && confidence < 1) return (1 - confidence) / 2;
  throw Error::mismatch(ErrorCode::options, "confidence", "a number between 0 and 1", std::to_string(confidence));
}

inline void check_rows(const std::string& subject, std::size_t expected, std::size_t found) {
  if (expected == found) return;
  throw Error::mismatch(ErrorCode::shape, subject, std::to_string(expected) + " rows, as the truth has",
                        std::to_string(found));
}

inline void check_scores(std::size_t rows, std::span<const double> scores) {
  check_rows("scores", rows, scores.size());
  const auto bad = std::find_if_not(scores.begin(), scores.end(), [](double s) { return std::isfinite(s); });
  if (bad == scores.end()) return;
  throw Error::mismatch(ErrorCode::options, "scores, row " + std::to_string(bad - scores.begin()), "a finite number",
                        std::to_string(*bad));
}

inline void check_at_least(const std::string& subject, std::int64_t least, std::int64_t found) {
  if (found >= least) return;
  throw Error::mismatch(ErrorCode::options, subject, "at least " + std::to_string(least), std::to_string(found));
}

inline void check_spacing(const Eigen::Vector3d& spacing_mm) {
  if ((spacing_mm.array() > 0).all() && spacing_mm.allFinite()) return;
  throw Error::mismatch(
      ErrorCode::options, "spacing_mm", "three numbers above 0",
      std::to_string(spacing_mm[0]) + ", " + std::to_string(spacing_mm[1]) + ", " + std::to_string(spacing_mm[2]));
}

}  // namespace ichdet::evaluate::detail
