#include "error_code.hpp"
#include "ichdet/attribution/integrated_gradients.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "ichdet/core/error.hpp"

// After LibTorch's headers, one of which defines a CHECK too.
#include <doctest/doctest.h>

using namespace ichdet;
using namespace ichdet::attribution;

namespace {

/// sum of x^2.
Explained square() {
  return {[](const at::Tensor& x) { return (x * x).flatten(1).sum(1); }, [](const at::Tensor& x) { return 2 * x; }, 4};
}

}  // namespace

TEST_CASE("integrated gradients of a square are x^2 - b^2") {
  const auto x = at::arange(24, at::kDouble).view({2, 1, 3, 4}) - 5;
  const auto found = integrated_gradients(square(), x, at::full({1}, 2.0, at::kDouble), {5, Quadrature::riemann, true});
  CHECK(at::allclose(found.values, x * x - 4));  // the mean of a linear gradient is right even with both ends
  CHECK(found.completeness->gap().abs().max().item<double>() < 1e-10);
}

TEST_CASE("black and white are each image's extremes") {
  const auto x = at::arange(12, at::kFloat).view({2, 1, 2, 3});
  CHECK(at::equal(baseline_of(x, Baseline::black).select(0, 1), at::full({1, 2, 3}, 6.0)));
  CHECK(at::equal(baseline_of(x, Baseline::white).select(0, 0), at::full({1, 2, 3}, 5.0)));
  CHECK(at::equal(baseline_of(x, parse_baseline("zero")), at::zeros_like(x)));
}

TEST_CASE("integrated gradients: nothing in, nothing out; an input in a graph stays out of it") {
  CHECK(integrated_gradients(square(), at::ones({1, 1, 2, 2}), std::vector<at::Tensor>{}).empty());
  const auto empty = at::ones({0, 1, 2, 2});
  CHECK(integrated_gradients(square(), empty, empty, {}).values.sizes() == empty.sizes());
  const auto leaf = at::ones({1, 1, 2, 2}).requires_grad_();
  CHECK(!integrated_gradients(square(), leaf, Baseline::zero).values.requires_grad());
}

TEST_CASE("integrated gradients refuse what they cannot use") {
  const auto x = at::ones({2, 1, 3, 4});
  const auto with = [&](const Explained& explained, const at::Tensor& input, const at::Tensor& baseline,
                        const IntegratedGradientsOptions& options) {
    return code_of([&] { integrated_gradients(explained, input, baseline, options); });
  };
  CHECK(with(square(), x.flatten(1), x, {}) == ErrorCode::shape);
  CHECK(with(square(), x.to(at::kLong), x, {}) == ErrorCode::shape);
  CHECK(with(square(), x, at::ones({3, 1, 3, 4}), {}) == ErrorCode::shape);
  CHECK(with(square(), x, x, {1, Quadrature::riemann, false}) == ErrorCode::options);
  CHECK(with(square(), x, x, {0, Quadrature::gauss_legendre, false}) == ErrorCode::options);
  auto other = square();
  other.batch = 0;
  CHECK(with(other, x, x, {}) == ErrorCode::options);
  other = square();
  other.scores = {};
  CHECK(with(other, x, x, {2, Quadrature::riemann, true}) == ErrorCode::options);
  other.gradients = [](const at::Tensor& inputs) { return inputs.flatten(1); };
  CHECK(with(other, x, x, {}) == ErrorCode::shape);
  CHECK(code_of([] { parse_quadrature("simpson"); }) == ErrorCode::options);
  CHECK(code_of([] { parse_baseline("grey"); }) == ErrorCode::options);
}

TEST_CASE("integrated gradients stop on request") {
  std::stop_source source;
  Progress progress;
  progress.stop = source.get_token();
  progress.report = [&](std::string_view, double fraction) {
    if (fraction > 0.4) source.request_stop();
  };
  const auto x = at::ones({1, 1, 3, 4});
  CHECK(code_of([&] { integrated_gradients(square(), x, x, {}, progress); }) == ErrorCode::cancelled);
}
