#include "layers.hpp"

#include <ATen/autocast_mode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <c10/util/StringUtil.h>

#include "ichdet/core/error.hpp"

namespace ichdet::models {

at::Tensor depthwise_convolution(torch::nn::Conv2d& conv, const at::Tensor& x) {
  if (!at::autocast::is_autocast_enabled(at::kCPU)) return conv(x);
  const c10::impl::ExcludeDispatchKeyGuard plain(c10::DispatchKey::AutocastCPU);
  return conv(x.to(at::kFloat)).to(at::autocast::get_autocast_dtype(at::kCPU));
}

void expect_images(const at::Tensor& x, std::int64_t channels, const char* network) {
  if (x.dim() == 4 && x.size(1) == channels && x.size(2) > 0 && x.size(3) > 0) return;
  throw Error::mismatch(ErrorCode::shape, std::string(network) + "'s input", c10::str("(N, ", channels, ", H, W)"),
                        c10::str(x.sizes()));
}

}  // namespace ichdet::models
