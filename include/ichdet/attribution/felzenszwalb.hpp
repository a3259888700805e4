#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace ichdet::attribution {

struct FelzenszwalbOptions {
  double scale = 1;            ///< the higher, the larger the segments; of values that span about 1, 255 times the
                               ///< paper's k. More than 0.
  double sigma = 0.8;          ///< of the Gaussian that smooths the image first, pixels; 0: not smoothed
  std::int64_t min_size = 20;  ///< pixels; smaller segments are joined to their nearest neighbours
};

/// Segments of an image (y, x) or (channel, y, x), as labels int64 (y, x) from 0 in the order of their first pixels:
/// Felzenszwalb and Huttenlocher, "Efficient graph-based image segmentation" (2004), over pixels and their 8
/// neighbours.
///
/// Equal to scikit-image 0.26's `segmentation.felzenszwalb`, in float64 as there, where no two edges of the graph cost
/// the same but for nothing. Of such ties the earlier edge comes first here: right, down, down right, up right, each
/// row by row. scikit-image leaves their order to NumPy's argsort, which is not stable and depends on the processor.
///
/// Throws Error(shape) for another type than float32 and float64, other axes, no pixel, or values that are not finite;
/// Error(options) for a scale that is not above 0 or a negative sigma.
at::Tensor felzenszwalb(const at::Tensor& image, const FelzenszwalbOptions& options = {});

/// The same at several scales, (scale, y, x), smoothed and its edges sorted once; `options.scale` is not looked at.
at::Tensor felzenszwalb_scales(const at::Tensor& image, at::ArrayRef<double> scales,
                               const FelzenszwalbOptions& options = {});

}  // namespace ichdet::attribution
