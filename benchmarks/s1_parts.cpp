#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "ichdet/models/efficient_classification.hpp"
#include "ichdet/nn/denormals.hpp"
#include "ichdet/nn/prepare.hpp"

// Where S1's time goes: EfficientNet-B0, BiFPN, the linear block of transposed and plain convolutions, ResNet-18; by
// LibTorch as written and by the engines. Outputs are compared before anything is timed.
using namespace ichdet;

namespace {

struct Part {
  const char* name;
  Forward forward;
  std::vector<std::int64_t> shape;
};

double milliseconds(const std::function<void()>& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

/// Batch norm with statistics, and convolutions whose outputs keep their inputs' size, so that nothing is all bias.
void give_natural_size(torch::nn::Module& network) {
  const at::NoGradGuard no_grad;
  for (auto& item : network.named_parameters()) {
    auto& p = item.value();
    if (p.dim() == 4) p.normal_(0, std::sqrt(2.0 / double(p.numel() / p.size(0))));
  }
  for (auto& item : network.named_buffers()) {
    if (item.key().ends_with("running_mean")) item.value().normal_(0, 0.1);
    if (item.key().ends_with("running_var")) item.value().uniform_(0.5, 1.5);
  }
}

/// Least times of `rounds`, the contenders in turn.
struct Times {
  double eager = 0, torch = 0, openvino = 0, native = 0, gap = 0;
};

Times measure(models::EfficientClassification& network, const Part& part, Precision precision, int threads,
              int rounds) {
  PrepareOptions options;
  options.precision = precision;
  options.threads = threads;
  std::vector<PreparedNetwork> prepared;
  for (const auto engine : {Engine::torch, Engine::openvino, Engine::native}) {
    options.engine = engine;
    prepared.push_back(prepare(network.ptr(), part.forward, options));
  }
  const InferenceThreads flushed(threads);
  const at::NoGradGuard no_grad;
  const auto x = at::randn(part.shape);
  Times best;
  for (const auto& p : prepared) {
    const auto reason = p.preparation(part.shape).reason;
    if (!reason.empty()) throw std::runtime_error(std::string(part.name) + ": " + reason);
    const auto gap = verify(p, part.forward, x);
    best.gap = std::max(best.gap, gap.largest / gap.range);
  }
  if (!(best.gap <= (precision == Precision::float32 ? 1e-4 : 0.05))) {
    throw std::runtime_error(std::string(part.name) + ": an engine is off by " + std::to_string(best.gap));
  }
  for (int round = 0; round < rounds; ++round) {
    const auto least = [&](double& time, const std::function<void()>& call) {
      const auto taken = milliseconds(call);
      time = round == 0 ? taken : std::min(time, taken);
    };
    if (precision == Precision::float32) least(best.eager, [&] { part.forward(x); });
    least(best.torch, [&] { prepared[0](x); });
    least(best.openvino, [&] { prepared[1](x); });
    least(best.native, [&] { prepared[2](x); });
  }
  return best;
}

void print(const char* name, const char* precision, const Times& t) {
  std::printf("| %s | %s | ", name, precision);
  t.eager > 0 ? std::printf("%.1f", t.eager) : 0;
  std::printf(" | %.1f | %.1f | %.1f |\n", t.torch, t.openvino, t.native);
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::stoi(argv[1]) : 1, rounds = argc > 2 ? std::stoi(argv[2]) : 7;
  at::manual_seed(1);
  auto network = models::EfficientClassification();
  give_natural_size(*network);
  network->eval();
  auto* n = network.get();
  const auto half = [](const at::Tensor& x) { return at::max_pool2d(x, {2, 2}, {2, 2}); };
  const Part backbone{
      "EfficientNet-B0", [n](const at::Tensor& x) { return n->effdet->backbone(x).back(); }, {1, 3, 512, 512}};
  const Part block{"transposed convolutions, conv0, conv1",
                   [n, half](const at::Tensor& x) {
                     std::vector<at::Tensor> maps{x};
                     while (maps.size() < 5) maps.push_back(half(maps.back()));
                     return n->fuse(maps);
                   },
                   {1, 64, 64, 64}};
  const Part resnet{"ResNet-18", [n](const at::Tensor& x) { return n->resnet->forward(x); }, {1, 3, 224, 224}};
  const Part whole{"S1", [n](const at::Tensor& x) { return n->forward(x); }, {1, 3, 512, 512}};
  std::printf("Milliseconds for a slice, %d thread(s)\n\n", threads);
  std::printf("| part | precision | eager | LibTorch | OpenVINO | native |\n|---|---|---|---|---|---|\n");
  try {
    for (const auto precision : {Precision::float32, Precision::bfloat16}) {
      const auto name = to_string(precision);
      Times rest = measure(network, whole, precision, threads, rounds);
      const Times all = rest;
      for (const auto* part : {&backbone, &block, &resnet}) {
        const auto t = measure(network, *part, precision, threads, rounds);
        print(part->name, name.c_str(), t);
        rest = {rest.eager - t.eager, rest.torch - t.torch, rest.openvino - t.openvino, rest.native - t.native, 0};
      }
      print("BiFPN (the rest)", name.c_str(), rest);
      print("**S1**", name.c_str(), all);
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
