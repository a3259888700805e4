#pragma once

#include <cstdint>
#include <vector>

#include "ichdet/core/array.hpp"
#include "ichdet/core/config.hpp"

namespace ichdet {

/// Which voxels count as neighbours.
enum class Connectivity {
  faces = 6,     ///< those that share a face
  edges = 18,    ///< a face or an edge
  corners = 26,  ///< a face, an edge or a corner
};

/// The connected pieces of a mask.
struct Components {
  Array3<std::int32_t> labels;      ///< z, y, x; 0 outside the mask, else 1, 2, ... in the order of each piece's first
                                    ///< voxel (z, then y, then x), as scipy.ndimage.label numbers them
  std::vector<std::int64_t> sizes;  ///< voxels of each label; sizes[0] those outside the mask

  std::int64_t count() const noexcept { return std::int64_t(sizes.size()) - 1; }
  /// The label with the most voxels, the lower one where two are equal; 0 where there is none.
  std::int32_t largest() const noexcept;
  /// 1 where `labels` is `label`.
  Array3<std::uint8_t> mask(std::int32_t label) const;
};

/// Connected pieces of the voxels that are not 0. Linear in the number of voxels; deterministic.
/// Throws Error(limit) beyond 2^31 - 1 pieces.
Components connected_components(const Array3<std::uint8_t>& mask, Connectivity connectivity = Connectivity::corners);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/core/components_inl.hpp"
#endif
