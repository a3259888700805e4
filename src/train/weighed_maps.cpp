#include "weighed_maps.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "ichdet/bundle/bundle.hpp"

namespace ichdet::train {

WeighedMaps::WeighedMaps(const std::vector<std::filesystem::path>& members, std::shared_ptr<Network> weigher)
    : segmenter_(open_bundles(members)), weigher_(register_module("weigher", std::move(weigher))) {}

at::Tensor WeighedMaps::forward_features(const at::Tensor& x) {
  const at::NoGradGuard no_grad;
  return segmenter_.maps(x.to(at::kCPU)).to(x.device());
}

at::Tensor WeighedMaps::forward_head(const at::Tensor& maps) {
  const auto weights = at::softmax(weigher_->forward(maps).to(at::kFloat), 1).unsqueeze(2).unsqueeze(3);
  const auto blood = (weights * maps).sum(1).clamp(1e-6, 1 - 1e-6);
  return at::stack({(1 - blood).log(), blood.log()}, 1);
}

}  // namespace ichdet::train
