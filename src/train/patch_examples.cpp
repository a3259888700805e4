#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <memory>

#include "../pipeline/model_input.hpp"
#include "../pipeline/normalisation.hpp"
#include "example_parts.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/phantom/random.hpp"

// Patches of volumes, for segmenters of volumes.
namespace ichdet::train {
namespace {

constexpr float air_hu = -1024;

/// What lies in a box of `values` (z, y, x), `fill` where it leaves them.
at::Tensor boxed(const at::Tensor& values, const std::array<std::int64_t, 3>& first,
                 const std::array<std::int64_t, 3>& size, double fill) {
  auto box = at::full({size[0], size[1], size[2]}, fill, values.options());
  auto from = values;
  auto to = box;
  for (std::int64_t axis = 0; axis < 3; ++axis) {
    const auto at = first[std::size_t(axis)];
    const auto low = std::max<std::int64_t>(at, 0);
    const auto high = std::min(at + size[std::size_t(axis)], values.size(axis));
    if (high <= low) return box;
    from = from.narrow(axis, low, high - low);
    to = to.narrow(axis, low - at, high - low);
  }
  to.copy_(from);
  return box;
}

class PatchSource {
 public:
  PatchSource(const std::vector<TrainingStudy>& studies, const ModelSpec& model, const TrainingSpec& training,
              const ExampleOptions& options)
      : studies_(studies), model_(model), training_(training), options_(options) {
    for (std::size_t i = 0; i < studies.size(); ++i) {
      const auto& study = studies[i];
      if (study.split != options.split || study.mask.empty()) continue;
      chosen_.push_back(i);
      std::vector<std::int64_t> blood;
      for (std::int64_t v = 0; v < study.mask.size(); ++v) {
        const auto label = study.mask.data()[v];
        if (label != 0 && label != unknown_label) blood.push_back(v);
      }
      blood_.push_back(std::move(blood));
    }
    if (chosen_.empty()) {
      throw Error(ErrorCode::options, "data: no study with a mask in the split \"" + options.split + "\"");
    }
  }

  std::int64_t epoch() const { return std::int64_t(chosen_.size()); }

  Example operator()(std::int64_t place) const {
    const auto index = place + options_.repeat_from;
    const auto seed = training_.seed;
    const auto which = std::size_t(permuted(index % epoch(), epoch(), seed, std::uint64_t(index / epoch())));
    const auto& study = studies_[chosen_[which]];
    const auto shape = study.geometry.shape();
    const auto& size = model_.patch.input;
    std::array<std::int64_t, 3> centre{};
    const auto& blood = blood_[which];
    const bool about_blood = !blood.empty() && draw(seed, Draw::blood, index) < training_.sampling.blood_share;
    if (about_blood) {
      auto voxel = blood[std::size_t(draw(seed, Draw::place, index, 3) * double(blood.size()))];
      for (int axis = 2; axis >= 0; --axis) {
        centre[std::size_t(axis)] = voxel % shape[std::size_t(axis)];
        voxel /= shape[std::size_t(axis)];
      }
    }
    std::array<std::int64_t, 3> first{};
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const double u = draw(seed, Draw::place, index, axis);
      if (shape[axis] <= size[axis]) {
        first[axis] = (shape[axis] - size[axis]) / 2;
      } else if (about_blood) {  // anywhere in the patch's middle half
        const auto shift = std::int64_t((u - 0.5) * 0.5 * double(size[axis]));
        first[axis] = std::clamp<std::int64_t>(centre[axis] - size[axis] / 2 + shift, 0, shape[axis] - size[axis]);
      } else {
        first[axis] = std::int64_t(u * double(shape[axis] - size[axis] + 1));
      }
    }
    const auto low = std::max<std::int64_t>(first[0], 0), high = std::min(first[0] + size[0], shape[0]);
    const auto piece = piece_of(study, low, high - low, training_, about_blood, index);
    const std::array<std::int64_t, 3> inside{first[0] - low, first[1], first[2]};
    Slab slab;
    slab.hu = boxed(tensor_of(piece.stack.hu), inside, size, air_hu);
    slab.mask = boxed(tensor_of(piece.mask), inside, size, 0);
    slab.spacing_mm = spacing_of(study.geometry);
    if (options_.augmented) augment(slab, training_.augment, draw_seed(seed, Draw::augment, index));
    const auto turned = [&](at::Tensor values) {
      std::vector<std::int64_t> flipped;
      const auto against = pipeline::against_lps(model_);
      for (std::int64_t axis = 0; axis < 3; ++axis) {
        if (against[std::size_t(axis)]) flipped.push_back(axis);
      }
      values = values.flip(flipped);
      if (model_.axes == AxisOrder::xyz) values = values.permute({2, 1, 0});
      return values.contiguous();
    };
    std::vector<at::Tensor> channels;
    for (const auto& channel : model_.channels) {
      auto shown = slab.hu.clone();
      std::transform(shown.data_ptr<float>(), shown.data_ptr<float>() + shown.numel(), shown.data_ptr<float>(),
                     pipeline::Normalisation(channel));
      channels.push_back(turned(shown));
    }
    Example example;
    example.input = at::stack(channels);
    example.target = turned(cropped(slab.mask));
    example.painted = piece.blood && piece.blood->any();
    return example;
  }

 private:
  /// The middle, where a network answers less than it reads.
  at::Tensor cropped(at::Tensor mask) const {
    for (std::int64_t axis = 0; axis < 3; ++axis) {
      const auto in = model_.patch.input[std::size_t(axis)], out = model_.patch.output[std::size_t(axis)];
      mask = mask.narrow(axis, (in - out) / 2, out);
    }
    return mask;
  }

  const std::vector<TrainingStudy>& studies_;
  ModelSpec model_;
  TrainingSpec training_;
  ExampleOptions options_;
  std::vector<std::size_t> chosen_;
  std::vector<std::vector<std::int64_t>> blood_;  ///< of each chosen study, its voxels
};

}  // namespace

Examples patch_examples(const std::vector<TrainingStudy>& studies, const ModelSpec& model, const TrainingSpec& training,
                        const ExampleOptions& options) {
  const auto source = std::make_shared<const PatchSource>(studies, model, training, options);
  return {[source](std::int64_t index) { return (*source)(index); }, source->epoch(), {}};
}

}  // namespace ichdet::train
