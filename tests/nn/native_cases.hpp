#pragma once

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <functional>
#include <initializer_list>

#include "../../src/nn/engine.hpp"
#include "../../src/nn/tile_product.hpp"
#include "../../src/nn/weight_cache.hpp"
#include "ichdet/nn/prepare.hpp"

// After LibTorch's headers, one of which defines a CHECK too.
#include <doctest/doctest.h>

// Small networks for tests of the native engine.
namespace native_cases {

using namespace ichdet;
namespace tn = torch::nn;
using at::Tensor;

/// A module whose forward is a function of its layers.
struct Net : tn::Module {
  std::function<Tensor(const Tensor&)> body;
  int layers = 0;

  template <class Layer>
  Layer add(Layer layer) {
    register_module("layer" + std::to_string(layers++), layer);
    return layer;
  }
  tn::Conv2d conv(std::int64_t in, std::int64_t out, tn::Conv2dOptions options) {
    options.in_channels(in).out_channels(out);
    return add(tn::Conv2d(options));
  }
  tn::BatchNorm2d norm(std::int64_t channels) {
    auto layer = add(tn::BatchNorm2d(channels));
    layer->running_mean.normal_(0, 0.2);
    layer->running_var.uniform_(0.5, 2);
    const at::NoGradGuard no_grad;
    layer->weight.uniform_(0.5, 1.5);
    layer->bias.normal_(0, 0.2);
    return layer;
  }
  Tensor forward(const Tensor& x) { return body(x); }
};

struct Case {
  std::string name;
  std::shared_ptr<Net> net;
  std::vector<std::int64_t> shape;  ///< of one image
};

inline Case make(const std::string& name, std::vector<std::int64_t> shape,
                 const std::function<std::function<Tensor(const Tensor&)>(Net&)>& build) {
  at::manual_seed(3);
  auto net = std::make_shared<Net>();
  net->body = build(*net);
  net->eval();
  return {name, net, std::move(shape)};
}

inline Tensor input(const Case& c, std::int64_t batch) {
  auto shape = c.shape;
  shape.insert(shape.begin(), batch);
  at::manual_seed(7);
  return at::randn(shape);
}

inline PreparedNetwork prepared(const Case& c, Precision precision, int threads = 0) {
  PrepareOptions options;
  options.precision = precision;
  options.engine = Engine::native;
  options.threads = threads;
  return prepare(c.net, options);
}

inline bool here() {
  if (nn::has_avx512_bf16()) return true;
  MESSAGE("SKIPPED: the native engine needs a CPU with AVX-512 and its products of bfloat16");
  return false;
}

/// In float32 within 3e-5 of the module's range (two bfloat16 numbers have 16 bits: 8e-6 for a value), in bfloat16
/// within `coarsely`, by the native engine.
inline void check_against_modules(const std::vector<Case>& cases, std::initializer_list<std::int64_t> batches,
                                  double coarsely) {
  for (const auto& c : cases) {
    CAPTURE(c.name);
    const auto exact = prepared(c, Precision::float32), coarse = prepared(c, Precision::bfloat16);
    for (const auto batch : batches) {
      CAPTURE(batch);
      const auto x = input(c, batch), before = x.clone();
      CHECK(exact.preparation(x.sizes()).reason == "");
      CHECK((exact.preparation(x.sizes()).engine == Engine::native));
      const auto close = verify(exact, c.net, x), near = verify(coarse, c.net, x);
      CHECK(close.range > 0.1);
      CHECK(close.largest <= 3e-5 * close.range);
      CHECK(near.largest <= coarsely * near.range);
      CHECK(at::equal(x, before));
    }
  }
}

/// As on a CPU without AMX, in float32 within 5e-6 of the module's range.
inline void check_float32_against_modules(const std::vector<Case>& cases) {
  for (const auto& c : cases) {
    CAPTURE(c.name);
    nn::WeightCache weights;
    nn::CompileOptions options;
    options.amx = false;
    const auto x = input(c, 2);
    const auto forward = [net = c.net](const Tensor& given) { return net->forward(given); };
    const auto graph = nn::trace(*c.net, forward, x.slice(0, 0, 1).sizes());
    nn::fold(*graph, weights);
    const auto made = nn::compile_native(graph, options);
    CHECK(made.form == "traced graph on tiles of float32");
    const c10::InferenceMode no_gradients;
    const auto expected = c.net->forward(x);
    CHECK((made.run(x) - expected).abs().max().item<double>() <= 5e-6 * expected.abs().max().item<double>());
  }
}

/// From run to run, for one and two threads, alone and in a batch.
inline void check_same_bytes(const std::vector<Case>& cases, std::int64_t batch) {
  for (const auto& c : cases) {
    CAPTURE(c.name);
    const auto one = prepared(c, Precision::float32, 1), two = prepared(c, Precision::float32, 2);
    const auto x = input(c, batch);
    const auto y = one(x);
    CHECK(at::equal(y, one(x)));
    CHECK(at::equal(y, two(x)));
    CHECK(at::equal(y.slice(0, 1, 2), two(x.slice(0, 1, 2))));
  }
}

}  // namespace native_cases
