#include "ichdet/models/viola_unet.hpp"

namespace ichdet::models {

ViolaUnetOptions::ViolaUnetOptions() {
  kernel_size = {{3, 3, 1}, {3, 3, 1}, {3, 3, 3}, {3, 3, 3}, {3, 3, 3}};
  strides = {{1, 1, 1}, {2, 2, 2}, {2, 2, 2}, {2, 2, 2}, {2, 2, 2}};
  filters = {16, 32, 32, 64, 128};
  dec_filters = {16, 16, 32, 64};
  norm = NormKind::batch;
  deep_supervision = false;
  deep_supr_num = 2;
  viola_att = true;
}

ViolaUnetImpl::ViolaUnetImpl(ViolaUnetOptions chosen) : DynUNetImpl(std::move(chosen)) {}

std::vector<at::Tensor> ViolaUnetImpl::attentions(const at::Tensor& x) {
  const auto encoded = encode(x), decoded = decode(encoded);
  std::vector<at::Tensor> factors;
  for (std::size_t i = 0; i < upsamples.size(); ++i) {
    const auto joined = upsamples[i]->join(i == 0 ? encoded.back() : decoded[i - 1], encoded[encoded.size() - 2 - i]);
    factors.push_back(upsamples[i]->canc_att->factor(joined));
  }
  return factors;
}

}  // namespace ichdet::models
