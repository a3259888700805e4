#include "ichdet/attribution/blur_ig.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "ichdet/attribution/gaussian_blur.hpp"
#include "ichdet/core/error.hpp"
#include "images.hpp"

namespace ichdet::attribution {
namespace {

std::vector<double> sigmas(const BlurIgOptions& options) {
  if (options.steps < 1) {
    throw Error::mismatch(ErrorCode::options, "steps", "1 or more", std::to_string(options.steps));
  }
  if (!(options.max_sigma > 0)) {
    throw Error::mismatch(ErrorCode::options, "max_sigma", "more than 0", std::to_string(options.max_sigma));
  }
  std::vector<double> found;
  for (std::int64_t i = 0; i <= options.steps; ++i) {
    const double even = double(i) * options.max_sigma / double(options.steps);
    found.push_back(options.sqrt ? std::sqrt(even) : even);
  }
  return found;
}

}  // namespace

Attribution blur_ig(const Explained& explained, const at::Tensor& input, const BlurIgOptions& options,
                    const Progress& progress) {
  const auto x = images(input);
  const auto sigma = sigmas(options);
  const auto batch = std::max<std::int64_t>(explained.batch, 1);
  Attribution found{at::empty_like(x), {}};
  for (std::int64_t image = 0; image < x.size(0); ++image) {
    const auto sharp = x.narrow(0, image, 1);
    auto sum = at::zeros_like(sharp, at::kDouble);
    for (std::int64_t first = 0; first < options.steps; first += batch) {
      progress("blur integrated gradients",
               (double(image) + double(first) / double(options.steps)) / double(x.size(0)));
      std::vector<at::Tensor> blurred, change;
      for (auto i = std::size_t(first); i < std::size_t(std::min(options.steps, first + batch)); ++i) {
        auto step = gaussian_blur_slope(sharp, sigma[i], options.grad_step);
        blurred.push_back(std::move(step.blurred));
        change.push_back(step.slope * (sigma[i + 1] - sigma[i]));
      }
      const auto gradients = gradients_of(explained, at::cat(blurred));
      sum -= (at::cat(change) * gradients).sum(0, true, at::kDouble);
    }
    found.values.narrow(0, image, 1).copy_(sum);
  }
  progress("blur integrated gradients", 1);
  if (options.completeness) {
    found.completeness = completeness(explained, x, gaussian_blur(x, sigma.back()), found.values);
  }
  return found;
}

}  // namespace ichdet::attribution
