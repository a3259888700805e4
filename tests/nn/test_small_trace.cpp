#include <torch/csrc/jit/ir/ir.h>

#include "ichdet/models/dynunet.hpp"
#include "native_cases.hpp"
#include "nn/engine.hpp"
#include "nn/graph_tools.hpp"
#include "nn/small_trace.hpp"

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

using Numbers = std::vector<std::int64_t>;

/// The sizes of all values of the graph that small traces give, none where they give none; `voxels` of each forward.
Numbers traced(Net& net, at::IntArrayRef shape, Numbers& voxels) {
  const auto whole = [&](at::IntArrayRef size) {
    return nn::trace(
        net,
        [&](const Tensor& x) {
          voxels.push_back(x.numel());
          return net.forward(x);
        },
        size);
  };
  Numbers all;
  const auto graph = nn::trace_small(whole, shape);
  if (graph == nullptr) return all;
  for (const auto* node : graph->nodes()) {
    if (node->kind() == torch::jit::prim::Constant) continue;
    for (const auto* output : node->outputs()) {
      if (const auto size = nn::sizes(output)) all.insert(all.end(), size->begin(), size->end());
    }
  }
  return all;
}

Numbers of(const std::function<Tensor(const Tensor&)>& body, at::IntArrayRef shape) {
  Net net;
  net.body = body;
  net.eval();
  Numbers voxels;
  return traced(net, shape, voxels);
}

}  // namespace

TEST_CASE("small trace: sizes of a large volume follow from two small ones") {
  Numbers voxels;
  const auto net = unet(false);
  const auto sizes = traced(*net, {1, 1, 160, 96, 64}, voxels);
  CHECK(voxels == Numbers{32 * 32 * 32, 64 * 64 * 64});
  CHECK(sizes == Numbers{1, 4, 80,  48, 32, 1, 4, 80,  48, 32, 1, 4, 160, 96, 64,
                         1, 4, 160, 96, 64, 1, 5, 160, 96, 64, 1, 2, 160, 96, 64});
  CHECK(of(
            [](const Tensor& x) {
              return at::max_pool3d(x, {2, 2, 2}, {2, 2, 2});
            },
            {1, 1, 160, 96, 64}) == Numbers{1, 1, 80, 48, 32});
}

TEST_CASE("small trace: where sizes do not follow, there is none") {
  Numbers voxels;
  CHECK(traced(*unet(true), {1, 1, 160, 96, 64}, voxels).empty());  // up-sampled to a size that is an argument
  CHECK(voxels == Numbers{32 * 32 * 32, 64 * 64 * 64});
  voxels.clear();
  CHECK(traced(*unet(false), {1, 1, 32, 40, 32}, voxels).empty());  // small itself
  CHECK(voxels.empty());
  const Numbers odd{1, 1, 99, 66, 66}, large{1, 1, 160, 160, 160};
  CHECK(of([](const Tensor& x) { return at::max_pool3d(x, {2, 2, 2}, {2, 2, 2}); }, odd).empty());
  CHECK(of([](const Tensor& x) { return at::max_pool3d(x, {3, 3, 3}, {3, 3, 3}); }, large).empty());
  CHECK(of([](const Tensor& x) { return at::relu(x).transpose(2, 4); }, {1, 1, 160, 96, 64}).empty());
  CHECK(of([](const Tensor& x) { return x.size(2) >= 64 ? at::sigmoid(at::relu(x)) : at::relu(x); }, large).empty());
  CHECK(of([](const Tensor& x) { return at::relu(x).reshape({1, 1, 8, 8, -1}); }, large).empty());
  CHECK(of(
            [](const Tensor& x) -> Tensor {
              if (x.size(2) < 100) throw std::runtime_error("too small");
              return at::relu(x);
            },
            large)
            .empty());
}

TEST_CASE("small trace: a DynUNet is prepared by small traces, and right") {
  models::DynUNetOptions options;
  options.in_channels = 1;
  options.kernel_size = {{3, 3, 3}, {3, 3, 3}, {3, 3, 3}};
  options.strides = {{1, 1, 1}, {2, 2, 2}, {2, 2, 2}};
  options.filters = {4, 6, 8};
  options.deep_supervision = false;
  at::manual_seed(1);
  const auto net = std::make_shared<models::DynUNetImpl>(options);
  net->eval();
  const auto x = at::randn({1, 1, 96, 64, 64});
  for (const auto engine : {Engine::torch, Engine::native}) {
    PrepareOptions how;
    how.engine = engine;
    const auto d = verify(prepare(net, how), net, x);
    CHECK(d.largest <= 1e-4 * d.range);
  }
}
