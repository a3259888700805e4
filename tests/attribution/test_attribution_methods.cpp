#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "error_code.hpp"
#include "ichdet/attribution/blur_ig.hpp"
#include "ichdet/attribution/gaussian_blur.hpp"
#include "ichdet/attribution/gradients.hpp"
#include "ichdet/attribution/guided_ig.hpp"
#include "ichdet/attribution/method.hpp"
#include "ichdet/attribution/occlusion.hpp"
#include "ichdet/attribution/reduction.hpp"
#include "ichdet/attribution/rise.hpp"
#include "ichdet/core/error.hpp"

// After LibTorch's headers, one of which defines a CHECK too.
#include <doctest/doctest.h>

using namespace ichdet;
using namespace ichdet::attribution;

namespace {

/// sum of x^2, three inputs at once.
Explained square() {
  return {[](const at::Tensor& x) { return (x * x).flatten(1).sum(1); }, [](const at::Tensor& x) { return 2 * x; }, 3};
}

const at::Tensor x = at::arange(120, at::kDouble).view({2, 1, 6, 10}) / 50 - 1;
const at::Tensor empty = x.narrow(0, 0, 0);

}  // namespace

TEST_CASE("names of attribution methods are read and written") {
  for (const auto& name : attribution_methods()) CHECK(to_string(parse_attribution_method(name)) == name);
  CHECK(attribution_methods().size() == 12);
  CHECK(code_of([] { parse_attribution_method("lime"); }) == ErrorCode::options);
  CHECK(takes_features(Method::eigen_cam));
  CHECK(!takes_gradients(Method::eigen_cam));
  CHECK(takes_gradients(Method::gradients));
  CHECK(takes_gradients(Method::xrai_fast));
  CHECK(!takes_gradients(Method::rise));
}

TEST_CASE("an image's attributions do not depend on the others") {
  const auto same = [](const auto& method) {
    const auto both = method(x);
    return at::equal(both.narrow(0, 1, 1), method(x.narrow(0, 1, 1))) && method(empty).size(0) == 0;
  };
  CHECK(same([](const at::Tensor& i) { return gradients(square(), i); }));
  CHECK(same([](const at::Tensor& i) { return smooth_gradients(square(), i); }));
  CHECK(same([](const at::Tensor& i) { return guided_ig(square(), i, Baseline::black).values; }));
  CHECK(same([](const at::Tensor& i) { return blur_ig(square(), i).values; }));
  CHECK(same([](const at::Tensor& i) { return occlusion(square(), i, Baseline::black, {{3}, {2}, true}); }));
  CHECK(same([](const at::Tensor& i) { return rise(square(), i, Baseline::black, {20, {3, 4}, 0.5, 1}); }));
}

TEST_CASE("smoothing refuses") {
  const auto with = [](
                        const SmoothOptions& options, const AttributionMethod& method = [](const at::Tensor& i) {
                          return i;
                        }) { return code_of([&] { smooth(method, x, options); }); };
  CHECK(with({0, 0.15, true, 0, {}}) == ErrorCode::options);
  CHECK(with({5, -1, true, 0, {}}) == ErrorCode::options);
  CHECK(with({5, 0.15, true, 0, at::zeros({5, 6, 10})}) == ErrorCode::shape);
  CHECK(with({}, [](const at::Tensor& i) { return i.sum(1); }) == ErrorCode::shape);
  CHECK(code_of([] { smooth([](const at::Tensor& i) { return i; }, x, {}, {}, 0); }) == ErrorCode::options);
}

TEST_CASE("guided integrated gradients refuse") {
  const auto with = [](std::int64_t steps, double fraction, double max_dist) {
    return code_of([&] { guided_ig(square(), x, Baseline::zero, {steps, fraction, max_dist, false}); });
  };
  CHECK(with(0, 0.25, 0.02) == ErrorCode::options);
  CHECK(with(5, 1.5, 0.02) == ErrorCode::options);
  CHECK(with(5, 0.25, -0.1) == ErrorCode::options);
  CHECK(code_of([] { guided_ig(square(), x, at::zeros({7})); }) == ErrorCode::shape);
}

TEST_CASE("an input that is its own baseline has no attributions") {
  CHECK(at::equal(guided_ig(square(), x, x).values, at::zeros_like(x)));
}

TEST_CASE("blur integrated gradients refuse") {
  const auto with = [](double max_sigma, std::int64_t steps, double grad_step) {
    return code_of([&] { blur_ig(square(), x, {max_sigma, steps, grad_step, false, false}); });
  };
  CHECK(with(0, 5, 0.01) == ErrorCode::options);
  CHECK(with(5, 0, 0.01) == ErrorCode::options);
  CHECK(with(5, 5, 0) == ErrorCode::options);
  CHECK(code_of([] { gaussian_blur(x, -1); }) == ErrorCode::options);
  CHECK(code_of([] { gaussian_blur(x[0], 1); }) == ErrorCode::shape);
}

TEST_CASE("occlusion refuses, and asks for no gradients") {
  auto scores_alone = square();
  scores_alone.gradients = {};
  const auto with = [&](std::vector<std::int64_t> size, std::vector<std::int64_t> stride) {
    return code_of([&] { occlusion(scores_alone, x, Baseline::zero, {size, stride, true}); });
  };
  CHECK(with({6}, {1}) == ErrorCode(-1));
  CHECK(with({7}, {1}) == ErrorCode::options);
  CHECK(with({3}, {4}) == ErrorCode::options);
  CHECK(with({3, 3, 3}, {1}) == ErrorCode::options);
  CHECK(with({3}, {0}) == ErrorCode::options);
}

TEST_CASE("RISE refuses, and asks for no gradients") {
  auto scores_alone = square();
  scores_alone.gradients = {};
  const auto with = [&](std::int64_t masks, std::vector<std::int64_t> grid, double probability) {
    return code_of([&] { rise(scores_alone, x, Baseline::zero, {masks, grid, probability, 0}); });
  };
  CHECK(with(2, {20}, 1) == ErrorCode(-1));
  CHECK(with(0, {3}, 0.5) == ErrorCode::options);
  CHECK(with(5, {0}, 0.5) == ErrorCode::options);
  CHECK(with(5, {3, 3, 3}, 0.5) == ErrorCode::options);
  CHECK(with(5, {3}, 0) == ErrorCode::options);
}

TEST_CASE("all long methods stop on request") {
  std::stop_source source;
  source.request_stop();
  Progress stopped;
  stopped.stop = source.get_token();
  CHECK(code_of([&] { smooth_gradients(square(), x, {}, stopped); }) == ErrorCode::cancelled);
  CHECK(code_of([&] { guided_ig(square(), x, Baseline::zero, {}, stopped); }) == ErrorCode::cancelled);
  CHECK(code_of([&] { blur_ig(square(), x, {}, stopped); }) == ErrorCode::cancelled);
  CHECK(code_of([&] { occlusion(square(), x, Baseline::zero, {{3}, {1}, true}, stopped); }) == ErrorCode::cancelled);
  CHECK(code_of([&] { rise(square(), x, Baseline::zero, {}, stopped); }) == ErrorCode::cancelled);
}

TEST_CASE("reductions refuse") {
  CHECK(code_of([] { to_map(x[0]); }) == ErrorCode::shape);
  CHECK(code_of([] { parse_reduction("mean"); }) == ErrorCode::options);
}
