#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <doctest/doctest.h>
#include <torch/nn/modules/linear.h>

#include <filesystem>
#include <stop_token>

#include "ichdet/core/error.hpp"
#include "ichdet/phantom/random.hpp"
#include "ichdet/train/log.hpp"
#include "ichdet/train/loop.hpp"
#include "ichdet/train/losses.hpp"

using namespace ichdet;
using namespace ichdet::train;
namespace fs = std::filesystem;

namespace {

/// Two layers with dropout between, so that random numbers matter.
class Toy : public Network {
 public:
  Toy()
      : first(register_module("first", torch::nn::Linear(6, 16))),
        last(register_module("last", torch::nn::Linear(16, 2))) {}
  at::Tensor forward_features(const at::Tensor& x) override {
    return at::dropout(at::relu(first(x)), 0.2, is_training());
  }
  at::Tensor forward_head(const at::Tensor& x) override { return last(x); }
  torch::nn::Linear first, last;
};

Batch batch_of(std::int64_t step) {
  const auto input = at::empty({8, 6});
  const auto target = at::empty({8}, at::kLong);
  for (std::int64_t i = 0; i < 8; ++i) {
    float sum = 0;
    for (std::int64_t j = 0; j < 6; ++j) {
      const float x = counter_normal(3, std::uint64_t(step), std::uint64_t(i * 6 + j));
      input[i][j] = x;
      sum += x;
    }
    target[i] = sum > 0 ? 1 : 0;
  }
  return {input, target, {}};
}

at::Tensor objective(Network& network, const Batch& batch) {
  return cross_entropy(network.forward(batch.input), batch.target);
}

Score validate(Network& network, const Progress&) {
  const auto batch = batch_of(1000000);
  const auto right = network.forward(batch.input).argmax(1).eq(batch.target).to(at::kFloat).mean().item<double>();
  return {right, {{"validation/accuracy", right}}};
}

FitOptions options_of(std::int64_t steps) {
  FitOptions options;
  options.steps = steps;
  options.validate_every = 25;
  options.save_every = 10;
  options.log_every = 4;
  options.optimizer.learning_rate = 0.02;
  options.average = 0.9;
  options.identity = "toy";
  return options;
}

struct Folder {
  fs::path path =
      fs::temp_directory_path() / ("ichdet_loop_" + std::to_string(::getpid()) + "_" + std::to_string(count++));
  ~Folder() { fs::remove_all(path); }
  static inline int count = 0;
};

std::vector<std::pair<std::string, double>> losses(const fs::path& folder) {
  std::vector<std::pair<std::string, double>> found;
  for (const auto& row : read_log(folder / "metrics.csv"))
    found.emplace_back(row.name + std::to_string(row.step), row.value);
  return found;
}

/// Asks to stop when a step begins.
Progress stopped_at(std::int64_t step, std::stop_source& source) {
  Progress progress;
  progress.stop = source.get_token();
  progress.report = [&source, step](std::string_view stage, double) {
    if (stage.starts_with("step " + std::to_string(step) + " ")) source.request_stop();
  };
  return progress;
}

}  // namespace

TEST_CASE("A training learns, and gives back its best weights") {
  const Folder folder;
  at::manual_seed(1);
  Toy network;
  const auto before = validate(network, {}).value;
  const auto result = fit(network, batch_of, objective, validate, options_of(200), folder.path);
  CHECK(result.step == 200);
  CHECK(result.best.value >= before);
  CHECK(result.best.value > 0.85);
  CHECK_FALSE(network.is_training());
  CHECK(validate(network, {}).value == doctest::Approx(result.best.value));
  for (const auto* file : {"metrics.csv", "curves.png", "state.pt", "best.safetensors", "last.safetensors"}) {
    CHECK(fs::exists(folder.path / file));
  }
  const auto rows = read_log(folder.path / "metrics.csv");
  CHECK(rows.front().name == "train/loss");
  CHECK(rows.front().value > 2 * rows[rows.size() - 4].value);
}

