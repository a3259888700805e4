#include "ichdet/pipeline/segmenter.hpp"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>

#include "ichdet/core/components.hpp"
#include "ichdet/models/load.hpp"
#include "ichdet/nn/network.hpp"

namespace ichdet {
namespace {

using Triple = std::array<std::int64_t, 3>;

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

/// Grown to whole steps from the volume's first voxel, so that the network's phase is the package's; cut at the end.
Box on_steps(Box box, const Triple& size, std::int64_t step) {
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto end = box.begin[axis] + box.size[axis];
    box.begin[axis] = box.begin[axis] / step * step;
    box.size[axis] = std::min((end + step - 1) / step * step, size[axis]) - box.begin[axis];
  }
  return box;
}

/// The fewest equal patches of whole steps that cover the region, none answering more than `voxels`.
Triple fitted_output(const Triple& region, std::int64_t step, std::int64_t voxels) {
  Triple pieces{1, 1, 1}, output;
  for (;;) {
    for (std::size_t axis = 0; axis < 3; ++axis) {
      output[axis] = ((region[axis] + pieces[axis] - 1) / pieces[axis] + step - 1) / step * step;
    }
    if (output[0] * output[1] * output[2] <= voxels || output == Triple{step, step, step}) return output;
    ++pieces[std::size_t(std::max_element(output.begin(), output.end()) - output.begin())];
  }
}

/// Adds one member's share of the probabilities.
void add_softmax(const at::Tensor& logits, float share, Array4<float>& sum) {
  const auto classes = sum.extent(0), voxels = sum.size() / classes;
  const auto rows = logits.squeeze(0).permute({1, 2, 3, 0}).contiguous();  // (D, H, W, class)
  const auto* row = rows.data_ptr<float>();
  std::vector<float> shares(static_cast<std::size_t>(classes));
  for (std::int64_t i = 0; i < voxels; ++i, row += classes) {
    const float highest = *std::max_element(row, row + classes);
    float total = 0;
    for (std::int64_t c = 0; c < classes; ++c) total += shares[std::size_t(c)] = std::exp(row[c] - highest);
    for (std::int64_t c = 0; c < classes; ++c) sum.data()[c * voxels + i] += shares[std::size_t(c)] * (share / total);
  }
}

}  // namespace

struct Segmenter::State {
  std::vector<ModelSpec> specs;
  std::vector<BundleIdentity> identities;
  std::vector<PreparedNetwork> networks;
  SegmenterOptions options;
};

Segmenter::Segmenter(const std::vector<Bundle>& members, const SegmenterOptions& options) {
  if (members.empty()) throw Error(ErrorCode::options, "segmenter: no bundle was given");
  auto state = std::make_shared<State>();
  state->options = options;
  for (const auto& bundle : members) {
    check_same(members.front().spec, bundle.spec);
    state->specs.push_back(bundle.spec);
    state->identities.push_back(bundle.identity());
    state->networks.push_back(prepare(models::load(bundle), options.network));
  }
  state_ = std::move(state);
}

const ModelSpec& Segmenter::spec() const noexcept { return state_->specs.front(); }
std::vector<BundleIdentity> Segmenter::identities() const { return state_->identities; }

ProbabilityMap Segmenter::operator()(const Volume& volume, const Progress& progress) const {
  const auto& model = spec();
  check_grid(volume.geometry, model);
  const auto shape = volume.geometry.shape();
  const auto classes = std::int64_t(model.classes.size());

  SlidingWindowOptions window;
  window.input = model.patch.input;
  window.output = model.patch.output;
  // A scan whose HU were clipped above the model's own limit shows the network something everywhere: the package finds
  // lesions in such air, and leaving it out would change its volumes by more than 1 %.
  window.region = head_box(volume, model.channels.front().low_hu);
  if (const auto step = model.patch.step; step > 0) {
    window.region = on_steps(window.region, shape, step);
    if (state_->options.max_patch_voxels > 0) {
      window.output = fitted_output(window.region.size, step, state_->options.max_patch_voxels);
    }
    for (std::size_t axis = 0; axis < 3; ++axis) {
      window.input[axis] = window.output[axis] + model.patch.input[axis] - model.patch.output[axis];
    }
  }

  Array4<float> probabilities({classes, shape[0], shape[1], shape[2]});
  std::ranges::fill(probabilities.plane(0), 1.f);
  const float share = 1.f / float(state_->networks.size());
  const auto predict = [&](const Array4<float>& patch) {
    const auto input =
        at::from_blob(const_cast<float*>(patch.data()),
                      {1, patch.extent(0), patch.extent(1), patch.extent(2), patch.extent(3)}, at::kFloat);
    Array4<float> mean({classes, window.output[0], window.output[1], window.output[2]});
    for (const auto& network : state_->networks) add_softmax(network(input), share, mean);
    return mean;
  };
  const auto keep_slab = [&](std::int64_t z, const Array4<float>& values, const Array3<std::uint8_t>&) {
    const auto& begin = window.region.begin;
    for (std::int64_t c = 0; c < classes; ++c) {
      for (std::int64_t dz = 0; dz < values.extent(1); ++dz) {
        for (std::int64_t y = 0; y < values.extent(2); ++y) {
          std::copy_n(&values(c, dz, y, 0), values.extent(3), &probabilities(c, z + dz, begin[1] + y, begin[2]));
        }
      }
    }
  };
  sliding_window(normalise(volume.hu, model.channels), classes, predict, keep_slab, window, {}, progress);

  std::vector<std::string> names;
  for (const auto& c : model.classes) names.push_back(c.name);
  return ProbabilityMap(std::move(probabilities), std::move(names), volume.geometry);
}

Box head_box(const Volume& volume, double above_hu) {
  const auto shape = volume.geometry.shape();
  Array3<std::uint8_t> mask(shape);
  std::transform(volume.hu.begin(), volume.hu.end(), mask.begin(), [=](float hu) { return hu > above_hu; });
  const auto pieces = connected_components(mask, Connectivity::faces);
  const auto head = pieces.largest();
  if (head == 0) return {{}, shape};
  Triple low = shape, high{};
  for (std::int64_t z = 0; z < shape[0]; ++z) {
    for (std::int64_t y = 0; y < shape[1]; ++y) {
      for (std::int64_t x = 0; x < shape[2]; ++x) {
        if (pieces.labels(z, y, x) != head) continue;
        const Triple at{z, y, x};
        for (std::size_t axis = 0; axis < 3; ++axis) {
          low[axis] = std::min(low[axis], at[axis]);
          high[axis] = std::max(high[axis], at[axis]);
        }
      }
    }
  }
  return {low, {high[0] - low[0] + 1, high[1] - low[1] + 1, high[2] - low[2] + 1}};
}

}  // namespace ichdet
