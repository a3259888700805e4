#include <ATen/Functions.h>
#include <doctest/doctest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/modules/batchnorm.h>
#include <nlohmann/json.hpp>

#include "../../src/nn/tile_product.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/models/create.hpp"
#include "ichdet/nn/network.hpp"
#include "ichdet/nn/prepare.hpp"

using namespace ichdet;

namespace {

using Shape = std::vector<std::int64_t>;
using Function = std::function<at::Tensor(const at::Tensor&)>;

at::Tensor by_autograd(const Function& score, const at::Tensor& x) {
  const auto from = x.clone().requires_grad_();
  return torch::autograd::grad({score(from).sum()}, {from}).front();
}

/// Squares, weighted, so that the gradient of what comes out differs from value to value.
Function weighted(const Function& function) {
  return [=](const at::Tensor& x) {
    const auto y = function(x);
    return y * y * at::sin(at::arange(y.numel(), at::kFloat) * 1.7 + 1).view(y.sizes());
  };
}

std::shared_ptr<torch::nn::Module> in_evaluation() {
  auto module = std::make_shared<torch::nn::Module>("function");
  module->eval();
  return module;
}

PrepareOptions with(Engine engine, Precision precision = Precision::float32) {
  PrepareOptions options;
  options.engine = engine;
  options.precision = precision;
  return options;
}

struct Case {
  std::string name;
  Shape shape;
  Function function;
};

std::vector<Case> cases() {
  at::manual_seed(3);
  const auto w = [](Shape shape) { return at::randn(shape) * 0.2; };
  const auto plain = w({5, 3, 3, 3}), flat = w({4, 6}), single = w({6, 1, 3, 3}), up = w({3, 5, 4, 4}),
             grouped = w({8, 3, 3, 3}), volume = w({4, 3, 3, 3, 3}), bias = w({5}), one = w({6}),
             other = w({1, 3, 1, 1});
  const auto bn = [](const at::Tensor& x, const at::Tensor& v) {
    return at::batch_norm(at::relu(x), v, v, v, v.abs() + 1, false, 0, 1e-5, false);
  };
  const Shape image{2, 3, 9, 12}, uneven{3, 2}, one_side{0, 1}, flat_steps{1, 2, 2}, ones{1, 1, 1};
  using T = const at::Tensor&;
  return {
      {"convolution", image, [=](T x) { return at::conv2d(x, plain, bias, 1, 1); }},
      {"convolution, strided", image, [=](T x) { return at::conv2d(x, plain, bias, 2, 1); }},
      {"convolution, strided unevenly", image,
       [=](T x) { return at::conv2d(x, plain, bias, at::IntArrayRef(uneven), at::IntArrayRef(one_side)); }},
      {"convolution, dilated", image, [=](T x) { return at::conv2d(x, plain, bias, 1, 3, 2); }},
      {"convolution, more padding than reach", image, [=](T x) { return at::conv2d(x, plain, bias, 1, 4); }},
      {"convolution, each channel", {1, 6, 8, 8}, [=](T x) { return at::conv2d(x, single, {}, 2, 1, 1, 6); }},
      {"convolution, groups", {1, 6, 8, 8}, [=](T x) { return at::conv2d(x, grouped, {}, 1, 1, 1, 2); }},
      {"convolution, transposed", image, [=](T x) { return at::conv_transpose2d(x, up, bias, 2, 1); }},
      {"convolution of a volume",
       {1, 3, 5, 6, 7},
       [=](T x) { return at::conv3d(x, volume, {}, at::IntArrayRef(flat_steps), at::IntArrayRef(ones)); }},
      {"linear", {3, 6}, [=](T x) { return at::linear(x, flat); }},
      {"batch norm", {2, 6, 4, 4}, [=](T x) { return bn(x, one); }},
      {"instance norm", image,
       [=](T x) { return at::instance_norm(x, other.flatten(), other.flatten(), {}, {}, true, 0, 1e-5, false); }},
      {"maximum pool", image, [](T x) { return at::max_pool2d(x, 3, 2, 1); }},
      {"maximum pool of a volume", {1, 2, 4, 6, 6}, [](T x) { return at::max_pool3d(x, 2); }},
      {"mean pool", image, [](T x) { return at::avg_pool2d(x, 3, 2, 1); }},
      {"mean pool of a volume", {1, 2, 4, 6, 6}, [](T x) { return at::avg_pool3d(x, 2); }},
      {"global pool", image,
       [](T x) {
         return at::adaptive_avg_pool2d(x, at::IntArrayRef{1, 1});
       }},
      {"nearest", image,
       [](T x) {
         return at::upsample_nearest2d(x, {18, 24});
       }},
      {"bilinear", image,
       [](T x) {
         return at::upsample_bilinear2d(x, {20, 17}, false);
       }},
      {"trilinear",
       {1, 2, 4, 6, 6},
       [](T x) {
         return at::upsample_trilinear3d(x, {8, 12, 9}, false);
       }},
      {"relu", image, [](T x) { return at::relu(x); }},
      {"leaky relu", image, [](T x) { return at::leaky_relu(x, 0.1); }},
      {"relu6", image, [](T x) { return at::hardtanh(4 * x, 0, 6); }},
      {"sigmoid", image, [](T x) { return at::sigmoid(x); }},
      {"tanh", image, [](T x) { return at::tanh(x); }},
      {"silu", image, [](T x) { return at::silu(x); }},
      {"gelu", image, [](T x) { return at::gelu(x); }},
      {"hardswish", image, [](T x) { return at::hardswish(3 * x); }},
      {"softmax", {4, 5}, [](T x) { return at::softmax(x, 1); }},
      {"log softmax", {4, 5}, [](T x) { return at::log_softmax(x, -1); }},
      {"sums", image, [=](T x) { return (x + other) - 0.5 * x * 2 + (other - 3 * x) + at::add(x, x * x, 0.5); }},
      {"products", image,
       [=](T x) {
         return x * other * x / 3 * x.mean({2, 3}, true);
       }},
      {"mean over axes", image,
       [](T x) {
         return x.mean({1, -1});
       }},
      {"sum", image, [](T x) { return (x * x).sum({2}) * x.sum(); }},
      {"joined", image,
       [](T x) {
         return at::cat({x, x * x, x.slice(1, 0, 1)}, 1);
       }},
      {"reshaped", image,
       [](T x) {
         return (x * x).view({2, 3, -1}).permute({2, 0, 1}).flatten(1).unsqueeze(0);
       }},
      {"expanded",
       {2, 3, 1, 1},
       [](T x) {
         return (x * x).expand({2, 3, 4, 5});
       }},
      {"cut", image,
       [](T x) { return x.slice(2, 1, -2).select(3, -3) + x.slice(3, -4, -1).select(-1, 0).slice(2, 0, 6); }},
      {"padded", image,
       [](T x) {
         return at::constant_pad_nd(x * x, {1, 2, -1, 3}, 0.5);
       }},
  };
}

}  // namespace

