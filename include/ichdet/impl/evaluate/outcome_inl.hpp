#pragma once

#include <algorithm>

#include "ichdet/core/components.hpp"
#include "ichdet/evaluate/outcome.hpp"
#include "ichdet/impl/evaluate/shared.hpp"

namespace ichdet::evaluate {

ICHDET_INLINE std::optional<bool> StudyOutcome::blood() const {
  bool known = !slices.empty();
  for (const auto& slice : slices) {
    if (slice.blood.value_or(false)) return true;
    known = known && slice.blood.has_value();
  }
  if (label) return label;
  return known ? std::optional(false) : std::nullopt;
}

ICHDET_INLINE void add_masks(StudyOutcome& outcome, const Mask& predicted, const Mask& truth,
                             std::span<const double> pixel_ml) {
  const auto slices = std::size_t(predicted.extent(0));
  if (outcome.slices.empty()) outcome.slices.resize(slices);
  const auto expect = [&](const char* what, std::size_t found) {
    if (found == slices) return;
    throw Error::mismatch(ErrorCode::shape, "study " + outcome.study + ", " + what,
                          std::to_string(slices) + ", as the predicted mask has", std::to_string(found));
  };
  expect("slices", outcome.slices.size());
  expect("pixel_ml", pixel_ml.size());
  const bool known = truth.size() > 0;
  if (known) outcome.overlap = overlap(predicted, truth);
  outcome.predicted_ml = 0;
  outcome.truth_ml = known ? 0 : undefined;
  const auto plane = predicted.extent(1) * predicted.extent(2);
  for (std::size_t s = 0; s < slices; ++s) {
    Mask slice({1, predicted.extent(1), predicted.extent(2)});
    std::copy_n(predicted.data() + std::int64_t(s) * plane, plane, slice.data());
    const auto pieces = connected_components(slice);
    outcome.predicted_ml += double(plane - pieces.sizes[0]) * pixel_ml[s];
    const auto largest = pieces.largest();
    outcome.slices[s].largest_lesion_ml = largest > 0 ? double(pieces.sizes[std::size_t(largest)]) * pixel_ml[s] : 0;
    if (!known) continue;
    const auto* begin = truth.data() + std::int64_t(s) * plane;
    const auto count = std::count_if(begin, begin + plane, [](std::uint8_t v) { return v != 0; });
    outcome.truth_ml += double(count) * pixel_ml[s];
    if (!outcome.slices[s].blood) outcome.slices[s].blood = count > 0;
  }
}

}  // namespace ichdet::evaluate
