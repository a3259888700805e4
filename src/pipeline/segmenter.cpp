#include "ichdet/pipeline/segmenter.hpp"

#include <algorithm>
#include <cmath>

#include "cover.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/models/load.hpp"
#include "ichdet/nn/network.hpp"
#include "model_input.hpp"
#include "patches.hpp"

namespace ichdet {
namespace {

constexpr std::int64_t rim = 12;            ///< what a valid network computes around a patch, in effect (DeepMedic)
constexpr std::int64_t unclear_margin = 2;  ///< voxels

}  // namespace

SearchRegion parse_search_region(const std::string& text) {
  if (text == "head") return SearchRegion::head;
  if (text == "brain") return SearchRegion::brain;
  throw Error::mismatch(ErrorCode::options, "region", "head or brain", text);
}

struct Segmenter::State {
  std::vector<ModelSpec> specs;
  std::vector<BundleIdentity> identities;
  pipeline::Networks networks;
  pipeline::Networks exact;  ///< adaptive: the same ones in float32
  SegmenterOptions options;

  /// The most voxels that a patch may answer: the options' limit, halved until a cube of them keeps the ceiling.
  std::int64_t most_voxels() const;
  /// Of the members, which were prepared alike, for an input of this shape.
  Inference inference(const std::vector<std::int64_t>& shape) const;
};

Segmenter::Segmenter(const std::vector<Bundle>& members, const SegmenterOptions& options) {
  if (members.empty()) throw Error(ErrorCode::options, "segmenter: no bundle was given");
  if (!(options.clear_background > 0 && options.clear_background <= 1)) {
    throw Error::mismatch(ErrorCode::options, "clear_background", "above 0, at most 1",
                          std::to_string(options.clear_background));
  }
  auto state = std::make_shared<State>();
  state->options = options;
  auto& precision = state->options.network.precision;
  if (precision == Precision::automatic) precision = has_fast_bfloat16() ? Precision::adaptive : Precision::float32;
  auto fast = options.network, exact = options.network;
  fast.precision = precision == Precision::adaptive ? Precision::bfloat16 : precision;
  exact.precision = Precision::float32;
  for (const auto& bundle : members) {
    require_task(bundle.spec, Task::segmentation);
    pipeline::check_same(members.front().spec, bundle.spec);
    state->specs.push_back(bundle.spec);
    state->identities.push_back(bundle.identity());
    const auto network = models::load(bundle);
    state->networks.push_back(prepare(network, fast));
    if (precision == Precision::adaptive) state->exact.push_back(prepare(network, exact));
  }
  state_ = std::move(state);
}

const ModelSpec& Segmenter::spec() const noexcept { return state_->specs.front(); }
std::vector<BundleIdentity> Segmenter::identities() const { return state_->identities; }

std::int64_t Segmenter::State::most_voxels() const {
  const auto& patch = specs.front().patch;
  const auto step = patch.step;
  auto most =
      options.max_patch_voxels > 0 ? options.max_patch_voxels : patch.output[0] * patch.output[1] * patch.output[2];
  if (options.network.memory_mib <= 0) return most;
  for (;; most /= 2) {
    const auto side = std::max<std::int64_t>(1, std::llround(std::cbrt(double(most)) / double(step))) * step;
    std::vector<std::int64_t> shape{1, std::int64_t(specs.front().channels.size())};
    for (std::size_t axis = 0; axis < 3; ++axis) shape.push_back(side + patch.input[axis] - patch.output[axis]);
    double mib = 0;
    for (const auto* group : {&networks, &exact}) {
      if (!group->empty()) mib = std::max(mib, group->front().preparation(shape).activations_mib);
    }
    if (mib <= options.network.memory_mib) return most;
    if (side == step) {
      throw Error::mismatch(ErrorCode::limit, "segmenter: memory for the smallest patch",
                            "at most " + std::to_string(std::lround(options.network.memory_mib)) + " MiB",
                            std::to_string(std::lround(mib)) + " MiB");
    }
  }
}

Inference Segmenter::State::inference(const std::vector<std::int64_t>& shape) const {
  Inference record;
  for (const auto* group : {&networks, &exact}) {
    for (const auto& network : *group) {
      const auto made = network.preparation(shape);
      if (record.engine.empty()) {
        record.engine = to_string(made.engine);
        record.form = made.form;
        record.reason = made.reason;
      }
      record.prepare_s += made.seconds;
    }
  }
  record.precision = to_string(options.network.precision);
  record.threads = options.network.threads;
  return record;
}

Segmentation Segmenter::operator()(const Volume& volume, const Progress& progress) const {
  const auto& model = spec();
  const auto& options = state_->options;
  pipeline::check_grid(volume.geometry, model);
  const auto size = volume.geometry.shape();

  std::vector<std::string> names, assumptions;
  for (const auto& c : model.classes) names.push_back(c.name);
  const auto image = pipeline::normalise(volume.hu, model.channels);
  Array4<float> probabilities({std::int64_t(names.size()), size[0], size[1], size[2]});
  std::ranges::fill(probabilities.plane(0), 1.f);
  const auto mask = pipeline::search_mask(volume, options.region, model, options.network.threads, assumptions);
  const auto clear = float(options.clear_background);
  const bool fits = model.patch.step > 0 && state_->networks.front().takes_any_shape();
  const auto cells = pipeline::cells_of(mask, model.patch.step > 0 ? model.patch.step : 8);

  pipeline::Painted painted;
  if (fits) {
    const auto most = state_->most_voxels();
    const auto paint = [&](const pipeline::Networks& networks, const pipeline::Cells& where, const char* stage) {
      return pipeline::paint_boxes(networks, model, image, pipeline::cover(where, rim, most), probabilities, stage,
                                   progress);
    };
    painted.voxels = paint(state_->networks, cells, "network");
    if (!state_->exact.empty()) {
      const auto unclear = pipeline::unclear_cells(probabilities.plane(0), cells, size, clear, unclear_margin);
      painted.again = paint(state_->exact, unclear, "network, in float32");
    }
  } else {
    painted =
        pipeline::paint_patches(state_->networks, state_->exact, model, image, cells, clear, probabilities, progress);
  }
  auto record = state_->inference(
      {1, std::int64_t(model.channels.size()), model.patch.input[0], model.patch.input[1], model.patch.input[2]});
  record.voxels = painted.voxels;
  record.float32_again = painted.again;
  return {ProbabilityMap(std::move(probabilities), std::move(names), volume.geometry), std::move(record),
          std::move(assumptions)};
}

}  // namespace ichdet
