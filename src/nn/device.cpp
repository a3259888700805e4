#include "ichdet/nn/device.hpp"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/util/Exception.h>

#include "ichdet/core/error.hpp"

namespace ichdet {

at::Device find_device(const std::string& name, const std::string& subject) {
  const int cards = at::hasCUDA() ? at::detail::getCUDAHooks().deviceCount() : 0;
  try {
    const at::Device device(name);
    if (device.is_cpu() || (device.is_cuda() && (device.has_index() ? device.index() : 0) < cards)) return device;
  } catch (const c10::Error&) {
    // not a device's name: told below
  }
  const auto expected = cards == 0   ? std::string("cpu (this LibTorch sees no CUDA device)")
                        : cards == 1 ? std::string("cpu or cuda")
                                     : "cpu or cuda, cuda:0 to cuda:" + std::to_string(cards - 1);
  throw Error::mismatch(ErrorCode::options, subject, expected, name);
}

}  // namespace ichdet
