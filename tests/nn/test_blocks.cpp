#include "blocks.hpp"

#include <thread>

#include "ichdet/nn/prepare.hpp"

// After LibTorch's headers, one of which defines a CHECK too.
#include <doctest/doctest.h>

using namespace ichdet;
using namespace ichdet::blocks;

namespace {

/// Small ones, of odd sizes.
std::vector<Case> cases() {
  return {make<Residual2d>("2D residual, ReLU", {20, 17, 23}, 20, false),
          make<Residual2d>("2D residual, SiLU", {20, 17, 23}, 20, true),
          make<Residual3d>("3D residual, PReLU", {12, 9, 11, 13}, 12),
          make<MbConv>("MBConv", {12, 15, 17}, 12, 4, 5),
          make<Transposed2d>("2D transposed, 2", {16, 9, 11}, 16, 2),
          make<Transposed2d>("2D transposed, 3", {16, 9, 11}, 16, 3),
          make<Transposed3d>("3D transposed, 2", {16, 5, 7, 6}, 16, 2),
          make<Transposed3d>("3D transposed, 3", {16, 5, 7, 6}, 16, 3),
          make<Dilated2d>("2D dilated", {10, 33, 29}, 10, std::vector<std::int64_t>{1, 2, 4}),
          make<Dilated3d>("3D dilated", {5, 35, 19, 33}, 5, std::vector<std::int64_t>{1, 4, 8, 16}),
          make<InstanceNorm>("3D instance norm", {12, 9, 11, 13}, 12),
          make<UpAndJoin>("2D nearest and join", {8, 17, 22}, 8, 2, false),
          make<UpAndJoin>("2D bilinear and join", {8, 17, 22}, 8, 2, true),
          make<UpAndJoin>("3D nearest and join", {8, 9, 12, 11}, 8, 3, false),
          make<UpAndJoin>("3D trilinear and join", {8, 9, 12, 11}, 8, 3, true),
          make<FeedForward>("feed-forward", {13, 24}, 24)};
}

at::Tensor input(const Case& c, std::int64_t batch) {
  auto shape = c.shape;
  shape.insert(shape.begin(), batch);
  at::manual_seed(7);
  return at::randn(shape);
}

PreparedNetwork prepared(const Case& c, Precision precision, int threads = 0) {
  PrepareOptions options;
  options.precision = precision;
  options.engine = Engine::torch;
  options.threads = threads;
  return prepare(c.block, options);
}

}  // namespace

TEST_CASE("every block gives what its module gives, for batches of 0, 1 and 3") {
  for (const auto& c : cases()) {
    CAPTURE(c.name);
    const auto exact = prepared(c, Precision::float32), coarse = prepared(c, Precision::bfloat16);
    for (const std::int64_t batch : {0, 1, 3}) {
      CAPTURE(batch);
      if (batch == 0 && c.name == "3D instance norm") continue;  // the module itself refuses it
      const auto x = input(c, batch), before = x.clone();
      const auto close = verify(exact, c.block, x), near = verify(coarse, c.block, x);
      CHECK(close.largest <= 1e-5 * close.range);
      CHECK(near.largest <= 0.02 * near.range);  // bfloat16 has 8 bits: 0.004 for a value, more for sums of layers
      CHECK(at::equal(x, before));
    }
  }
}

TEST_CASE("the output is a plain tensor: float32, contiguous, its memory its own") {
  for (const auto& c : cases()) {
    CAPTURE(c.name);
    for (const auto precision : {Precision::float32, Precision::bfloat16}) {
      const auto network = prepared(c, precision);
      const auto x = input(c, 1), y = network(x), kept = y.clone();
      CHECK((y.scalar_type() == at::kFloat));
      CHECK(y.is_contiguous());
      CHECK_FALSE(y.requires_grad());
      CHECK_FALSE(y.is_alias_of(x));
      network(x + 1);
      CHECK(at::equal(y, kept));
    }
  }
}

TEST_CASE("the same bytes from run to run, and with one thread and two") {
  for (const auto& c : cases()) {
    CAPTURE(c.name);
    for (const auto precision : {Precision::float32, Precision::bfloat16}) {
      const auto one = prepared(c, precision, 1), two = prepared(c, precision, 2);
      const auto x = input(c, 3);
      const auto y = one(x);
      CHECK(at::equal(y, one(x)));
      CHECK((y - two(x)).abs().max().item<double>() == 0);
    }
  }
}

TEST_CASE("eight threads share a prepared block") {
  for (const auto& c : cases()) {
    CAPTURE(c.name);
    for (const auto precision : {Precision::float32, Precision::bfloat16}) {
      const auto one = prepared(c, precision, 1);
      const auto x = input(c, 3);
      const auto y = one(x);
      std::vector<at::Tensor> outputs(8);
      {
        std::vector<std::jthread> threads;
        for (auto& output : outputs) threads.emplace_back([&] { output = one(x); });
      }
      for (const auto& output : outputs) CHECK(at::equal(output, y));
    }
  }
}

TEST_CASE("layers are fused with what follows them") {
  const auto form = [](const Case& c) {
    const auto x = input(c, 1);
    return prepared(c, Precision::float32).preparation(x.sizes()).form;
  };
  const auto all = cases();
  CHECK(form(all[0]) == "traced graph: 2 fused, 0 plain");
  CHECK(form(all[1]) == "traced graph: 2 fused, 1 plain");  // oneDNN's sum takes ReLU alone after it
  CHECK(form(all[2]) == "traced graph: 2 fused, 1 plain");
  CHECK(form(all[4]) == "traced graph: 1 fused, 0 plain");
  CHECK(form(all[9]) == "traced graph: 4 fused, 0 plain");
  CHECK(form(all[10]) == "traced graph: 4 fused, 0 plain");
}
