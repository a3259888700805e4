#include "ichdet/attribution/xrai.hpp"

#include <ATen/ops/amax.h>
#include <ATen/ops/stack.h>

#include "ichdet/core/error.hpp"

namespace ichdet::attribution {

at::Tensor xrai_attribution(const std::vector<at::Tensor>& of_baselines) {
  if (of_baselines.empty()) throw Error::mismatch(ErrorCode::shape, "attributions", "one or more", "none");
  return at::stack(of_baselines).mean(0).amax(1);
}

Xrai xrai(const Explained& explained, const at::Tensor& input, const XraiOptions& options, const Progress& progress) {
  if (input.dim() != 4) {
    throw Error::mismatch(ErrorCode::shape, "input of XRAI", "(image, channel, y, x)", c10::str(input.sizes()));
  }
  auto baselines = options.baselines;
  if (baselines.empty()) baselines = {baseline_of(input, Baseline::black), baseline_of(input, Baseline::white)};
  Xrai found;
  std::vector<at::Tensor> values;
  for (const auto& one : integrated_gradients(explained, input, baselines, options.path, progress)) {
    values.push_back(one.values);
    if (one.completeness) found.completeness.push_back(*one.completeness);
  }
  found.attribution = xrai_attribution(values);
  for (std::int64_t image = 0; image < input.size(0); ++image) {
    progress("regions", double(image) / double(input.size(0)));
    const auto masks = xrai_segments(input[image], options.segments);
    found.regions.push_back(xrai_regions(found.attribution[image], masks, options.regions));
  }
  progress("regions", 1);
  return found;
}

}  // namespace ichdet::attribution
