#include "ichdet/attribution/gradients.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "ichdet/core/error.hpp"
#include "ichdet/phantom/random.hpp"
#include "images.hpp"

namespace ichdet::attribution {
namespace {

/// (sample, channel, ...) of `count` samples from `first`, of variance 1.
at::Tensor noise_of(const SmoothOptions& options, at::IntArrayRef image, std::int64_t first, std::int64_t count) {
  if (options.noise.defined()) return options.noise.narrow(0, first, count);
  auto shape = image.vec();
  shape.insert(shape.begin(), count);
  auto noise = at::empty(shape, at::kFloat);
  const auto size = std::uint64_t(c10::multiply_integers(image));
  auto* values = noise.data_ptr<float>();
  for (std::int64_t sample = first; sample < first + count; ++sample) {
    for (std::uint64_t i = 0; i < size; ++i) *values++ = counter_normal(options.seed, std::uint64_t(sample), i);
  }
  return noise;
}

void check(const SmoothOptions& options, at::IntArrayRef image, std::int64_t samples) {
  if (options.noise.defined() &&
      (options.noise.dim() != std::int64_t(image.size()) + 1 || options.noise.sizes().slice(1) != image)) {
    throw Error::mismatch(ErrorCode::shape, "noise", c10::str("a number of samples of ", image),
                          c10::str(options.noise.sizes()));
  }
  if (samples < 1) throw Error::mismatch(ErrorCode::options, "samples", "1 or more", std::to_string(samples));
  if (!(options.spread >= 0)) {
    throw Error::mismatch(ErrorCode::options, "spread", "0 or more", std::to_string(options.spread));
  }
}

}  // namespace

at::Tensor gradients(const Explained& explained, const at::Tensor& input) {
  return gradients_of(explained, images(input));
}

at::Tensor smooth(const AttributionMethod& method, const at::Tensor& input, const SmoothOptions& options,
                  const Progress& progress, std::int64_t batch) {
  const auto x = images(input);
  const auto shape = x.sizes().slice(1);
  const auto samples = options.noise.defined() ? options.noise.size(0) : options.samples;
  check(options, shape, samples);
  if (batch < 1) throw Error::mismatch(ErrorCode::options, "batch", "1 or more", std::to_string(batch));
  auto found = at::empty_like(x);
  for (std::int64_t image = 0; image < x.size(0); ++image) {
    const auto deviation = options.spread * (x[image].max() - x[image].min());
    auto sum = at::zeros(shape, x.options().dtype(at::kDouble));
    for (std::int64_t first = 0; first < samples; first += batch) {
      progress("smooth", (double(image) + double(first) / double(samples)) / double(x.size(0)));
      const auto noise = noise_of(options, shape, first, std::min(batch, samples - first)).to(x.options());
      const auto part = method(x[image] + deviation * noise).detach().to(at::kDouble);
      if (part.sizes() != noise.sizes()) {
        throw Error::mismatch(ErrorCode::shape, "attributions to smooth", c10::str(noise.sizes()),
                              c10::str(part.sizes()));
      }
      sum += (options.squares ? part * part : part).sum(0);
    }
    found[image].copy_(sum / samples);
  }
  progress("smooth", 1);
  return found;
}

at::Tensor smooth_gradients(const Explained& explained, const at::Tensor& input, const SmoothOptions& options,
                            const Progress& progress) {
  return smooth([&](const at::Tensor& inputs) { return gradients_of(explained, inputs); }, input, options, progress,
                explained.batch);
}

}  // namespace ichdet::attribution
