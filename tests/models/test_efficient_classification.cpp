#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "ichdet/models/create.hpp"
#include "ichdet/nn/network.hpp"

TEST_CASE("S1's transposed convolutions give the same while they learn") {
  at::manual_seed(4);
  const auto network = ichdet::models::create("EfficientClassification", nlohmann::json::object(), "test");
  const auto images = at::randn({1, 3, 512, 512});
  const auto learning = network->forward(images);  // eval mode, but with gradients
  CHECK(learning.requires_grad());
  const at::NoGradGuard no_grad;
  const auto plain = network->forward(images);
  CHECK(at::allclose(learning, plain, 1e-4, 1e-5 * plain.abs().max().item<double>()));
}
