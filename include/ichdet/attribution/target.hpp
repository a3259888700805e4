#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace ichdet::attribution {

/// What is to be explained: the scores, of any shape, that an output holds. Their sum is what gradients are taken of,
/// so one score for each image of a batch explains each image by itself, where the network does not mix them.
using Target = std::function<at::Tensor(const at::Tensor& output)>;

/// The output (image, class) of one class.
Target class_score(std::int64_t index);
/// The same with a class for each image.
Target class_score(std::vector<std::int64_t> indices);
/// Each image's highest output (image, class).
Target highest_score();

}  // namespace ichdet::attribution
