#include "images.hpp"

#include <ATen/ExpandUtils.h>

#include <algorithm>
#include <string>

#include "ichdet/core/error.hpp"

namespace ichdet::attribution {

at::Tensor images(const at::Tensor& input) {
  const bool floating = input.scalar_type() == at::kFloat || input.scalar_type() == at::kDouble;
  if (!floating || (input.dim() != 4 && input.dim() != 5)) {
    throw Error::mismatch(ErrorCode::shape, "input",
                          "(image, channel, y, x) or (image, channel, z, y, x) of float32 or float64",
                          c10::str(input.sizes(), " of ", input.scalar_type()));
  }
  return input.detach();
}

at::Tensor for_each_image(const at::Tensor& factors, const at::Tensor& input) {
  std::vector<std::int64_t> shape(std::size_t(input.dim()), 1);
  shape[0] = input.size(0);
  return factors.reshape(shape);
}

at::Tensor expanded_baseline(const at::Tensor& baseline, const at::Tensor& input) {
  if (!at::is_expandable_to(baseline.sizes(), input.sizes())) {
    throw Error::mismatch(ErrorCode::shape, "baseline", c10::str(input.sizes()), c10::str(baseline.sizes()));
  }
  return baseline.detach().to(input.options()).expand_as(input);
}

std::vector<std::int64_t> for_each_axis(const char* name, const std::vector<std::int64_t>& given, std::int64_t axes) {
  const bool positive = std::all_of(given.begin(), given.end(), [](std::int64_t n) { return n > 0; });
  if (!positive || (given.size() != 1 && std::int64_t(given.size()) != axes)) {
    throw Error::mismatch(ErrorCode::options, name, "1 or more, for all axes or for " + std::to_string(axes),
                          c10::str(given));
  }
  return given.size() == 1 ? std::vector<std::int64_t>(std::size_t(axes), given.front()) : given;
}

}  // namespace ichdet::attribution
