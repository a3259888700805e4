#include "slabs.hpp"

#include <algorithm>
#include <string>

#include "ichdet/impl/report/shared.hpp"

namespace ichdet::pipeline {

std::vector<Slab> slabs(const SliceGeometry& slices) {
  const std::int64_t most = 16;
  std::vector<Slab> all;
  for (std::int64_t first = 0; first < slices.count(); first += most) {
    const auto end = std::min(first + most, slices.count());
    std::vector<SlicePlane> planes(slices.planes().begin() + first, slices.planes().begin() + end);
    if (planes.size() == 1 && !(planes.front().thickness_mm > 0)) planes.front().thickness_mm = slices.nominal_gap_mm();
    all.push_back(
        {first, SliceGeometry(std::move(planes), slices.rows(), slices.columns(), slices.frame_of_reference_uid())});
  }
  return all;
}

std::vector<std::span<const std::uint8_t>> values_of(const std::vector<Array3<std::uint8_t>>& labels) {
  std::vector<std::span<const std::uint8_t>> values;
  for (const auto& array : labels) values.emplace_back(array.data(), std::size_t(array.size()));
  return values;
}

void flag_disagreement(StudyResult& result, const SliceLabels& labels, const std::vector<bool>& positive) {
  std::vector<std::int64_t> slices;
  for (std::int64_t k = 0; k < labels.geometry.count(); ++k) {
    if (!positive[std::size_t(k)]) continue;
    const bool outlined = std::ranges::any_of(labels.labels.plane(k), [&](std::uint8_t label) {
      return std::ranges::find(result.blood_labels, int(label)) != result.blood_labels.end();
    });
    if (!outlined) slices.push_back(k);
  }
  if (!slices.empty()) {
    result.review.push_back("a slice classifier finds blood where nothing is outlined: slices " +
                            detail::ranges(slices));
  }
}

}  // namespace ichdet::pipeline
