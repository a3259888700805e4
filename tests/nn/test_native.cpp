#include <thread>

#include "native_cases.hpp"

using namespace native_cases;

// The kernels of src/native against LibTorch's operators, through prepare.
namespace {

tn::Conv2dOptions kernel(std::int64_t y, std::int64_t x) {
  auto options = tn::Conv2dOptions(1, 1, {y, x});
  return options.padding({y / 2, x / 2});
}
tn::Conv2dOptions kernel(std::int64_t k) { return kernel(k, k); }

Case convolution(const std::string& name, std::int64_t in, std::int64_t out, std::int64_t height, std::int64_t width,
                 const tn::Conv2dOptions& options) {
  return make(name, {in, height, width}, [&](Net& net) {
    return [layer = net.conv(in, out, options)](const Tensor& x) mutable { return layer(x); };
  });
}

Case transposed(const std::string& name, std::int64_t size, std::vector<tn::ConvTranspose2dOptions> options) {
  return make(name, {40, size, size}, [&](Net& net) {
    std::vector<tn::ConvTranspose2d> layers;
    for (const auto& o : options) layers.push_back(net.add(tn::ConvTranspose2d(o)));
    return [layers](const Tensor& x) mutable {
      std::vector<Tensor> parts;
      for (auto& layer : layers) parts.push_back(layer(x));
      return parts.size() == 1 ? parts.front() : at::cat(parts, 1);
    };
  });
}

tn::ConvTranspose2dOptions up(std::int64_t out, std::int64_t k, std::int64_t stride, std::int64_t padding,
                              std::int64_t dilation, std::int64_t beyond = 0) {
  return tn::ConvTranspose2dOptions(40, out, k)
      .stride(stride)
      .padding(padding)
      .dilation(dilation)
      .output_padding(beyond);
}

std::vector<Case> convolutions() {
  return {convolution("3 x 3, rows of whole tiles", 64, 64, 9, 32, kernel(3)),
          convolution("3 x 3, other rows", 20, 33, 13, 19, kernel(3)),
          convolution("3 x 3, smaller than a tile", 70, 100, 7, 7, kernel(3)),
          convolution("3 x 3, one pixel", 40, 40, 1, 1, kernel(3)),
          convolution("3 x 3, stride 2", 33, 20, 15, 22, kernel(3).stride(2)),
          convolution("3 x 3, strides 1 and 2", 33, 20, 15, 22, kernel(3).stride({1, 2})),
          convolution("3 x 3, dilation 2", 40, 24, 17, 18, kernel(3).dilation(2).padding(2)),
          convolution("3 x 3, no padding, no bias", 16, 48, 12, 21, kernel(3).padding(0).bias(false)),
          convolution("5 x 5, more padding than it needs", 10, 17, 8, 9, kernel(5).padding(4)),
          convolution("1 x 7", 40, 17, 13, 19, kernel(1, 7)),
          convolution("7 x 1", 40, 17, 13, 19, kernel(7, 1)),
          convolution("1 x 1", 96, 24, 11, 16, kernel(1)),
          convolution("1 x 1, stride 2", 64, 128, 14, 13, kernel(1).stride(2)),
          convolution("7 x 7 of three channels, stride 2", 3, 64, 37, 41, kernel(7).stride(2)),
          convolution("3 x 3 of one channel", 1, 16, 20, 20, kernel(3)),
          convolution("11 x 11 of four channels", 4, 8, 20, 20, kernel(11)),
          convolution("3 x 3 of three channels, dilation 2", 3, 8, 20, 21, kernel(3).dilation(2).padding(2)),
          convolution("5 x 5 of four channels, dilation 3 along x", 4, 8, 20, 21, kernel(5).dilation({1, 3})),
          convolution("1 x 1, padding 1: wider than its input's rows", 20, 20, 20, 8, kernel(1).padding(1)),
          convolution("3 x 3, stride 5", 20, 20, 33, 38, kernel(3).stride(5)),
          convolution("to three channels", 16, 3, 18, 32, kernel(3)),
          convolution("weights beyond the cache", 512, 512, 7, 7, kernel(3)),
          convolution("each channel by itself", 40, 40, 15, 17, kernel(3).groups(40)),
          convolution("each channel by itself, 5 x 5, stride 2", 48, 48, 70, 17, kernel(5).groups(48).stride(2)),
          convolution("each channel by itself, dilation 2", 7, 7, 15, 17, kernel(3).groups(7).dilation(2).padding(2)),
          transposed("transposed, stride 2", 9, {up(16, 2, 2, 0, 1)}),
          transposed("transposed, kernel 3 and stride 3, output padding", 9, {up(20, 3, 3, 0, 1, 2)}),
          transposed("transposed, stride 3, dilation 2, as in S1", 10, {up(16, 19, 3, 1, 2)}),
          transposed("transposed, output padding", 9, {up(70, 4, 3, 2, 1, 2)}),
          transposed("several transposed, beside each other", 8,
                     {up(16, 10, 4, 1, 1), up(12, 6, 4, 2, 2, 1), up(40, 10, 4, 1, 1), up(3, 12, 4, 2, 1)})};
}

std::vector<Case> networks() {
  std::vector<Case> cases;
  for (const std::int64_t size : {16, 21, 70}) {
    cases.push_back(make("MBConv at " + std::to_string(size), {24, size, size}, [](Net& net) {
      auto expand = net.conv(24, 144, kernel(1)), depth = net.conv(144, 144, kernel(5).groups(144)),
           reduce = net.conv(144, 6, kernel(1)), excite = net.conv(6, 144, kernel(1)),
           project = net.conv(144, 24, kernel(1));
      auto n1 = net.norm(144), n2 = net.norm(144), n3 = net.norm(24);
      return [=](const Tensor& x) mutable {
        const auto y = at::silu(n2(depth(at::silu(n1(expand(x))))));
        const auto gate = at::sigmoid(excite(at::silu(reduce(y.mean({2, 3}, true)))));
        return n3(project(y * gate)) + x;
      };
    }));
  }
  cases.push_back(make("inverted residual, ReLU6", {20, 14, 14}, [](Net& net) {
    auto expand = net.conv(20, 60, kernel(1)), depth = net.conv(60, 60, kernel(3).groups(60).stride(2)),
         project = net.conv(60, 33, kernel(1));
    return [=](const Tensor& x) mutable { return project(at::relu6(depth(at::hardtanh(expand(x), 0, 6)))); };
  }));
  cases.push_back(make("residual", {40, 13, 17}, [](Net& net) {
    auto first = net.conv(40, 40, kernel(3)), second = net.conv(40, 40, kernel(3)), skip = net.conv(40, 40, kernel(1));
    return [=](const Tensor& x) mutable { return at::relu(second(at::relu(first(x))) + skip(x)); };
  }));
  cases.push_back(make("scaled residual", {64, 9, 9}, [](Net& net) {
    auto conv = net.conv(64, 64, kernel(1));
    return [=](const Tensor& x) mutable { return at::relu(x + conv(x) * 0.17); };
  }));
  cases.push_back(make("norm, activation, convolution, join", {33, 14, 14}, [](Net& net) {
    auto n1 = net.norm(33), n2 = net.norm(53);
    auto c1 = net.conv(33, 20, kernel(3)), c2 = net.conv(53, 16, kernel(1));
    return [=](const Tensor& x) mutable {
      const auto joined = at::cat({x, c1(at::relu(n1(x)))}, 1);
      return at::avg_pool2d(c2(at::relu(n2(joined))), {2, 2}, {2, 2});
    };
  }));
  cases.push_back(make("weighted sum of maps of two sizes", {64, 16, 12}, [](Net& net) {
    auto depth = net.conv(64, 64, kernel(3).groups(64)), point = net.conv(64, 64, kernel(1));
    const auto given = net.register_parameter("weights", at::tensor({0.7f, 1.3f}));
    return [=](const Tensor& x) mutable {
      const auto small = at::max_pool2d(x, {3, 3}, {2, 2}, {1, 1});
      const auto weights = at::relu(given);
      const auto sum = x * (weights[0] / 2) + at::upsample_nearest2d(small, {16, 12}) * weights[1] / 3;
      return point(depth(at::silu(sum)));
    };
  }));
  cases.push_back(make("pools", {20, 17, 23}, [](Net&) {
    return [](const Tensor& x) {
      const auto mean = at::avg_pool2d(x, {3, 3}, {1, 1}, {1, 1}, false, false),
                 padded = at::avg_pool2d(x, {3, 3}, {2, 2}, {1, 1}, true, true),
                 most = at::max_pool2d(mean, {3, 3}, {2, 2}, {0, 0}, {1, 1}, true);
      return at::cat({at::avg_pool2d(padded, {2, 2}, {1, 1}), most}, 1);
    };
  }));
  cases.push_back(make("a scaled convolution that is read twice", {40, 9, 9}, [](Net& net) {
    auto conv = net.conv(40, 40, kernel(1));
    return [=](const Tensor& x) mutable {
      const auto s = conv(x) * 0.5;
      return at::relu(s) + s;
    };
  }));
  cases.push_back(make("transposed by its stride, to four channels that are joined", {40, 9, 9}, [](Net& net) {
    auto up = net.add(tn::ConvTranspose2d(tn::ConvTranspose2dOptions(40, 4, 2).stride(2)));
    auto other = net.add(tn::ConvTranspose2d(tn::ConvTranspose2dOptions(40, 20, 2).stride(2)));
    auto last = net.conv(20, 7, kernel(1));
    return [=](const Tensor& x) mutable { return at::cat({at::relu(up(x)), last(other(x))}, 1); };
  }));
  cases.push_back(make("four channels that are pooled too", {4, 16, 12}, [](Net& net) {
    auto one = net.conv(4, 16, kernel(3)), other = net.conv(4, 8, kernel(1));
    return [=](const Tensor& x) mutable {
      return at::cat({one(x), other(at::max_pool2d(x, {3, 3}, {1, 1}, {1, 1}))}, 1);
    };
  }));
  cases.push_back(make("padded on one side", {20, 16, 16}, [](Net& net) {
    auto conv = net.conv(20, 40, kernel(3).stride(2).padding(0)),
         depth = net.conv(40, 40, kernel(5).stride(2).padding(0).groups(40));
    return [=](const Tensor& x) mutable {
      const auto y = depth(at::constant_pad_nd(conv(at::constant_pad_nd(x, {0, 1, 0, 1}, 0)), {1, 2, 1, 2}, 0));
      return at::max_pool2d(at::constant_pad_nd(y, {0, 1, 0, 1}, -std::numeric_limits<double>::infinity()), {3, 3},
                            {2, 2});
    };
  }));
  cases.push_back(make("to a vector", {24, 9, 9}, [](Net& net) {
    auto conv = net.conv(24, 50, kernel(3));
    auto linear = net.add(tn::Linear(50, 7));
    return [=](const Tensor& x) mutable { return linear(at::adaptive_avg_pool2d(conv(x), {1, 1}).flatten(1)); };
  }));
  cases.push_back(make("flattened", {24, 5, 6}, [](Net& net) {
    auto conv = net.conv(24, 20, kernel(3));
    auto first = net.add(tn::Linear(600, 70)), second = net.add(tn::Linear(70, 5));
    return [=](const Tensor& x) mutable { return second(at::relu(first(at::relu(conv(x)).flatten(1)))); };
  }));
  // As VIOLA multiplies an image: by functions of its means along each axis, and by the norm of what they make. Parts
  // of 16 channels leave places between them that are none.
  for (const std::int64_t channels : {16, 20, 32}) {
    cases.push_back(make(
        "multiplied by its own profiles, twice " + std::to_string(channels) + " channels", {20, 12, 35},
        [channels](Net& net) {
          auto one = net.conv(20, channels, kernel(3)), two = net.conv(20, channels, kernel(1)),
               after = net.conv(2 * channels, 16, kernel(3));
          auto mixed = net.add(tn::Conv1d(tn::Conv1dOptions(2 * channels, 2 * channels, 3).padding(1)));
          return [=](const Tensor& x) mutable {
            const auto y = at::cat({one(x), two(x)}, 1);
            const auto px = at::sigmoid(mixed(y.mean(3))), py = at::sigmoid(y.mean(2)), pz = at::tanh(y.mean({2, 3}));
            const auto vx = px.unsqueeze(3), vy = py.unsqueeze(2), vz = pz.unsqueeze(2).unsqueeze(3);
            const auto v = (0.1 * (vx * vy) + 0.3) + vz * (vx + vy) + at::relu((vx + vy) + vz);
            const auto length = v.square().sum({1, 2, 3}, true).sqrt();
            return after(at::relu(y * v * (1 + 1 / length.clamp_min(1e-12))));
          };
        }));
  }
  return cases;
}

std::vector<Case> all() {
  auto cases = convolutions();
  const auto more = networks();
  cases.insert(cases.end(), more.begin(), more.end());
  return cases;
}

}  // namespace

