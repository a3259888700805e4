#include "ichdet/attribution/occlusion.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "ichdet/core/error.hpp"
#include "images.hpp"

namespace ichdet::attribution {
namespace {

/// Where windows begin along an axis.
std::vector<std::int64_t> starts(std::int64_t length, std::int64_t size, std::int64_t stride) {
  std::vector<std::int64_t> found;
  for (std::int64_t start = 0; start < length - size; start += stride) found.push_back(start);
  found.push_back(length - size);
  return found;
}

/// All windows' corners.
std::vector<std::vector<std::int64_t>> corners(at::IntArrayRef shape, at::IntArrayRef size, at::IntArrayRef stride) {
  std::vector<std::vector<std::int64_t>> found{{}};
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (size[axis] > shape[axis]) {
      throw Error::mismatch(ErrorCode::options, "size of the window", c10::str("at most ", shape), c10::str(size));
    }
    if (stride[axis] > size[axis]) {
      throw Error::mismatch(ErrorCode::options, "stride", c10::str("at most the size, ", size), c10::str(stride));
    }
    std::vector<std::vector<std::int64_t>> longer;
    for (const auto& corner : found) {
      for (const auto start : starts(shape[axis], size[axis], stride[axis])) {
        longer.push_back(corner);
        longer.back().push_back(start);
      }
    }
    found = std::move(longer);
  }
  return found;
}

/// Of a tensor whose last axes are spatial.
at::Tensor window(at::Tensor tensor, at::IntArrayRef corner, at::IntArrayRef size) {
  const auto before = tensor.dim() - std::int64_t(corner.size());
  for (std::size_t axis = 0; axis < corner.size(); ++axis) {
    tensor = tensor.narrow(before + std::int64_t(axis), corner[axis], size[axis]);
  }
  return tensor;
}

}  // namespace

at::Tensor occlusion(const Explained& explained, const at::Tensor& input, const at::Tensor& baseline,
                     const OcclusionOptions& options, const Progress& progress) {
  const auto x = images(input), hidden = expanded_baseline(baseline, x);
  const auto shape = x.sizes().slice(2);
  const auto size = for_each_axis("size", options.size, x.dim() - 2),
             stride = for_each_axis("stride", options.stride, x.dim() - 2);
  const auto all = corners(shape, size, stride);
  const auto batch = std::size_t(std::max<std::int64_t>(explained.batch, 1));
  auto map = at::zeros(x.select(1, 0).sizes(), at::kDouble), windows = at::zeros(shape, at::kDouble);
  for (const auto& corner : all) window(windows, corner, size) += 1;
  for (std::int64_t image = 0; image < x.size(0); ++image) {
    const auto score = scores_of(explained, x.narrow(0, image, 1)).item<double>();
    for (std::size_t first = 0; first < all.size(); first += batch) {
      progress("occlusion", (double(image) + double(first) / double(all.size())) / double(x.size(0)));
      const auto count = std::int64_t(std::min(batch, all.size() - first));
      const auto inputs = x[image].unsqueeze(0).repeat_interleave(count, 0);
      for (std::int64_t i = 0; i < count; ++i) {
        const auto& corner = all[first + std::size_t(i)];
        window(inputs[i], corner, size).copy_(window(hidden[image], corner, size));
      }
      const auto fall = score - scores_of(explained, inputs);
      for (std::int64_t i = 0; i < count; ++i) window(map[image], all[first + std::size_t(i)], size) += fall[i];
    }
  }
  progress("occlusion", 1);
  if (options.mean) map /= windows;
  return map.to(x.options());
}

at::Tensor occlusion(const Explained& explained, const at::Tensor& input, Baseline baseline,
                     const OcclusionOptions& options, const Progress& progress) {
  return occlusion(explained, input, baseline_of(input, baseline), options, progress);
}

}  // namespace ichdet::attribution
