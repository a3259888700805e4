#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "ichdet/nn/network.hpp"
#include "ichdet/pipeline/slice_segmenter.hpp"

namespace ichdet::train {

/// S3's five segmenters and the model that weighs their maps as one network, images (N, C, H, W) to logits
/// (N, 2, H, W) of no blood and blood: what the losses and the validation of segmenters read. Only the weights of the
/// model, its child `weigher`, are learnt.
class WeighedMaps : public Network {
 public:
  /// Throws what SliceSegmenter throws.
  WeighedMaps(const std::vector<std::filesystem::path>& members, std::shared_ptr<Network> weigher);

  at::Tensor forward_features(const at::Tensor& x) override;  ///< the members' maps
  at::Tensor forward_head(const at::Tensor& maps) override;

 private:
  SliceSegmenter segmenter_;
  std::shared_ptr<Network> weigher_;
};

}  // namespace ichdet::train
