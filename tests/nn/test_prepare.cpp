#include "ichdet/nn/prepare.hpp"

#include <ATen/Functions.h>
#include <doctest/doctest.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>

#include <thread>

#include "ichdet/core/error.hpp"

using namespace ichdet;

namespace {

torch::nn::Sequential small_network() {
  at::manual_seed(5);
  torch::nn::Sequential network(torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 8, 3).padding(1)),
                                torch::nn::BatchNorm2d(8), torch::nn::ReLU(), torch::nn::Conv2d(8, 4, 1));
  const at::NoGradGuard no_grad;
  for (auto& buffer : network->buffers()) {
    if (buffer.dim() == 1) buffer.copy_(at::rand_like(buffer) + 0.5);
  }
  network->eval();
  return network;
}

PrepareOptions with(Precision precision, Engine engine = Engine::torch) {
  PrepareOptions options;
  options.precision = precision;
  options.engine = engine;
  return options;
}

}  // namespace

TEST_CASE("any module is traced, and stays as it is") {
  auto network = small_network();
  const auto prepared = prepare(network.ptr(), with(Precision::float32));
  for (const auto& shape : {std::vector<std::int64_t>{1, 3, 16, 16}, {2, 3, 9, 21}, {0, 3, 8, 8}}) {
    const auto difference = verify(prepared, network.ptr(), at::randn(shape));
    CHECK(difference.largest <= 1e-5 * difference.range);
  }
  CHECK(network->parameters().front().requires_grad());
  CHECK(prepared.preparation({1, 3, 16, 16}).engine == Engine::torch);
  CHECK(prepared.warm_up({1, 3, 16, 16}).seconds > 0);
}

TEST_CASE("threads share a prepared network, also at its first call") {
  auto network = small_network();
  const auto prepared = prepare(network.ptr(), with(Precision::float32));
  const auto x = at::randn({1, 3, 16, 16});
  std::vector<at::Tensor> outputs(8);
  {
    std::vector<std::jthread> threads;
    for (auto& output : outputs) threads.emplace_back([&] { output = prepared(x); });
  }
  for (const auto& output : outputs) CHECK(at::equal(output, outputs.front()));
}

TEST_CASE("what cannot be is refused, with the names there are") {
  auto network = small_network();
  CHECK_THROWS_AS(prepare(network.ptr(), with(Precision::adaptive)), Error);
  auto elsewhere = with(Precision::float32);
  elsewhere.device = "cuda:7";
  CHECK_THROWS_AS(prepare(network.ptr(), elsewhere), Error);
  CHECK_THROWS_AS(prepare(network.ptr())(at::randn({1, 5, 16, 16})), Error);
  network->train();
  CHECK_THROWS_AS(prepare(network.ptr()), Error);
  CHECK_THROWS_WITH_AS(parse_engine("tensorrt"),
                       "engine: expected one of auto, native, torch, openvino, found tensorrt", Error);
}
