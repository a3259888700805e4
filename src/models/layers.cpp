#include "layers.hpp"

#include <c10/util/StringUtil.h>

#include "ichdet/core/error.hpp"

namespace ichdet::models {

void expect_images(const at::Tensor& x, std::int64_t channels, const char* network) {
  if (x.dim() == 4 && x.size(1) == channels && x.size(2) > 0 && x.size(3) > 0) return;
  throw Error::mismatch(ErrorCode::shape, std::string(network) + "'s input", c10::str("(N, ", channels, ", H, W)"),
                        c10::str(x.sizes()));
}

}  // namespace ichdet::models
