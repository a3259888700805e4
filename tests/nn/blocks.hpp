#pragma once

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <torch/nn/functional/upsampling.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/instancenorm.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/modules/pooling.h>

#include <memory>
#include <string>
#include <vector>

// The building blocks of the networks to come, for the tests and for benchmarks/building_blocks.cpp.
namespace ichdet::blocks {

namespace tn = torch::nn;

struct Block : tn::Module {
  virtual at::Tensor forward(const at::Tensor& x) = 0;
};

inline tn::Conv2d conv2d(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride = 1,
                         std::int64_t dilation = 1, std::int64_t groups = 1, bool bias = false) {
  return tn::Conv2d(tn::Conv2dOptions(in, out, kernel)
                        .stride(stride)
                        .padding(dilation * (kernel / 2))
                        .dilation(dilation)
                        .groups(groups)
                        .bias(bias));
}

inline tn::Conv3d conv3d(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride = 1,
                         std::int64_t dilation = 1, bool bias = false) {
  return tn::Conv3d(
      tn::Conv3dOptions(in, out, kernel).stride(stride).padding(dilation * (kernel / 2)).dilation(dilation).bias(bias));
}

/// ResNet's basic block, with ReLU or SiLU.
struct Residual2d : Block {
  bool silu;
  tn::Conv2d first, second;
  tn::BatchNorm2d first_norm, second_norm;

  Residual2d(std::int64_t c, bool with_silu)
      : silu(with_silu), first(conv2d(c, c, 3)), second(conv2d(c, c, 3)), first_norm(c), second_norm(c) {
    register_module("first", first);
    register_module("first_norm", first_norm);
    register_module("second", second);
    register_module("second_norm", second_norm);
  }
  at::Tensor forward(const at::Tensor& x) override {
    const auto act = [this](const at::Tensor& y) { return silu ? at::silu(y) : at::relu(y); };
    return act(second_norm(second(act(first_norm(first(x))))) + x);
  }
};

/// The same in 3D with PReLU, one slope.
struct Residual3d : Block {
  tn::Conv3d first, second;
  tn::BatchNorm3d first_norm, second_norm;
  tn::PReLU first_act, second_act;

  explicit Residual3d(std::int64_t c) : first(conv3d(c, c, 3)), second(conv3d(c, c, 3)), first_norm(c), second_norm(c) {
    register_module("first", first);
    register_module("first_norm", first_norm);
    register_module("first_act", first_act);
    register_module("second", second);
    register_module("second_norm", second_norm);
    register_module("second_act", second_act);
  }
  at::Tensor forward(const at::Tensor& x) override {
    return second_act(second_norm(second(first_act(first_norm(first(x))))) + x);
  }
};

/// EfficientNet's inverted bottleneck with squeeze and excitation.
struct MbConv : Block {
  tn::Conv2d expand, depthwise, squeeze, excite, project;
  tn::BatchNorm2d expand_norm, depthwise_norm, project_norm;

  MbConv(std::int64_t c, std::int64_t expansion, std::int64_t kernel)
      : expand(conv2d(c, c * expansion, 1)),
        depthwise(conv2d(c * expansion, c * expansion, kernel, 1, 1, c * expansion)),
        squeeze(conv2d(c * expansion, std::max<std::int64_t>(1, c / 4), 1, 1, 1, 1, true)),
        excite(conv2d(std::max<std::int64_t>(1, c / 4), c * expansion, 1, 1, 1, 1, true)),
        project(conv2d(c * expansion, c, 1)),
        expand_norm(c * expansion),
        depthwise_norm(c * expansion),
        project_norm(c) {
    register_module("expand", expand);
    register_module("expand_norm", expand_norm);
    register_module("depthwise", depthwise);
    register_module("depthwise_norm", depthwise_norm);
    register_module("squeeze", squeeze);
    register_module("excite", excite);
    register_module("project", project);
    register_module("project_norm", project_norm);
  }
  at::Tensor forward(const at::Tensor& x) override {
    auto y = at::silu(expand_norm(expand(x)));
    y = at::silu(depthwise_norm(depthwise(y)));
    const auto gate = at::sigmoid(excite(at::silu(squeeze(at::adaptive_avg_pool2d(y, {1, 1})))));
    return project_norm(project(y * gate)) + x;
  }
};

/// Up-sampling by 2: transposed convolution, batch norm, ReLU.
struct Transposed2d : Block {
  tn::ConvTranspose2d up;
  tn::BatchNorm2d norm;

  Transposed2d(std::int64_t c, std::int64_t kernel)
      : up(tn::ConvTranspose2dOptions(c, c / 2, kernel).stride(2).padding((kernel - 1) / 2).output_padding(kernel % 2)),
        norm(c / 2) {
    register_module("up", up);
    register_module("norm", norm);
  }
  at::Tensor forward(const at::Tensor& x) override { return at::relu(norm(up(x))); }
};

struct Transposed3d : Block {
  tn::ConvTranspose3d up;
  tn::BatchNorm3d norm;

