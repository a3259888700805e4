#include "ichdet/train/losses.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <numeric>

#include "ichdet/train/training_study.hpp"

namespace ichdet::train {
namespace {

/// Classes as (N, 1, space) of indices, and 1 where they are known.
struct Known {
  at::Tensor index, mask;
};

Known known(const at::Tensor& classes) {
  const auto mask = classes.ne(unknown_label).unsqueeze(1);
  return {at::where(mask, classes.to(at::kLong).unsqueeze(1), 0), mask.to(at::kFloat)};
}

at::Tensor per_class(const std::vector<double>& weights, const at::Tensor& index) {
  return at::tensor(weights, index.options().dtype(at::kFloat)).index({index});
}

at::Tensor mean_of_known(const at::Tensor& values, const at::Tensor& weights) {
  return (values * weights).sum() / weights.sum().clamp_min(1e-8);
}

/// Sums of half-precision logits are made in float32.
at::Tensor wide(const at::Tensor& logits) {
  return logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat);
}

/// What overlaps are made of: products of probabilities and truth, of what is known, for each sample (or the batch) and
/// class.
struct Overlap {
  at::Tensor both, predicted, actual;
};

Overlap overlap(const at::Tensor& logits, const at::Tensor& classes, const OverlapOptions& options) {
  const auto [index, mask] = known(classes);
  const auto probability = at::softmax(wide(logits), 1) * mask;
  const auto truth = at::zeros_like(probability).scatter(1, index, 1.F) * mask;
  const std::int64_t first = options.background ? 0 : 1;
  const auto sums = [&](const at::Tensor& values) {
    const auto flat = values.flatten(2).sum(2);
    return (options.batch ? flat.sum(0, /*keepdim=*/true) : flat).narrow(1, first, flat.size(1) - first);
  };
  return {sums(probability * truth), sums(probability), sums(truth)};
}

}  // namespace

at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& classes, const std::vector<double>& weights,
                         double smoothing) {
  const auto [index, mask] = known(classes);
  const auto log_probability = at::log_softmax(wide(logits), 1);
  const auto share = weights.empty() ? mask : mask * per_class(weights, index);
  auto sum = -(log_probability.gather(1, index) * share).sum();
  if (smoothing > 0) {
    auto spread = log_probability;
    if (!weights.empty()) {
      std::vector<std::int64_t> along_classes(std::size_t(spread.dim()), 1);
      along_classes[1] = -1;
      spread = spread * at::tensor(weights, spread.options()).view(along_classes);
    }
    sum = (1 - smoothing) * sum - smoothing * (spread.mean(1, /*keepdim=*/true) * mask).sum();
  }
  return sum / share.sum().clamp_min(1e-8);
}

at::Tensor focal(const at::Tensor& logits, const at::Tensor& classes, double gamma,
                 const std::vector<double>& weights) {
  const auto [index, mask] = known(classes);
  const auto log_probability = at::log_softmax(wide(logits), 1).gather(1, index);
  auto each = -(1 - log_probability.exp()).clamp_min(0).pow(gamma) * log_probability;
  if (!weights.empty()) each = each * per_class(weights, index);
  return mean_of_known(each, mask);
}

at::Tensor dice(const at::Tensor& logits, const at::Tensor& classes, const OverlapOptions& options) {
  const auto [both, predicted, actual] = overlap(logits, classes, options);
  return (1 - (2 * both + options.smooth) / (predicted + actual + options.smooth)).mean();
}

at::Tensor tversky(const at::Tensor& logits, const at::Tensor& classes, double false_positive, double false_negative,
                   const OverlapOptions& options) {
  const auto [both, predicted, actual] = overlap(logits, classes, options);
  const auto wrong = false_positive * (predicted - both) + false_negative * (actual - both);
  return (1 - (both + options.smooth) / (both + wrong + options.smooth)).mean();
}

at::Tensor binary_cross_entropy(const at::Tensor& logits, const at::Tensor& truth,
                                const std::vector<double>& positive_weights) {
  const auto scores = wide(logits);
  const auto mask = truth.isnan().logical_not().to(scores.scalar_type());
  const auto target = at::nan_to_num(truth.to(scores.scalar_type()), 0.0);
  const auto positive = positive_weights.empty() ? at::Tensor() : at::tensor(positive_weights, scores.options());
  const auto each = at::binary_cross_entropy_with_logits(scores, target, {}, positive, /*reduction: none=*/0);
  return mean_of_known(each, mask);
}

at::Tensor localisation(const at::Tensor& map, const at::Tensor& mask) {
  const auto blood = mask.eq(1).to(at::kFloat).flatten(1);
  const auto positive = at::relu(map);
  const auto saliency = positive / positive.amax({1, 2}, /*keepdim=*/true).clamp_min(1e-12);
  const auto seen =
      at::upsample_bilinear2d(saliency.unsqueeze(1), mask.sizes().slice(1), /*align_corners=*/false).flatten(1);
  const auto overlap = (2 * (seen * blood).sum(1) + 1) / (seen.sum(1) + blood.sum(1) + 1);
  return mean_of_known(1 - overlap, blood.amax(1));
}

at::Tensor loss(const LossSpec& spec, const at::Tensor& logits, const at::Tensor& truth) {
  using Kind = LossSpec::Kind;
  switch (spec.kind) {
    case Kind::cross_entropy: return cross_entropy(logits, truth, spec.class_weights, spec.smoothing);
    case Kind::focal: return focal(logits, truth, spec.gamma, spec.class_weights);
    case Kind::dice: return dice(logits, truth, spec.overlap);
    case Kind::dice_cross_entropy:
      return dice(logits, truth, spec.overlap) + cross_entropy(logits, truth, spec.class_weights, spec.smoothing);
    case Kind::tversky: return tversky(logits, truth, spec.false_positive, spec.false_negative, spec.overlap);
    case Kind::binary_cross_entropy: break;
  }
  return binary_cross_entropy(logits, truth, spec.class_weights);
}

at::Tensor deep_loss(const LossSpec& spec, const std::vector<at::Tensor>& heads, const at::Tensor& truth) {
  if (heads.size() == 1) return loss(spec, heads.front(), truth);
  auto weights = spec.deep_supervision;
  weights.resize(heads.size(), 0.0);
  const auto sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  at::Tensor total;
  for (std::size_t i = 0; i < heads.size(); ++i) {
    if (weights[i] <= 0) continue;
    const auto size = heads[i].sizes().slice(2);
    auto own = truth;
    if (size != truth.sizes().slice(1)) {
      const auto values = truth.to(at::kFloat).unsqueeze(1);
      own = (size.size() == 3 ? at::upsample_nearest3d(values, size) : at::upsample_nearest2d(values, size))
                .squeeze(1)
                .to(at::kByte);
    }
    const auto term = loss(spec, heads[i], own) * (weights[i] / sum);
    total = total.defined() ? total + term : term;
  }
  return total;
}

}  // namespace ichdet::train
