#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <torch/nn/module.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <thread>

#include "../../src/nn/openvino_plugin.hpp"
#include "blocks.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/models/deepmedic.hpp"
#include "ichdet/nn/prepare.hpp"

// After LibTorch's headers, one of which defines a CHECK too.
#include <doctest/doctest.h>

using namespace ichdet;
using at::Tensor;

namespace {

namespace fs = std::filesystem;
using Shape = std::vector<std::int64_t>;

#ifdef ICHDET_HAS_OPENVINO
constexpr bool skip = false;
#else
constexpr bool skip = true;
#endif

PrepareOptions with(Precision precision, int threads = 1) {
  PrepareOptions options;
  options.engine = Engine::openvino;
  options.precision = precision;
  options.threads = threads;
  return options;
}

PreparedNetwork prepared(const Forward& forward, const PrepareOptions& options) {
  auto module = std::make_shared<torch::nn::Module>("operators");
  module->eval();
  return prepare(module, forward, options);
}

Tensor weights(const Shape& shape) { return at::randn(shape) * 0.3; }
Tensor positive(const Shape& shape) { return at::rand(shape) + 0.5; }

struct Case {
  std::string name;
  Shape shape;
  Forward forward;
};

/// All three results, side by side.
Forward lstm(std::int64_t layers, bool both_ways, bool batch_first) {
  const std::int64_t width = 4, ways = both_ways ? 2 : 1, batch = 2;
  std::vector<Tensor> parameters;
  for (std::int64_t i = 0; i < layers * ways; ++i) {
    const auto in = i < ways ? 5 : width * ways;
    for (const auto& shape : {Shape{4 * width, in}, {4 * width, width}, {4 * width}, {4 * width}}) {
      parameters.push_back(weights(shape));
    }
  }
  const std::vector<Tensor> start{weights({layers * ways, batch, width}), weights({layers * ways, batch, width})};
  return [=](const Tensor& x) {
    const auto [y, h, c] = at::lstm(x, start, parameters, true, layers, 0, false, both_ways, batch_first);
    return at::cat({y.flatten(), h.flatten(), c.flatten()});
  };
}

// One operator each, or one variant of it; `x` is normally distributed.
std::vector<Case> operators() {
  at::manual_seed(3);
  const auto conv = [](Shape kernel, bool bias, Shape stride, Shape padding, Shape dilation, bool transposed,
                       Shape output_padding, std::int64_t groups) -> Forward {
    const auto w = weights(kernel);
    const auto b = bias ? weights({transposed ? kernel[1] * groups : kernel[0]}) : Tensor();
    return [=](const Tensor& x) {
      return at::convolution(x, w, b, stride, padding, dilation, transposed, output_padding, groups);
    };
  };
  const auto of_channels = [](auto norm) {
    return [norm, w = weights({6}), b = weights({6}), mean = weights({6}), var = positive({6})](const Tensor& x) {
      return norm(x, w, b, mean, var);
    };
  };
  const auto one = weights({1}), six = weights({6}), matrix = weights({7, 5}), square = weights({5, 5});
  const auto plane = weights({1, 6, 1, 5});
  const auto index = at::tensor({2, 0, 4}, at::kLong);
  const Shape image{2, 6, 8, 5}, volume{1, 6, 5, 7, 4}, line{2, 6, 9}, table{3, 5};
  const auto all = std::numeric_limits<std::int64_t>::max();
  return {
      {"conv1d", line, conv({4, 6, 3}, true, {2}, {1}, {1}, false, {0}, 1)},
      {"conv2d", image, conv({4, 6, 3, 3}, true, {1, 2}, {1, 0}, {1, 1}, false, {0, 0}, 1)},
      {"conv2d without bias", image, conv({4, 6, 1, 1}, false, {1, 1}, {0, 0}, {1, 1}, false, {0, 0}, 1)},
      {"conv2d dilated", image, conv({4, 6, 3, 2}, true, {1, 1}, {2, 1}, {2, 3}, false, {0, 0}, 1)},
      {"conv2d in groups", image, conv({9, 2, 3, 3}, true, {1, 1}, {1, 1}, {1, 1}, false, {0, 0}, 3)},
      {"conv2d by depth", image, conv({6, 1, 3, 3}, true, {2, 2}, {1, 1}, {1, 1}, false, {0, 0}, 6)},
      {"conv3d", volume, conv({4, 6, 3, 3, 3}, true, {1, 1, 1}, {0, 1, 1}, {1, 1, 1}, false, {0, 0, 0}, 1)},
      {"conv3d in groups", volume, conv({4, 3, 3, 3, 1}, true, {1, 2, 1}, {1, 1, 0}, {1, 1, 1}, false, {0, 0, 0}, 2)},
      {"transposed conv1d", line, conv({6, 4, 3}, true, {2}, {1}, {1}, true, {1}, 1)},
      {"transposed conv2d", image, conv({6, 4, 3, 2}, true, {2, 2}, {1, 0}, {1, 1}, true, {1, 0}, 1)},
      {"transposed conv2d in groups", image, conv({6, 2, 2, 2}, true, {2, 2}, {0, 0}, {1, 1}, true, {0, 0}, 3)},
      {"transposed conv3d", volume, conv({6, 4, 2, 2, 2}, false, {2, 2, 2}, {0, 0, 0}, {1, 1, 1}, true, {0, 0, 0}, 1)},
      {"transposed conv3d dilated", volume,
       conv({6, 4, 3, 3, 3}, true, {2, 1, 2}, {1, 1, 1}, {1, 2, 1}, true, {1, 0, 1}, 1)},
      {"conv2d same", image,
       [w = weights({4, 6, 4, 3})](const Tensor& x) { return at::conv2d(x, w, {}, 1, "same", 1); }},
      {"conv2d valid", image,
       [w = weights({4, 6, 2, 3})](const Tensor& x) { return at::conv2d(x, w, {}, 2, "valid", 1); }},
      {"conv2d by name", image, [w = weights({4, 6, 2, 3})](const Tensor& x) { return at::conv2d(x, w, {}, 1, 1, 1); }},
      {"conv_transpose2d", image,
       [w = weights({6, 4, 3, 3})](const Tensor& x) { return at::conv_transpose2d(x, w, {}, 2, 1, 1); }},

      {"batch_norm", image, of_channels([](auto x, auto w, auto b, auto mean, auto var) {
         return at::batch_norm(x, w, b, mean, var, false, 0.1, 1e-3, false);
       })},
      {"batch_norm without weights", line, of_channels([](auto x, auto, auto, auto mean, auto var) {
         return at::batch_norm(x, {}, {}, mean, var, false, 0.1, 1e-5, false);
       })},
      {"instance_norm", volume, of_channels([](auto x, auto w, auto b, auto, auto) {
         return at::instance_norm(x, w, b, {}, {}, true, 0.1, 1e-5, false);
       })},
      {"instance_norm without weights", image, of_channels([](auto x, auto, auto, auto, auto) {
         return at::instance_norm(x, {}, {}, {}, {}, true, 0.1, 1e-5, false);
       })},
      {"instance_norm with running statistics", image, of_channels([](auto x, auto w, auto b, auto mean, auto var) {
         return at::instance_norm(x, w, b, mean, var, false, 0.1, 1e-5, false);
       })},
      {"group_norm", image,
       of_channels([](auto x, auto w, auto b, auto, auto) { return at::group_norm(x, 3, w, b, 1e-5); })},
      {"group_norm without weights", volume,
       of_channels([](auto x, auto, auto, auto, auto) { return at::group_norm(x, 2, {}, {}, 1e-5); })},
      {"layer_norm", {2, 3, 6}, of_channels([](auto x, auto w, auto b, auto, auto) {
         return at::layer_norm(x, {6}, w, b, 1e-5);
       })},
      {"layer_norm of two axes", image,
       [](const Tensor& x) {
         return at::layer_norm(x, {8, 5});
       }},

      {"relu", image, [](const Tensor& x) { return at::relu(x); }},
      {"relu6", image, [](const Tensor& x) { return at::relu6(x * 5); }},
      {"hardtanh", image, [](const Tensor& x) { return at::hardtanh(x, -0.5, 0.7); }},
      {"leaky_relu", image, [](const Tensor& x) { return at::leaky_relu(x, 0.1); }},
      {"prelu of one", image, [=](const Tensor& x) { return at::prelu(x, one); }},
      {"prelu of channels", image, [=](const Tensor& x) { return at::prelu(x, six); }},
      {"elu", image, [](const Tensor& x) { return at::elu(x, 0.7); }},
      {"selu", image, [](const Tensor& x) { return at::selu(x); }},
      {"gelu", image, [](const Tensor& x) { return at::gelu(x); }},
      {"gelu by tanh", image, [](const Tensor& x) { return at::gelu(x, "tanh"); }},
      {"silu", image, [](const Tensor& x) { return at::silu(x); }},
      {"mish", image, [](const Tensor& x) { return at::mish(x); }},
      {"hardswish", image, [](const Tensor& x) { return at::hardswish(x * 3); }},
      {"hardsigmoid", image, [](const Tensor& x) { return at::hardsigmoid(x * 3); }},
      {"sigmoid", image, [](const Tensor& x) { return at::sigmoid(x); }},
      {"tanh", image, [](const Tensor& x) { return at::tanh(x); }},
      {"softmax", image, [](const Tensor& x) { return at::softmax(x, 1); }},
      {"softmax of the last axis", table, [](const Tensor& x) { return at::softmax(x, -1); }},
      {"log_softmax", image, [](const Tensor& x) { return at::log_softmax(x, 1); }},
      {"softplus", image, [](const Tensor& x) { return at::softplus(x * 10, 2); }},
      {"clamp", image, [](const Tensor& x) { return at::clamp(x, -0.5, 0.5); }},
      {"clamp_min", image, [](const Tensor& x) { return at::clamp_min(x, 0.2); }},
      {"glu", image, [](const Tensor& x) { return at::glu(x, 1); }},

      {"max_pool1d", line, [](const Tensor& x) { return at::max_pool1d(x, 3, 2, 1); }},
      {"max_pool2d", image,
       [](const Tensor& x) {
         return at::max_pool2d(x, {3, 2});
       }},
      {"max_pool2d by ceiling", image, [](const Tensor& x) { return at::max_pool2d(x, 3, 2, 1, 1, true); }},
      {"max_pool2d dilated", image, [](const Tensor& x) { return at::max_pool2d(x, 2, 1, 1, 2); }},
      {"max_pool3d", volume, [](const Tensor& x) { return at::max_pool3d(x, 2, 2, 0, 1, true); }},
      {"avg_pool1d", line, [](const Tensor& x) { return at::avg_pool1d(x, 3, 2, 1); }},
      {"avg_pool2d", image, [](const Tensor& x) { return at::avg_pool2d(x, 3, 2, 1); }},
      {"avg_pool2d without padding", image, [](const Tensor& x) { return at::avg_pool2d(x, 3, 2, 1, false, false); }},
      {"avg_pool2d by ceiling", image, [](const Tensor& x) { return at::avg_pool2d(x, 3, 2, 1, true, true); }},
      {"avg_pool2d by ceiling, without padding", image,
       [](const Tensor& x) { return at::avg_pool2d(x, 3, 2, 1, true, false); }},
      {"avg_pool3d", volume,
       [](const Tensor& x) {
         return at::avg_pool3d(x, 2, {2, 3, 1});
       }},
      {"adaptive_avg_pool1d", line, [](const Tensor& x) { return at::adaptive_avg_pool1d(x, 3); }},
      {"adaptive_avg_pool2d to one", image,
       [](const Tensor& x) {
         return at::adaptive_avg_pool2d(x, {1, 1});
       }},
      {"adaptive_avg_pool2d to divisors", image,
       [](const Tensor& x) {
         return at::adaptive_avg_pool2d(x, {4, 5});
       }},
      {"adaptive_avg_pool2d to others", image,
       [](const Tensor& x) {
         return at::adaptive_avg_pool2d(x, {3, 2});
       }},
      {"adaptive_avg_pool3d", volume,
       [](const Tensor& x) {
         return at::adaptive_avg_pool3d(x, {1, 1, 1});
       }},
      {"adaptive_avg_pool3d to others", volume,
       [](const Tensor& x) {
         return at::adaptive_avg_pool3d(x, {2, 3, 2});
       }},
      {"adaptive_max_pool2d", image,
       [](const Tensor& x) {
         return std::get<0>(at::adaptive_max_pool2d(x, {4, 1}));
       }},
      {"adaptive_max_pool2d to others", image,
       [](const Tensor& x) {
         return std::get<0>(at::adaptive_max_pool2d(x, {3, 2}));
       }},

      {"upsample_nearest1d", line, [](const Tensor& x) { return at::upsample_nearest1d(x, {20}); }},
      {"upsample_nearest2d", image,
       [](const Tensor& x) {
         return at::upsample_nearest2d(x, {11, 15});
       }},
      {"upsample_nearest2d by scale", image,
       [](const Tensor& x) {
         return at::upsample_nearest2d(x, at::OptionalIntArrayRef(), at::ArrayRef<double>({2., 3.}));
       }},
      {"upsample_nearest3d", volume,
       [](const Tensor& x) {
         return at::upsample_nearest3d(x, {15, 14, 4});
       }},
      {"nearest exact", image,
       [](const Tensor& x) {
         return at::_upsample_nearest_exact2d(x, {11, 15});
       }},
      {"upsample_linear1d", line, [](const Tensor& x) { return at::upsample_linear1d(x, {20}, false); }},
      {"upsample_bilinear2d", image,
       [](const Tensor& x) {
         return at::upsample_bilinear2d(x, {16, 9}, false);
       }},
      {"upsample_bilinear2d downwards", image,
       [](const Tensor& x) {
         return at::upsample_bilinear2d(x, {5, 3}, false);
       }},
      {"upsample_bilinear2d of corners", image,
       [](const Tensor& x) {
         return at::upsample_bilinear2d(x, {16, 9}, true);
       }},
      {"upsample_trilinear3d", volume,
       [](const Tensor& x) {
         return at::upsample_trilinear3d(x, {10, 9, 8}, false);
       }},
      {"upsample_trilinear3d of corners", volume,
       [](const Tensor& x) {
         return at::upsample_trilinear3d(x, {10, 9, 8}, true);
       }},
      {"upsample_bicubic2d", image,
       [](const Tensor& x) {
         return at::upsample_bicubic2d(x, {16, 9}, false);
       }},
      {"constant_pad_nd", image,
       [](const Tensor& x) {
         return at::constant_pad_nd(x, {1, 2, 0, 3}, 1.5);
       }},
      {"constant_pad_nd inwards", image,
       [](const Tensor& x) {
         return at::constant_pad_nd(x, {-1, 2}, 1.5);
       }},
      {"pad by replication", volume,
       [](const Tensor& x) {
         return at::pad(x, {1, 2, 0, 3, 2, 1}, "replicate");
       }},
      {"pad by reflection", image,
       [](const Tensor& x) {
         return at::pad(x, {1, 2, 0, 3}, "reflect");
       }},
      {"reflection_pad1d", line,
       [](const Tensor& x) {
         return at::reflection_pad1d(x, {1, 2});
       }},

      {"view", image,
       [](const Tensor& x) {
         return x.view({2, 3, 2, 40});
       }},
      {"flatten", image, [](const Tensor& x) { return x.flatten(1); }},
      {"squeeze and unsqueeze", {2, 1, 4}, [](const Tensor& x) { return x.squeeze(1).unsqueeze(-1); }},
      {"permute", volume,
       [](const Tensor& x) {
         return x.permute({0, 2, -1, 3, 1}).contiguous();
       }},
      {"transpose", image, [](const Tensor& x) { return x.transpose(1, -1); }},
      {"t", table, [](const Tensor& x) { return x.t(); }},
      {"expand",
       {2, 1, 4},
       [](const Tensor& x) {
         return x.expand({2, 5, 4});
       }},
      {"repeat", table,
       [](const Tensor& x) {
         return x.repeat({2, 3, 2});
       }},
      {"slice", image, [=](const Tensor& x) { return x.slice(2, 1, all, 3); }},
      {"slice from the end", image, [](const Tensor& x) { return x.slice(-1, -3, -1); }},
      {"narrow", image, [](const Tensor& x) { return x.narrow(-2, 2, 4); }},
      {"select", image, [](const Tensor& x) { return x.select(1, -2); }},
      {"index_select", image, [=](const Tensor& x) { return x.index_select(2, index); }},
      {"flip", image,
       [](const Tensor& x) {
         return x.flip({1, -1});
       }},
      {"roll", image,
       [](const Tensor& x) {
         return at::roll(x, {2, -1}, {2, 3});
       }},
      {"cat", image,
       [](const Tensor& x) {
         return at::cat({x, x * 2, at::relu(x)}, -3);
       }},
      {"stack", image,
       [](const Tensor& x) {
         return at::stack({x, x * 2}, -1);
       }},
      {"split", image,
       [](const Tensor& x) {
         const auto p = x.split(3, 2);
         return at::cat({p[2], p[0]}, 2);
       }},
      {"split with sizes", image,
       [](const Tensor& x) {
         const auto p = at::split_with_sizes(x, {1, 3, 2}, 1);
         return p[1] * p[0];
       }},
      {"chunk", image,
       [](const Tensor& x) {
         const auto p = x.chunk(3, 2);
         return at::cat({p[2], p[0]}, 2);
       }},
      {"unbind", image,
       [](const Tensor& x) {
         const auto p = x.unbind(1);
         return p[5] - p[0];
       }},
      {"pixel_shuffle", {1, 8, 3, 4}, [](const Tensor& x) { return at::pixel_shuffle(x, 2); }},
      {"filled", image, [](const Tensor& x) { return at::full_like(x, 3) * x + at::ones_like(x) - at::zeros_like(x); }},
      {"operators in place", image,
       [](const Tensor& x) {
         auto y = x * 2;
         y.relu_();
         y += x;
         return y.mul_(0.5).clamp_(-1, 1);
       }},
      {"lstm", {2, 7, 5}, lstm(1, false, true)},
      {"lstm of two layers, both ways", {7, 2, 5}, lstm(2, true, false)},
      {"dropout", image, [](const Tensor& x) { return at::dropout(x, 0.5, false) * 2; }},
      {"to and back", image, [](const Tensor& x) { return (x * 4).to(at::kLong).to(at::kFloat); }},

      {"add", image, [=](const Tensor& x) { return at::add(x, plane, 3); }},
      {"add a number", image, [](const Tensor& x) { return x.add(0.3, 2); }},
      {"subtract", image, [=](const Tensor& x) { return at::sub(plane, x, 0.5); }},
      {"subtract from a number", image, [](const Tensor& x) { return at::rsub(x, 2, 3) + (1 - x) * 2; }},
      {"multiply", image, [=](const Tensor& x) { return x * plane * 1.5; }},
      {"divide", image, [=](const Tensor& x) { return plane / (x.abs() + 1) / 3 + 2 / (x.abs() + 1); }},
      {"power", image, [](const Tensor& x) { return x.pow(2) + x.abs().pow(1.5) + x.square(); }},
      {"roots", image,
       [](const Tensor& x) {
         const auto y = x.abs() + 0.1;
         return y.sqrt() + y.rsqrt() + y.reciprocal() + y.log();
       }},
      {"functions", image,
       [](const Tensor& x) { return at::exp(-x) + at::erf(x) + at::sin(x) + at::cos(x) + at::floor(x) + at::ceil(x); }},
      {"maximum and minimum", image, [=](const Tensor& x) { return at::maximum(x, plane) + at::minimum(x, plane); }},
      {"mean of all", image, [](const Tensor& x) { return x.mean(); }},
      {"mean of axes", image,
       [](const Tensor& x) {
         return x.mean({-1, 2}, true);
       }},
      {"sum of an axis", image, [](const Tensor& x) { return x.sum(1); }},
      {"largest and least", image,
       [](const Tensor& x) {
         return x.amax({1, 2}) - x.amin({1, 2});
       }},

      {"linear", {2, 3, 5}, [=, b = weights({7})](const Tensor& x) { return at::linear(x, matrix, b); }},
      {"linear without bias", table, [=](const Tensor& x) { return at::linear(x, matrix); }},
      {"addmm", table, [=](const Tensor& x) { return at::addmm(six.narrow(0, 0, 5), x, square, 0.5, 2); }},
      {"mm", table, [=](const Tensor& x) { return at::mm(x, square); }},
      {"bmm", {2, 3, 5}, [](const Tensor& x) { return at::bmm(x, x.transpose(1, 2)); }},
      {"baddbmm",
       {2, 3, 5},
       [](const Tensor& x) { return at::baddbmm(x.narrow(2, 0, 3), x, x.transpose(1, 2), 2, 0.5); }},
      {"matmul", {2, 3, 5}, [=](const Tensor& x) { return at::matmul(x, square); }},
      {"matmul with a vector", {2, 3, 5}, [=](const Tensor& x) { return at::matmul(x, square.select(0, 0)); }},
      {"attention",
       {2, 3, 4, 5},
       [](const Tensor& x) { return at::matmul(at::softmax(at::matmul(x, x.transpose(-1, -2)) * 0.4, -1), x); }},
      {"scaled_dot_product_attention",
       {2, 3, 4, 8},
       [](const Tensor& x) { return at::scaled_dot_product_attention(x, x * 2, x + 1); }},
      {"scaled_dot_product_attention with a scale",
       {2, 3, 4, 8},
       [=](const Tensor& x) { return at::scaled_dot_product_attention(x, x * 2, x + 1, {}, 0., false, 0.3); }},
  };
}

void check_operators(Precision precision, double tolerance) {
  for (const auto& [name, shape, forward] : operators()) {
    CAPTURE(name);
    const auto network = prepared(forward, with(precision));
    const auto difference = verify(network, forward, at::randn(shape));
    CHECK(difference.largest <= tolerance * difference.range);
    const auto preparation = network.preparation(shape);
    CHECK_MESSAGE(preparation.engine == Engine::openvino, preparation.reason);
  }
}

/// An encoder, a decoder and a head of several families' parts.
Tensor small_unet(const Tensor& x, const std::vector<Tensor>& w) {
  const auto instance = [](const Tensor& y) { return at::instance_norm(y, {}, {}, {}, {}, true, 0.1, 1e-5, false); };
  const auto fine = at::leaky_relu(instance(at::conv3d(x, w[0], {}, 1, 1)), 0.01);
  const auto coarse = at::leaky_relu(instance(at::conv3d(fine, w[1], {}, 2, 1)), 0.01);
  const auto up = at::conv_transpose3d(coarse, w[2], {}, 2);
  return at::conv3d(at::cat({up, fine}, 1), w[3]);
}

Forward small_unet() {
  at::manual_seed(4);
  const std::vector<Tensor> w{weights({8, 2, 3, 3, 3}), weights({16, 8, 3, 3, 3}), weights({16, 8, 2, 2, 2}),
                              weights({3, 16, 1, 1, 1})};
  return [w](const Tensor& x) { return small_unet(x, w); };
}

models::DeepMedic small_deepmedic() {
  at::manual_seed(6);
  models::DeepMedicOptions options;
  options.feature_maps = {8, 8, 10, 10};
  options.fully_connected = {12, 12};
  models::DeepMedic network(options);
  const at::NoGradGuard no_grad;
  for (auto& buffer : network->buffers()) {
    if (buffer.dim() == 1) buffer.copy_(at::rand_like(buffer) + 0.5);
  }
  network->eval();
  return network;
}

struct Folder {
  fs::path path = fs::temp_directory_path() / ("ichdet_openvino_" + std::to_string(::getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
};

}  // namespace

TEST_CASE("OpenVINO: its plug-in was built") {
  WARN_MESSAGE(!skip, "OpenVINO's plug-in was not built: its tests are skipped");
}

TEST_CASE("OpenVINO: operators give what LibTorch gives, in float32" * doctest::skip(skip)) {
  check_operators(Precision::float32, 1e-5);
}

TEST_CASE("OpenVINO: instance norm in float32 keeps its digits over a whole patch" * doctest::skip(skip)) {
  const auto norm = [](const Tensor& x) { return at::instance_norm(x, {}, {}, {}, {}, true, 0.1, 1e-5, false); };
  const Shape patch{1, 2, 160, 160, 32};
  const auto difference = verify(prepared(norm, with(Precision::float32)), norm, at::randn(patch));
  CHECK(difference.largest <= 1e-6 * difference.range);
}

// An operand has 8 significant bits in bfloat16: steps of 2^-8. Functions of several such operators add theirs up.
TEST_CASE("OpenVINO: operators in bfloat16" * doctest::skip(skip)) { check_operators(Precision::bfloat16, 4e-2); }

TEST_CASE("OpenVINO: whole networks" * doctest::skip(skip)) {
  const auto unet = small_unet();
  for (const auto& shape : {Shape{1, 2, 16, 12, 8}, {2, 2, 8, 8, 16}}) {
    const auto x = at::randn(shape);
    const auto exact = verify(prepared(unet, with(Precision::float32)), unet, x);
    CHECK(exact.largest <= 1e-5 * exact.range);
    const auto rough = verify(prepared(unet, with(Precision::bfloat16)), unet, x);
    CHECK(rough.largest <= 3e-2 * rough.range);
    CHECK(rough.largest > 0);
  }

  auto deepmedic = small_deepmedic();
  const auto size = deepmedic->input_size(deepmedic->options.scale_factors.front());
  const Shape tile{1, deepmedic->options.input_channels, size[0], size[1], size[2]};
  const auto network = prepare(deepmedic.ptr(), with(Precision::float32));
  const auto difference = verify(network, deepmedic.ptr(), at::randn(tile));
  CHECK(difference.largest <= 1e-4 * difference.range);
  CHECK_MESSAGE(network.preparation(tile).engine == Engine::openvino, network.preparation(tile).reason);
}

TEST_CASE("OpenVINO: blocks of the networks to come" * doctest::skip(skip)) {
  using namespace blocks;
  const std::vector<blocks::Case> cases{make<Residual2d>("2D residual", {20, 17, 23}, 20, true),
                                        make<Residual3d>("3D residual", {12, 9, 11, 13}, 12),
                                        make<MbConv>("MBConv", {12, 15, 17}, 12, 4, 5),
                                        make<Transposed3d>("3D transposed", {16, 5, 7, 6}, 16, 3),
                                        make<Dilated3d>("3D dilated", {5, 35, 19, 33}, 5, Shape{1, 4, 8, 16}),
                                        make<InstanceNorm>("3D instance norm", {12, 9, 11, 13}, 12),
                                        make<UpAndJoin>("3D trilinear and join", {8, 9, 12, 11}, 8, 3, true),
                                        make<FeedForward>("feed-forward", {13, 24}, 24)};
  for (const auto& c : cases) {
    CAPTURE(c.name);
    auto shape = c.shape;
    shape.insert(shape.begin(), 2);
    const auto x = at::randn(shape);
    const auto exact = prepare(c.block, with(Precision::float32)), rough = prepare(c.block, with(Precision::bfloat16));
    const auto close = verify(exact, c.block, x), near = verify(rough, c.block, x);
    CHECK(close.largest <= 1e-5 * close.range);
    CHECK(near.largest <= 2e-2 * near.range);
    CHECK_MESSAGE(exact.preparation(shape).engine == Engine::openvino, exact.preparation(shape).reason);
  }
}

TEST_CASE("OpenVINO: what it cannot take runs on LibTorch, and the reason says what" * doctest::skip(skip)) {
  const auto reason = [](const Forward& forward, const Shape& shape,
                         PrepareOptions options = with(Precision::float32)) {
    const auto network = prepared(forward, options);
    const auto difference = verify(network, forward, at::randn(shape));
    CHECK(difference.largest == 0);
    CHECK(network.preparation(shape).engine == Engine::torch);
    return network.preparation(shape).reason;
  };
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  const auto unmapped = reason([](const Tensor& x) { return at::relu(at::cumsum(x, 1)); }, {2, 3});
  CHECK_MESSAGE(has(unmapped, "aten::cumsum is not mapped"), unmapped);
  const auto divisor = reason([](const Tensor& x) { return at::avg_pool2d(x, 2, 2, 0, false, true, 3); }, {1, 2, 4, 4});
  CHECK_MESSAGE(has(divisor, "avg_pool2d is not mapped (divisor_override)"), divisor);
  const auto scale = reason(
      [](const Tensor& x) {
        return at::upsample_nearest2d(x, at::OptionalIntArrayRef(), at::ArrayRef<double>({1.3, 1.3}));
      },
      {1, 2, 4, 4});
  CHECK_MESSAGE(has(scale, "a scale that is not the sizes' ratio"), scale);
  const auto indices = reason(
      [](const Tensor& x) { return std::get<1>(at::max_pool2d_with_indices(x, 2)).to(at::kFloat); }, {1, 2, 4, 4});
  CHECK_MESSAGE(has(indices, "a result that OpenVINO does not have"), indices);
  const auto empty = reason([](const Tensor& x) { return at::relu(x); }, {0, 3, 4});
  CHECK_MESSAGE(has(empty, "without elements"), empty);
}

TEST_CASE("OpenVINO: threads share a network, also at its first call" * doctest::skip(skip)) {
  const auto forward = small_unet();
  const auto network = prepared(forward, with(Precision::float32, 0));
  std::vector<Tensor> inputs, outputs(8);
  for (std::size_t i = 0; i < outputs.size(); ++i) inputs.push_back(at::randn({1, 2, 8, 8, 8}));
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      threads.emplace_back([&, i] {
        for (int round = 0; round < 4; ++round) outputs[i] = network(inputs[i]);
      });
    }
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    CHECK(at::equal(outputs[i], network(inputs[i])));
    CHECK(at::allclose(outputs[i], forward(inputs[i]), 1e-4, 1e-5));
  }
}

