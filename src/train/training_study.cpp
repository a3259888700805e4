#include "ichdet/train/training_study.hpp"

#include <algorithm>
#include <cmath>

#include "blood_labels.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/core/volume.hpp"

namespace ichdet::train {
namespace {

void check_range(const TrainingStudy& study, std::int64_t first, std::int64_t count) {
  if (first >= 0 && count > 0 && first + count <= study.geometry.count()) return;
  throw Error::mismatch(ErrorCode::shape, study.study,
                        "slices within 0 to " + std::to_string(study.geometry.count() - 1),
                        std::to_string(first) + " to " + std::to_string(first + count - 1));
}

}  // namespace

CompactHu::CompactHu(const Array3<float>& hu) : steps(Array3<std::uint16_t>::uninitialized(hu.shape())) {
  std::transform(hu.begin(), hu.end(), steps.begin(), [](float value) {
    const float steps_above = std::nearbyint((value - lowest) / step);
    return std::uint16_t(steps_above > 0 ? std::min(steps_above, 65535.f) : 0.f);  // NaN becomes 0
  });
}

Array3<float> CompactHu::slices(std::int64_t first, std::int64_t count) const {
  auto hu = Array3<float>::uninitialized({count, steps.extent(1), steps.extent(2)});
  std::transform(steps.plane(first).data(), steps.plane(first).data() + hu.size(), hu.begin(),
                 [](std::uint16_t value) { return lowest + step * float(value); });
  return hu;
}

SliceStack stack_of(const TrainingStudy& study, std::int64_t first, std::int64_t count) {
  check_range(study, first, count);
  const auto& all = study.geometry.planes();
  std::vector<SlicePlane> planes(all.begin() + first, all.begin() + first + count);
  for (auto& plane : planes) {
    if (!(plane.thickness_mm > 0)) plane.thickness_mm = study.geometry.nominal_gap_mm();
  }
  return {SliceGeometry(std::move(planes), study.geometry.rows(), study.geometry.columns(),
                        study.geometry.frame_of_reference_uid()),
          study.hu.slices(first, count)};
}

Array3<std::uint8_t> mask_of(const TrainingStudy& study, std::int64_t first, std::int64_t count) {
  check_range(study, first, count);
  Array3<std::uint8_t> mask({count, study.geometry.rows(), study.geometry.columns()}, unknown_label);
  if (!study.mask.empty()) std::copy_n(study.mask.plane(first).data(), mask.size(), mask.begin());
  return mask;
}

HeadAnatomy anatomy_of(const TrainingStudy& study, std::int64_t first, std::int64_t count) {
  check_range(study, first, count);
  if (!study.anatomy) throw Error(ErrorCode::options, study.study + ": expected a head's anatomy, found none");
  return study.anatomy->slices(first, count);
}

std::optional<std::size_t> label_index(const TrainingStudy& study, const std::string& name) {
  const auto found = std::ranges::find(study.label_names, label_key(name), label_key);
  if (found == study.label_names.end()) return std::nullopt;
  return std::size_t(found - study.label_names.begin());
}

}  // namespace ichdet::train
