// The building blocks of tests/nn/blocks.hpp at the sizes of real networks: prepared for LibTorch and for OpenVINO,
// against the plain module, and against the rate of the machine's matrix product. Prints JSON, or a table with
// --markdown. All contenders take and give plain contiguous float32.
//
//     bench_building_blocks [--threads 1] [--rounds 7] [--only text] [--markdown]
#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <stdexcept>
#include <string>

#include "ichdet/nn/denormals.hpp"
#include "ichdet/nn/prepare.hpp"
#include "nn/blocks.hpp"

using namespace ichdet;
using namespace ichdet::blocks;

namespace {

struct Measured {
  Case sample;
  double flops = 0;  ///< of convolutions and products, two for a multiplication and its sum
};

double volume(const std::vector<std::int64_t>& shape) {
  return std::accumulate(shape.begin() + 1, shape.end(), 1.0, std::multiplies<>());
}

std::vector<Measured> all_blocks() {
  const auto flops = [](const Case& c, double products) { return Measured{c, 2 * products * volume(c.shape)}; };
  const std::vector<std::int64_t> dilations{1, 2, 4, 8, 16};
  return {
      flops(make<Residual2d>("2D conv, BN, ReLU, residual", {64, 128, 128}, 64, false), 2 * 9 * 64 * 64),
      flops(make<Residual2d>("2D conv, BN, SiLU, residual", {64, 128, 128}, 64, true), 2 * 9 * 64 * 64),
      flops(make<Residual3d>("3D conv, BN, PReLU, residual", {32, 48, 48, 48}, 32), 2 * 27 * 32 * 32),
      flops(make<MbConv>("MBConv 5 x 5, squeeze-excite", {40, 64, 64}, 40, 6, 5), 2 * 40 * 240 + 25 * 240),
      flops(make<Transposed2d>("2D transposed 2, BN, ReLU", {64, 96, 96}, 64, 2), 4 * 64 * 32),
      flops(make<Transposed3d>("3D transposed 2, BN, ReLU", {64, 32, 32, 32}, 64, 2), 8 * 64 * 32),
      flops(make<Transposed3d>("3D transposed 3, BN, ReLU", {64, 32, 32, 32}, 64, 3), 27 * 64 * 32),
      flops(make<Dilated2d>("2D dilated 1 to 16, BN, ReLU", {64, 96, 96}, 64, dilations), 5 * 9 * 64 * 64),
      flops(make<Dilated3d>("3D dilated 1 to 16, BN, ReLU", {15, 64, 64, 64}, 15, dilations), 5 * 27 * 15 * 15),
      flops(make<InstanceNorm>("3D conv, instance norm, leaky", {32, 48, 48, 48}, 32), 2 * 27 * 32 * 32),
      flops(make<UpAndJoin>("2D nearest, join, conv", {64, 128, 128}, 64, 2, false), 9 * 64 * 64 * (0.25 + 2)),
      flops(make<UpAndJoin>("2D bilinear, join, conv", {64, 128, 128}, 64, 2, true), 9 * 64 * 64 * (0.25 + 2)),
      flops(make<UpAndJoin>("3D nearest, join, conv", {32, 48, 48, 48}, 32, 3, false), 27 * 32 * 32 * (0.125 + 2)),
      flops(make<UpAndJoin>("3D trilinear, join, conv", {32, 48, 48, 48}, 32, 3, true), 27 * 32 * 32 * (0.125 + 2)),
      Measured{make<FeedForward>("feed-forward, 384", {196, 384}, 384), 2.0 * 196 * 2 * 4 * 384 * 384},
  };
}

double seconds(const std::function<void()>& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct Contender {
  std::string name;
  std::function<at::Tensor()> call;
  double best = std::numeric_limits<double>::infinity();
};

/// The least time of each, taken in turns.
void race(std::vector<Contender>& contenders, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    for (auto& contender : contenders) {
      contender.best = std::min(contender.best, seconds([&] { contender.call(); }));
    }
  }
}

/// `eager`: the same block again, for the plain module, which takes the precision's type.
nlohmann::json measure(const Measured& measured, Block& eager, Precision precision, int threads, int rounds) {
  const InferenceThreads scope(threads);
  const c10::InferenceMode no_gradients;
  const auto& c = measured.sample;
  const auto type = precision == Precision::float32 ? at::kFloat : at::kBFloat16;
  auto shape = c.shape;
  shape.insert(shape.begin(), 1);
  at::manual_seed(3);
  const auto x = at::randn(shape);
  const auto expected = c.block->forward(x);
  const double range = expected.abs().max().item<double>();

  const auto prepared = [&](Engine engine) {
    PrepareOptions options;
    options.precision = precision;
    options.engine = engine;
    options.threads = threads;
    const c10::InferenceMode with_gradients(false);  // preparing looks at the module's own tensors
    auto network = prepare(c.block, options);
    network.preparation(shape);
    return network;
  };
  const auto torch = prepared(Engine::torch), openvino = prepared(Engine::openvino);
  const auto made = openvino.preparation(shape);

  eager.to(type);
  const auto format = shape.size() == 5   ? at::MemoryFormat::ChannelsLast3d
                      : shape.size() == 4 ? at::MemoryFormat::ChannelsLast
                                          : at::MemoryFormat::Contiguous;
  const auto a = at::randn({2048, 2048}).to(type), b = at::randn({2048, 2048}).to(type);
  std::vector<Contender> contenders = {{"gemm", [&] { return at::mm(a, b); }},
                                       {"torch", [&] { return torch(x); }},
                                       {"eager", [&] { return eager.forward(x.to(type)).to(at::kFloat); }},
                                       {"eager, channels-last", [&] {
                                          const auto y = eager.forward(x.to(type, false, false, format));
                                          return y.to(at::kFloat).contiguous();
                                        }}};
  if (made.engine == Engine::openvino) contenders.push_back({"openvino", [&] { return openvino(x); }});

  nlohmann::json result = {
      {"block", c.name}, {"precision", to_string(precision)}, {"shape", shape}, {"threads", threads}};
  if (!made.reason.empty()) result["no openvino"] = made.reason;
  result["form"] = torch.preparation(shape).form;
  for (auto& contender : contenders) {
    if (contender.name == "gemm") continue;
    const double gap = (contender.call() - expected).abs().max().item<double>() / range;
    result["gap"][contender.name] = gap;
    if (!(gap <= (precision == Precision::float32 ? 1e-4 : 0.04))) {
      throw std::runtime_error(c.name + ": " + contender.name + " is off by " + std::to_string(gap));
    }
  }
  race(contenders, rounds);
  const double rate = 2 * 2048.0 * 2048 * 2048 / contenders.front().best;
  result["gemm_gflops"] = rate / 1e9;
  for (const auto& contender : contenders) {
    if (contender.name == "gemm") continue;
    result["ms"][contender.name] = contender.best * 1e3;
    result["of_gemm"][contender.name] = measured.flops / contender.best / rate;
  }
  return result;
}

void print_row(const nlohmann::json& row) {
  const auto& ms = row["ms"];
  const double eager = std::min(ms["eager"].get<double>(), ms["eager, channels-last"].get<double>());
  const double torch = ms["torch"];
  std::printf("| %s | %s | %.2f | %.2f | %.1f | %.0f %% |", row["block"].get<std::string>().c_str(),
              row["precision"].get<std::string>().c_str(), eager, torch, eager / torch,
              100 * row["of_gemm"]["torch"].get<double>());
  if (ms.contains("openvino")) {
    const double openvino = ms["openvino"];
    std::printf(" %.2f | %.1f | %.0f %% |\n", openvino, eager / openvino,
                100 * row["of_gemm"]["openvino"].get<double>());
  } else {
    std::printf(" | | |\n");
  }
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  int threads = 1, rounds = 7;
  bool markdown = false;
  std::string only;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--markdown") {
      markdown = true;
    } else if (i + 1 < argc && name == "--threads") {
      threads = std::stoi(argv[++i]);
    } else if (i + 1 < argc && name == "--rounds") {
      rounds = std::stoi(argv[++i]);
    } else if (i + 1 < argc && name == "--only") {
      only = argv[++i];
    } else {
      std::fprintf(stderr, "usage: %s [--threads 1] [--rounds 7] [--only text] [--markdown]\n", argv[0]);
      return 2;
    }
  }
  if (markdown) {
    std::printf(
        "| block | precision | best eager, ms | LibTorch, ms | speed-up | of GEMM | OpenVINO, ms | speed-up | of GEMM "
        "|\n"
        "|---|---|---|---|---|---|---|---|---|\n");
  }
  try {
    auto rows = nlohmann::json::array();
    for (const auto precision : {Precision::float32, Precision::bfloat16}) {
      const auto blocks = all_blocks(), again = all_blocks();
      for (std::size_t i = 0; i < blocks.size(); ++i) {
        if (blocks[i].sample.name.find(only) == std::string::npos) continue;
        rows.push_back(measure(blocks[i], *again[i].sample.block, precision, threads, rounds));
        if (markdown) print_row(rows.back());
      }
    }
    if (!markdown) std::printf("%s\n", rows.dump(1).c_str());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
