#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

#include "ichdet/core/components.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/core/volume.hpp"
#include "ichdet/evaluate/lesion_match.hpp"

namespace ichdet::evaluate {

namespace detail {

ICHDET_INLINE Proportion matched_of(const std::vector<MatchedLesion>& lesions) {
  return {std::count_if(lesions.begin(), lesions.end(), [](const auto& l) { return l.matched; }),
          std::int64_t(lesions.size())};
}

/// The pieces of at least `min_voxels`, numbered anew from 1; 0 elsewhere.
ICHDET_INLINE Components pieces_of(const Mask& mask, std::int64_t min_voxels) {
  auto pieces = connected_components(mask);
  if (min_voxels <= 1) return pieces;
  std::vector<std::int32_t> number(pieces.sizes.size(), 0);
  std::vector<std::int64_t> sizes{pieces.sizes[0]};
  for (std::size_t i = 1; i < number.size(); ++i) {
    if (pieces.sizes[i] >= min_voxels) {
      number[i] = std::int32_t(sizes.size());
      sizes.push_back(pieces.sizes[i]);
    } else {
      sizes[0] += pieces.sizes[i];
    }
  }
  for (auto& label : pieces.labels) label = number[std::size_t(label)];
  pieces.sizes = std::move(sizes);
  return pieces;
}

}  // namespace detail

ICHDET_INLINE Proportion LesionMatch::sensitivity() const noexcept { return detail::matched_of(truth); }
ICHDET_INLINE Proportion LesionMatch::precision() const noexcept { return detail::matched_of(predicted); }

ICHDET_INLINE LesionMatch match_lesions(const Mask& predicted, const Mask& truth, const Array3<float>& probability,
                                        const LesionMatchOptions& options) {
  check_shape("predicted mask", truth.shape(), predicted.shape());
  const bool scored = !probability.empty();
  if (scored) check_shape("probability", truth.shape(), probability.shape());
  if (!(options.min_overlap >= 0 && options.min_overlap <= 1)) {
    throw Error::mismatch(ErrorCode::options, "min_overlap", "0 to 1", std::to_string(options.min_overlap));
  }
  const auto ours = detail::pieces_of(predicted, options.min_voxels);
  const auto theirs = detail::pieces_of(truth, 1);
  LesionMatch match;
  match.predicted.resize(std::size_t(ours.count()));
  match.truth.resize(std::size_t(theirs.count()));
  for (std::int64_t i = 0; i < truth.size(); ++i) {
    const auto p = ours.labels.data()[i], t = theirs.labels.data()[i];
    if (p != 0) {
      auto& piece = match.predicted[std::size_t(p - 1)];
      ++piece.voxels;
      piece.covered += t != 0;
      piece.score = std::max(piece.score, scored ? double(probability.data()[i]) : 1.0);
    }
    if (t != 0) {
      auto& lesion = match.truth[std::size_t(t - 1)];
      ++lesion.voxels;
      lesion.covered += p != 0;
    }
  }
  for (auto* lesions : {&match.predicted, &match.truth}) {
    for (auto& lesion : *lesions) {
      lesion.matched = lesion.covered > 0 && double(lesion.covered) >= options.min_overlap * double(lesion.voxels);
    }
  }
  for (std::int64_t i = 0; i < truth.size(); ++i) {
    const auto p = ours.labels.data()[i], t = theirs.labels.data()[i];
    if (p == 0 || t == 0 || !match.truth[std::size_t(t - 1)].matched) continue;
    auto& lesion = match.truth[std::size_t(t - 1)];
    lesion.score = std::max(lesion.score, match.predicted[std::size_t(p - 1)].score);
  }
  return match;
}

ICHDET_INLINE FrocCurve froc(const std::vector<LesionMatch>& images) {
  if (images.empty()) throw Error::mismatch(ErrorCode::options, "FROC", "at least one image", "none");
  std::vector<double> found, falsely, thresholds;
  std::int64_t lesions = 0;
  for (const auto& image : images) {
    lesions += std::int64_t(image.truth.size());
    for (const auto& lesion : image.truth) found.push_back(lesion.score);
    for (const auto& piece : image.predicted) {
      if (!piece.matched) falsely.push_back(piece.score);
    }
  }
  std::sort(found.begin(), found.end(), std::greater<>());
  std::sort(falsely.begin(), falsely.end(), std::greater<>());
  std::merge(found.begin(), found.end(), falsely.begin(), falsely.end(), std::back_inserter(thresholds),
             std::greater<>());
  thresholds.erase(std::unique(thresholds.begin(), thresholds.end()), thresholds.end());

  FrocCurve curve{{0}, {lesions > 0 ? 0 : undefined}, {std::numeric_limits<double>::infinity()}};
  std::size_t tp = 0, fp = 0;
  for (const double threshold : thresholds) {
    if (threshold <= 0) break;
    while (tp < found.size() && found[tp] >= threshold) ++tp;
    while (fp < falsely.size() && falsely[fp] >= threshold) ++fp;
    curve.false_positives_per_image.push_back(double(fp) / double(images.size()));
    curve.sensitivity.push_back(Proportion{std::int64_t(tp), lesions}.value());
    curve.thresholds.push_back(threshold);
  }
  return curve;
}

ICHDET_INLINE double froc_score(const FrocCurve& curve, const std::vector<double>& rates) {
  const auto& x = curve.false_positives_per_image;
  const auto& y = curve.sensitivity;
  double sum = 0;
  for (const double rate : rates) {
    const auto right = std::size_t(std::upper_bound(x.begin(), x.end(), rate) - x.begin());
    if (right == 0 || right == x.size()) {
      sum += right == 0 ? y.front() : y.back();
    } else {
      const auto left = right - 1;
      sum += y[left] + (y[right] - y[left]) * (rate - x[left]) / (x[right] - x[left]);
    }
  }
  return rates.empty() ? undefined : sum / double(rates.size());
}

}  // namespace ichdet::evaluate
