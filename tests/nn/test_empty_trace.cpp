#include <torch/csrc/jit/ir/ir.h>

#include <algorithm>
#include <vector>

#include "ichdet/models/dynunet.hpp"
#include "native_cases.hpp"
#include "nn/empty_trace.hpp"
#include "nn/engine.hpp"
#include "nn/graph_tools.hpp"

using namespace native_cases;

// What the trace of no samples says of some.
namespace {

using Body = std::function<Tensor(const Tensor&)>;
using Numbers = std::vector<std::int64_t>;

std::shared_ptr<Net> network(Body body) {
  auto net = std::make_shared<Net>();
  net->body = std::move(body);
  net->eval();
  return net;
}

tn::Conv3d conv(Net& net, std::int64_t in, std::int64_t out, std::int64_t k, std::int64_t stride) {
  return net.add(tn::Conv3d(tn::Conv3dOptions(in, out, k).stride(stride).padding(k / 2)));
}

/// A U-Net of two scales, up-sampled to a size that it reads from its input.
std::shared_ptr<Net> unet() {
  at::manual_seed(1);
  auto net = network({});
  auto down = conv(*net, 1, 4, 3, 2), last = conv(*net, 5, 2, 3, 1);
  const auto weight = at::rand(4), bias = at::rand(4);
  net->body = [=](const Tensor& x) mutable {
    const auto low = nn::instance_norm_of_any(down(x), weight, bias, 0.1, 1e-5);
    const auto weighted = low * at::sigmoid(low.mean({2, 3, 4}).reshape({x.size(0), 4, 1, 1, 1}));
    return last(at::cat({at::leaky_relu(at::upsample_nearest3d(weighted, x.sizes().slice(2))), x}, 1));
  };
  return net;
}

struct Node {
  std::string kind;
  std::vector<Numbers> sizes;
  bool operator==(const Node&) const = default;
};

std::vector<Node> nodes(const std::shared_ptr<torch::jit::Graph>& graph) {
  std::vector<Node> all{{"input", {nn::sizes(graph->inputs().front()).value()}}};
  for (const auto* node : graph->nodes()) {
    if (node->kind() == torch::jit::prim::Constant) continue;
    all.push_back({node->kind().toQualString(), {}});
    for (const auto* output : node->outputs()) all.back().sizes.push_back(nn::sizes(output).value_or(Numbers{}));
  }
  return all;
}

nn::TraceOf tracer(Net& net, Numbers& numbers) {
  return [&](at::IntArrayRef shape) {
    return nn::trace(
        net,
        [&](const Tensor& x) {
          numbers.push_back(x.numel());
          return net.forward(x);
        },
        shape);
  };
}

bool traces(const Body& body, at::IntArrayRef shape) {
  Numbers numbers;
  const auto net = network(body);
  return nn::trace_empty(tracer(*net, numbers), shape) != nullptr;
}

}  // namespace

TEST_CASE("empty trace: the operators and sizes of a trace of samples, and nothing computed") {
  const auto net = unet();
  Numbers empty, whole;
  const auto found = nn::trace_empty(tracer(*net, empty), {3, 1, 16, 12, 10});
  REQUIRE(found != nullptr);
  CHECK(empty == Numbers{0});
  const bool same = nodes(found) == nodes(tracer(*net, whole)({3, 1, 16, 12, 10}));
  CHECK(same);
  CHECK(whole == Numbers{3 * 16 * 12 * 10});
}

TEST_CASE("empty trace: none where samples are mixed, or may be") {
  const Numbers shape{2, 4, 8, 8};
  CHECK(traces([](const Tensor& x) { return at::relu(x).sum({1, -1}); }, shape));
  CHECK(traces([](const Tensor& x) { return at::flatten(x, 1); }, shape));
  CHECK_FALSE(traces([](const Tensor& x) { return at::relu(x).sum({0, 1}); }, shape));
  CHECK_FALSE(traces([](const Tensor& x) { return x.sum({-4}); }, shape));
  CHECK_FALSE(traces([](const Tensor& x) { return at::relu(x).mean(); }, shape));
  CHECK_FALSE(traces([](const Tensor& x) { return at::cat({x, x}, 0); }, shape));
  CHECK_FALSE(traces([](const Tensor& x) { return at::flatten(x, 0, 1); }, shape));
  CHECK_FALSE(traces([](const Tensor& x) { return x.reshape({x.size(0) * 2, 2, 8, 8}); }, shape));
  CHECK_FALSE(traces([](const Tensor& x) { return x - x.select(0, 0); }, shape));
  CHECK_FALSE(traces([](const Tensor& x) { return x + at::ones({x.size(0), 4, 8, 8}); }, shape));
  CHECK_FALSE(traces([](const Tensor& x) { return x / double(x.size(0)); }, shape));
  CHECK_FALSE(traces([](const Tensor& x) { return x.flip(0); }, shape));        // an operator it does not know
  CHECK_FALSE(traces([](const Tensor& x) { return x / x.amax(); }, shape));     // throws of no samples
  CHECK_FALSE(traces([](const Tensor& x) { return at::relu(x); }, {0, 4, 8}));  // are none
}

TEST_CASE("empty trace: instance norm of some samples and of none") {
  const auto x = at::randn({2, 3, 5, 4}), weight = at::rand(3), bias = at::rand(3);
  const auto plain = at::instance_norm(x, weight, bias, {}, {}, true, 0.1, 1e-5, false);
  CHECK(at::equal(nn::instance_norm_of_any(x, weight, bias, 0.1, 1e-5), plain));
  CHECK(nn::instance_norm_of_any(x.slice(0, 0, 0), weight, bias, 0.1, 1e-5).sizes() == at::IntArrayRef{0, 3, 5, 4});
}

TEST_CASE("empty trace: a DynUNet is prepared by it, and right") {
  models::DynUNetOptions options;
  options.in_channels = 1;
  options.kernel_size = {{3, 3, 3}, {3, 3, 3}, {3, 3, 3}};
  options.strides = {{1, 1, 1}, {2, 2, 2}, {2, 2, 2}};
  options.filters = {4, 6, 8};
  options.deep_supervision = false;
  at::manual_seed(1);
  const auto net = std::make_shared<models::DynUNetImpl>(options);
  net->eval();
  const auto x = at::randn({2, 1, 32, 24, 24});
  for (const auto engine : {Engine::torch, Engine::native}) {
    PrepareOptions how;
    how.engine = engine;
    Numbers samples;
    const auto prepared = prepare(
        net,
        [&](const Tensor& given) {
          samples.push_back(given.size(0));
          return net->forward(given);
        },
        how);
    const auto d = verify(
        prepared, [&](const Tensor& given) { return net->forward(given); }, x);
    CHECK(d.largest <= 1e-4 * d.range);
    CHECK(std::ranges::count(samples, 0) == std::ssize(samples));  // again where an engine refuses
  }
}
