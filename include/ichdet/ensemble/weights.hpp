#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ichdet/aggregate/logistic.hpp"
#include "ichdet/core/config.hpp"

namespace ichdet::ensemble {

/// Weights w >= 0 that bring the members' weighted sum nearest to the truth in squares: non-negative least squares by
/// Lawson and Hanson's active sets, exact up to rounding. They need not sum to 1 (CombineRule::mean scales them).
///
/// `probabilities` is (cases, members), row-major; a case may be a study, a slice or a voxel. Throws Error(shape) where
/// sizes disagree, Error(options) where a value is not finite.
std::vector<double> fit_nonnegative(std::span<const double> probabilities, std::span<const double> truth);

/// Logistic stacking: fit_logistic of the members' clipped_logit. Its intercept and weights are what
/// CombineRule::stacking takes. Throws as fit_logistic does.
LogisticModel fit_stacking(std::span<const double> probabilities, std::span<const std::uint8_t> truth,
                           const LogisticFitOptions& options = {});

}  // namespace ichdet::ensemble

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/ensemble/weights_inl.hpp"
#endif
