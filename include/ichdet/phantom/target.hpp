#pragma once

#include <Eigen/Geometry>
#include <cstdint>

#include "ichdet/core/slice_stack.hpp"
#include "ichdet/phantom/hemorrhage.hpp"

namespace ichdet::phantom_detail {

/// Where a hemorrhage begins, LPS mm: `target_mm`, or from side, region and seed, moved along the normal into the
/// stack. Throws Error(options) for a region its type does not know, a volume that is not positive, or a target outside
/// the stack.
Eigen::Vector3d choose_target(const Hemorrhage& hemorrhage, const Eigen::Affine3d& head_to_lps,
                              const SliceGeometry& geometry, std::uint64_t seed);

/// How much thinner a subdural crescent around `centre` is at a point; both in head coordinates. It is wider from front
/// to back than up and down.
float subdural_thinning_mm(const Eigen::Vector3f& point, const Eigen::Vector3f& centre);

}  // namespace ichdet::phantom_detail

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/phantom/target_inl.hpp"
#endif