TEST_CASE("gradients of operators are autograd's") {
  for (const auto& c : cases()) {
    CAPTURE(c.name);
    at::manual_seed(7);
    const auto x = at::randn(c.shape);
    const auto score = weighted(c.function);
    const auto prepared = prepare_gradient(in_evaluation(), score, with(Engine::torch));
    const auto expected = by_autograd(score, x);
    const auto found = prepared(x);
    CHECK(prepared.preparation(c.shape).reason == "");
    REQUIRE(bool(found.sizes() == expected.sizes()));
    CHECK((found - expected).abs().max().item<double>() <= 2e-6 * (1 + expected.abs().max().item<double>()));
  }
}

TEST_CASE("an operator without a rule is left to autograd, with the reason") {
  const auto score = [](const at::Tensor& x) { return at::logcumsumexp(x, 1); };
  const auto prepared = prepare_gradient(in_evaluation(), score, with(Engine::torch));
  const auto x = at::randn({2, 5});
  CHECK(at::allclose(prepared(x), by_autograd(score, x)));
  CHECK(prepared.preparation({2, 5}).reason == "gradient: no rule for aten::logcumsumexp");
  CHECK(prepared.preparation({2, 5}).form == "LibTorch's autograd");
}

TEST_CASE("parameters as they are trained may stand in the gradient") {
  struct Up : torch::nn::Module {
    at::Tensor weight = register_parameter("weight", at::randn({3, 2, 2, 2}));
  };
  const auto module = std::make_shared<Up>();
  module->eval();
  const auto score = [&](const at::Tensor& x) { return at::conv_transpose2d(x * x, module->weight, {}, 2); };
  const auto x = at::randn({1, 3, 4, 4});
  CHECK(at::allclose(prepare_gradient(module, score, with(Engine::torch))(x), by_autograd(score, x), 1e-4, 1e-5));
  CHECK(module->weight.requires_grad());
}

TEST_CASE("a score that does not depend on the input is refused") {
  const auto constant = [](const at::Tensor& x) { return at::ones({x.size(0)}); };
  CHECK_THROWS_AS(prepare_gradient(in_evaluation(), constant)(at::ones({1, 2})), Error);
}

TEST_CASE("a network's gradient is autograd's, in each engine") {
  struct Given {
    std::string architecture, options;
    Shape shape;
  };
  for (const auto& [architecture, options, shape] : std::vector<Given>{
           {"ResNet18", R"({"in_chans": 3, "num_classes": 2})", {2, 3, 64, 96}},
           {"EfficientNetB0", R"({"in_chans": 6, "num_classes": 6})", {1, 6, 64, 64}},
           {"DenseNet121", R"({"in_chans": 4, "num_classes": 2})", {1, 4, 64, 64}},
           {"MobileNetV2", R"({"in_chans": 3, "num_classes": 2})", {1, 3, 64, 64}},
       }) {
    CAPTURE(architecture);
    at::manual_seed(5);
    const auto network = models::create(architecture, nlohmann::json::parse(options), "test");
    const auto score = [&](const at::Tensor& x) { return network->forward(x).select(1, 1); };
    network->train();  // norms that fit, so that activations are of natural size
    for (int i = 0; i < 15; ++i) network->forward(at::randn({4, shape[1], 64, 64}));
    network->eval();
    const auto x = at::randn(shape);
    const auto expected = by_autograd(score, x);
    const auto range = expected.abs().max().item<double>();
    for (const auto engine : {Engine::torch, Engine::native}) {
      const auto prepared = prepare_gradient(network, score, with(engine));
      const auto found = prepared(x);
      const auto done = prepared.preparation(shape);
      const bool known = engine == Engine::native && architecture != "DenseNet121" && nn::has_avx512();
      CAPTURE(done.reason);
      CHECK(bool((done.engine == Engine::native) == known));
      // At a ReLU a gradient jumps where the sign of a value near 0 does; elsewhere it goes with the values.
      const bool jumps = architecture == "ResNet18" || architecture == "DenseNet121";
      const auto gap = (found - expected).abs();
      CHECK(gap.max().item<double>() <= (jumps ? 0.1 : 1e-4) * range);
      CHECK((gap.norm() / expected.norm()).item<double>() <= (jumps ? 1e-2 : 1e-4));
    }
  }
}
