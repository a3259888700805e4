#pragma once

#include <memory>
#include <vector>

#include "ichdet/attribution/target.hpp"
#include "ichdet/nn/network.hpp"
#include "ichdet/nn/prepare.hpp"
#include "ichdet/pipeline/slice_classifier.hpp"
#include "ichdet/pipeline/slice_images.hpp"

// What slice and exam classifiers share: their members' networks.
namespace ichdet::pipeline {

/// The sum of the logits of these classes.
attribution::Target logits_of(const std::vector<std::int64_t>& classes);

struct ClassifierMember {
  std::shared_ptr<Network> network;
  PreparedNetwork whole;
  PreparedNetwork features;  ///< forward_features alone; prepared when first called
};

struct ClassifierNetworks {
  std::vector<ModelSpec> specs;
  std::vector<BundleIdentity> identities;
  std::vector<ClassifierMember> members;
  CaseRule rule;

  /// Throws as SliceClassifier's constructor does.
  ClassifierNetworks(const std::vector<Bundle>& bundles, Task task, const ClassifierOptions& options);

  const ModelSpec& spec() const { return specs.front(); }
  /// What they read of a stack.
  SliceImages images(const SliceStack& stack, const ClassifierOptions& options) const;
  /// Mean over the members: (image or exam, class).
  at::Tensor probabilities(const at::Tensor& input) const;
  /// That there is blood, from one row of them.
  double blood_probability(const at::Tensor& row) const;
  std::vector<std::int64_t> blood_classes() const;
  /// The sum of the logits of the classes that are blood.
  attribution::Target blood_target() const { return logits_of(blood_classes()); }
  Inference inference(const std::vector<std::int64_t>& shape) const;
  /// By the first member's calibration, and flagged for review where it is near one half.
  void calibrate(StudyResult& result, const ClassifierOptions& options) const;
  /// All that a result says whatever was found.
  StudyResult blank_result(const SliceStack& stack) const;
};

}  // namespace ichdet::pipeline
