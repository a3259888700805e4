#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "ichdet/attribution/baseline.hpp"
#include "ichdet/attribution/explained.hpp"
#include "ichdet/core/progress.hpp"

namespace ichdet::attribution {

struct RiseOptions {
  std::int64_t masks = 4000;
  std::vector<std::int64_t> grid{8};  ///< cells along each axis: one number, or y x or z y x
  double probability = 0.5;           ///< that a cell is seen
  std::uint64_t seed = 0;             ///< masks are a pure function of seed and their number, the same for every image
};

/// RISE, Petsiuk et al., arXiv:1806.07421, equation 6: the mean of random masks, each weighted by the score of the
/// input seen through it, over the probability: (image, y, x) or (image, z, y, x) in the input's type. Takes scores
/// alone, which should not be negative: probabilities.
///
/// Where a mask is below 1 the baseline shows through, which is of the input's shape or of one that broadcasts to it; 0
/// in the paper.
///
/// Throws Error(shape) for an input or a baseline of other shapes, Error(options) for no mask, a grid without cells and
/// a probability that is not above 0 and at most 1, and Error(cancelled).
at::Tensor rise(const Explained& explained, const at::Tensor& input, const at::Tensor& baseline,
                const RiseOptions& options = {}, const Progress& progress = {});
at::Tensor rise(const Explained& explained, const at::Tensor& input, Baseline baseline, const RiseOptions& options = {},
                const Progress& progress = {});

/// Masks `first` to `first` + `count` for images of a size y x or z y x: (mask, y, x) or (mask, z, y, x), float32 from
/// 0 to 1, section 3.2. A grid's cells are seen or not; the grid is enlarged bilinearly to one cell more than the image
/// has, half pixel centres, and cut at a random place within a cell. A cell is the image's length over the grid's,
/// rounded up.
at::Tensor rise_masks(at::IntArrayRef size, std::int64_t first, std::int64_t count, const RiseOptions& options = {});

}  // namespace ichdet::attribution