TEST_CASE("OpenVINO: results stay when the next call is made, and strides do not matter" * doctest::skip(skip)) {
  const auto network = prepared([](const Tensor& x) { return x * 2; }, with(Precision::float32));
  const auto x = at::randn({3, 4, 5}), y = at::randn({5, 4, 3}).permute({2, 1, 0});
  const auto first = network(x), second = network(y);
  CHECK(at::equal(first, x * 2));
  CHECK(at::equal(second, y * 2));
  CHECK_THROWS_AS(network(x.to(at::kDouble)), Error);
}

TEST_CASE("OpenVINO: memory of a call is estimated, and kept below a ceiling" * doctest::skip(skip)) {
  const auto forward = [w = weights({8, 2, 3, 3}), v = weights({1, 8, 1, 1})](const Tensor& x) {
    return at::conv2d(at::conv2d(x, w), v);
  };
  const Shape shape{1, 2, 258, 258};
  auto options = with(Precision::float32);
  const double wide = 8 * 256 * 256 * 4 / double(1 << 20);
  const auto estimate = prepared(forward, options).preparation(shape).activations_mib;
  CHECK(estimate >= wide);
  CHECK(estimate <= 2 * wide);
  options.memory_mib = wide / 2;
  CHECK_THROWS_AS(prepared(forward, options)(at::zeros(shape)), Error);
}

