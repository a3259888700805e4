#include "models/viola_modulation.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <doctest/doctest.h>
#include <torch/csrc/autograd/autograd.h>

#include <numeric>
#include <vector>

namespace {

using Profiles = std::array<at::Tensor, 3>;

/// The formula, for autograd.
at::Tensor plain(const at::Tensor& x, const Profiles& s, const Profiles& t) {
  const auto shaped = [&](const at::Tensor& profile, std::int64_t axis) {
    std::vector<std::int64_t> shape(std::size_t(x.dim()), 1);
    shape[0] = x.size(0);
    shape[1] = x.size(1);
    if (axis + 2 < x.dim()) shape[std::size_t(axis) + 2] = -1;
    return profile.reshape(shape);
  };
  const auto a = shaped(s[0], 0), b = shaped(s[1], 1), c = shaped(s[2], 2);
  const auto v =
      0.1 * (a * b + b * c + c * a + a * b * c) + 0.3 + at::relu(shaped(t[0], 0) + shaped(t[1], 1) + shaped(t[2], 2));
  std::vector<std::int64_t> sample(std::size_t(x.dim()) - 1);
  std::iota(sample.begin(), sample.end(), 1);
  return x * v * (1 + 1 / v.square().sum(sample, true).sqrt());
}

std::vector<at::Tensor> gradients(const at::Tensor& out, const at::Tensor& weights, std::vector<at::Tensor> of) {
  return torch::autograd::grad({(out * weights).sum()}, of);
}

void check_against_formula(const std::vector<std::int64_t>& space) {
  std::vector<std::int64_t> shape{2, 5};
  shape.insert(shape.end(), space.begin(), space.end());
  const auto leaf = [](const at::Tensor& values) { return values.detach().requires_grad_(true); };
  const auto x = leaf(at::randn(shape));
  Profiles s, t;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto length = i < space.size() ? space[i] : 1;
    s[i] = leaf(at::rand({2, 5, length}));
    t[i] = leaf(0.1 * at::randn({2, 5, length}));
  }
  const auto weights = at::randn(shape);
  const std::vector<at::Tensor> all{x, s[0], s[1], s[2], t[0], t[1], t[2]};
  const auto own = ichdet::models::viola_modulation(x, s, t), expected = plain(x, s, t);
  CHECK(at::allclose(own, expected, 1e-5, 1e-6));
  const auto found = gradients(own, weights, all), wanted = gradients(expected, weights, all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    CAPTURE(i);
    CHECK(bool(found[i].sizes() == wanted[i].sizes()));
    CHECK((found[i] - wanted[i]).abs().max().item<float>() < 1e-4 * wanted[i].abs().max().item<float>());
  }
}

}  // namespace

TEST_CASE("VIOLA's modulation and its gradients are the formula's") {
  at::manual_seed(1);
  check_against_formula({7, 9, 4});
  check_against_formula({6, 11});
}

TEST_CASE("Means along axes and their gradients are LibTorch's") {
  at::manual_seed(3);
  for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{2, 5, 7, 3, 4}, {2, 5, 6, 9}}) {
    const auto x = at::randn(shape).requires_grad_(true);
    const bool flat = shape.size() == 4;
    const auto own = ichdet::models::axis_means(x);
    const Profiles expected{flat ? x.mean(3) : x.mean({3, 4}), flat ? x.mean(2) : x.mean({2, 4}),
                            flat ? x.mean({2, 3}).unsqueeze(2) : x.mean({2, 3})};
    at::Tensor sum = at::zeros({}), wanted_sum = at::zeros({});
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(at::allclose(own[i], expected[i], 1e-5, 1e-6));
      const auto weights = at::randn(expected[i].sizes());
      sum = sum + (own[i] * weights).sum();
      wanted_sum = wanted_sum + (expected[i] * weights).sum();
    }
    const auto found = torch::autograd::grad({sum}, {x}), wanted = torch::autograd::grad({wanted_sum}, {x});
    CHECK(at::allclose(found[0], wanted[0], 1e-5, 1e-7));
  }
}

TEST_CASE("VIOLA's modulation of bfloat16 maps stays within their precision") {
  at::manual_seed(2);
  const auto x = at::randn({1, 16, 12, 10});
  Profiles s, t;
  for (std::size_t i = 0; i < 3; ++i) {
    s[i] = at::rand({1, 16, i == 0 ? 12 : i == 1 ? 10 : 1});
    t[i] = 0.1 * at::randn(s[i].sizes());
  }
  const auto own = ichdet::models::viola_modulation(x.to(at::kBFloat16), s, t);
  CHECK(bool(own.scalar_type() == at::kBFloat16));
  CHECK(at::allclose(own.to(at::kFloat), plain(x, s, t), 1e-2, 1e-2));
}
