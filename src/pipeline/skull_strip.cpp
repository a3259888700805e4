#include "ichdet/pipeline/skull_strip.hpp"

#include <ATen/Functions.h>

#include <algorithm>

#include "conform.hpp"
#include "ichdet/bundle/shipped.hpp"
#include "ichdet/core/components.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/models/load.hpp"
#include "ichdet/models/mindgrab.hpp"
#include "ichdet/nn/denormals.hpp"
#include "ichdet/preprocess/morphology.hpp"
#include "ichdet/preprocess/resample.hpp"

namespace ichdet {
namespace {

using Mask = Array3<std::uint8_t>;

constexpr const char* brain = "brain";

const Bundle& bundle_of(SkullStripOptions& options) {
  if (!options.bundle && options.engine == StripEngine::unet3d) {
    if (const auto shipped = find_shipped(brain)) options.bundle = open_bundle(*shipped);
  }
  if (!options.bundle) {
    throw Error(ErrorCode::options, "skull strip: engine " + to_string(options.engine) + " needs a bundle");
  }
  return *options.bundle;
}

std::int64_t brain_class(const ModelSpec& spec) {
  const auto found = std::ranges::find(spec.classes, brain, &ClassSpec::name);
  if (found == spec.classes.end()) {
    throw Error(ErrorCode::options, spec.name + ": expected a class named \"brain\", found none");
  }
  return found - spec.classes.begin();
}

Mask largest_over_corners(const Mask& mask) {
  const auto pieces = connected_components(mask, Connectivity::corners);
  const auto largest = pieces.largest();
  return largest == 0 ? mask : pieces.mask(largest);
}

}  // namespace

StripEngine parse_strip_engine(const std::string& text) {
  for (const auto engine : {StripEngine::classical, StripEngine::unet3d, StripEngine::mindgrab}) {
    if (text == to_string(engine)) return engine;
  }
  throw Error::mismatch(ErrorCode::options, "skull strip engine", "classical, unet3d or mindgrab", text);
}

std::string to_string(StripEngine engine) {
  switch (engine) {
    case StripEngine::classical: return "classical";
    case StripEngine::unet3d: return "unet3d";
    case StripEngine::mindgrab: return "mindgrab";
  }
  return {};
}

struct SkullStripper::State {
  SkullStripOptions options;
  std::optional<Segmenter> segmenter;
  std::shared_ptr<const models::MindGrabImpl> mindgrab;

  Mask by_mindgrab(const Volume& volume, const Progress& progress, std::vector<std::string>& assumptions) const;
  Mask by_unet(const Volume& volume, const Progress& progress, std::vector<std::string>& assumptions) const;
};

SkullStripper::SkullStripper(SkullStripOptions chosen) {
  auto state = std::make_shared<State>();
  state->options = std::move(chosen);
  auto& options = state->options;
  if (options.engine == StripEngine::unet3d) {
    const auto& bundle = bundle_of(options);
    require_task(bundle.spec, Task::segmentation);
    brain_class(bundle.spec);
    options.segmenter.network.threads = options.threads;
    state->segmenter.emplace(std::vector{bundle}, options.segmenter);
  } else if (options.engine == StripEngine::mindgrab) {
    const auto& bundle = bundle_of(options);
    require_task(bundle.spec, Task::brain_extraction);
    brain_class(bundle.spec);
    state->mindgrab = std::dynamic_pointer_cast<const models::MindGrabImpl>(models::load(bundle));
    if (!state->mindgrab) {
      throw Error::mismatch(ErrorCode::options, bundle.spec.name + ": architecture", "MindGrab",
                            bundle.spec.architecture);
    }
  }
  state_ = std::move(state);
}

Mask SkullStripper::State::by_mindgrab(const Volume& volume, const Progress& progress,
                                       std::vector<std::string>& assumptions) const {
  const InferenceThreads threads(options.threads);
  const auto grid = pipeline::conformed_grid(volume.geometry);
  auto image = pipeline::conform(volume, grid, options.threads, assumptions);
  const auto n = image.shape();  // z, y, x; the network reads x, y, z
  const auto input = at::from_blob(image.data(), {n[0], n[1], n[2]}, at::kFloat).permute({2, 1, 0});
  const auto logits = models::forward_in_slabs(*mindgrab, input.unsqueeze(0).unsqueeze(0), progress);
  const auto likeliest =
      logits[0].argmax(0).eq(brain_class(options.bundle->spec)).permute({2, 1, 0}).to(at::kByte).contiguous();
  Mask found(n);
  std::copy_n(likeliest.const_data_ptr<std::uint8_t>(), found.size(), found.begin());
  const LabelMap conformed(largest_over_corners(found), {"background", brain}, grid);
  return resample_to(conformed, volume.geometry, options.threads).labels;
}

Mask SkullStripper::State::by_unet(const Volume& volume, const Progress& progress,
                                   std::vector<std::string>& assumptions) const {
  const auto& spec = segmenter->spec();
  const auto grid = volume.geometry.reoriented_to_lps().with_spacing(Eigen::Vector3d(spec.spacing_mm.data()));
  const auto found = (*segmenter)(resample_to(volume, grid, {.threads = options.threads}), progress);
  assumptions = found.assumptions;
  const auto plane = found.probabilities.values.plane(brain_class(spec));
  Array3<float> likely(grid.shape());
  std::ranges::copy(plane, likely.begin());
  likely = resample_to(likely, grid, volume.geometry, {.threads = options.threads});
  Mask mask(likely.shape());
  std::transform(likely.begin(), likely.end(), mask.begin(), [](float p) { return std::uint8_t(p >= 0.5f); });
  return largest_over_corners(mask);
}

BrainMask SkullStripper::operator()(const Volume& volume, const Progress& progress) const {
  const auto& options = state_->options;
  BrainMask found;
  found.engine = to_string(options.engine);
  if (options.bundle && options.engine != StripEngine::classical) found.bundles.push_back(options.bundle->identity());
  switch (options.engine) {
    case StripEngine::classical: {
      auto settings = options.classical;
      settings.threads = options.threads;
      found.mask = brain_mask(volume, settings);
      break;
    }
    case StripEngine::unet3d: found.mask = state_->by_unet(volume, progress, found.assumptions); break;
    case StripEngine::mindgrab: found.mask = state_->by_mindgrab(volume, progress, found.assumptions); break;
  }
  if (std::ranges::find(found.mask, 1) == found.mask.end()) {
    found.assumptions.emplace_back("No brain was found: the mask is empty.");
  }
  return found;
}

BrainMask skull_strip(const Volume& volume, const SkullStripOptions& options, const Progress& progress) {
  return SkullStripper(options)(volume, progress);
}

}  // namespace ichdet
