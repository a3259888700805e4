#pragma once

#include <array>
#include <vector>

#include "ichdet/models/convolution.hpp"

namespace ichdet::models {

/// One axis's branch of VIOLA: the profile (N, C, L), normalised over its channels (layer norm, `0.gamma` alone), and
/// as an image of C rows through dilated convolutions of kernel (ck, 1), along the channels, each reading all before it
/// (`1.features.*.0`), then SiLU and a 1 x 1 convolution to one map (`1.conv1x1_out.1`).
class ViolaBranchImpl : public torch::nn::Module {
 public:
  explicit ViolaBranchImpl(std::int64_t channels);
  at::Tensor forward(const at::Tensor& profile) const;

  at::Tensor gamma;
  std::vector<Convolution> features;
  Convolution conv1x1_out{nullptr};
};
TORCH_MODULE(ViolaBranch);

/// VIOLA, "Voxels Intersecting along Orthogonal Levels Attention" (Liu et al., INSTANCE 2022, arXiv:2208.06313), as in
/// the public Viola-Unet. With x, y, z = sigmoid of the three branches, and x', y', z' =
/// (tanh(group norm of 2 groups) + sigmoid) / 2 of them:
///
///     J = xy + yz + zx,  M = xyz,  A = relu(x' + y' + z'),  v = 0.1 (J + M + A) + 0.3
///
/// The input is multiplied by v + v / |v|, the norm taken over a sample's whole v. Parameters: `xconv.*`, `yconv.*`,
/// `zconv.*`, and the group norm's `act.0.weight` and `act.0.bias`.
class ViolaAttentionImpl : public torch::nn::Module {
 public:
  explicit ViolaAttentionImpl(std::int64_t channels);  ///< even
  /// (N, channels, X, Y, Z), or (N, channels, X, Y), which is a volume of one position along Z, to the same.
  at::Tensor forward(const at::Tensor& x) const;
  /// What `x` is multiplied by, of its shape.
  at::Tensor factor(const at::Tensor& x) const;

  std::array<ViolaBranch, 3> branches;  ///< `xconv`, `yconv`, `zconv`
  Norm norm{nullptr};                   ///< `act.0`; only its parameters are used

 private:
  struct Profiles {
    std::array<at::Tensor, 3> s;  ///< x, y, z of the formulae, (N, channels, length) for each axis
    std::array<at::Tensor, 3> t;  ///< a tenth of x', y', z'
  };
  Profiles profiles(const at::Tensor& x) const;
  /// v, and 1 + 1 / |v| as (N, 1, 1, ...).
  std::pair<at::Tensor, at::Tensor> parts(const at::Tensor& x) const;
};
TORCH_MODULE(ViolaAttention);

}  // namespace ichdet::models
