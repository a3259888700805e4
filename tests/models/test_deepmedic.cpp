#include "ichdet/models/deepmedic.hpp"

#include <ATen/Functions.h>
#include <doctest/doctest.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "../../src/native/row_product.hpp"
#include "../../src/native/valid_convolution.hpp"
#include "../../src/nn/float32_deepmedic.hpp"
#include "../../src/nn/tiled_deepmedic.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/nn/prepare.hpp"
#include "ichdet/nn/state_dict.hpp"

using namespace ichdet;
using models::DeepMedicImpl;

namespace {

/// A network whose batch norms do something, with some channels that a zero scale makes constant: some in every reader
/// of their run of shortcuts (these can go), some in one reader only (these must stay).
std::shared_ptr<DeepMedicImpl> random_network(std::vector<std::int64_t> feature_maps = {6, 6, 8, 8, 8, 8, 10, 10},
                                              std::int64_t input_channels = 1) {
  at::manual_seed(3);
  models::DeepMedicOptions options;
  options.input_channels = input_channels;
  options.feature_maps = std::move(feature_maps);
  options.fully_connected = {12, 12};
  auto shared = std::make_shared<DeepMedicImpl>(options);
  auto& network = *shared;
  const at::NoGradGuard no_grad;
  const auto shake = [](models::PreActBlockImpl& block) {
    auto& bn = *block.bn;
    bn.weight.copy_(at::rand_like(bn.weight) + 0.5);
    bn.bias.copy_(at::randn_like(bn.bias));
    bn.running_mean.copy_(at::randn_like(bn.running_mean));
    bn.running_var.copy_(at::rand_like(bn.running_var) + 0.5);
    block.prelu->weight.fill_(0.3);
  };
  for (std::size_t p = 0; p < network.paths.size(); ++p) {
    for (auto& block : network.paths[p]->blocks) shake(*block);
    auto& blocks = network.paths[p]->blocks;
    for (const auto i : {1, 2}) blocks[std::size_t(i)]->bn->weight[2] = 0;  // all readers of the first run
    blocks[4]->bn->weight[1] = 0;                                           // one reader of the second
    blocks[7]->bn->weight[5] = 0;  // all readers of the third, with the head below
  }
  for (auto& block : network.head) shake(*block);
  for (std::int64_t p = 0; p < 3; ++p) network.head[0]->bn->weight[p * options.feature_maps.back() + 5] = 0;
  network.eval();
  return shared;
}

PrepareOptions on_one_thread(Precision precision) {
  PrepareOptions options;
  options.precision = precision;
  options.threads = 1;
  return options;
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

}  // namespace

TEST_CASE("parameters have the published names and the sizes are the package's") {
  DeepMedicImpl network;
  const auto parameters = network.named_parameters();
  CHECK(parameters.contains("path(5, 5, 5)0.path.1.bn.weight"));
  CHECK(parameters["path(1, 1, 1)2.path.8.conv.weight"].sizes() == at::IntArrayRef({50, 50, 3, 3, 3}));
  CHECK(parameters.contains("fully_connected.2.prelu.weight"));
  CHECK(network.output_size({140, 110, 170}) == models::Triple{60, 30, 90});
  CHECK(network.input_size({60, 30, 90}) == models::Triple{140, 110, 170});
  CHECK_THROWS_AS(network.output_size({141, 110, 110}), Error);
  CHECK_THROWS_AS(network.output_size({80, 110, 110}), Error);
}

TEST_CASE("the prepared network gives the plain one's logits, and the head is its own") {
  const at::NoGradGuard no_grad;
  auto network = random_network();
  const auto prepared = prepare(network);
  const auto x = at::randn({1, 1, 95, 110, 125});
  const auto expected = network->forward(x);
  CHECK(expected.sizes() == at::IntArrayRef({1, 5, 15, 30, 45}));
  CHECK(largest_difference(expected, network->forward_head(network->forward_features(x))) == 0);
  const auto found = prepared(x);
  CHECK(found.sizes() == expected.sizes());
  CHECK(largest_difference(found, expected) < 1e-4 * expected.abs().max().item<double>());
  CHECK(largest_difference(found, prepared(x)) == 0);
  CHECK_THROWS_AS(prepared(at::randn({1, 1, 85, 110, 125})), Error);
  CHECK_THROWS_AS(prepared(at::randn({1, 2, 95, 110, 125})), Error);
}

TEST_CASE("tiles at multiples of 15 give what one large tile gives") {
  const at::NoGradGuard no_grad;
  auto network = random_network();
  const auto prepared = prepare(network);
  const auto x = at::randn({1, 1, 110, 125, 110});
  const auto whole = prepared(x);
  const auto part = prepared(x.narrow(2, 15, 95).narrow(3, 30, 95).narrow(4, 0, 110));
  const auto same = whole.narrow(2, 15, 15).narrow(3, 30, 15);
  CHECK(largest_difference(part, same) < 1e-4 * same.abs().max().item<double>());
}

TEST_CASE(
    "each form gives the plain network's logits: float32, bfloat16 within what it rounds off, and split bfloat16") {
  const at::NoGradGuard no_grad;
  // After pruning there are odd and even numbers of channels, below and above a tile's; and two input channels.
  for (const auto& network : {random_network(), random_network({30, 30, 40, 40, 40, 40, 50, 50}),
                              random_network({7, 7, 16, 17, 17, 33, 11, 12}, 2)}) {
    const auto x = at::randn({1, network->options.input_channels, 95, 110, 125});
    const auto expected = network->forward(x);
    const double range = expected.abs().max().item<double>();
    const auto float32 = nn::Float32DeepMedic(nn::FoldedDeepMedic(*network))(x);
    CHECK(largest_difference(float32, expected) < 1e-4 * range);
#ifdef __x86_64__
    if (nn::has_avx512()) {
      const auto filled = nn::filled_up(nn::FoldedDeepMedic(*network), 16);
      const auto found = nn::Float32DeepMedic(filled, {native::valid_convolution, native::row_product})(x);
      CHECK(largest_difference(found, expected) < 2e-5 * range);
    }
#endif
    for (const bool amx : {false, true}) {
      if (amx && !nn::has_amx_bf16()) continue;
      CAPTURE(amx);
      const auto rounded = nn::TiledDeepMedic(nn::FoldedDeepMedic(*network), false, amx)(x);
      CHECK(rounded.sizes() == expected.sizes());
      CHECK(largest_difference(rounded, expected) < 0.03 * range);
      // 2^-9 for each of ten layers of independent roundings
      CHECK((rounded - expected).abs().mean().item<double>() < 0.006 * range);
      CHECK(largest_difference(rounded, expected) > 1e-4 * range);  // it is bfloat16
      const auto split = nn::TiledDeepMedic(nn::FoldedDeepMedic(*network), true, amx)(x);
      CHECK(largest_difference(split, expected) < 1e-4 * range);
    }
  }
}

TEST_CASE("a product by AMX is the portable one but for the order of its sums") {
  if (!nn::has_amx_bf16()) return;
  at::manual_seed(1);
  constexpr std::int64_t rows = 45, segments = 2, pairs = 21, tiles = 7, pitch = 112;
  nn::TiledWeights weights(rows, segments, pairs);
  for (std::int64_t i = 0; i < rows * segments * 2 * pairs; ++i) {
    const auto column = i % (2 * pairs), segment = i / (2 * pairs) % segments;
    weights.set(i / (2 * pairs * segments), segment, column, nn::to_bf16(float(i % 13) - 6.3f));
  }
  nn::Memory memory;
  const nn::PairRows voxels(memory, {1, segments, pitch}, 2 * pairs, 16);
  for (std::int64_t i = 0; i < segments * pairs * pitch; ++i) {
    const auto value = [](std::int64_t n) { return std::uint32_t(nn::to_bf16(float(n % 29) * 0.37f - 5)); };
    voxels.data[i] = value(i) | value(i * 7) << 16;
  }
  const std::uint32_t* from[] = {voxels.row(0, 0), voxels.row(0, 1)};
  const auto multiply = [&](bool amx, std::int64_t group) {
    auto sums = at::full({32, pitch}, -1.f);
    nn::multiply_group(nn::TileThread(amx), weights, group, from, pitch, tiles, sums.data_ptr<float>(), pitch);
    return sums;
  };
  for (const std::int64_t group : {0, 1}) {
    const auto expected = multiply(false, group);
    CHECK(largest_difference(multiply(true, group), expected) < 1e-5 * expected.abs().max().item<double>());
  }
  CHECK(multiply(true, 0).select(0, 31).abs().max().item<double>() > 0);
  CHECK(multiply(true, 1).select(0, rows - 32).abs().max().item<double>() == 0);  // beyond the last row: zeros
}

TEST_CASE("bytes depend neither on the number of threads nor on the run") {
  const auto x = at::randn({1, 1, 110, 95, 95});
  for (const auto precision : {Precision::float32, Precision::bfloat16}) {
    auto options = on_one_thread(precision);
    // The published network's widths: with very few channels oneDNN sums in an order that depends on the threads.
    const auto network = random_network({30, 30, 40, 40, 40, 40, 50, 50});
    const auto expected = prepare(network, options)(x);
    for (const int threads : {1, 2, 3}) {
      options.threads = threads;
      CHECK(largest_difference(prepare(network, options)(x), expected) == 0);
    }
  }
}

TEST_CASE("eight threads share a prepared network") {
  const auto x = at::randn({1, 1, 95, 95, 95});
  for (const auto precision : {Precision::float32, Precision::bfloat16}) {
    const auto shared = prepare(random_network(), on_one_thread(precision));
    const auto expected = shared(x);
    std::array<double, 8> differences;
    std::vector<std::thread> threads;
    for (auto& difference : differences)
      threads.emplace_back([&] { difference = largest_difference(shared(x), expected); });
    for (auto& thread : threads) thread.join();
    for (const auto difference : differences) CHECK(difference == 0);
  }
}

TEST_CASE("the engine asked for runs, and what ran is told") {
  const auto network = random_network();
  const std::vector<std::int64_t> shape{1, 1, 95, 110, 110};
  const auto prepared = [&](Engine engine, Precision precision, double memory_mib = 0) {
    PrepareOptions options;
    options.engine = engine;
    options.precision = precision;
    options.memory_mib = memory_mib;
    return prepare(network, options);
  };
  const auto ran = [&](Engine engine, Precision precision) { return prepared(engine, precision).preparation(shape); };
  const auto fastest = nn::has_avx512() ? Engine::native : Engine::torch;
  CHECK(ran(Engine::automatic, Precision::float32).engine == fastest);
  CHECK(ran(Engine::automatic, Precision::bfloat16).engine == (has_fast_bfloat16() ? Engine::native : Engine::torch));
  CHECK(ran(Engine::native, Precision::bfloat16).engine == Engine::native);
  CHECK(ran(Engine::torch, Precision::float32).engine == Engine::torch);
  CHECK(ran(Engine::torch, Precision::bfloat16).form.find("graph") != std::string::npos);
  const auto native = ran(Engine::native, Precision::float32);
  CHECK(native.engine == fastest);
  CHECK(native.reason.empty() == nn::has_avx512());
  CHECK(native.activations_mib > 1);
  CHECK(native.seconds > 0);
  for (const auto engine : {Engine::automatic, Engine::torch}) {
    const auto difference = verify(prepared(engine, Precision::float32), network, at::randn(shape));
    CHECK(difference.largest < 1e-4 * difference.range);
  }
  CHECK_THROWS_AS(prepared(Engine::automatic, Precision::float32, 1.0)(at::zeros(shape)), Error);
}

TEST_CASE("what can't be prepared is refused") {
  PrepareOptions adaptive;
  adaptive.precision = Precision::adaptive;
  CHECK_THROWS_AS(prepare(random_network(), adaptive), Error);
  CHECK_THROWS_AS(prepare(std::make_shared<DeepMedicImpl>()), Error);  // in training mode
  CHECK_THROWS_AS(parse_precision("int8"), Error);
}

TEST_CASE("weights that do not fit are listed by name") {
  const auto file = std::string(ICHDET_BINARY_DIR) + "/tests/state_dict.safetensors";
  const std::string header = R"({"fully_connected.0.bn.bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                             R"("surprise":{"dtype":"F32","shape":[],"data_offsets":[4,8]}})";
  const std::uint64_t length = header.size();
  std::string text(8, '\0');
  std::memcpy(text.data(), &length, 8);
  std::ofstream(file, std::ios::binary) << text << header << std::string(8, '\0');
  DeepMedicImpl network;
  try {
    load_state_dict(network, SafeTensors(file));
    FAIL("nothing was refused");
  } catch (const Error& e) {
    const std::string message = e.what();
    INFO(message);
    CHECK(e.code() == ErrorCode::weights);
    CHECK(message.find("missing: path(5, 5, 5)0.path.1.bn.weight") != std::string::npos);
    CHECK(message.find("1 unexpected: surprise") != std::string::npos);
    CHECK(message.find("1 misshapen: fully_connected.0.bn.bias (expected [150], found [1])") != std::string::npos);
  }
}
