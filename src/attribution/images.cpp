#include "images.hpp"

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

}  // namespace ichdet::attribution
