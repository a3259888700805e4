#include <torch/nn/modules/instancenorm.h>

#include "native_cases.hpp"

using namespace native_cases;

// The kernels of src/native on volumes, against LibTorch's operators, through prepare.
namespace {

using Size = std::vector<std::int64_t>;

tn::Conv3dOptions kernel(const Size& k) {
  return tn::Conv3dOptions(1, 1, {k[0], k[1], k[2]}).padding({k[0] / 2, k[1] / 2, k[2] / 2});
}

tn::Conv3d conv(Net& net, std::int64_t in, std::int64_t out, tn::Conv3dOptions options) {
  options.in_channels(in).out_channels(out);
  return net.add(tn::Conv3d(options));
}

tn::InstanceNorm3d norm(Net& net, std::int64_t channels, bool affine = true) {
  auto layer = net.add(tn::InstanceNorm3d(tn::InstanceNorm3dOptions(channels).affine(affine)));
  if (affine) {
    const at::NoGradGuard no_grad;
    layer->weight.uniform_(0.5, 1.5);
    layer->bias.normal_(0, 0.2);
  }
  return layer;
}

Tensor leaky(const Tensor& x) { return at::leaky_relu(x, 0.01); }

Case convolution(const std::string& name, std::int64_t in, std::int64_t out, const Size& size,
                 const tn::Conv3dOptions& options) {
  return make(name, {in, size[0], size[1], size[2]}, [&](Net& net) {
    return [layer = conv(net, in, out, options)](const Tensor& x) mutable { return layer(x); };
  });
}

Case transposed(const std::string& name, std::int64_t in, std::int64_t out, const Size& size, const Size& k) {
  return make(name, {in, size[0], size[1], size[2]}, [&](Net& net) {
    auto options = tn::ConvTranspose3dOptions(in, out, {k[0], k[1], k[2]}).stride({k[0], k[1], k[2]});
    return [layer = net.add(tn::ConvTranspose3d(options))](const Tensor& x) mutable { return leaky(layer(x)); };
  });
}

/// What UnetBasicBlock is: convolution, instance norm, leaky ReLU.
std::function<Tensor(const Tensor&)> block(Net& net, std::int64_t in, std::int64_t out, const Size& k,
                                           const Size& stride) {
  return [c = conv(net, in, out, kernel(k).stride({stride[0], stride[1], stride[2]})),
          n = norm(net, out)](const Tensor& x) mutable { return leaky(n(c(x))); };
}

std::vector<Case> volumes() {
  std::vector<Case> cases{
      convolution("3 x 3 x 3, rows of whole tiles", 64, 64, {3, 5, 32}, kernel({3, 3, 3})),
      convolution("3 x 3 x 3, other rows", 20, 33, {4, 7, 19}, kernel({3, 3, 3})),
      convolution("3 x 3 x 3, smaller than a tile", 70, 40, {3, 3, 5}, kernel({3, 3, 3})),
      convolution("3 x 3 x 1, rows along another axis", 40, 24, {9, 18, 6}, kernel({3, 3, 1})),
      convolution("3 x 3 x 1 of three channels", 3, 32, {9, 18, 6}, kernel({3, 3, 1})),
      convolution("1 x 3 x 3 of one channel", 1, 16, {4, 9, 18}, kernel({1, 3, 3})),
      convolution("3 x 3 x 3 to 16 channels", 24, 16, {4, 9, 18}, kernel({3, 3, 3})),
      convolution("3 x 3 x 3, strides 2, 1 and 3", 33, 20, {7, 9, 22}, kernel({3, 3, 3}).stride({2, 1, 3})),
      convolution("3 x 3 x 1, strides 2, 2 and 1", 33, 20, {12, 14, 6}, kernel({3, 3, 1}).stride({2, 2, 1})),
      convolution("3 x 3 x 3, dilations 2, 1 and 3", 40, 24, {7, 9, 18},
                  kernel({3, 3, 3}).dilation({2, 1, 3}).padding({2, 1, 3})),
      convolution("3 x 3 x 3, no padding", 16, 48, {5, 6, 21}, kernel({3, 3, 3}).padding(0)),
      convolution("1 x 1 x 1 to two channels", 32, 2, {4, 9, 18}, kernel({1, 1, 1})),
      convolution("weights beyond the cache", 192, 192, {2, 5, 7}, kernel({3, 3, 3})),
      transposed("transposed by 2", 40, 33, {3, 5, 9}, {2, 2, 2}),
      transposed("transposed by 2, 2 and 1", 40, 64, {5, 9, 3}, {2, 2, 1}),
      transposed("transposed by 2, to 16 channels", 32, 16, {3, 5, 18}, {2, 2, 2}),
      transposed("transposed by 1", 40, 33, {3, 5, 9}, {1, 1, 1}),
      transposed("transposed by 3, to 48 channels", 32, 48, {2, 3, 4}, {1, 3, 3})};

  cases.push_back(make("two scales of 16 and 32 channels", {3, 12, 16, 6}, [](Net& net) {
    auto first = conv(net, 3, 16, kernel({3, 3, 1})), second = conv(net, 16, 16, kernel({3, 3, 1})),
         down = conv(net, 16, 32, kernel({3, 3, 3}).stride(2)), last = conv(net, 32, 16, kernel({3, 3, 3})),
         out = conv(net, 16, 2, kernel({1, 1, 1}));
    auto up = net.add(tn::ConvTranspose3d(tn::ConvTranspose3dOptions(32, 16, 2).stride(2)));
    return [=](const Tensor& x) mutable {
      const auto a = at::relu(first(x));
      const auto b = at::relu(second(a) + a);
      return out(at::relu(last(at::cat({b, up(at::relu(down(b)))}, 1))));
    };
  }));
  cases.push_back(make("a join of 16 and 40 channels", {20, 4, 9, 18}, [](Net& net) {
    auto few = conv(net, 20, 16, kernel({3, 3, 3})), many = conv(net, 20, 40, kernel({1, 1, 1})),
         last = conv(net, 56, 24, kernel({3, 3, 3}));
    return [=](const Tensor& x) mutable { return last(at::cat({leaky(few(x)), many(x)}, 1)); };
  }));
  cases.push_back(make("U-Net with instance norm", {3, 24, 20, 8}, [](Net& net) {
    const auto a = block(net, 3, 32, {3, 3, 1}, {1, 1, 1}), b = block(net, 32, 64, {3, 3, 1}, {2, 2, 1}),
               c = block(net, 64, 96, {3, 3, 3}, {2, 2, 2}), d = block(net, 128, 64, {3, 3, 3}, {1, 1, 1}),
               e = block(net, 32, 32, {3, 3, 1}, {1, 1, 1});
    auto up2 = net.add(tn::ConvTranspose3d(tn::ConvTranspose3dOptions(96, 64, 2).stride(2).bias(false)));
    auto up1 = net.add(tn::ConvTranspose3d(tn::ConvTranspose3dOptions(64, 32, {2, 2, 1}).stride({2, 2, 1})));
    auto out = conv(net, 64, 5, kernel({1, 1, 1}));
    return [=](const Tensor& x) mutable {
      const auto xa = a(x), xb = b(xa);
      const auto yb = d(at::cat({up2(c(xb)), xb}, 1));
      return out(at::cat({e(up1(yb)), xa}, 1));
    };
  }));
  cases.push_back(make("residual block with instance norm", {32, 6, 12, 10}, [](Net& net) {
    auto c1 = conv(net, 32, 48, kernel({3, 3, 3}).stride(2)), c2 = conv(net, 48, 48, kernel({3, 3, 3})),
         c3 = conv(net, 32, 48, kernel({1, 1, 1}).stride(2));
    auto n1 = norm(net, 48), n2 = norm(net, 48), n3 = norm(net, 48, false);
    return [=](const Tensor& x) mutable { return leaky(n2(c2(leaky(n1(c1(x))))) + n3(c3(x))); };
  }));
  cases.push_back(make("instance norm of a sum", {24, 4, 9, 10}, [](Net& net) {
    auto c1 = conv(net, 24, 24, kernel({1, 1, 1}));
    auto n1 = norm(net, 24);
    return [=](const Tensor& x) mutable { return at::relu(n1(at::relu(x + c1(x)))); };
  }));
  cases.push_back(make("batch norm and pools", {24, 8, 9, 10}, [](Net& net) {
    auto c1 = conv(net, 24, 40, kernel({3, 3, 3})), c2 = conv(net, 40, 24, kernel({1, 1, 1}));
    auto n1 = net.add(tn::BatchNorm3d(40));
    n1->running_mean.normal_(0, 0.2);
    n1->running_var.uniform_(0.5, 2);
    return [=](const Tensor& x) mutable {
      const auto y = at::max_pool3d(at::relu(n1(c1(x))), {2, 3, 2}, {2, 2, 2}, {1, 1, 0});
      return c2(at::avg_pool3d(y, {2, 2, 2}, {1, 1, 1}));
    };
  }));
  cases.push_back(make("nearest up-sampling", {24, 4, 5, 6}, [](Net& net) {
    auto c1 = conv(net, 24, 24, kernel({3, 3, 3})), c2 = conv(net, 24, 24, kernel({1, 1, 1}));
    return [=](const Tensor& x) mutable {
      return c2(at::upsample_nearest3d(c1(x), {8, 5, 12}) + at::upsample_nearest3d(x, {8, 5, 12}));
    };
  }));
  cases.push_back(make("a norm that is read twice", {24, 4, 9, 18}, [](Net& net) {
    auto c1 = conv(net, 24, 24, kernel({3, 3, 3})), c2 = conv(net, 24, 24, kernel({1, 1, 1}));
    auto n1 = norm(net, 24), n2 = norm(net, 24);
    return [=](const Tensor& x) mutable {
      auto y = n1(c1(x));
      y = y + n2(c2(at::relu(y)));
      return at::relu(y) + y;
    };
  }));
  cases.push_back(make("nine sums of norms", {20, 4, 5, 6}, [](Net& net) {
    std::vector<std::function<Tensor(const Tensor&)>> blocks;
    for (int i = 0; i < 9; ++i) {
      blocks.push_back([c = conv(net, 20, 20, kernel({1, 1, 1})), n = norm(net, 20)](const Tensor& x) mutable {
        return n(c(at::relu(x)));
      });
    }
    auto last = conv(net, 20, 20, kernel({1, 1, 1}));
    return [=](const Tensor& x) mutable {
      auto y = x;
      for (const auto& f : blocks) y = y + f(y);
      return last(y);
    };
  }));
  cases.push_back(make("a gate of 16 channels, and of two maps of 16", {20, 4, 9, 18}, [](Net& net) {
    auto a = conv(net, 20, 16, kernel({3, 3, 3})), b = conv(net, 20, 16, kernel({1, 1, 1})),
         less = conv(net, 32, 8, kernel({1, 1, 1})), more = conv(net, 8, 32, kernel({1, 1, 1})),
         last = conv(net, 32, 16, kernel({1, 1, 1})), alone = conv(net, 16, 5, kernel({1, 1, 1})),
         own = conv(net, 16, 16, kernel({1, 1, 1}));
    return [=](const Tensor& x) mutable {
      const auto z = at::cat({a(x), b(x)}, 1);
      const auto y = last(z * at::sigmoid(more(at::relu(less(z.mean({2, 3, 4}, true))))));
      return alone(y * at::sigmoid(own(y.mean({2, 3, 4}, true))));
    };
  }));
  cases.push_back(make("instance norm after gaps without padding", {16, 38, 39, 40}, [](Net& net) {
    auto c1 = conv(net, 16, 20, kernel({3, 3, 3}).dilation(12).padding(0));
    return [c1, n = norm(net, 20)](const Tensor& x) mutable { return leaky(n(c1(x))); };
  }));
  cases.push_back(make("instance norm after weights beyond the cache", {160, 3, 7, 9}, [](Net& net) {
    auto c1 = conv(net, 160, 176, kernel({3, 3, 3}));
    return [c1, n = norm(net, 176)](const Tensor& x) mutable { return leaky(n(c1(x))); };
  }));
  cases.push_back(make("a join of 16 channels after a norm, and 40", {20, 4, 9, 18}, [](Net& net) {
    auto few = conv(net, 20, 16, kernel({3, 3, 3})), many = conv(net, 20, 40, kernel({1, 1, 1})),
         last = conv(net, 56, 24, kernel({3, 3, 3}));
    return [=, n = norm(net, 16)](const Tensor& x) mutable { return last(at::cat({leaky(n(few(x))), many(x)}, 1)); };
  }));
  cases.push_back(make("a join of two transposed", {20, 4, 5, 6}, [](Net& net) {
    auto one = net.add(tn::ConvTranspose3d(tn::ConvTranspose3dOptions(20, 32, 2).stride(2))),
         two = net.add(tn::ConvTranspose3d(tn::ConvTranspose3dOptions(20, 40, 2).stride(2)));
    auto last = conv(net, 72, 8, kernel({1, 1, 1}));
    return [=](const Tensor& x) mutable { return last(at::cat({one(x), two(x)}, 1)); };
  }));
  // As VIOLA multiplies a map: by functions of its means along each axis, and by the norm of what they make.
  for (const std::int64_t channels : {16, 48}) {
    cases.push_back(make(
        "multiplied by its own profiles, " + std::to_string(channels) + " channels", {20, 6, 12, 5},
        [channels](Net& net) {
          auto before = conv(net, 20, channels, kernel({3, 3, 1})), after = conv(net, channels, 16, kernel({3, 3, 3}));
          auto mixed = net.add(tn::Conv1d(tn::Conv1dOptions(channels, channels, 3).padding(1)));
          return [=](const Tensor& x) mutable {
            const auto y = before(x);
            const auto rows = y.mean(4);
            const auto px = at::sigmoid(mixed(rows.mean(3))), py = at::sigmoid(rows.mean(2)),
                       pz = at::tanh(y.mean({2, 3}));
            const auto vx = px.unsqueeze(3).unsqueeze(4), vy = py.unsqueeze(2).unsqueeze(4),
                       vz = pz.unsqueeze(2).unsqueeze(3);
            const auto v = (0.1 * (vx * vy) + 0.3) + vz * (vx + vy) + at::relu((vx + vy) + vz);
            const auto length = v.square().sum({1, 2, 3, 4}, true).sqrt();
            return after(at::relu(y * v * (1 + 1 / length.clamp_min(1e-12))));
          };
        }));
  }
  return cases;
}

}  // namespace

