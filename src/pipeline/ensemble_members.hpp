#pragma once

#include <string>
#include <variant>
#include <vector>

#include "ichdet/bundle/ensemble_spec.hpp"
#include "ichdet/ensemble/classes.hpp"
#include "ichdet/pipeline/ensemble_detector.hpp"
#include "ichdet/pipeline/segmenter.hpp"
#include "ichdet/pipeline/slice_classifier.hpp"
#include "ichdet/pipeline/slice_segmenter.hpp"
#include "slabs.hpp"

// An ensemble's models, opened.
namespace ichdet::pipeline {

/// A segmenter, and what its classes are called here.
struct Voice {
  std::string name;
  double weight;
  std::variant<Segmenter, SliceSegmenter> segmenter;
  ensemble::ClassMapping mapping;
  std::vector<ModelSpec> models;  ///< that it averages
};

/// What a voice said: its classes' probabilities on its own grid, or that of blood on the native slices.
using Answer = std::variant<ProbabilityMap, Array3<float>>;

/// The ensemble's classes at the pixels of some native slices (linear): (class, slice, row, column).
Array4<float> at_slices(const Answer& answer, const Voice& voice, const Slab& slab, int threads);

/// A slice classifier, whose probabilities scale what the voices say.
struct Judge {
  std::string name;
  double weight;
  SliceClassifier classifier;
};

struct Members {
  std::vector<ClassSpec> classes;  ///< the ensemble's
  std::vector<std::string> names;  ///< of them
  std::vector<Voice> voices;
  std::vector<Judge> judges;
  bool skip_empty = true;  ///< slice models are asked about slices with head alone
};

/// Throws as EnsembleDetector's constructor does.
Members open_members(const EnsembleSpec& spec, SegmenterOptions segmenter, ClassifierOptions classifier,
                     const OwnMembers& own);

/// One sentence: who they are, and how they are combined.
std::string in_words(const EnsembleSpec& spec, const Members& members);

}  // namespace ichdet::pipeline