TEST_CASE("native: every case gives what its module gives, for batches of 1 and 3") {
  if (here()) check_against_modules(all(), {1, 3}, 0.02);
}

TEST_CASE("native: every case in float32 proper, as on a CPU without AMX") {
  if (here()) check_float32_against_modules(all());
}

TEST_CASE("native: the same bytes from run to run, for one and two threads, alone and in a batch") {
  if (here()) check_same_bytes(all(), 3);
}

TEST_CASE("native: eight threads share a network") {
  if (!here()) return;
  for (const auto& c : networks()) {
    CAPTURE(c.name);
    const auto network = prepared(c, Precision::bfloat16, 1);
    const auto x = input(c, 2);
    const auto y = network(x);
    std::vector<Tensor> outputs(8);
    {
      std::vector<std::jthread> threads;
      for (auto& output : outputs) threads.emplace_back([&] { output = network(x); });
    }
    for (const auto& output : outputs) CHECK(at::equal(output, y));
  }
}

TEST_CASE("native: numbers that are none stay where they are") {
  if (!here()) return;
  const auto c = convolution("", 20, 20, 8, 40, kernel(3));
  auto x = input(c, 1);
  x[0][3][2][20] = std::numeric_limits<float>::quiet_NaN();
  const auto y = prepared(c, Precision::float32)(x);
  const auto spoilt = y.isnan();
  CHECK(spoilt.slice(2, 1, 4).slice(3, 19, 22).all().item<bool>());
  if (has_fast_bfloat16()) {
    CHECK(spoilt.sum().item<std::int64_t>() == 9 * 20);
  } else {  // by Winograd's algorithm: the tiles that read it too
    CHECK_FALSE(at::cat({spoilt.slice(3, 0, 16), spoilt.slice(3, 24)}, 3).any().item<bool>());
  }

  const std::pair<const char*, std::function<Tensor(const Tensor&)>> functions[] = {
      {"relu", [](const Tensor& z) { return at::relu(z); }},
      {"relu6", [](const Tensor& z) { return at::hardtanh(z, 0, 6); }},
      {"sigmoid", [](const Tensor& z) { return at::sigmoid(z); }},
      {"silu", [](const Tensor& z) { return at::silu(z); }},
      {"maximum", [](const Tensor& z) {
         return at::max_pool2d(z, {3, 3}, {1, 1}, {1, 1});
       }}};
  for (const auto& [name, function] : functions) {
    CAPTURE(name);
    const auto f = make(name, {20, 8, 40}, [&](Net&) { return function; });
    CHECK(at::equal(prepared(f, Precision::float32)(x).isnan(), function(x).isnan()));
  }
}