  Transposed3d(std::int64_t c, std::int64_t kernel)
      : up(tn::ConvTranspose3dOptions(c, c / 2, kernel).stride(2).padding((kernel - 1) / 2).output_padding(kernel % 2)),
        norm(c / 2) {
    register_module("up", up);
    register_module("norm", norm);
  }
  at::Tensor forward(const at::Tensor& x) override { return at::relu(norm(up(x))); }
};

/// MeshNet, MindGrab: convolutions of growing dilation, batch norm, ReLU.
struct Dilated2d : Block {
  tn::Sequential layers;

  Dilated2d(std::int64_t c, const std::vector<std::int64_t>& dilations) {
    for (const auto d : dilations) {
      layers->push_back(conv2d(c, c, 3, 1, d));
      layers->push_back(tn::BatchNorm2d(c));
      layers->push_back(tn::ReLU());
    }
    register_module("layers", layers);
  }
  at::Tensor forward(const at::Tensor& x) override { return layers->forward(x); }
};

struct Dilated3d : Block {
  tn::Sequential layers;

  Dilated3d(std::int64_t c, const std::vector<std::int64_t>& dilations) {
    for (const auto d : dilations) {
      layers->push_back(conv3d(c, c, 3, 1, d));
      layers->push_back(tn::BatchNorm3d(c));
      layers->push_back(tn::ReLU());
    }
    register_module("layers", layers);
  }
  at::Tensor forward(const at::Tensor& x) override { return layers->forward(x); }
};

/// nnU-Net: twice convolution, instance norm, leaky ReLU.
struct InstanceNorm : Block {
  tn::Conv3d first, second;
  tn::InstanceNorm3d first_norm, second_norm;

  explicit InstanceNorm(std::int64_t c)
      : first(conv3d(c, c, 3, 1, 1, true)),
        second(conv3d(c, c, 3, 1, 1, true)),
        first_norm(tn::InstanceNorm3dOptions(c).affine(true)),
        second_norm(tn::InstanceNorm3dOptions(c).affine(true)) {
    register_module("first", first);
    register_module("first_norm", first_norm);
    register_module("second", second);
    register_module("second_norm", second_norm);
  }
  at::Tensor forward(const at::Tensor& x) override {
    const auto y = at::leaky_relu(first_norm(first(x)), 0.01);
    return at::leaky_relu(second_norm(second(y)), 0.01);
  }
};

/// A decoder's step: half the size, up again, beside what was there, convolved. Nearest or linear.
struct UpAndJoin : Block {
  int axes;
  bool linear;
  tn::Conv2d down2{nullptr}, join2{nullptr};
  tn::Conv3d down3{nullptr}, join3{nullptr};

  UpAndJoin(std::int64_t c, int axes_, bool linear_) : axes(axes_), linear(linear_) {
    if (axes == 2) {
      down2 = register_module("down", conv2d(c, c, 3, 2, 1, 1, true));
      join2 = register_module("join", conv2d(2 * c, c, 3, 1, 1, 1, true));
    } else {
      down3 = register_module("down", conv3d(c, c, 3, 2, 1, true));
      join3 = register_module("join", conv3d(2 * c, c, 3, 1, 1, true));
    }
  }
  at::Tensor forward(const at::Tensor& x) override {
    const auto small = at::relu(axes == 2 ? down2(x) : down3(x));
    const auto size = x.sizes().slice(2);
    const auto up = axes == 2
                        ? linear ? at::upsample_bilinear2d(small, size, false) : at::upsample_nearest2d(small, size)
                    : linear ? at::upsample_trilinear3d(small, size, false)
                             : at::upsample_nearest3d(small, size);
    const auto both = at::cat({up, x}, 1);
    return at::relu(axes == 2 ? join2(both) : join3(both));
  }
};

/// A transformer's feed-forward part over (N, tokens, channels).
struct FeedForward : Block {
  tn::LayerNorm norm;
  tn::Linear wide, narrow;

  explicit FeedForward(std::int64_t c) : norm(tn::LayerNormOptions({c})), wide(c, 4 * c), narrow(4 * c, c) {
    register_module("norm", norm);
    register_module("wide", wide);
    register_module("narrow", narrow);
  }
  at::Tensor forward(const at::Tensor& x) override { return x + narrow(at::gelu(wide(norm(x)))); }
};

/// In evaluation, with weights and statistics as after training: none is the neutral value.
template <class M>
std::shared_ptr<M> trained(std::shared_ptr<M> module) {
  const at::NoGradGuard no_grad;
  for (auto& item : module->named_parameters()) {
    if (item.value().dim() == 1) item.value().copy_(at::rand_like(item.value()) * 0.5 + 0.25);
  }
  for (auto& item : module->named_buffers()) {
    if (item.value().dim() == 1) item.value().copy_(at::rand_like(item.value()) + 0.5);
  }
  module->eval();
  return module;
}

struct Case {
  std::string name;
  std::shared_ptr<Block> block;
  std::vector<std::int64_t> shape;  ///< of one sample: channels and sizes
};

template <class B, class... Arguments>
Case make(std::string name, std::vector<std::int64_t> shape, Arguments... arguments) {
  at::manual_seed(11);
  return {std::move(name), trained<Block>(std::make_shared<B>(arguments...)), std::move(shape)};
}

}  // namespace ichdet::blocks
