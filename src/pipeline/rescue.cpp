#include "rescue.hpp"

#include <algorithm>
#include <cstdio>
#include <span>

namespace ichdet::pipeline {
namespace {

using Merge = ProcedureSpec::Merge;

/// Background everywhere, in what the model merges.
Array4<float> nothing_found(const ModelSpec& model, const Array3<float>& hu) {
  Array4<float> values({std::int64_t(model.classes.size()), hu.extent(0), hu.extent(1), hu.extent(2)});
  std::ranges::fill(values.plane(0), model.procedure.merge == Merge::logits ? 1e4f : 1.f);
  return values;
}

/// How far the likeliest other class is ahead of background.
float lead(const Array4<float>& values, std::int64_t i) {
  const auto voxels = values.size() / values.extent(0);
  float best = values.data()[voxels + i];
  for (std::int64_t c = 2; c < values.extent(0); ++c) best = std::max(best, values.data()[c * voxels + i]);
  return best - values.data()[i];
}

double blood_ml(const Array4<float>& values, const ModelSpec& model) {
  const auto classes = values.extent(0), voxels = values.size() / classes;
  std::int64_t found = 0;
  for (std::int64_t i = 0; i < voxels; ++i) {
    std::int64_t best = 0;
    for (std::int64_t c = 1; c < classes; ++c) {
      if (values.data()[c * voxels + i] > values.data()[best * voxels + i]) best = c;
    }
    found += model.classes[std::size_t(best)].blood;
  }
  const auto& [x, y, z] = model.spacing_mm;
  return double(found) * x * y * z / 1000;
}

Array4<float> mean(std::vector<Array4<float>> answers) {
  auto sum = std::move(answers.front());
  for (std::size_t k = 1; k < answers.size(); ++k) {
    for (std::int64_t i = 0; i < sum.size(); ++i) sum.data()[i] += answers[k].data()[i];
  }
  for (auto& value : sum) value /= float(answers.size());
  return sum;
}

/// Of probabilities.
Array4<float> united(std::vector<Array4<float>> answers) {
  auto all = std::move(answers.front());
  const auto classes = all.extent(0), voxels = all.size() / classes;
  for (std::size_t k = 1; k < answers.size(); ++k) {
    for (std::int64_t i = 0; i < voxels; ++i) {
      if (lead(answers[k], i) <= lead(all, i)) continue;
      for (std::int64_t c = 0; c < classes; ++c) all.data()[c * voxels + i] = answers[k].data()[c * voxels + i];
    }
  }
  return all;
}

}  // namespace

Effort ask_with_rescue(const Question& question, const Cells& cells, const Painter& painter,
                       std::vector<std::string>& assumptions, const Progress& progress) {
  const auto& model = question.model;
  const auto& rescue = *model.procedure.rescue;
  const auto probable = [&](Array4<float>& values) {
    if (model.procedure.merge == Merge::logits) {
      softmax(values.data(), values.extent(0), values.size() / values.extent(0));
    }
  };
  Effort effort;
  std::vector<Array4<float>> answers, more;
  for (std::size_t k = 0; k < question.networks.size(); ++k) {
    Question one = question;
    one.networks = {question.networks[k]};
    one.names = {question.names[k]};
    if (!question.exact.empty()) one.exact = {question.exact[k]};
    auto& own = answers.emplace_back(nothing_found(model, question.hu));
    effort += ask_windows(one, cells, model.patch, model.procedure.views, {}, paint_values(own), progress);
    if (blood_ml(own, model) >= rescue.below_ml) continue;
    char below[32];
    std::snprintf(below, sizeof below, "%g mL", rescue.below_ml);
    assumptions.push_back(question.names[k] + " found less than " + below +
                          " of blood and looked again: a voxel counts as what any of the answers found.");
    one.stage = "network, once more";
    PatchSpec patch = model.patch;
    patch.input = patch.output = rescue.patch;
    patch.overlap = rescue.overlap;
    for (const auto& view : rescue.views) {
      auto& again = more.emplace_back(nothing_found(model, question.hu));
      effort += ask_windows(one, cells, patch, {View{}}, view.flip, paint_values(again), progress);
    }
  }
  Array4<float> found;
  if (more.empty()) {
    found = mean(std::move(answers));
    probable(found);
  } else {
    std::ranges::move(more, std::back_inserter(answers));
    for (auto& answer : answers) probable(answer);
    found = united(std::move(answers));
  }
  painter({}, found, nullptr);
  return effort;
}

}  // namespace ichdet::pipeline
