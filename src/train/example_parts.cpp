#include "example_parts.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ichdet/core/error.hpp"
#include "ichdet/phantom/random.hpp"

namespace ichdet::train {

std::uint64_t draw_seed(std::uint64_t seed, Draw what, std::int64_t index) {
  return counter_hash(seed, std::uint64_t(what), std::uint64_t(index));
}

double draw(std::uint64_t seed, Draw what, std::int64_t index, std::uint64_t more) {
  return counter_uniform(draw_seed(seed, what, index), std::uint64_t(what), more);
}

Piece piece_of(const TrainingStudy& study, std::int64_t first, std::int64_t count, const TrainingSpec& training,
               bool shows_blood, std::int64_t index) {
  Piece piece{stack_of(study, first, count), mask_of(study, first, count), {}};
  if (!study.anatomy) return piece;
  const bool distracted = draw(training.seed, Draw::distract, index) < training.distracted;
  const bool painted = !shows_blood && draw(training.seed, Draw::paint, index) < training.painted;
  if (!distracted && !painted) return piece;
  const auto anatomy = anatomy_of(study, first, count);
  if (distracted) {
    distract(piece.stack, anatomy, piece.mask, training.distractors,
             draw_seed(training.seed, Draw::distractors, index));
  }
  if (painted) {
    piece.blood = synthesise(piece.stack, piece.mask, anatomy, training.synthesis,
                             draw_seed(training.seed, Draw::synthesis, index));
  }
  return piece;
}

at::Tensor tensor_of(const Array3<float>& values) {
  return at::from_blob(const_cast<float*>(values.data()), {values.extent(0), values.extent(1), values.extent(2)},
                       at::kFloat);
}

at::Tensor tensor_of(const Array3<std::uint8_t>& values) {
  return at::from_blob(const_cast<std::uint8_t*>(values.data()), {values.extent(0), values.extent(1), values.extent(2)},
                       at::kByte);
}

std::array<double, 3> spacing_of(const SliceGeometry& geometry) {
  const auto& plane = geometry.planes().front();
  return {geometry.nominal_gap_mm(), plane.row_spacing_mm, plane.column_spacing_mm};
}

float label_of(const TrainingStudy& study, std::int64_t slice, const std::string& name) {
  const auto& labels = slice < 0 ? study.study_labels : study.labels.at(std::size_t(slice));
  const auto index = label_index(study, name);
  return index && !labels.empty() ? labels.at(*index) : std::numeric_limits<float>::quiet_NaN();
}

std::vector<std::string> label_names(const ModelSpec& model) {
  const auto blood = std::ranges::count(model.classes, true, &ClassSpec::blood);
  if (model.activation == Activation::softmax && model.classes.size() == 2 && blood == 1) return {"any"};
  std::vector<std::string> names;
  for (const auto& one : model.classes) names.push_back(one.name);
  return names;
}

at::Tensor class_target(const ModelSpec& model, const std::function<float(const std::string&)>& label) {
  const auto names = label_names(model);
  if (model.activation == Activation::sigmoid) {
    std::vector<float> values;
    for (const auto& name : names) values.push_back(label(name));
    return at::tensor(values, at::kFloat);
  }
  auto found = std::int64_t(unknown_label);
  if (names.size() == 1) {
    const auto blood = std::ranges::find(model.classes, true, &ClassSpec::blood) - model.classes.begin();
    if (const float value = label("any"); !std::isnan(value)) found = value > 0.5F ? blood : 1 - blood;
  } else {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (label(names[i]) == 1) found = std::int64_t(i);
    }
  }
  return at::scalar_tensor(found, at::kByte);
}

BatchSource batches(ExampleSource source, std::int64_t batch) {
  return [source = std::move(source), batch](std::int64_t step) {
    std::vector<at::Tensor> inputs, targets, masks;
    for (std::int64_t i = 0; i < batch; ++i) {
      auto example = source(step * batch + i);
      inputs.push_back(std::move(example.input));
      targets.push_back(std::move(example.target));
      if (example.mask.defined()) masks.push_back(std::move(example.mask));
    }
    Batch made{at::stack(inputs), at::stack(targets), {}};
    if (std::int64_t(masks.size()) == batch) made.mask = at::stack(masks);
    return made;
  };
}

Examples make_examples(const std::vector<TrainingStudy>& studies, const ModelSpec& model, const TrainingSpec& asked,
                       const ExampleOptions& options) {
  auto training = asked;
  if (!options.augmented) training.painted = training.distracted = 0;
  switch (model.task) {
    case Task::segmentation:
    case Task::brain_extraction: return patch_examples(studies, model, training, options);
    case Task::exam_classification: return exam_examples(studies, model, training, options);
    default: return slice_examples(studies, model, training, options);
  }
}

}  // namespace ichdet::train