TEST_CASE("native: every case of volumes gives what its module gives, for batches of 1 and 2") {
  if (here()) check_against_modules(volumes(), {1, 2}, 0.03);
}

TEST_CASE("native: every case of volumes in float32 proper, as on a CPU without AMX") {
  if (here()) check_float32_against_modules(volumes());
}

TEST_CASE("native: volumes give the same bytes from run to run, for one and two threads, alone and in a batch") {
  if (here()) check_same_bytes(volumes(), 2);
}

TEST_CASE("native: an instance norm of large numbers that hardly differ") {
  if (!here()) return;
  auto c = make("offset", {16, 8, 20, 20}, [](Net& net) {
    auto first = conv(net, 16, 32, kernel({1, 1, 1}));
    {
      const at::NoGradGuard no_grad;
      first->bias.fill_(20);
    }
    return [first, n = norm(net, 32)](const Tensor& x) mutable { return n(first(x)); };
  });
  const auto d = verify(prepared(c, Precision::float32), c.net, input(c, 1));
  CHECK(d.largest <= 5e-4 * d.range);  // of the sums' 16 bits, five are the mean's
}

TEST_CASE("native: volumes that it has no kernel for are right all the same") {
  if (!here()) return;
  const auto right = [](const Case& c) {
    CAPTURE(c.name);
    const auto d = verify(prepared(c, Precision::float32), c.net, input(c, 1));
    CHECK(d.range > 0.05);
    CHECK(d.largest <= 3e-5 * d.range);
  };
  right(make("a residual of one channel at the end", {1, 6, 8, 10}, [](Net& net) {
    auto c1 = conv(net, 1, 16, kernel({3, 3, 3})), c2 = conv(net, 16, 1, kernel({3, 3, 3}));
    return [=](const Tensor& x) mutable { return c2(at::relu(c1(x))) + x; };
  }));
  for (const Size& k : {Size{3, 1, 1}, Size{5, 3, 1}, Size{1, 3, 3}}) {
    right(make("profiles, rows along other axes", {1, 6, 8, 10}, [&k](Net& net) {
      auto c1 = conv(net, 1, 16, kernel(k)), c2 = conv(net, 16, 5, kernel({1, 1, 1}));
      return [=](const Tensor& x) mutable {
        const auto y = c1(x);
        return c2(y * at::sigmoid(y.mean(2, true)) * at::sigmoid(y.mean(3, true)) * at::sigmoid(y.mean(4, true)));
      };
    }));
  }
  right(make("one factor of two maps", {3, 8, 10, 6}, [](Net& net) {
    auto c1 = conv(net, 3, 16, kernel({3, 3, 1})), c2 = conv(net, 3, 16, kernel({3, 3, 1})),
         c3 = conv(net, 3, 32, kernel({1, 1, 1})), last = conv(net, 16, 5, kernel({1, 1, 1})),
         wide = conv(net, 48, 5, kernel({1, 1, 1}));
    return [=](const Tensor& x) mutable {
      const auto y = c1(x), z = c2(x);
      const auto v = at::sigmoid(y.mean(4, true)) + at::sigmoid(y.mean({2, 3}, true));
      return last(y * v) + wide(at::cat({z * v, c3(x)}, 1));
    };
  }));
}

