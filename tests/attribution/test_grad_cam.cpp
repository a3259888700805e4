#include "ichdet/attribution/grad_cam.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <thread>

#include "../nn/blocks.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/nn/network.hpp"

// After LibTorch's headers, one of which defines a CHECK too.
#include <doctest/doctest.h>

using namespace ichdet;
using namespace ichdet::attribution;
using namespace ichdet::blocks;

namespace {

/// Two layers, mean over positions, one linear layer.
struct Small : Network {
  tn::Sequential body;
  tn::Linear fc;

  Small()
      : body(conv2d(2, 8, 3, 2), tn::BatchNorm2d(8), tn::ReLU(), conv2d(8, 6, 3, 2), tn::BatchNorm2d(6), tn::ReLU()),
        fc(6, 3) {
    register_module("body", body);
    register_module("fc", fc);
  }
  at::Tensor forward_features(const at::Tensor& x) override { return body->forward(x); }
  at::Tensor forward_head(const at::Tensor& features) override { return fc->forward(features.mean({2, 3})); }
};

std::shared_ptr<Small> small() {
  at::manual_seed(5);
  auto network = trained(std::make_shared<Small>());
  const at::NoGradGuard no_grad;
  network->fc->weight.copy_(at::randn({3, 6}));
  return network;
}

Forward features_of(const std::shared_ptr<Small>& network) {
  return [network](const at::Tensor& x) { return network->forward_features(x); };
}
Forward head_of(const std::shared_ptr<Small>& network) {
  return [network](const at::Tensor& x) { return network->forward_head(x); };
}

/// The identity, with no way back.
struct OneWay : torch::autograd::Function<OneWay> {
  static at::Tensor forward(torch::autograd::AutogradContext*, const at::Tensor& x) { return x.clone(); }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                 const torch::autograd::variable_list&) {
    throw std::logic_error("differentiated");
  }
};

double gap(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

at::Tensor ramp_to_one(at::Tensor map) {
  map = map - map.amin({1, 2}, true);
  return map / map.amax({1, 2}, true);
}

}  // namespace

TEST_CASE("behind a mean and a linear layer, Grad-CAM is the features weighted by that layer") {
  const auto network = small();
  const auto x = at::randn({3, 2, 24, 32});
  const at::NoGradGuard no_grad;
  const auto f = network->forward_features(x);
  const auto weights = network->fc->weight.select(0, 2).view({1, 6, 1, 1});
  const auto raw = (f * weights).sum(1).relu();
  const auto expected = ramp_to_one(at::upsample_bilinear2d(raw.unsqueeze(1), {24, 32}, false).squeeze(1));
  const auto found = grad_cam(*network, x, class_score(2));
  CHECK(found.sizes() == at::IntArrayRef({3, 24, 32}));
  CHECK(found.amax({1, 2}).min().item<double>() > 0.99);
  CHECK(gap(found, expected) < 1e-4);
}

TEST_CASE("EigenCAM of one pattern in several strengths is the pattern, whatever sign the channels' sum has") {
  const auto pattern = at::rand({1, 1, 5, 7});
  const auto strengths = at::tensor({3.0f, -1.0f, 2.0f}).view({1, 3, 1, 1});
  CamOptions options;
  options.method = CamMethod::eigen_cam;
  const auto x = at::zeros({1, 1, 5, 7});
  const auto map_of = [&](const at::Tensor& maps) {
    return grad_cam([&](const at::Tensor&) { return maps; }, {}, x, {}, options);
  };
  const auto expected = ramp_to_one((pattern - pattern.mean()).relu().squeeze(1));
  CHECK(gap(map_of(pattern * strengths), expected) < 1e-5);
  CHECK(gap(map_of(pattern * -strengths + 9), ramp_to_one((pattern.mean() - pattern).relu().squeeze(1))) < 1e-5);
}

