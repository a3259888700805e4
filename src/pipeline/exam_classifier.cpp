#include "ichdet/pipeline/exam_classifier.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/argsort.h>

#include <algorithm>
#include <cmath>

#include "classifier_networks.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/pipeline/slice_images.hpp"
#include "timed.hpp"

namespace ichdet {

struct ExamClassifier::State {
  pipeline::ClassifierNetworks networks;
  ClassifierOptions options;
};

ExamClassifier::ExamClassifier(const std::vector<Bundle>& members, const ClassifierOptions& options)
    : ExamClassifier(members_of(members), options) {}

ExamClassifier::ExamClassifier(const std::vector<Member>& members, const ClassifierOptions& options)
    : state_(std::make_shared<State>(
          State{pipeline::ClassifierNetworks(members, Task::exam_classification, options), options})) {}

const ModelSpec& ExamClassifier::spec() const noexcept { return state_->networks.spec(); }
std::vector<BundleIdentity> ExamClassifier::identities() const { return state_->networks.identities; }
const CaseRule& ExamClassifier::rule() const noexcept { return state_->networks.rule; }

at::Tensor ExamClassifier::probabilities(const at::Tensor& exams) const {
  return state_->networks.probabilities(exams);
}

StudyResult ExamClassifier::operator()(const SliceStack& stack, const Progress& progress) const {
  const auto& networks = state_->networks;
  auto result = networks.blank_result(stack);
  const auto images = state_->networks.images(stack, state_->options);
  progress("exam", 0);
  const auto exam = pipeline::timed(result, "reslice", [&] { return images.exam(); });
  const auto row = pipeline::timed(result, "exam", [&] { return networks.probabilities(exam)[0]; });
  result.class_probabilities.assign(row.data_ptr<float>(), row.data_ptr<float>() + row.numel());

  auto& decision = result.decision;
  decision.probability = networks.blood_probability(row);
  decision.threshold = networks.rule.case_threshold;
  decision.slice_threshold = decision.threshold;
  decision.positive = decision.probability > decision.threshold;
  decision.rule = "probability of the exam > its threshold";
  networks.calibrate(result, state_->options);
  result.assumptions.insert(result.assumptions.end(), images.assumptions().begin(), images.assumptions().end());
  result.assumptions.push_back("The " + std::to_string(stack.geometry.count()) + " slices were resliced to " +
                               std::to_string(exam.size(1)) + " images from the first to the last.");
  if (images.top() != 'A') {
    result.trust.ok = false;
    result.trust.reasons.emplace_back("the slices are not axial");
  }
  result.inference = networks.inference(exam.sizes().vec());
  result.inference.voxels = exam.size(1) * exam.size(3) * exam.size(4);
  progress("exam", 1);
  return result;
}

std::vector<ExamImage> ExamClassifier::best_images(const SliceStack& stack, std::int64_t count,
                                                   const attribution::CamOptions& options) const {
  const auto& networks = state_->networks;
  const auto& member = networks.in_two_parts(0);
  const auto images = state_->networks.images(stack, state_->options);
  const auto features = (*member.features)(images.exam());  // (1, image, channel, y, x)
  const auto slope = attribution::head_gradient(member.head, features, networks.blood_target());
  const auto maps = attribution::unscaled_map(features[0], slope.gradient[0], options).clamp_min(0);
  const auto evidence = maps.sum({1, 2}).to(at::kDouble);
  const double all = evidence.sum().item<double>();
  const auto order = at::argsort(evidence, /*stable=*/true, 0, /*descending=*/true);
  const auto scaled = attribution::scaled_map(maps, spec().image.size);

  const auto positions = images.exam_positions();
  std::vector<ExamImage> best;
  for (std::int64_t i = 0; i < std::min(count, order.size(0)); ++i) {
    const auto which = order[i].item<std::int64_t>();
    const double position = positions[std::size_t(which)];
    const double share = all > 0 ? evidence[which].item<double>() / all : 0;
    best.push_back({position, std::llround(position), share, images.to_slice(scaled[which])});
  }
  return best;
}

}  // namespace ichdet
