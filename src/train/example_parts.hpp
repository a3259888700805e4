#pragma once

#include <optional>

#include "ichdet/train/examples.hpp"
#include "ichdet/train/slab.hpp"

// What all kinds of examples are made of.
namespace ichdet::train {

/// Streams of random numbers, one for each decision.
enum class Draw : std::uint64_t { paint = 1, distract, synthesis, distractors, augment, place, blood };

std::uint64_t draw_seed(std::uint64_t seed, Draw what, std::int64_t index);
double draw(std::uint64_t seed, Draw what, std::int64_t index, std::uint64_t more = 0);

/// A piece of a study with things painted into it, before it is augmented.
struct Piece {
  SliceStack stack;
  Array3<std::uint8_t> mask;
  std::optional<Synthesised> blood;  ///< where it was painted
};

/// `count` slices from `first`; painted where the training says so, the study has an anatomy and `shows_blood` is not.
Piece piece_of(const TrainingStudy& study, std::int64_t first, std::int64_t count, const TrainingSpec& training,
               bool shows_blood, std::int64_t index);

at::Tensor tensor_of(const Array3<float>& values);
at::Tensor tensor_of(const Array3<std::uint8_t>& values);
std::array<double, 3> spacing_of(const SliceGeometry& geometry);

/// A label of one slice (or of the study where `slice` is negative); NaN where it is not known.
float label_of(const TrainingStudy& study, std::int64_t slice, const std::string& name);

/// A classifier's target from labels by name.
at::Tensor class_target(const ModelSpec& model, const std::function<float(const std::string&)>& label);

Examples slice_examples(const std::vector<TrainingStudy>& studies, const ModelSpec& model, const TrainingSpec& training,
                        const ExampleOptions& options);
Examples patch_examples(const std::vector<TrainingStudy>& studies, const ModelSpec& model, const TrainingSpec& training,
                        const ExampleOptions& options);
Examples exam_examples(const std::vector<TrainingStudy>& studies, const ModelSpec& model, const TrainingSpec& training,
                       const ExampleOptions& options);

}  // namespace ichdet::train
