#include "ichdet/attribution/explained.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/isfinite.h>

#include <algorithm>
#include <vector>

#include "../nn/autograd.hpp"
#include "ichdet/core/error.hpp"

namespace ichdet::attribution {
namespace {

at::Tensor score_each(const at::Tensor& scores, const at::Tensor& inputs) {
  if (scores.dim() == 0 || scores.size(0) != inputs.size(0)) {
    throw Error::mismatch(ErrorCode::shape, "scores of the target",
                          std::to_string(inputs.size(0)) + ", one for each input", c10::str(scores.sizes()));
  }
  return scores.dim() == 1 ? scores : scores.flatten(1).sum(1);
}

using Call = std::function<at::Tensor(const at::Tensor&)>;

at::Tensor in_batches(const Call& call, const char* what, const at::Tensor& inputs, std::int64_t batch,
                      const std::function<bool(const at::Tensor&, const at::Tensor&)>& fits) {
  if (!call) throw Error(ErrorCode::options, std::string(what) + " to explain: there is no such callable");
  if (batch < 1) throw Error::mismatch(ErrorCode::options, "batch", "1 or more", std::to_string(batch));
  std::vector<at::Tensor> parts;
  for (std::int64_t first = 0; first < inputs.size(0); first += batch) {
    const auto part = inputs.narrow(0, first, std::min(batch, inputs.size(0) - first));
    auto found = call(part).detach();
    if (!fits(found, part)) {
      throw Error::mismatch(ErrorCode::shape, what, "one for each of the inputs " + c10::str(part.sizes()),
                            c10::str(found.sizes()));
    }
    if (!at::isfinite(found).all().item<bool>()) {
      throw Error::mismatch(ErrorCode::shape, what, "finite values", "NaN or infinity");
    }
    parts.push_back(std::move(found));
  }
  return parts.size() == 1 ? parts.front() : at::cat(parts);
}

}  // namespace

Explained explained(const Forward& forward, const Target& target, std::int64_t batch) {
  Explained made;
  made.batch = batch;
  made.scores = [=](const at::Tensor& inputs) {
    const at::NoGradGuard no_gradients;
    return score_each(target(forward(inputs)), inputs);
  };
  made.gradients = [=](const at::Tensor& inputs) {
    const auto score = [&](const at::Tensor& x) { return score_each(target(forward(x)), x); };
    const auto gradient = nn::input_gradient(score, inputs);
    if (!gradient.defined()) throw Error(ErrorCode::shape, "target: does not depend on the input");
    return gradient;
  };
  return made;
}

at::Tensor scores_of(const Explained& explained, const at::Tensor& inputs) {
  if (inputs.size(0) == 0) return at::empty({0}, at::kDouble);
  const auto fits = [](const at::Tensor& found, const at::Tensor& part) {
    return found.dim() == 1 && found.size(0) == part.size(0);
  };
  return in_batches(explained.scores, "scores", inputs, explained.batch, fits).to(at::kCPU, at::kDouble);
}

at::Tensor gradients_of(const Explained& explained, const at::Tensor& inputs) {
  if (inputs.size(0) == 0) return at::empty_like(inputs);
  const auto fits = [](const at::Tensor& found, const at::Tensor& part) { return found.sizes() == part.sizes(); };
  return in_batches(explained.gradients, "gradients", inputs, explained.batch, fits).to(inputs.scalar_type());
}

}  // namespace ichdet::attribution
