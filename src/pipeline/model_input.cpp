#include "model_input.hpp"

#include <algorithm>
#include <cmath>

#include "ichdet/core/components.hpp"
#include "ichdet/preprocess/masks.hpp"
#include "normalisation.hpp"

namespace ichdet::pipeline {
void check_same(const ModelSpec& first, const ModelSpec& other) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorCode::options, "ensemble: " + other.name + " and " + first.name + " differ in " + what);
  };
  if (first.spacing_mm != other.spacing_mm) refuse("spacing");
  if (first.orientation != other.orientation || first.axes != other.axes) refuse("orientation or axes");
  if (first.patch != other.patch) refuse("patches");
  if (first.procedure != other.procedure) refuse("procedure");
  const bool same_classes = std::ranges::equal(first.classes, other.classes, [](const auto& a, const auto& b) {
    return a.name == b.name && a.blood == b.blood;
  });
  if (!same_classes) refuse("classes");
  const bool same_channels = std::ranges::equal(first.channels, other.channels, [](const auto& a, const auto& b) {
    return a.low_hu == b.low_hu && a.high_hu == b.high_hu && a.to_low == b.to_low && a.to_high == b.to_high &&
           a.mean == b.mean && a.std == b.std;
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

std::array<bool, 3> against_lps(const ModelSpec& model) {
  return {model.orientation[2] != 'S', model.orientation[1] != 'P', model.orientation[0] != 'L'};
}

BoxReader reader(const Array3<float>& hu, const Box& bounds, const ModelSpec& model) {
  return [&hu, bounds, &model](const Box& box, const Layout& layout, float* to) {
    const bool edge = model.patch.padding == Padding::edge;
    const auto held = [&](std::int64_t at, std::size_t axis) {
      return edge ? std::clamp<std::int64_t>(at, 0, bounds.size[axis] - 1) : at;
    };
    const auto inside = [&](std::int64_t at, std::size_t axis) { return at >= 0 && at < bounds.size[axis]; };
    for (const auto& channel : model.channels) {
      const Normalisation normalised(channel);
      for (std::int64_t dz = 0; dz < box.size[0]; ++dz) {
        const auto z = held(box.begin[0] + dz, 0);
        for (std::int64_t dy = 0; dy < box.size[1]; ++dy) {
          const auto y = held(box.begin[1] + dy, 1);
          const bool read = inside(z, 0) && inside(y, 1);
          const float* row = read ? &hu(bounds.begin[0] + z, bounds.begin[1] + y, bounds.begin[2]) : nullptr;
          float* place = to + layout.offset + dz * layout.step[0] + dy * layout.step[1];
          for (std::int64_t dx = 0; dx < box.size[2]; ++dx, place += layout.step[2]) {
            const auto x = held(box.begin[2] + dx, 2);
            *place = read && inside(x, 2) ? normalised(row[x]) : 0.f;
          }
        }
      }
      to += layout.voxels();
    }
  };
}

Box foreground(const Array3<float>& hu, const std::vector<ChannelSpec>& channels) {
  const std::vector<Normalisation> all(channels.begin(), channels.end());
  Array3<std::uint8_t> mask(hu.shape());
  std::transform(hu.begin(), hu.end(), mask.begin(), [&](float value) {
    return std::ranges::any_of(all, [value](const auto& normalised) { return normalised(value) > 0; });
  });
  const auto box = foreground_box(mask);
  if (!box) return {{}, hu.shape()};
  return {{box->first[2], box->first[1], box->first[0]}, {box->size[2], box->size[1], box->size[0]}};
}

Array3<std::uint8_t> search_mask(const Volume& volume, SearchRegion region, const ModelSpec& model, int threads,
                                 std::vector<std::string>& assumptions) {
  if (region == SearchRegion::everywhere) return Array3<std::uint8_t>(volume.hu.shape(), 1);
  if (region == SearchRegion::brain) {
    BrainMaskOptions options;
    options.threads = threads;
    auto brain = brain_mask(volume, options);
    if (std::ranges::find(brain, 1) != brain.end()) return brain;
    assumptions.emplace_back("No brain was found inside a skull: the whole head was searched.");
  }
  // A scan whose HU were clipped above the model's own limit shows the network something everywhere: the package finds
  // lesions in such air, and leaving it out would change its volumes by more than 1 %.
  const auto lowest = std::ranges::min(model.channels, {}, &ChannelSpec::low_hu).low_hu;
  const auto low = float(std::max(lowest, -200.0));  // tissue, where the model looks at air too
  Array3<std::uint8_t> mask(volume.hu.shape());
  std::transform(volume.hu.begin(), volume.hu.end(), mask.begin(), [=](float hu) { return hu > low; });
  const auto pieces = connected_components(mask, Connectivity::faces);
  if (const auto head = pieces.largest(); head != 0) return pieces.mask(head);
  assumptions.emplace_back("No head was found, nothing is brighter than air: the whole scan was searched.");
  std::ranges::fill(mask, std::uint8_t{1});
  return mask;
}

}  // namespace ichdet::pipeline
