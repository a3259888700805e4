#include "ichdet/pipeline/segmenter.hpp"

#include <algorithm>
#include <cmath>

#include "check_patch.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/models/load.hpp"
#include "ichdet/nn/network.hpp"
#include "model_input.hpp"
#include "patches.hpp"
#include "rescue.hpp"

namespace ichdet {

using pipeline::Effort;

namespace {

constexpr std::int64_t rim = 12;            ///< what a valid network computes around a patch, in effect (DeepMedic)
constexpr std::int64_t unclear_margin = 2;  ///< voxels

}  // namespace

SearchRegion parse_search_region(const std::string& text) {
  if (text == "head") return SearchRegion::head;
  if (text == "brain") return SearchRegion::brain;
  if (text == "everywhere") return SearchRegion::everywhere;
  throw Error::mismatch(ErrorCode::options, "region", "head, brain or everywhere", text);
}

struct Segmenter::State {
  std::vector<ModelSpec> specs;
  std::vector<BundleIdentity> identities;
  pipeline::Networks networks;
  pipeline::Networks exact;  ///< adaptive: the same ones in float32
  SegmenterOptions options;

  /// Whether patches may be cut to fit what is asked about.
  bool fits() const;
  /// The most voxels that a patch may answer: the options' limit, halved until a cube of them keeps the ceiling.
  std::int64_t most_voxels() const;
  Effort ask(const Volume& volume, const pipeline::Painter& painter, std::vector<std::string>& assumptions,
             const Progress& progress) const;
  /// Of the members.
  Inference inference(const Effort& effort) const;
};

Segmenter::Segmenter(const std::vector<Bundle>& members, const SegmenterOptions& options)
    : Segmenter(members_of(members), options) {}

Segmenter::Segmenter(const std::vector<Member>& members, const SegmenterOptions& options) {
  if (members.empty()) throw Error(ErrorCode::options, "segmenter: no bundle was given");
  const auto above_0 = [](double value, const char* name) {
    if (value > 0 && value <= 1) return;
    throw Error::mismatch(ErrorCode::options, name, "above 0, at most 1", std::to_string(value));
  };
  above_0(options.clear_background, "clear_background");
  above_0(options.float32_share, "float32_share");
  auto state = std::make_shared<State>();
  state->options = options;
  auto& precision = state->options.network.precision;
  const bool bundles = std::ranges::any_of(members, [](const Member& member) { return member.bundle.has_value(); });
  if (!bundles) {
    precision = Precision::float32;
  } else if (precision == Precision::automatic) {
    precision = has_fast_bfloat16() ? Precision::adaptive : Precision::float32;
  }
  auto fast = options.network;
  if (!fast.workspace) fast.workspace = nn::new_workspace();
  auto exact = fast;
  fast.precision = precision == Precision::adaptive ? Precision::bfloat16 : precision;
  exact.precision = Precision::float32;
  for (const auto& member : members) {
    require_task(member.spec, Task::segmentation);
    pipeline::check_same(members.front().spec, member.spec);
    state->specs.push_back(member.spec);
    state->identities.push_back(member.identity);
    if (!member.bundle) {
      state->networks.push_back(prepare(member.forward, exact));
      if (precision == Precision::adaptive) state->exact.push_back(state->networks.back());
      continue;
    }
    const auto network = models::load(*member.bundle);
    pipeline::check_patch(*member.bundle, *network);
    state->networks.push_back(prepare(network, fast));
    if (precision == Precision::adaptive) state->exact.push_back(prepare(network, exact));
  }
  state_ = std::move(state);
}

const ModelSpec& Segmenter::spec() const noexcept { return state_->specs.front(); }
std::vector<BundleIdentity> Segmenter::identities() const { return state_->identities; }

bool Segmenter::State::fits() const {
  const auto& model = specs.front();
  ProcedureSpec plain;
  plain.inversion = model.procedure.inversion;
  return model.patch.step > 0 && model.procedure == plain && model.orientation == "LPS" &&
         model.axes == AxisOrder::zyx && std::ranges::all_of(networks, &PreparedNetwork::takes_any_shape);
}

std::int64_t Segmenter::State::most_voxels() const {
  const auto& patch = specs.front().patch;
  const auto step = patch.step;
  auto most =
      options.max_patch_voxels > 0 ? options.max_patch_voxels : patch.output[0] * patch.output[1] * patch.output[2];
  if (options.network.memory_mib <= 0) return most;
  for (;; most /= 2) {
    const auto side = std::max<std::int64_t>(1, std::llround(std::cbrt(double(most)) / double(step))) * step;
    std::vector<std::int64_t> shape{1, std::int64_t(specs.front().channels.size())};
    for (std::size_t axis = 0; axis < 3; ++axis) shape.push_back(side + patch.input[axis] - patch.output[axis]);
    double mib = 0;
    for (const auto* group : {&networks, &exact}) {
      if (!group->empty()) mib = std::max(mib, group->front().preparation(shape).activations_mib);
    }
    if (mib <= options.network.memory_mib) return most;
    if (side == step) {
      throw Error::mismatch(ErrorCode::limit, "segmenter: memory for the smallest patch",
                            "at most " + std::to_string(std::lround(options.network.memory_mib)) + " MiB",
                            std::to_string(std::lround(mib)) + " MiB");
    }
  }
}

Inference Segmenter::State::inference(const Effort& effort) const {
  const auto& model = specs.front();
  std::vector<std::int64_t> shape{1, std::int64_t(model.channels.size())};
  const auto layout = layout_of(model.patch.input, model.procedure.views.front(), model.axes);
  for (const auto side : layout.shape) shape.push_back(side);
  Inference record;
  for (const auto* group : {&networks, &exact}) {
    const auto answered = group == &networks ? effort.patches : effort.again;
    if (answered == 0) continue;  // asking would prepare what never ran
    for (const auto& network : *group) {
      const auto made = network.preparation(shape);
      if (record.engine.empty()) {
        record.engine = to_string(made.engine);
        record.form = made.form;
        record.reason = made.reason;
      }
      record.prepare_s += made.seconds;
    }
  }
  record.precision = to_string(options.network.precision);
  record.threads = options.network.threads;
  record.voxels = effort.voxels;
  record.float32_again = effort.again;
  record.patches = effort.patches;
  record.patches_skipped = effort.skipped;
  return record;
}

Effort Segmenter::State::ask(const Volume& volume, const pipeline::Painter& painter,
                             std::vector<std::string>& assumptions, const Progress& progress) const {
  const auto& model = specs.front();
  pipeline::check_grid(volume.geometry, model);
  const bool differ = std::ranges::any_of(specs, [&](const ModelSpec& other) {
    return &other != &model && (!other.calibration.empty() || other.thresholds != model.thresholds);
  });
  if (differ) assumptions.push_back("Calibration and threshold are those of " + model.name + ", the first member.");
  const auto clear = float(options.clear_background);
  const auto cells =
      pipeline::cells_of(pipeline::search_mask(volume, options.region, model, options.network.threads, assumptions),
                         model.patch.step > 0 ? model.patch.step : 8);
  std::vector<std::string> names;
  for (const auto& spec : specs) names.push_back(spec.name);
  pipeline::Question question{model, volume.hu, {{}, volume.hu.shape()}, networks, names,
                              exact, clear,     options.float32_share};
  if (fits()) {
    const auto most = most_voxels();
    pipeline::Cells unclear(volume.hu.shape(), cells.side);
    const auto paint = [&](const std::array<std::int64_t, 3>& begin, const Array4<float>& values,
                           const Array3<std::uint8_t>* computed) {
      painter(begin, values, computed);
      const Box box{begin, {values.extent(1), values.extent(2), values.extent(3)}};
      pipeline::mark_unclear(unclear, values.plane(0), box, cells, volume.hu.shape(), clear, unclear_margin);
    };
    auto effort = pipeline::ask_boxes(question, pipeline::cover(cells, rim, most), paint, progress);
    if (exact.empty()) return effort;
    question.networks = exact;
    question.stage = "network, in float32";
    const auto again = pipeline::ask_boxes(question, pipeline::cover(unclear, rim, most), painter, progress);
    effort.again = again.voxels;
    return effort;
  }
  const auto& procedure = model.procedure;
  if (procedure.crop == ProcedureSpec::Crop::foreground) {
    question.bounds = pipeline::foreground(volume.hu, model.channels);
  }
  if (procedure.rescue) {
    return pipeline::ask_with_rescue(question, cells, painter, assumptions, progress);
  }
  const bool logits = procedure.merge == ProcedureSpec::Merge::logits;
  return pipeline::ask_windows(question, cells, model.patch, procedure.views, {},
                               logits ? pipeline::softmax_to(painter) : painter, progress);
}

Segmentation Segmenter::operator()(const Volume& volume, const Progress& progress) const {
  std::vector<std::string> names, assumptions;
  for (const auto& c : spec().classes) names.push_back(c.name);
  const auto size = volume.geometry.shape();
  Array4<float> probabilities({std::int64_t(names.size()), size[0], size[1], size[2]});
  std::ranges::fill(probabilities.plane(0), 1.f);
  const auto effort = state_->ask(volume, pipeline::paint_values(probabilities), assumptions, progress);
  return {ProbabilityMap(std::move(probabilities), std::move(names), volume.geometry), state_->inference(effort),
          std::move(assumptions)};
}

Labelling Segmenter::label(const Volume& volume, const Progress& progress) const {
  std::vector<std::string> names, assumptions;
  for (const auto& c : spec().classes) names.push_back(c.name);
  Array3<std::uint8_t> labels(volume.geometry.shape());
  Array3<float> blood(volume.geometry.shape());
  const auto effort = state_->ask(volume, pipeline::paint_labels(labels, blood, spec().classes), assumptions, progress);
  return {LabelMap(std::move(labels), std::move(names), volume.geometry), std::move(blood), state_->inference(effort),
          std::move(assumptions)};
}

}  // namespace ichdet