TEST_CASE("no gradient goes into the features, which may be a prepared network") {
  const auto network = small();
  const auto x = at::randn({2, 2, 24, 32});
  const Forward one_way = [network](const at::Tensor& t) { return OneWay::apply(network->forward_features(t)); };
  for (const auto method : {CamMethod::grad_cam, CamMethod::grad_cam_plus_plus, CamMethod::eigen_cam}) {
    for (const bool aug_smooth : {false, true}) {
      CamOptions options;
      options.method = method;
      options.aug_smooth = aug_smooth;
      options.eigen_smooth = aug_smooth;
      const auto plain = grad_cam(*network, x, class_score(2), options);
      CHECK(plain.amax({1, 2}).min().item<double>() > 0.5);
      CHECK(gap(grad_cam(one_way, head_of(network), x, class_score(2), options), plain) == 0);
      const auto prepared = prepare(network, features_of(network));
      CHECK(gap(grad_cam(prepared, head_of(network), x, class_score(2), options), plain) < 1e-4);
      const c10::InferenceMode inference;
      CHECK(gap(grad_cam(*network, x.clone(), class_score(2), options), plain) == 0);
    }
  }
  for (const auto& parameter : network->parameters()) CHECK_FALSE(parameter.grad().defined());
  CamOptions options;
  options.create_graph = true;
  const auto map = grad_cam(one_way, head_of(network), x, class_score(2), options);
  CHECK_THROWS_WITH(map.sum().backward(), "differentiated");
}

TEST_CASE("mirrored input gives the mirrored map, and the smoothed map is the mean of six") {
  const auto network = small();
  const auto x = at::randn({2, 2, 24, 32});
  CamOptions options;
  options.aug_smooth = true;
  const auto smoothed = grad_cam(*network, x, class_score(2), options);
  CHECK(smoothed.amax({1, 2}).min().item<double>() > 0.5);  // class 2 has something to show
  auto mean = at::zeros_like(smoothed);
  for (const double factor : {0.9, 1.0, 1.1}) {
    mean += grad_cam(*network, x * factor, class_score(2));
    mean += grad_cam(*network, (x * factor).flip(3), class_score(2)).flip(2);
  }
  CHECK(gap(smoothed, mean / 6) < 1e-6);
  CHECK(gap(grad_cam(*network, x.flip(3), class_score(2), options), smoothed.flip(2)) < 1e-6);
  options.mirrored_axis = 2;
  CHECK(gap(grad_cam(*network, x.flip(2), class_score(2), options), smoothed.flip(1)) > 1e-3);
  CHECK(gap(grad_cam(*network, x, class_score(2), options), smoothed) > 1e-3);
}

TEST_CASE("eight threads at once get what one gets") {
  const auto network = small();
  const auto x = at::randn({1, 2, 24, 32});
  CamOptions options;
  options.aug_smooth = options.eigen_smooth = true;
  const auto alone = grad_cam(*network, x, highest_score(), options);
  std::vector<at::Tensor> maps(8);
  std::vector<std::thread> threads;
  for (auto& map : maps) {
    threads.emplace_back([&] { map = grad_cam(*network, x, highest_score(), options); });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& map : maps) CHECK(at::equal(map, alone));
}

TEST_CASE("training on a map moves features and head") {
  const auto network = small();
  CamOptions options;
  options.create_graph = true;
  for (const bool eigen_smooth : {false, true}) {
    network->zero_grad();
    options.eigen_smooth = eigen_smooth;
    grad_cam(*network, at::randn({2, 2, 24, 32}), class_score(2), options).square().mean().backward();
    for (const auto& item : network->named_parameters()) {
      CAPTURE(item.key());
      if (item.key() != "fc.bias") CHECK(item.value().grad().abs().max().item<double>() > 0);
    }
  }
}

TEST_CASE("a network in training, unknown methods and misshapen input are refused") {
  const auto network = small();
  const auto x = at::randn({2, 2, 24, 32});
  CHECK(parse_cam_method("grad-cam++") == CamMethod::grad_cam_plus_plus);
  CHECK(to_string(CamMethod::eigen_cam) == "eigen-cam");
  CHECK_THROWS_AS(parse_cam_method("gradcam"), Error);
  CHECK_THROWS_AS(grad_cam(*network, x, class_score(3)), Error);
  CHECK_THROWS_AS(grad_cam(*network, x[0], class_score(0)), Error);
  network->train();
  CHECK_THROWS_WITH_AS(grad_cam(*network, x, class_score(0)),
                       "network to explain: expected evaluation mode, found training mode", Error);
}