TEST_CASE("OpenVINO: a cache folder keeps compiled networks" * doctest::skip(skip)) {
  const Folder folder;
  const auto forward = small_unet();
  auto options = with(Precision::float32);
  options.cache_folder = folder.path / "cache";
  const auto x = at::randn({1, 2, 16, 16, 16});
  const auto first = prepared(forward, options)(x);
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(options.cache_folder)) {
    if (entry.is_regular_file()) files.push_back(entry);
  }
  REQUIRE(files.size() == 1);
  const auto written = fs::last_write_time(files.front());
  CHECK(at::equal(prepared(forward, options)(x), first));
  CHECK(fs::last_write_time(files.front()) == written);
  // A damaged file is made again, not believed.
  fs::resize_file(files.front(), fs::file_size(files.front()) / 2);
  CHECK(at::equal(prepared(forward, options)(x), first));
}

TEST_CASE("OpenVINO: a cache folder serves both precisions" * doctest::skip(skip)) {
  const auto forward = small_unet();
  const auto x = at::randn({1, 2, 16, 16, 16});
  const auto exact = prepared(forward, with(Precision::float32))(x);
  const auto rough = prepared(forward, with(Precision::bfloat16))(x);
  CHECK_FALSE(at::equal(exact, rough));
  for (const auto first : {Precision::float32, Precision::bfloat16}) {
    const Folder folder;
    const auto second = first == Precision::float32 ? Precision::bfloat16 : Precision::float32;
    for (const auto precision : {first, second, first}) {
      auto options = with(precision);
      options.cache_folder = folder.path;
      CHECK(at::equal(prepared(forward, options)(x), precision == Precision::float32 ? exact : rough));
    }
  }
}

TEST_CASE("OpenVINO: a plug-in that cannot be used says why") {
  const Folder folder;
  const auto open = [](const fs::path& file) { return [file] { nn::open_openvino_plugin({file}); }; };
  const auto message = [&](const fs::path& file) -> std::string {
    try {
      open(file)();
    } catch (const Error& e) {
      CHECK(e.code() == ErrorCode::options);
      return e.what();
    }
    return {};
  };
  const auto missing = folder.path / "no" / "plugin.so", text = folder.path / "text.so";
  CHECK(message(missing) == "OpenVINO's plug-in: not installed; looked for " + missing.string());
  std::ofstream(text) << "no library";
  CHECK(message(text).starts_with("OpenVINO's plug-in: " + text.string() + ": "));
  CHECK(message("libstdc++.so.6").find("undefined symbol: ichdet_openvino_plugin") != std::string::npos);
  CHECK(message(OTHER_PLUGIN)
            .ends_with(", found interface " + std::to_string(nn::openvino_abi + 1) + " with LibTorch 1.0.0"));
  CHECK(message("libichdet_no.so")
            .starts_with("OpenVINO's plug-in: not installed; looked for the run path (libichdet_no.so: "));
}
