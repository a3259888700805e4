#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "ichdet/attribution/target.hpp"
#include "ichdet/nn/prepare.hpp"
#include "ichdet/pipeline/slice_classifier.hpp"
#include "ichdet/pipeline/slice_images.hpp"

// What slice and exam classifiers share: their members' networks.
namespace ichdet::pipeline {

/// The sum of the logits of these classes.
attribution::Target logits_of(const std::vector<std::int64_t>& classes);

struct ClassifierMember {
  PreparedNetwork whole;
  /// Of those with the two parts that class activation maps need: forward_features alone, prepared when first called,
  /// and forward_head.
  std::optional<PreparedNetwork> features;
  Forward head;
  /// The gradient of what a target makes of the logits.
  std::function<Forward(const attribution::Target& target)> gradient;
};

struct ClassifierNetworks {
  std::vector<ModelSpec> specs;
  std::vector<BundleIdentity> identities;
  std::vector<ClassifierMember> members;
  CaseRule rule;
  PrepareOptions how;

  /// Throws as SliceClassifier's constructor does.
  ClassifierNetworks(const std::vector<Member>& given, Task task, const ClassifierOptions& options);

  const ModelSpec& spec() const { return specs.front(); }
  /// What they read of a stack.
  SliceImages images(const SliceStack& stack, const ClassifierOptions& options) const;
  /// Mean over the members: (image or exam, class).
  at::Tensor probabilities(const at::Tensor& input) const;
  /// That there is blood, from one row of them.
  double blood_probability(const at::Tensor& row) const;
  std::vector<std::int64_t> blood_classes() const;
  /// Each member's class activation map of an image (1, channel, row, column), their mean: (row, column). Throws
  /// Error(options) that names a member which is not in two parts, and Error(cancelled).
  at::Tensor cam(const at::Tensor& image, const attribution::Target& target, const attribution::CamOptions& options,
                 const Progress& progress) const;
  /// Throws Error(options) where it is not.
  const ClassifierMember& in_two_parts(std::size_t member) const;
  /// The sum of the logits of the classes that are blood.
  attribution::Target blood_target() const { return logits_of(blood_classes()); }
  Inference inference(const std::vector<std::int64_t>& shape) const;
  /// By the first member's calibration, and flagged for review where it is near one half.
  void calibrate(StudyResult& result, const ClassifierOptions& options) const;
  /// All that a result says whatever was found.
  StudyResult blank_result(const SliceStack& stack) const;
};

}  // namespace ichdet::pipeline
