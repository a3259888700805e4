#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "ichdet/core/config.hpp"

namespace ichdet::ensemble {

/// What an ensemble's members say about one slice, as numbers in [0, 1] whose logits are added.
struct SliceEvidence {
  double map = 0;  ///< mean probability of the 20 mm² where blood is likeliest
  double area =
      0;  ///< (1 + a) / (101 + a), a the mm² where blood is likelier than not: its logit is log((1 + a) / 100)
  double classifier = 0.5;  ///< mean of the slice classifiers; one half: none was asked

  std::array<double, 3> values() const { return {map, area, classifier}; }
};
inline constexpr std::array<std::string_view, 3> slice_evidence_names{"map", "area", "classifier"};

/// Of a slice's probabilities of blood, a pixel having `pixel_mm2`. Throws Error(options) unless that is above 0.
SliceEvidence slice_evidence(std::span<const float> blood, double pixel_mm2, std::optional<double> classifier = {});

/// How likely a slice shows blood, and what that means for what is outlined on it.
struct SliceRule {
  double intercept = 0;
  std::array<double, 3> weights{};  ///< of the evidence's clipped_logit, by slice_evidence_names
  double fade_below = 0;            ///< from 0 to 1: see fade()
  std::string fitted_on;            ///< in words

  /// sigmoid(intercept + weights · logits)
  double operator()(const SliceEvidence& evidence) const;
  /// What the map of a slice of this probability is multiplied by: p / fade_below, 1 from `fade_below` on.
  double fade(double probability) const;
};

/// Throws Error(options) that names the field which is not finite or out of its range.
void check(const SliceRule& rule);

/// fit_stacking of the evidence (rows of slice_evidence_names), with weights of at least 0: more evidence of blood
/// never makes blood less likely. What would get a negative weight beside the others, which say nearly the same, is
/// left out and the rest fitted again. `fade_below` is left at 0. Throws as fit_stacking does.
SliceRule fit_slice_rule(std::span<const double> evidence, std::span<const std::uint8_t> truth, double l2 = 1);

}  // namespace ichdet::ensemble

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/ensemble/slice_rule_inl.hpp"
#endif
