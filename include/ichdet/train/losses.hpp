#pragma once

#include <ATen/core/Tensor.h>

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace ichdet::train {

/// Losses of logits against truth, each a scalar. `classes` are (N, space) or (N), of any integer type, where
/// `unknown_label` counts nowhere; logits (N, class, space) or (N, class). A batch in which nothing is known gives 0.

/// The mean over what is known; with weights, of each class, the weighted mean (as PyTorch's). `smoothing` is shared
/// out among all classes.
at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& classes, const std::vector<double>& weights = {},
                         double smoothing = 0);

/// (1 - p)^gamma times cross entropy, averaged (Lin et al., 2017), `weights` scaling each class's share.
at::Tensor focal(const at::Tensor& logits, const at::Tensor& classes, double gamma = 2,
                 const std::vector<double>& weights = {});

/// Which sums an overlap is made of.
struct OverlapOptions {
  bool background = false;  ///< class 0 counts too
  bool batch = false;       ///< sums over the whole batch in place of each sample (nnU-Net)
  double smooth = 1e-5;     ///< added to numerator and denominator
};

/// 1 - 2 |p t| / (|p| + |t|) of softmax probabilities, averaged over classes and samples (Milletari et al., 2016;
/// MONAI's DiceLoss).
at::Tensor dice(const at::Tensor& logits, const at::Tensor& classes, const OverlapOptions& options = {});

/// 1 - |p t| / (|p t| + false_positive |p (1 - t)| + false_negative |(1 - p) t|) (Salehi et al., 2017; MONAI's
/// TverskyLoss).
at::Tensor tversky(const at::Tensor& logits, const at::Tensor& classes, double false_positive = 0.3,
                   double false_negative = 0.7, const OverlapOptions& options = {});

/// Of sigmoids: logits (N, K) against 0 or 1 (N, K), where NaN counts nowhere. `positive_weights` scale the loss of
/// each output's positives.
at::Tensor binary_cross_entropy(const at::Tensor& logits, const at::Tensor& truth,
                                const std::vector<double>& positive_weights = {});

/// S3's localisation loss: 1 - Dice of a saliency map and the blood (class 1 of `mask`, (N, H, W)), averaged over
/// samples that show blood. `map`: (N, h, w), of any scale, such as Grad-CAM's (attribution::unscaled_map with
/// `create_graph`); what is below 0 counts as 0, the rest over its largest value, brought to the mask's size. The paper
/// says that a segmentation loss of the last convolution's saliency map is added, not which: Dice and Grad-CAM are
/// ours.
at::Tensor localisation(const at::Tensor& map, const at::Tensor& mask);

/// A loss as a recipe names it.
struct LossSpec {
  enum class Kind { cross_entropy, focal, dice, dice_cross_entropy, tversky, binary_cross_entropy };
  Kind kind = Kind::cross_entropy;
  std::vector<double> class_weights;
  double smoothing = 0, gamma = 2, false_positive = 0.3, false_negative = 0.7;
  OverlapOptions overlap;
  /// Weights of all heads, finest first, scaled to sum 1; empty: the finest alone.
  std::vector<double> deep_supervision;
  double localisation = 0;  ///< weight of S3's localisation loss; 0: none
};

/// From JSON: {"name": "dice + cross entropy", ...}. Throws Error(weights) that starts with `subject`.
LossSpec loss_spec(const nlohmann::json& json, const std::string& subject);

/// The loss of one head.
at::Tensor loss(const LossSpec& spec, const at::Tensor& logits, const at::Tensor& truth);

/// The loss of several heads: the truth is brought to each one's size by its nearest pixels.
at::Tensor deep_loss(const LossSpec& spec, const std::vector<at::Tensor>& heads, const at::Tensor& truth);

}  // namespace ichdet::train
