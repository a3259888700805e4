#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ichdet/pipeline/slice_classifier.hpp"

namespace ichdet {

/// One of the images that an exam was resliced to.
struct ExamImage {
  double position = 0;     ///< of the image in the stack: a slice index with a fraction
  std::int64_t slice = 0;  ///< nearest to it
  double share = 0;        ///< of all evidence for blood in the exam, in [0, 1]; the shares sum to 1, or to 0
  Array2f map;             ///< where the evidence lies, in [0, 1]; that slice's own (row, column)
};

/// An exam classifier's bundle, or an ensemble of them whose probabilities are averaged: the whole stack, resliced to
/// a number of images, into one network (S5: 25 images, MobileNet and LSTM, three classes).
///
/// Immutable; calls are const and may run from several threads at once.
class ExamClassifier {
 public:
  /// As SliceClassifier. Of the options, `batch` and `skip_empty` are not used, and of the rule only case_threshold.
  explicit ExamClassifier(const std::vector<Bundle>& members, const ClassifierOptions& options = {});
  /// With networks of your own among them. Class activation maps need their features and head.
  explicit ExamClassifier(const std::vector<Member>& members, const ClassifierOptions& options = {});

  const ModelSpec& spec() const noexcept;
  std::vector<BundleIdentity> identities() const;
  const CaseRule& rule() const noexcept;

  /// Exams (exam, image, channel, row, column), as SliceImages::exam gives them, to (exam, class), in [0, 1].
  at::Tensor probabilities(const at::Tensor& exams) const;

  /// The decision and each class's probability; `slices` is empty, since slices have none of their own here.
  StudyResult operator()(const SliceStack& stack, const Progress& progress = {}) const;

  /// The `count` images with the most evidence for blood, first the strongest: Grad-CAM (or another method) of each
  /// image's last feature map, through the recurrent layers; the sum of what is positive in it is the evidence. Of an
  /// ensemble, its first member.
  std::vector<ExamImage> best_images(const SliceStack& stack, std::int64_t count,
                                     const attribution::CamOptions& options = {}) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace ichdet
