#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ichdet/bundle/spec.hpp"
#include "ichdet/train/loop.hpp"
#include "ichdet/train/training_spec.hpp"
#include "ichdet/train/training_study.hpp"

namespace ichdet::train {

/// What a network is shown once, and the truth.
struct Example {
  at::Tensor input;   ///< (channel, space), or of exams (slice, channel, row, column)
  at::Tensor target;  ///< uint8 classes (space) or (); of sigmoids float (class); `unknown_label` or NaN: not known
  at::Tensor mask;    ///< (row, column), uint8, of classifiers where it is known; else undefined
  bool painted = false;
};

/// The `index`-th example of a training: a pure function.
using ExampleSource = std::function<Example(std::int64_t index)>;

/// Which examples, and how they are changed.
struct ExampleOptions {
  std::string split = "train";
  bool augmented = true;         ///< false: slices as they are, each once, in order
  std::int64_t repeat_from = 0;  ///< added to each index: other draws of the same kind
};

/// How many examples an epoch has, and what they are.
struct Examples {
  ExampleSource at;
  std::int64_t epoch = 0;
  std::vector<std::int64_t> studies;  ///< of each example of an epoch, where they are not augmented: its study
};

/// What networks of images, patches of volumes and exams are shown of `studies`, prepared for `model`: drawn
/// (Sampler), painted (distract, synthesise), augmented, windowed. Channels and sizes are those that the Detector's and
/// classifiers' stages make of the same slices. Studies have to outlive the source. Throws Error(options) where the
/// split is empty.
Examples make_examples(const std::vector<TrainingStudy>& studies, const ModelSpec& model, const TrainingSpec& training,
                       const ExampleOptions& options);

/// Examples side by side, `batch` to a step.
BatchSource batches(ExampleSource source, std::int64_t batch);

/// Names of the labels that a model's outputs need: its classes where they are sigmoids or more than blood and its
/// absence, else "any".
std::vector<std::string> label_names(const ModelSpec& model);

}  // namespace ichdet::train
