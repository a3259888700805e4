#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <doctest/doctest.h>
#include <torch/nn/init.h>

#include <nlohmann/json.hpp>

#include "ichdet/core/error.hpp"
#include "ichdet/models/create.hpp"
#include "ichdet/models/mindgrab.hpp"

namespace {

using ichdet::models::MindGrabImpl;
using ichdet::models::MindGrabOptions;

std::shared_ptr<MindGrabImpl> network(MindGrabOptions options) {
  at::manual_seed(7);
  auto made = std::make_shared<MindGrabImpl>(std::move(options));
  made->eval();
  return made;
}

double difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>() / b.abs().max().item<double>();
}

}  // namespace

TEST_CASE("MindGrab in slabs gives the plain network's logits") {
  const c10::InferenceMode no_gradients;
  MindGrabOptions options;
  options.channels = 5;
  for (const auto& dilations :
       {std::vector<std::int64_t>{16, 8, 4, 2, 1, 16, 8, 4, 2, 1}, {1}, {2, 2, 2, 2, 2}, {7, 20}}) {
    options.dilations = dilations;
    const auto made = network(options);
    for (const std::int64_t planes : {1, 8, 19, 40}) {
      CAPTURE(dilations.size());
      CAPTURE(planes);
      const auto x = at::randn({1, 1, planes, 21, 34});
      const auto plain = made->forward(x), slabs = forward_in_slabs(*made, x);
      REQUIRE(slabs.sizes() == plain.sizes());
      CHECK(difference(slabs, plain) < 1e-4);
    }
  }
}

TEST_CASE("MindGrab in slabs: a layer's mean far from zero, a constant volume, two input channels") {
  const c10::InferenceMode no_gradients;
  MindGrabOptions options;
  options.in_channels = 2;
  options.num_classes = 3;
  options.channels = 4;
  options.dilations = {4, 2, 1};
  const auto made = network(options);
  const auto far = at::randn({1, 2, 20, 16, 16}) + 30;
  CHECK(difference(forward_in_slabs(*made, far), made->forward(far)) < 1e-4);
  const auto still = at::ones({1, 2, 20, 16, 16});
  CHECK(difference(forward_in_slabs(*made, still), made->forward(still)) < 1e-4);
}

TEST_CASE("MindGrab refuses what it cannot take") {
  const auto made = network({});
  CHECK_THROWS_AS(made->forward(at::zeros({1, 2, 8, 8, 8})), ichdet::Error);
  CHECK_THROWS_AS(made->forward(at::zeros({1, 8, 8, 8})), ichdet::Error);
  CHECK_THROWS_AS(forward_in_slabs(*made, at::zeros({2, 1, 8, 8, 8})), ichdet::Error);
  using ichdet::models::create;
  CHECK_THROWS_AS(create("MindGrab", {{"dilations", {0}}}, "x"), ichdet::Error);
  CHECK_THROWS_AS(create("MindGrab", {{"dilations", nlohmann::json::array()}}, "x"), ichdet::Error);
  CHECK_THROWS_AS(create("MindGrab", {{"dilation", {1}}}, "x"), ichdet::Error);
}

TEST_CASE("MindGrab in slabs can be stopped") {
  const auto made = network({});
  std::stop_source source;
  source.request_stop();
  ichdet::Progress progress;
  progress.stop = source.get_token();
  CHECK_THROWS_AS(forward_in_slabs(*made, at::zeros({1, 1, 8, 8, 8}), progress), ichdet::Error);
}
