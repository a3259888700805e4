#include "ichdet/attribution/target.hpp"

#include <ATen/ops/amax.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <string>

#include "ichdet/core/error.hpp"

namespace ichdet::attribution {
namespace {

void check(const at::Tensor& output, std::int64_t highest_index) {
  if (output.dim() != 2 || output.size(1) <= highest_index) {
    throw Error::mismatch(ErrorCode::shape, "output of the head",
                          "(image, class), more than " + std::to_string(highest_index) + " classes",
                          c10::str(output.sizes()));
  }
}

void check_index(std::int64_t index) {
  if (index < 0) throw Error::mismatch(ErrorCode::options, "class", "0 or more", std::to_string(index));
}

}  // namespace

Target class_score(std::int64_t index) {
  check_index(index);
  return [index](const at::Tensor& output) {
    check(output, index);
    return output.select(1, index);
  };
}

Target class_score(std::vector<std::int64_t> indices) {
  std::for_each(indices.begin(), indices.end(), check_index);
  return [indices = std::move(indices)](const at::Tensor& output) {
    check(output, indices.empty() ? 0 : *std::max_element(indices.begin(), indices.end()));
    if (output.size(0) != std::int64_t(indices.size())) {
      throw Error::mismatch(ErrorCode::shape, "classes to explain", std::to_string(output.size(0)) + ", one an image",
                            std::to_string(indices.size()));
    }
    return output.gather(1, at::tensor(indices, at::kLong).unsqueeze(1));
  };
}

Target highest_score() {
  return [](const at::Tensor& output) {
    check(output, 0);
    return output.gather(1, output.argmax(1, true));
  };
}

}  // namespace ichdet::attribution
