#include "model_input.hpp"

#include <algorithm>
#include <cmath>

#include "ichdet/core/components.hpp"
#include "ichdet/preprocess/masks.hpp"

namespace ichdet::pipeline {

void check_same(const ModelSpec& first, const ModelSpec& other) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorCode::options, "ensemble: " + other.name + " and " + first.name + " differ in " + what);
  };
  if (first.spacing_mm != other.spacing_mm) refuse("spacing");
  if (first.patch.input != other.patch.input || first.patch.output != other.patch.output ||
      first.patch.step != other.patch.step) {
    refuse("patches");
  }
  const bool same_classes = std::ranges::equal(first.classes, other.classes, [](const auto& a, const auto& b) {
    return a.name == b.name && a.blood == b.blood;
  });
  if (!same_classes) refuse("classes");
  const bool same_channels = std::ranges::equal(first.channels, other.channels, [](const auto& a, const auto& b) {
    return a.low_hu == b.low_hu && a.high_hu == b.high_hu && a.to_low == b.to_low && a.to_high == b.to_high;
  });
  if (!same_channels) refuse("input channels");
}

void check_grid(const Geometry& grid, const ModelSpec& spec) {
  const auto spacing = grid.spacing_mm();
  for (int axis = 0; axis < 3; ++axis) {
    if (std::abs(spacing[axis] - spec.spacing_mm[std::size_t(axis)]) > 1e-3) {
      throw Error::mismatch(ErrorCode::geometry, spec.name + ": volume's spacing on axis " + "xyz"[axis],
                            std::to_string(spec.spacing_mm[std::size_t(axis)]) + " mm",
                            std::to_string(spacing[axis]) + " mm");
    }
    if (grid.direction()(axis, axis) <= 0.5) {
      throw Error(ErrorCode::geometry, spec.name + ": the volume has to run along L, P, S: " + grid.to_string());
    }
  }
}

Array4<float> normalise(const Array3<float>& hu, const std::vector<ChannelSpec>& channels) {
  Array4<float> image({std::int64_t(channels.size()), hu.extent(0), hu.extent(1), hu.extent(2)});
  for (std::size_t c = 0; c < channels.size(); ++c) {
    const auto low = float(channels[c].low_hu), high = float(channels[c].high_hu);
    const auto to_low = float(channels[c].to_low), to_high = float(channels[c].to_high);
    std::transform(hu.begin(), hu.end(), image.plane(std::int64_t(c)).begin(), [=](float value) {
      const float held = value > low ? (value < high ? value : high) : low;  // NaN becomes low
      return to_low + (held - low) * ((to_high - to_low) / (high - low));
    });
  }
  return image;
}

Array3<std::uint8_t> search_mask(const Volume& volume, SearchRegion region, const ModelSpec& model, int threads,
                                 std::vector<std::string>& assumptions) {
  if (region == SearchRegion::brain) {
    BrainMaskOptions options;
    options.threads = threads;
    auto brain = brain_mask(volume, options);
    if (std::ranges::find(brain, 1) != brain.end()) return brain;
    assumptions.emplace_back("No brain was found inside a skull: the whole head was searched.");
  }
  // A scan whose HU were clipped above the model's own limit shows the network something everywhere: the package finds
  // lesions in such air, and leaving it out would change its volumes by more than 1 %.
  const auto low = float(model.channels.front().low_hu);
  Array3<std::uint8_t> mask(volume.hu.shape());
  std::transform(volume.hu.begin(), volume.hu.end(), mask.begin(), [=](float hu) { return hu > low; });
  const auto pieces = connected_components(mask, Connectivity::faces);
  if (const auto head = pieces.largest(); head != 0) return pieces.mask(head);
  std::ranges::fill(mask, std::uint8_t{1});
  return mask;
}

}  // namespace ichdet::pipeline
