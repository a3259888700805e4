#pragma once

#include <ATen/core/Tensor.h>

namespace ichdet::attribution {

/// Maps (image, y, x) or (image, z, y, x) to another size, as grad-cam's scale_cam_image: planes as OpenCV's
/// INTER_LINEAR, volumes as SciPy's ndimage.zoom of order 3.
at::Tensor resize_map(at::Tensor map, at::IntArrayRef size);

}  // namespace ichdet::attribution
