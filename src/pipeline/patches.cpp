#include "patches.hpp"

#include "ichdet/core/error.hpp"
#include "ichdet/nn/views.hpp"
#include "model_input.hpp"
#include "second_look.hpp"

namespace ichdet::pipeline {
namespace {

using Triple = std::array<std::int64_t, 3>;
using Merge = ProcedureSpec::Merge;

std::int64_t voxels_of(const Triple& size) { return size[0] * size[1] * size[2]; }

void expect_finite(const at::Tensor& answer, const std::string& name) {
  const float* values = answer.data_ptr<float>();
  float zero = 0;
  for (std::int64_t i = 0; i < answer.numel(); ++i) zero += 0 * values[i];  // NaN of NaN and of infinity
  if (zero == 0) return;
  throw Error(ErrorCode::weights, name + ": the network answered NaN or infinity; its weights may be damaged");
}

/// The networks, answering in what is to be averaged.
std::vector<PatchNetwork> answering(const Networks& networks, const std::vector<std::string>& names, Merge merge) {
  std::vector<PatchNetwork> all;
  for (std::size_t k = 0; k < networks.size(); ++k) {
    all.emplace_back([&network = networks[k], &name = names[k], merge](const at::Tensor& patch) {
      auto answer = network(patch).contiguous();
      expect_finite(answer, name);
      if (merge == Merge::logits) return answer;
      softmax(answer.data_ptr<float>(), answer.size(1), answer.numel() / answer.size(1), network.options().threads);
      return answer;
    });
  }
  return all;
}

PatchViews options_of(const ModelSpec& model) {
  PatchViews options;
  options.channels = std::int64_t(model.channels.size());
  options.classes = std::int64_t(model.classes.size());
  options.axes = model.axes;
  options.against = against_lps(model);
  return options;
}

/// The box of `size` about the same centre.
Box middle(const Box& box, const Triple& size) {
  Box inner{box.begin, size};
  for (std::size_t axis = 0; axis < 3; ++axis) inner.begin[axis] += (box.size[axis] - size[axis]) / 2;
  return inner;
}

}  // namespace

Effort& Effort::operator+=(const Effort& other) {
  voxels += other.voxels;
  again += other.again;
  patches += other.patches;
  skipped += other.skipped;
  return *this;
}

Effort ask_boxes(const Question& question, const std::vector<Box>& boxes, const Painter& painter,
                 const Progress& progress) {
  const auto& patch = question.model.patch;
  const auto read = reader(question.hu, question.bounds, question.model);
  const auto networks = answering(question.networks, question.names, Merge::probabilities);
  auto options = options_of(question.model);
  std::int64_t all = 0;
  for (const auto& box : boxes) all += voxels_of(box.size);
  Effort effort;
  progress(question.stage, 0);
  for (const auto& box : boxes) {
    const Progress within{[&](std::string_view, double fraction) {
                            progress(question.stage,
                                     (double(effort.voxels) + fraction * double(voxels_of(box.size))) / double(all));
                          },
                          progress.stop};
    options.output = box.size;
    Box input;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const auto margin = (patch.input[axis] - patch.output[axis]) / 2;
      input.begin[axis] = box.begin[axis] - margin;
      input.size[axis] = box.size[axis] + 2 * margin;
    }
    painter(box.begin, mean_of_views(read, networks, input, options, within), nullptr);
    effort.voxels += voxels_of(box.size);
    ++effort.patches;
  }
  return effort;
}

Effort ask_windows(const Question& question, const Cells& cells, const PatchSpec& patch, const std::vector<View>& views,
                   const std::array<bool, 3>& mirror, const Painter& painter, const Progress& progress) {
  const auto& model = question.model;
  const auto merge = model.procedure.merge;
  const auto& bounds = question.bounds;
  const auto read = reader(question.hu, bounds, model);
  const auto networks = answering(question.networks, question.names, merge),
             exact = answering(question.exact, question.names, merge);
  auto options = options_of(model);
  options.output = patch.output;
  options.views = views;
  for (std::size_t axis = 0; axis < 3; ++axis) options.against[axis] = options.against[axis] != mirror[axis];

  SlidingWindowOptions window;
  window.input = patch.input;
  window.output = patch.output;
  window.overlap = patch.step > 0 ? 0 : patch.overlap;  // where answers do not depend on the patch, one is enough
  window.blending = patch.blending;
  window.places = patch.places;
  window.from_end = options.against;

  SecondLook second_look(bounds.size, question.clear, question.exact_share);
  Effort effort;
  const auto predict = [&](const Box& input) {
    auto answer = mean_of_views(read, networks, input, options, {{}, progress.stop});
    if (exact.empty() || !second_look.wanted(answer, merge, middle(input, patch.output))) return answer;
    effort.again += voxels_of(patch.output);
    return mean_of_views(read, exact, input, options, {{}, progress.stop});
  };
  const auto keep = [&](const Box& output) {
    Box box = output;
    for (std::size_t axis = 0; axis < 3; ++axis) box.begin[axis] += bounds.begin[axis];
    const bool wanted = meets(box, cells);
    ++(wanted ? effort.patches : effort.skipped);
    return wanted;
  };
  const auto sink = [&](std::int64_t z, const Array4<float>& values, const Array3<std::uint8_t>& computed) {
    painter({bounds.begin[0] + z, bounds.begin[1], bounds.begin[2]}, values, &computed);
  };
  const Progress named{[&](std::string_view, double fraction) { progress(question.stage, fraction); }, progress.stop};
  sliding_window(bounds.size, options.classes, predict, sink, window, keep, named);
  effort.voxels = effort.patches * voxels_of(patch.output);
  return effort;
}

}  // namespace ichdet::pipeline
