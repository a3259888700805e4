#pragma once

#include "ichdet/models/dynunet.hpp"

namespace ichdet::models {

/// The defaults are those of VIOLA-AI (S2).
struct ViolaUnetOptions : DynUNetOptions {
  ViolaUnetOptions();

  /// As DynUNetOptions::from_json, with `dec_filters`.
  static ViolaUnetOptions from_json(const nlohmann::json& options, const std::string& subject);
};

/// Viola-Unet (S2: Liu et al., INSTANCE 2022, arXiv:2208.06313): DynUNet with VIOLA attention over skip connection and
/// up-sampled map in front of each block of the decoder, whose widths are its own. Parameters have the names of the
/// public implementation with `viola_att` on, `gated_att` and `sum_deep_supr` off.
///
/// Input (N, in_channels, X, Y, Z), multiples of 16 for the default options; output (N, out_channels, X, Y, Z). Strides
/// and kernels of two axes make a network of images (N, in_channels, X, Y), whose attention takes them for volumes of
/// one position along Z.
class ViolaUnetImpl : public DynUNetImpl {
 public:
  explicit ViolaUnetImpl(ViolaUnetOptions options = {});

  /// What each attention multiplies its input by, coarsest first: (N, channels, X, Y, Z) of the block's size.
  std::vector<at::Tensor> attentions(const at::Tensor& x);
};
TORCH_MODULE(ViolaUnet);

}  // namespace ichdet::models
