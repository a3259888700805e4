#pragma once

#include <Eigen/Geometry>
#include <cstdint>

#include "ichdet/core/slice_stack.hpp"
#include "ichdet/phantom/hemorrhage.hpp"

namespace ichdet::detail {

/// Where a hemorrhage begins, LPS mm: `target_mm`, or from side, region and seed, moved along the normal into the
/// stack. Throws Error(options) for a region its type does not know, a volume that is not positive, or a target outside
/// the stack.
Eigen::Vector3d choose_target(const Hemorrhage& hemorrhage, const Eigen::Affine3d& head_to_lps,
                              const SliceGeometry& geometry, std::uint64_t seed);

}  // namespace ichdet::detail

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/phantom/target_inl.hpp"
#endif