TEST_CASE("native: gates that are no value for each channel in its place are refused, not guessed") {
  if (!here()) return;
  const auto runs_on_torch = [](const Case& c) {
    CAPTURE(c.name);
    const auto network = prepared(c, Precision::float32);
    const auto x = input(c, 1);
    CHECK((network.preparation(x.sizes()).engine == Engine::torch));
    const auto d = verify(network, c.net, x);
    CHECK(d.largest <= 1e-5 * d.range);
  };
  runs_on_torch(make("a join of odd parts", {40, 9, 9}, [](Net& net) {
    auto one = net.conv(40, 40, kernel(1)), gate = net.conv(80, 80, kernel(1)), last = net.conv(80, 16, kernel(1));
    return [=](const Tensor& x) mutable {
      const auto joined = at::cat({x, one(x)}, 1);
      const auto all = last(joined * at::sigmoid(gate(joined.mean({2, 3}, true))));
      return all;
    };
  }));
  runs_on_torch(make("one value for all", {40, 9, 9}, [](Net& net) {
    auto gate = net.conv(40, 1, kernel(1)), last = net.conv(40, 16, kernel(1));
    return [=](const Tensor& x) mutable { return last(x * at::sigmoid(gate(x.mean({2, 3}, true)))); };
  }));
  runs_on_torch(make("along x", {9, 9, 9}, [](Net& net) {
    auto linear = net.add(tn::Linear(9, 9));
    return [=](const Tensor& x) mutable { return at::relu(x * linear(x.mean({2, 3}))); };
  }));
  runs_on_torch(make("cropped", {20, 12, 12}, [](Net& net) {
    auto depth = net.conv(20, 20, kernel(3).groups(20));
    return [=](const Tensor& x) mutable { return depth(at::constant_pad_nd(x, {-1, 0, 0, 0}, 0)); };
  }));
}

TEST_CASE("native: what has no kernel runs on LibTorch, and the reason names it") {
  const auto reason = [](const Case& c) {
    const auto network = prepared(c, Precision::float32);
    const auto x = input(c, 1);
    CHECK((network.preparation(x.sizes()).engine == Engine::torch));
    CHECK(verify(network, c.net, x).largest < 1e-5);
    return network.preparation(x.sizes()).reason;
  };
  if (!nn::has_avx512()) {
    CHECK(reason(convolution("", 8, 8, 9, 9, kernel(3))) == "native: needs a CPU with AVX-512");
    return;
  }
  CHECK(reason(convolution("", 8, 8, 9, 9, kernel(3).groups(2))) ==
        "native: no kernel for aten::_convolution in groups");
  CHECK(reason(make("", {8, 9, 9}, [](Net&) { return [](const Tensor& x) { return at::tanh(x); }; })) ==
        "native: no kernel for aten::tanh");
  CHECK(reason(make("", {8, 9}, [](Net&) { return [](const Tensor& x) { return at::relu(x); }; })) ==
        "native: takes images and volumes alone");
}