TEST_CASE("A training that was stopped and goes on has the losses of one that was not") {
  const Folder whole, parts;
  at::manual_seed(1);
  Toy one, two, three;
  {
    at::manual_seed(1);
    Toy fresh;
    for (auto& parameter : fresh.named_parameters()) {
      for (auto* network : {&one, &two, &three})
        network->named_parameters()[parameter.key()].set_data(parameter.value().detach().clone());
    }
  }
  fit(one, batch_of, objective, validate, options_of(60), whole.path);
  std::stop_source source;
  CHECK_THROWS_AS(fit(two, batch_of, objective, validate, options_of(60), parts.path, stopped_at(37, source)), Error);
  const auto result = fit(three, batch_of, objective, validate, options_of(60), parts.path);
  CHECK(result.step == 60);
  CHECK(losses(whole.path) == losses(parts.path));
  for (const auto& parameter : one.named_parameters()) {
    CHECK(at::equal(parameter.value(), three.named_parameters()[parameter.key()]));
  }
}

TEST_CASE("A training that was stopped while it was judged is judged again, and ends as one that was not") {
  const Folder whole, parts;
  const auto fresh = [] {
    at::manual_seed(1);
    return Toy();
  };
  auto one = fresh(), two = fresh(), three = fresh();
  auto options = options_of(60);
  options.save_every = 1000;  // nothing but the stop saves
  fit(one, batch_of, objective, validate, options, whole.path);
  int judged = 0;
  const Validation stopped = [&](Network& network, const Progress& progress) {
    if (++judged == 2) throw Error(ErrorCode::cancelled, "validate: stopped on request");
    return validate(network, progress);
  };
  CHECK_THROWS_WITH_AS(fit(two, batch_of, objective, stopped, options, parts.path), doctest::Contains("validate"),
                       Error);
  const auto result = fit(three, batch_of, objective, stopped, options, parts.path);
  CHECK(result.step == 60);
  CHECK(judged == 1 + 1 + 2);
  CHECK(losses(whole.path) == losses(parts.path));
  for (const auto& parameter : one.named_parameters()) {
    CHECK(at::equal(parameter.value(), three.named_parameters()[parameter.key()]));
  }
}

TEST_CASE("A gradient that is no number ends the training before it reaches the weights") {
  for (const double clip : {0.0, 1.0}) {
    const Folder folder;
    Toy network;
    auto options = options_of(10);
    options.optimizer.clip_gradient = clip;
    const Objective steep = [](Network& n, const Batch& batch) {
      return (n.forward(batch.input) * 0).sqrt().sum();  // 0 at 0, where its slope is infinite
    };
    CHECK_THROWS_WITH_AS(fit(network, batch_of, steep, validate, options, folder.path),
                         doctest::Contains("the gradient is no number"), Error);
    for (const auto& parameter : network.parameters()) CHECK(parameter.isfinite().all().item<bool>());
  }
}

TEST_CASE("A folder of another training is refused") {
  const Folder folder;
  Toy network;
  fit(network, batch_of, objective, validate, options_of(10), folder.path);
  auto other = options_of(20);
  other.identity = "another";
  CHECK_THROWS_WITH_AS(fit(network, batch_of, objective, validate, other, folder.path),
                       doctest::Contains("another training"), Error);
}

TEST_CASE("A loss that is no number ends the training") {
  const Folder folder;
  Toy network;
  const Objective bad = [](Network& n, const Batch& batch) { return objective(n, batch) * std::nan(""); };
  CHECK_THROWS_WITH_AS(fit(network, batch_of, bad, validate, options_of(10), folder.path),
                       doctest::Contains("no number"), Error);
}

TEST_CASE("What goes wrong while a batch is made is said") {
  for (const int workers : {0, 2}) {
    const Folder folder;
    Toy network;
    auto options = options_of(10);
    options.workers = workers;
    const BatchSource broken = [](std::int64_t step) {
      if (step == 4) throw Error(ErrorCode::shape, "study 7: no such slice");
      return batch_of(step);
    };
    CHECK_THROWS_WITH_AS(fit(network, broken, objective, validate, options, folder.path), "study 7: no such slice",
                         Error);
  }
}