TEST_CASE("native: volumes that have no kernel run on LibTorch, and the reason names it") {
  if (!here()) return;
  const auto reason = [](const Case& c) {
    const auto network = prepared(c, Precision::float32);
    const auto x = input(c, 1);
    CHECK((network.preparation(x.sizes()).engine == Engine::torch));
    CHECK(verify(network, c.net, x).largest < 1e-5);
    return network.preparation(x.sizes()).reason;
  };
  CHECK(reason(convolution("", 8, 8, {4, 5, 6}, kernel({3, 3, 3}).groups(8))) ==
        "native: no kernel for aten::_convolution of each channel of a volume by itself");
  CHECK(reason(make("", {8, 4, 4, 4}, [](Net& net) {
          auto first = conv(net, 8, 8, kernel({3, 3, 3}));
          return [first](const Tensor& x) mutable {
            const auto y = first(x);
            return y * at::tanh(y.mean(2, true) + y.mean({3, 4}, true));
          };
        })) == "native: no kernel for aten::tanh as large as the map that it multiplies");
  CHECK(reason(make("", {8, 4, 4, 4}, [](Net& net) {
          return [up = net.add(tn::ConvTranspose3d(tn::ConvTranspose3dOptions(8, 8, 3).stride(2)))](
                     const Tensor& x) mutable { return up(x); };
        })) == "native: no kernel for aten::_convolution transposed, whose kernel is not its stride");
}
