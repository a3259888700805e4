#include "ichdet/pipeline/slice_explainer.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/stack.h>

#include <algorithm>

#include "classifier_networks.hpp"
#include "ichdet/attribution/reduction.hpp"
#include "ichdet/bundle/ensemble_spec.hpp"
#include "ichdet/bundle/shipped.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/pipeline/open_detector.hpp"

namespace ichdet {
namespace {

using attribution::Attribution;
using attribution::Explained;
using attribution::Method;
using attribution::Reduction;

ClassifierOptions classifier_options(const ExplainOptions& options) {
  ClassifierOptions how;
  how.network = options.network;
  how.batch = options.batch;
  how.skull_strip = options.skull_strip;
  return how;
}

}  // namespace

struct SliceExplainer::State {
  ExplainOptions options;
  pipeline::ClassifierNetworks networks;
  std::vector<std::int64_t> classes;  ///< whose logits are summed
  attribution::Target target;         ///< (image, class) to (image)
  std::vector<Forward> gradients;

  explicit State(const std::vector<Member>& members, const ExplainOptions& given)
      : options(given), networks(members, Task::slice_classification, classifier_options(given)) {
    const auto& known = networks.spec().classes;
    if (!options.target) classes = networks.blood_classes();
    for (std::size_t c = 0; c < known.size(); ++c) {
      if (known[c].name == options.target) classes.push_back(std::int64_t(c));
    }
    if (classes.empty()) {
      std::string names;
      for (const auto& c : known) names += (names.empty() ? "" : ", ") + c.name;
      throw Error::mismatch(ErrorCode::options, "target", "a class of " + networks.spec().name + ": " + names,
                            options.target.value_or("none that is blood"));
    }
    target = pipeline::logits_of(classes);
    for (const auto& member : networks.members) gradients.push_back(member.gradient(target));
  }

  at::Tensor scores(const at::Tensor& images) const {
    at::Tensor sum;
    for (const auto& member : networks.members) {
      const auto score = target(member.whole(images));
      sum = sum.defined() ? sum + score : score;
    }
    return sum / double(networks.members.size());
  }

  at::Tensor gradient(const at::Tensor& images) const {
    at::Tensor sum;
    for (const auto& member : gradients) {
      const auto found = member(images);
      sum = sum.defined() ? sum + found : found;
    }
    return sum / double(gradients.size());
  }

  /// Of each image, by the activation: the sum of exclusive classes, the highest of others.
  at::Tensor probabilities(const at::Tensor& images) const {
    const auto all = networks.probabilities(images);
    auto found = all.select(1, classes.front());
    const bool exclusive = networks.spec().activation == Activation::softmax;
    for (std::size_t i = 1; i < classes.size(); ++i) {
      const auto other = all.select(1, classes[i]);
      found = exclusive ? found + other : found.maximum(other);
    }
    return found;
  }

  Explained likelihood() const {
    Explained made;
    made.batch = options.batch;
    made.scores = [this](const at::Tensor& images) { return probabilities(images); };
    return made;
  }

  at::Tensor cam(const at::Tensor& image, Method method, const Progress& progress) const {
    auto how = options.cam;
    how.method = attribution::parse_cam_method(to_string(method));
    return networks.cam(image, target, how, progress);
  }

  void xrai(SliceExplanation& found, const Explained& explained, const at::Tensor& image, Method method,
            const Progress& progress) const {
    auto how = options.xrai;
    how.path = options.path;
    how.path.completeness = options.completeness;
    how.regions.algorithm =
        method == Method::xrai ? attribution::XraiAlgorithm::full : attribution::XraiAlgorithm::fast;
    auto whole = attribution::xrai(explained, image, how, progress);
    found.regions = std::move(whole.regions.front());
    found.map = found.regions->heat_map;
    if (whole.completeness.empty()) return;
    found.sum = found.difference = 0;
    for (const auto& one : whole.completeness) {
      *found.sum += one.sum.item<double>() / double(whole.completeness.size());
      *found.difference += one.difference.item<double>() / double(whole.completeness.size());
    }
  }

  /// A path method's.
  at::Tensor taken(SliceExplanation& found, const Attribution& attribution) const {
    if (attribution.completeness) {
      found.sum = attribution.completeness->sum.item<double>();
      found.difference = attribution.completeness->difference.item<double>();
    }
    return attribution::to_map(attribution.values, Reduction::sum)[0];
  }

  at::Tensor path(SliceExplanation& found, const Explained& explained, const at::Tensor& image, Method method,
                  const Progress& progress) const {
    const auto with = [&](auto how) {
      how.completeness = options.completeness;
      return how;
    };
    if (method == Method::guided_ig) {
      return taken(found,
                   attribution::guided_ig(explained, image, options.baseline, with(options.guided_ig), progress));
    }
    if (method == Method::blur_ig) {
      return taken(found, attribution::blur_ig(explained, image, with(options.blur_ig), progress));
    }
    return taken(found,
                 attribution::integrated_gradients(explained, image, options.baseline, with(options.path), progress));
  }

