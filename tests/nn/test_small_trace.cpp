#include <torch/csrc/jit/ir/ir.h>

#include "ichdet/core/error.hpp"
#include "native_cases.hpp"
#include "nn/engine.hpp"
#include "nn/graph_tools.hpp"

using namespace native_cases;

// What two small traces say of a large one.
namespace {

tn::Conv3d conv(Net& net, std::int64_t in, std::int64_t out, std::int64_t k, std::int64_t stride) {
  return net.add(tn::Conv3d(tn::Conv3dOptions(in, out, k).stride(stride).padding(k / 2)));
}

/// A U-Net of two scales; `sized`: up-sampled to a size that it reads from its input.
std::shared_ptr<Net> unet(bool sized) {
  at::manual_seed(1);
  auto net = std::make_shared<Net>();
  auto down = conv(*net, 1, 4, 3, 2), last = conv(*net, 5, 2, 3, 1);
  auto up = net->add(tn::ConvTranspose3d(tn::ConvTranspose3dOptions(4, 4, 2).stride(2)));
  net->body = [=](const Tensor& x) mutable {
    const auto low = at::instance_norm(down(x), {}, {}, {}, {}, true, 0.1, 1e-5, false);
    const auto high = sized ? at::upsample_trilinear3d(low, x.sizes().slice(2), false) : up(low);
    return last(at::cat({at::leaky_relu(high), x}, 1));
  };
  net->eval();
  return net;
}

std::vector<std::int64_t> traced(Net& net, at::IntArrayRef shape, std::vector<std::int64_t>& voxels) {
  const auto forward = [&](const Tensor& x) {
    voxels.push_back(x.numel());
    return net.forward(x);
  };
  std::vector<std::int64_t> all;
  const auto graph = nn::trace(net, forward, shape);
  for (const auto* node : graph->nodes()) {
    if (node->kind() == torch::jit::prim::Constant) continue;
    for (const auto* output : node->outputs()) {
      if (const auto size = nn::sizes(output)) all.insert(all.end(), size->begin(), size->end());
    }
  }
  return all;
}

}  // namespace

TEST_CASE("small trace: sizes of a large volume follow from two small ones") {
  std::vector<std::int64_t> voxels;
  const auto net = unet(false);
  const auto sizes = traced(*net, {1, 1, 160, 96, 64}, voxels);
  CHECK(voxels == std::vector<std::int64_t>{32 * 32 * 32, 64 * 64 * 64});
  CHECK(sizes == std::vector<std::int64_t>{1, 4, 80,  48, 32, 1, 4, 80,  48, 32, 1, 4, 160, 96, 64,
                                           1, 4, 160, 96, 64, 1, 5, 160, 96, 64, 1, 2, 160, 96, 64});
  PrepareOptions options;
  options.engine = Engine::torch;
  const auto x = at::randn({1, 1, 160, 96, 64});
  const auto d = verify(prepare(net, options), net, x);
  CHECK(d.largest <= 1e-5 * d.range);
}

TEST_CASE("small trace: a network whose operators know the size is traced whole") {
  std::vector<std::int64_t> voxels;
  const auto net = unet(true);
  traced(*net, {1, 1, 160, 96, 64}, voxels);
  CHECK(voxels == std::vector<std::int64_t>{32 * 32 * 32, 64 * 64 * 64, 160 * 96 * 64});
  const auto x = at::randn({1, 1, 128, 64, 64});
  const auto d = verify(prepare(net, {}), net, x);
  CHECK(d.largest <= 1e-5 * d.range);
}

TEST_CASE("small trace: small volumes, images, and what takes no small volume, are traced whole") {
  std::vector<std::int64_t> voxels;
  const auto net = unet(false);
  traced(*net, {1, 1, 32, 40, 32}, voxels);
  CHECK(voxels == std::vector<std::int64_t>{32 * 40 * 32});
  voxels.clear();
  auto picky = std::make_shared<Net>();
  picky->body = [c = conv(*picky, 1, 2, 3, 1)](const Tensor& x) mutable {
    if (x.size(2) < 100) throw Error(ErrorCode::shape, "too small");
    return c(x);
  };
  picky->eval();
  traced(*picky, {1, 1, 128, 64, 64}, voxels);
  CHECK(voxels == std::vector<std::int64_t>{32 * 32 * 32, 128 * 64 * 64});
}
