#include "maps_without_model.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/ones.h>

#include <cmath>

#include "ichdet/phantom/random.hpp"

namespace ichdet::train {
namespace {

at::Tensor random_map(at::IntArrayRef size, std::uint64_t seed, std::uint64_t index) {
  auto map = at::empty(size, at::kFloat);
  auto* values = map.data_ptr<float>();
  for (std::int64_t i = 0; i < map.numel(); ++i) values[i] = float(counter_uniform(seed, index, std::uint64_t(i)));
  return map;
}

/// About the centre of the head, a quarter of its size wide.
at::Tensor middle_map(const at::Tensor& head) {
  const auto weight = head.any().item<bool>() ? head.to(at::kDouble) : at::ones(head.sizes(), at::kDouble);
  const auto area = weight.sum();
  const auto y = at::arange(head.size(0), at::kDouble).unsqueeze(1), x = at::arange(head.size(1), at::kDouble);
  const auto cy = (weight * y).sum() / area, cx = (weight * x).sum() / area;
  const auto sigma = std::sqrt(area.item<double>()) / 4;
  return (-0.5 * ((y - cy).square() + (x - cx).square()) / (sigma * sigma)).exp().to(at::kFloat);
}

}  // namespace

std::vector<std::pair<std::string, at::Tensor>> maps_without_model(const JudgedSlice& slice, const at::Tensor& head,
                                                                   const at::Tensor& brain, std::uint64_t seed,
                                                                   std::uint64_t index) {
  const auto size = head.sizes();
  const auto hu = at::from_blob(const_cast<float*>(slice.hu.data()), size, at::kFloat).clamp(0, 80) / 80;
  const auto mask = at::from_blob(const_cast<std::uint8_t*>(slice.mask.data()), size, at::kByte).to(at::kFloat);
  return {{"uniform", at::ones(size, at::kFloat)},
          {"random", random_map(size, seed, index)},
          {"head", head.to(at::kFloat)},
          {"middle", middle_map(head)},
          {"brightness", hu},
          {"brain", hu * brain},
          {"mask", mask}};
}

}  // namespace ichdet::train