  SliceExplanation explain(const Explained& explained, const at::Tensor& image, Method method,
                           const Progress& progress) const {
    SliceExplanation found;
    found.score = scores(image).item<double>();
    found.probability = probabilities(image).item<double>();
    switch (method) {
      case Method::grad_cam:
      case Method::grad_cam_plus_plus:
      case Method::eigen_cam: found.map = cam(image, method, progress); break;
      case Method::gradients: found.map = attribution::to_map(attribution::gradients(explained, image))[0]; break;
      case Method::smooth_gradients:
        found.map = attribution::to_map(attribution::smooth_gradients(explained, image, options.smooth, progress))[0];
        break;
      case Method::integrated_gradients:
      case Method::guided_ig:
      case Method::blur_ig: found.map = path(found, explained, image, method, progress); break;
      case Method::xrai:
      case Method::xrai_fast: xrai(found, explained, image, method, progress); break;
      case Method::occlusion:
        found.map = attribution::occlusion(explained, image, options.baseline, options.occlusion, progress)[0];
        break;
      case Method::rise:  // whose scores are weights
        found.map = attribution::rise(likelihood(), image, options.baseline, options.rise, progress)[0];
    }
    found.map = found.map.to(at::kFloat);
    return found;
  }
};

SliceExplainer::SliceExplainer(const std::vector<Bundle>& members, const ExplainOptions& options)
    : SliceExplainer(members_of(members), options) {}

SliceExplainer::SliceExplainer(const std::vector<Member>& members, const ExplainOptions& options)
    : state_(std::make_shared<State>(members, options)) {}

const ModelSpec& SliceExplainer::spec() const noexcept { return state_->networks.spec(); }
std::vector<BundleIdentity> SliceExplainer::identities() const { return state_->networks.identities; }

std::string SliceExplainer::target() const {
  std::string names;
  for (const auto c : state_->classes) names += (names.empty() ? "" : " + ") + spec().classes[std::size_t(c)].name;
  return names;
}

SliceImages SliceExplainer::images(const SliceStack& stack) const {
  return state_->networks.images(stack, classifier_options(state_->options));
}

attribution::Explained SliceExplainer::explained() const {
  Explained made;
  made.batch = state_->options.batch;
  made.scores = [state = state_](const at::Tensor& images) { return state->scores(images); };
  made.gradients = [state = state_](const at::Tensor& images) { return state->gradient(images); };
  return made;
}

attribution::Explained SliceExplainer::likelihood() const {
  auto made = state_->likelihood();
  made.scores = [state = state_, scores = std::move(made.scores)](const at::Tensor& images) { return scores(images); };
  return made;
}

const CaseRule& SliceExplainer::rule() const noexcept { return state_->networks.rule; }

SliceExplanation SliceExplainer::operator()(const at::Tensor& image, Method method, const Progress& progress) const {
  if (image.dim() != 4 || image.size(0) != 1) {
    throw Error::mismatch(ErrorCode::shape, "image to explain", "(1, channel, row, column)", c10::str(image.sizes()));
  }
  return state_->explain(explained(), image, method, progress);
}

std::vector<SliceExplanation> SliceExplainer::operator()(const SliceStack& stack, std::span<const std::int64_t> slices,
                                                         Method method, const Progress& progress) const {
  return (*this)(images(stack), slices, method, progress);
}

std::vector<SliceExplanation> SliceExplainer::operator()(const SliceImages& images,
                                                         std::span<const std::int64_t> slices, Method method,
                                                         const Progress& progress) const {
  std::vector<SliceExplanation> found;
  for (const auto slice : slices) {
    const auto done = double(found.size());
    const Progress part{[&, done](std::string_view stage, double fraction) {
                          progress(stage, (done + fraction) / double(slices.size()));
                        },
                        progress.stop};
    found.push_back((*this)(images(std::span(&slice, 1)), method, part));
    found.back().slice = slice;
  }
  return found;
}

std::vector<Bundle> open_classifiers(const std::vector<std::string>& names) {
  if (names.size() != 1) return open_named(names);
  const auto file = find_ensemble(names.front());
  if (!file) return open_named(names);
  std::vector<Bundle> classifiers;
  for (const auto& member : read_ensemble(*file).members) {
    for (auto& bundle : open_bundles(member.folders)) {
      if (bundle.spec.task == Task::slice_classification) classifiers.push_back(std::move(bundle));
    }
  }
  if (classifiers.empty()) {
    throw Error::mismatch(ErrorCode::options, file->string(), "a slice classifier among the members", "none");
  }
  return classifiers;
}

}  // namespace ichdet
