#include <ATen/Functions.h>

#include <memory>

#include "example_parts.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/pipeline/slice_images.hpp"

// Whole exams, as a fixed number of images.
namespace ichdet::train {
namespace {

class ExamSource {
 public:
  ExamSource(const std::vector<TrainingStudy>& studies, const ModelSpec& model, const TrainingSpec& training,
             const ExampleOptions& options)
      : studies_(studies), model_(model), training_(training), options_(options) {
    for (std::size_t i = 0; i < studies.size(); ++i) {
      if (studies[i].split == options.split) chosen_.push_back(i);
    }
    if (chosen_.empty()) {
      throw Error(ErrorCode::options, "data: no study in the split \"" + options.split + "\"");
    }
  }

  std::int64_t epoch() const { return std::int64_t(chosen_.size()); }
  std::vector<std::int64_t> order() const { return {chosen_.begin(), chosen_.end()}; }

  Example operator()(std::int64_t place) const {
    const auto index = place + options_.repeat_from;
    const auto turn =
        options_.augmented ? permuted(index % epoch(), epoch(), training_.seed, std::uint64_t(index / epoch())) : place;
    const auto& study = studies_[chosen_[std::size_t(turn)]];
    const float blood = label_of(study, -1, "any");
    auto piece = piece_of(study, 0, study.geometry.count(), training_, blood != 0, index);
    if (options_.augmented) {
      Slab slab{tensor_of(piece.stack.hu), tensor_of(piece.mask), spacing_of(study.geometry)};
      augment(slab, training_.augment, draw_seed(training_.seed, Draw::augment, index));
      const auto hu = slab.hu.contiguous();
      std::copy_n(hu.const_data_ptr<float>(), hu.numel(), piece.stack.hu.data());
    }
    Example example;
    example.painted = piece.blood && piece.blood->any();
    example.input = SliceImages(piece.stack, model_).exam()[0];
    example.target = class_target(model_, [&](const std::string& name) {
      if (!example.painted) return label_of(study, -1, name);
      for (const auto& one : model_.classes) {
        if (one.name == name) return one.blood ? 1.F : 0.F;
      }
      return 1.F;  // "any"
    });
    return example;
  }

 private:
  const std::vector<TrainingStudy>& studies_;
  ModelSpec model_;
  TrainingSpec training_;
  ExampleOptions options_;
  std::vector<std::size_t> chosen_;
};

}  // namespace

Examples exam_examples(const std::vector<TrainingStudy>& studies, const ModelSpec& model, const TrainingSpec& training,
                       const ExampleOptions& options) {
  const auto source = std::make_shared<const ExamSource>(studies, model, training, options);
  Examples made{[source](std::int64_t index) { return (*source)(index); }, source->epoch(), {}};
  if (!options.augmented) made.studies = source->order();
  return made;
}

}  // namespace ichdet::train
