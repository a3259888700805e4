#include "valid_convolution.hpp"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <numeric>

#include "winograd.hpp"

namespace ichdet::native {
namespace {

constexpr int m = 4;

Map channels_last(const Triple& size, std::int64_t per_pixel) {
  Map map;
  map.size = size;
  map.per_pixel = per_pixel;
  map.kept.value_bytes = sizeof(float);
  map.blocks = {0};
  return map;
}

}  // namespace

std::function<void(const at::Tensor&, const TakeSums&)> valid_convolution(const at::Tensor& given_weight) {
  const auto weight = given_weight.contiguous();
  Layer layer;
  layer.shape.kernel = {3, 3, 3};
  layer.weight = weight.data_ptr<float>();
  layer.outputs = weight.size(0);
  layer.format = Format::float32;
  layer.channel_of.resize(std::size_t(weight.size(1)));
  std::iota(layer.channel_of.begin(), layer.channel_of.end(), 0);
  layer.in.per_pixel = weight.size(1);
  layer.in.blocks = {0};
  const auto transformed = std::make_shared<const Weights>(Winograd::transformed(layer, m));
  layer.weight = nullptr;
  return [layer, transformed](const at::Tensor& given, const TakeSums& take) {
    const auto x = given.contiguous();
    auto here = layer;
    here.in = channels_last({x.size(0), x.size(1), x.size(2)}, x.size(3));
    here.out = channels_last({x.size(0) - 2, x.size(1) - 2, x.size(2) - 2}, layer.outputs);
    const Winograd convolution(here, m, transformed, take);
    char* arena = static_cast<char*>(x.data_ptr());
    at::parallel_for(0, convolution.units(), 1, [&](auto begin, auto end) { convolution.run(arena, begin, end); });
  };
}

}  // namespace ichdet::native
