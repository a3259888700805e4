#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "ichdet/attribution/target.hpp"
#include "ichdet/nn/prepare.hpp"

namespace ichdet::attribution {

/// Inputs (image, channel, ...) to a score for each of them, (image), by itself: no image's score depends on the
/// others.
using Scores = std::function<at::Tensor(const at::Tensor& inputs)>;
/// Inputs to the gradients of their scores, of the inputs' shape.
using Gradients = std::function<at::Tensor(const at::Tensor& inputs)>;

/// What is explained, as methods that change or differentiate its input see it: a network and a target, or any
/// function. A method that needs no gradients does not call them, and one that needs no scores does not call those.
struct Explained {
  Scores scores;
  Gradients gradients;
  std::int64_t batch = 1;  ///< inputs that one call is given at most
};

/// By LibTorch's autograd: `forward` is a network's, in evaluation mode, or any function that LibTorch differentiates.
/// The target's scores of an image, where it has several, are summed. Where parameters require no gradient, none is
/// computed for them. The callables throw Error(shape) for an output of other images than the input's, and for a target
/// that does not depend on the input.
Explained explained(const Forward& forward, const Target& target, std::int64_t batch = 1);

/// `explained.scores` of any number of inputs, `batch` at a time, as float64 on the CPU. Throws Error(options) where
/// there is no such callable, Error(shape) where it gives other than one score for each input or one that is not
/// finite.
at::Tensor scores_of(const Explained& explained, const at::Tensor& inputs);
/// `explained.gradients`, likewise, in the inputs' type.
at::Tensor gradients_of(const Explained& explained, const at::Tensor& inputs);

}  // namespace ichdet::attribution
