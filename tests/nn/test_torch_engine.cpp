#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/nn/modules/rnn.h>

#include "../../src/nn/engine.hpp"
#include "../../src/nn/weight_cache.hpp"
#include "blocks.hpp"
#include "ichdet/core/error.hpp"

// After LibTorch's headers, one of which defines a CHECK too.
#include <doctest/doctest.h>

using namespace ichdet;
using namespace ichdet::blocks;

namespace {

/// A module of the layers in `network`, called as `call` says.
struct Free {
  std::shared_ptr<tn::Module> module;
  Forward call;
};

template <class... Layers>
Free sequence(Layers... layers) {
  at::manual_seed(2);
  auto network = tn::Sequential(layers...);
  trained<tn::SequentialImpl>(network.ptr());
  return {network.ptr(), [network](const at::Tensor& x) mutable { return network->forward(x); }};
}

Free function(Forward call) { return {std::make_shared<tn::Module>(), std::move(call)}; }

PrepareOptions in(Precision precision) {
  PrepareOptions options;
  options.precision = precision;
  options.engine = Engine::torch;
  return options;
}

double gap(const Free& network, const at::Tensor& x, Precision precision = Precision::float32) {
  network.module->eval();
  const auto difference = verify(prepare(network.module, network.call, in(precision)), network.call, x);
  return difference.largest / difference.range;
}

std::string folded(const Free& network, at::IntArrayRef shape, nn::WeightCache& weights) {
  network.module->eval();
  const auto graph = nn::trace(*network.module, network.call, shape);
  nn::fold(*graph, weights);
  return graph->toString();
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("transposed convolutions with wide gaps stay LibTorch's own, in float32") {
  const auto up = [](std::int64_t stride, std::int64_t dilation) {
    return tn::ConvTranspose2d(tn::ConvTranspose2dOptions(20, 12, 5).stride(stride).dilation(dilation));
  };
  const auto x = at::randn({2, 16, 9, 9});
  for (const auto& layer : {up(3, 2), up(7, 1)}) {
    const auto network = sequence(conv2d(16, 20, 3), layer, conv2d(12, 8, 3));
    network.module->eval();
    CHECK(gap(network, x) < 1e-6);
    CHECK(gap(network, x, Precision::bfloat16) < 0.02);
    const auto form = prepare(network.module, network.call, in(Precision::bfloat16)).preparation(x.sizes()).form;
    CHECK(form == "traced graph: 2 fused, 1 plain");
  }
}

TEST_CASE("batch norm is folded into convolutions, grouped and transposed ones too, and into linear layers") {
  nn::WeightCache weights;
  const auto plane =
      sequence(tn::Conv2d(tn::Conv2dOptions(6, 8, 3).groups(2)), tn::BatchNorm2d(8),
               tn::ConvTranspose2d(tn::ConvTranspose2dOptions(8, 6, 3).stride(2).groups(2)), tn::BatchNorm2d(6));
  const auto volume = sequence(tn::Conv3d(tn::Conv3dOptions(2, 4, 3).bias(false)), tn::BatchNorm3d(4),
                               tn::ConvTranspose3d(tn::ConvTranspose3dOptions(4, 6, 2).bias(false)),
                               tn::BatchNorm3d(tn::BatchNormOptions(6).affine(false)));
  const auto row = sequence(tn::Linear(5, 7), tn::BatchNorm1d(7), tn::ReLU());
  const std::pair<Free, std::vector<std::int64_t>> all[] = {
      {plane, {2, 6, 9, 8}}, {volume, {1, 2, 6, 5, 7}}, {row, {3, 5}}};
  for (const auto& [network, shape] : all) {
    const auto graph = folded(network, shape, weights);
    CAPTURE(graph);
    CHECK_FALSE(contains(graph, "aten::batch_norm"));
    CHECK(gap(network, at::randn(shape)) < 1e-5);
  }
}

TEST_CASE("batch norm stays where the layer before it has other readers, or where there is none") {
  nn::WeightCache weights;
  auto shared = std::make_shared<tn::Module>();
  auto layer = shared->register_module("layer", conv2d(3, 3, 3));
  auto norm = shared->register_module("norm", tn::BatchNorm2d(3));
  trained<tn::Module>(shared);
  const Free network{shared, [layer, norm](const at::Tensor& x) mutable {
                       const auto y = layer->forward(x);
                       return at::relu(norm->forward(y)) * y;
                     }};
  const std::vector<std::int64_t> shape{2, 3, 8, 7};
  CHECK(contains(folded(network, shape, weights), "aten::batch_norm"));
  CHECK(gap(network, at::randn(shape)) < 1e-5);
  CHECK(gap(network, at::randn(shape), Precision::bfloat16) < 0.02);
  CHECK(gap(sequence(tn::BatchNorm2d(3), tn::LeakyReLU(), conv2d(3, 4, 3)), at::randn(shape)) < 1e-5);
}

TEST_CASE("what does nothing in evaluation goes, and what is written at length is named") {
  nn::WeightCache weights;
  const auto network = function([](const at::Tensor& x) {
    return at::dropout(at::prelu(x * at::sigmoid(x), at::full({1}, 0.3)), 0.5, false).contiguous();
  });
  const auto graph = folded(network, {1, 3, 4, 5}, weights);
  for (const auto* gone : {"aten::dropout", "aten::prelu", "aten::sigmoid", "aten::contiguous"}) {
    CHECK_FALSE(contains(graph, gone));
  }
  CHECK(contains(graph, "aten::silu"));
  CHECK(contains(graph, "aten::leaky_relu"));
  CHECK(gap(network, at::randn({1, 3, 4, 5})) < 1e-6);
}

TEST_CASE("graphs of all shapes share one packed copy of the weights") {
  nn::WeightCache weights;
  const auto network =
      sequence(conv2d(3, 8, 3), tn::BatchNorm2d(8), tn::ReLU(), tn::Conv2d(tn::Conv2dOptions(8, 4, 1)));
  const auto compile = [&](at::IntArrayRef shape) {
    network.module->eval();
    const auto graph = nn::trace(*network.module, network.call, shape);
    nn::fold(*graph, weights);
    return nn::compile_torch(graph, {}, weights);
  };
  const auto one = compile({1, 3, 16, 16});
  CHECK(weights.size() == 3);  // two packed weights and the folded bias; the folded weight is gone
  const auto two = compile({2, 3, 9, 21});
  CHECK(weights.size() == 3);
  CHECK(one.activation_bytes == 8 * 16 * 16 * 4);  // between the two layers
}

TEST_CASE("plain operators give the same where the fused ones are not there") {
  nn::WeightCache weights;
  const auto network = sequence(conv3d(2, 4, 3), tn::BatchNorm3d(4), tn::ReLU(), conv3d(4, 4, 3, 1, 4), tn::SiLU());
  network.module->eval();
  const auto x = at::randn({1, 2, 11, 12, 13});
  for (const auto precision : {Precision::float32, Precision::bfloat16}) {
    const auto graph = nn::trace(*network.module, network.call, x.sizes());
    nn::fold(*graph, weights);
    nn::CompileOptions options;
    options.precision = precision;
    options.fuse = false;
    const auto plain = nn::compile_torch(graph, options, weights);
    CHECK(plain.form == "traced graph: 0 fused, 4 plain");
    const auto expected = network.call(x);
    const auto far = ((plain.run(x) - expected).abs().max() / expected.abs().max()).item<double>();
    CHECK(far <= (precision == Precision::float32 ? 1e-5 : 0.02));
  }
}

TEST_CASE("memory is reused only where nobody else reads it") {
  auto layers = std::make_shared<tn::Module>();
  auto layer = layers->register_module("layer", conv2d(4, 4, 3));
  const auto weight = at::randn({1, 4, 1, 1});
  const Forward calls[] = {[](const at::Tensor& x) { return x; },
                           [](const at::Tensor& x) { return at::relu(x); },
                           [](const at::Tensor& x) {
                             return x.view({x.size(0), -1});
                           },
                           [weight](const at::Tensor& x) { return at::relu(weight) + x * weight; },
                           [layer](const at::Tensor& x) mutable {
                             const auto y = layer->forward(x), part = y.narrow(1, 1, 2);
                             return at::cat({at::relu(part), y, at::sigmoid(y.transpose(2, 3)).transpose(2, 3)}, 1);
                           },
                           [layer](const at::Tensor& x) mutable {
                             const auto y = layer->forward(x).mean({2, 3}, true).expand_as(x);
                             return at::silu(y) + at::leaky_relu(x, 0.1);
                           },
                           [layer](const at::Tensor& x) mutable {
                             const auto parts = layer->forward(x).chunk(2, 1);
                             return at::tanh(parts[0]) * at::relu(parts[1]) +
                                    at::softmax(parts[0].flatten(2), 2).view_as(parts[0]);
                           }};
  for (const auto& call : calls) {
    const Free network{layers, call};
    CHECK(gap(network, at::randn({2, 4, 9, 9})) < 1e-5);
    CHECK(gap(network, at::randn({2, 4, 9, 9}), Precision::bfloat16) < 0.03);
    const auto prepared = prepare(layers, call, in(Precision::float32));
    const auto x = at::randn({2, 4, 9, 9}), x_before = x.clone(), weight_before = weight.clone(), y = prepared(x);
    CHECK_FALSE(y.is_alias_of(x));
    CHECK_FALSE(y.is_alias_of(weight));
    y.zero_();
    CHECK(at::equal(x, x_before));
    CHECK(at::equal(weight, weight_before));
  }
}

TEST_CASE("a graph that writes to its tensors runs as it was traced") {
  auto layers = std::make_shared<tn::Module>();
  auto layer = layers->register_module("layer", conv2d(4, 4, 3));
  const Free network{layers, [layer](const at::Tensor& x) mutable {
                       auto y = layer->forward(x).clone();
                       y.narrow(1, 0, 1).copy_(x.narrow(1, 2, 1));
                       return y * 2;
                     }};
  CHECK(gap(network, at::randn({1, 4, 6, 5})) < 1e-6);
  CHECK(gap(network, at::randn({1, 4, 6, 5}), Precision::bfloat16) < 0.02);
}

TEST_CASE("bfloat16 beside operators that take one type alone") {
  CHECK(gap(sequence(conv2d(3, 6, 3), tn::PReLU(tn::PReLUOptions().num_parameters(6))), at::randn({2, 3, 8, 9}),
            Precision::bfloat16) < 0.02);
  auto layers = std::make_shared<tn::Module>();
  auto first = layers->register_module("first", tn::Linear(5, 8));
  auto lstm = layers->register_module("lstm", tn::LSTM(8, 6));
  const Free network{
      layers, [first, lstm](const at::Tensor& x) mutable { return std::get<0>(lstm->forward(first->forward(x))); }};
  CHECK(gap(network, at::randn({7, 2, 5})) < 1e-5);
  CHECK(gap(network, at::randn({7, 2, 5}), Precision::bfloat16) < 0.02);
}

TEST_CASE("a call that needs more memory than allowed is refused") {
  const auto network = sequence(conv2d(3, 64, 3), tn::ReLU(), conv2d(64, 4, 3));
  network.module->eval();
  auto options = in(Precision::float32);
  options.memory_mib = 10;
  const auto prepared = prepare(network.module, network.call, options);
  CHECK(prepared(at::randn({1, 3, 64, 64})).size(1) == 4);
  CHECK_THROWS_AS(prepared(at::randn({1, 3, 512, 512})), Error);
  CHECK(prepared.preparation({1, 3, 512, 512}).activations_mib == doctest::Approx(64));
}
