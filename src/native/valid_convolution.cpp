#include "valid_convolution.hpp"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <numeric>

#include "winograd.hpp"

namespace ichdet::native {
namespace {

constexpr int m = 4;

Map channels_last(const at::Tensor& x) {
  Map map;
  map.size = {x.size(0), x.size(1), x.size(2)};
  map.per_pixel = x.size(3);
  map.kept.value_bytes = sizeof(float);
  map.blocks = {0};
  return map;
}

}  // namespace

std::function<at::Tensor(const at::Tensor&)> valid_convolution(const at::Tensor& given_weight,
                                                               const at::Tensor& given_bias) {
  const auto weight = given_weight.contiguous(), bias = given_bias.contiguous();
  Layer layer;
  layer.shape.kernel = {3, 3, 3};
  layer.weight = weight.data_ptr<float>();
  layer.outputs = weight.size(0);
  layer.bias = bias.data_ptr<float>();
  layer.format = Format::float32;
  layer.channel_of.resize(std::size_t(weight.size(1)));
  std::iota(layer.channel_of.begin(), layer.channel_of.end(), 0);
  layer.in.per_pixel = weight.size(1);
  layer.in.blocks = {0};
  const auto transformed = std::make_shared<const Weights>(Winograd::transformed(layer, m));
  return [layer, transformed, weight, bias](const at::Tensor& given) {
    const auto x = given.contiguous();
    const auto y = at::empty({x.size(0) - 2, x.size(1) - 2, x.size(2) - 2, layer.outputs});
    auto here = layer;
    here.in = channels_last(x);
    here.out = channels_last(y);
    // Both lie in one arena, wherever they are.
    char* arena = static_cast<char*>(x.data_ptr());
    here.out.blocks = {static_cast<char*>(y.data_ptr()) - arena};
    const Winograd convolution(here, m, transformed);
    at::parallel_for(0, convolution.units(), 1, [&](auto begin, auto end) { convolution.run(arena, begin, end); });
    return y;
  };
}

}  // namespace ichdet::native
