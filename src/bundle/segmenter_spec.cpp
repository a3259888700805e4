#include "segmenter_spec.hpp"

#include <algorithm>
#include <tuple>

namespace ichdet::bundle {
namespace {

using Triple = std::array<std::int64_t, 3>;

constexpr std::int64_t longest_side = 4096;

/// 0 for z, 1 for y, 2 for x.
std::size_t axis_of(const Node& node) { return node.choice<std::size_t>({{"x", 2}, {"y", 1}, {"z", 0}}); }

double overlap_of(const Node& node) {
  const auto overlap = node.number();
  node.expect(overlap >= 0 && overlap < 1, "0 or more, below 1");
  return overlap;
}

Triple triple_of(const Node& node) {
  const auto sides = node.triple();
  return {sides[0].integer(1, longest_side), sides[1].integer(1, longest_side), sides[2].integer(1, longest_side)};
}

PatchSpec parse_patch(const Node& node) {
  node.only({"input", "output", "step", "padding", "overlap", "blending", "places"});
  PatchSpec patch;
  const auto output = node.at("output").triple();
  patch.input = triple_of(node.at("input"));
  for (std::size_t axis = 0; axis < 3; ++axis) patch.output[axis] = output[axis].integer(1, patch.input[axis]);
  patch.step = node.at("step").integer(0, longest_side);
  for (std::size_t axis = 0; patch.step > 0 && axis < 3; ++axis) {
    output[axis].expect(patch.output[axis] % patch.step == 0, "a multiple of step");
  }
  patch.padding = node.at("padding").choice<Padding>({{"edge", Padding::edge}, {"zero", Padding::zero}});
  if (const auto overlap = node.find("overlap")) patch.overlap = overlap_of(*overlap);
  if (const auto blending = node.find("blending")) {
    patch.blending = blending->choice<Blending>({{"constant", Blending::constant},
                                                 {"monai gaussian", Blending::monai_gaussian},
                                                 {"nnunet gaussian", Blending::nnunet_gaussian}});
  }
  patch.places = patch.blending == Blending::nnunet_gaussian ? PatchPlaces::nnunet : PatchPlaces::monai;
  if (const auto places = node.find("places")) {
    patch.places = places->choice<PatchPlaces>({{"monai", PatchPlaces::monai}, {"nnunet", PatchPlaces::nnunet}});
  }
  return patch;
}

View parse_view(const Node& node) {
  node.only({"flip", "rotate90", "scale"});
  View view;
  if (const auto flip = node.find("flip")) {
    for (const auto& axis : flip->list(0)) view.flip[axis_of(axis)] = true;
  }
  if (const auto rotate = node.find("rotate90")) {
    rotate->only({"plane", "quarter_turns"});
    view.rotate90.plane = rotate->at("plane").choice<std::array<std::size_t, 2>>(
        {{"xy", {2, 1}}, {"yx", {1, 2}}, {"yz", {1, 0}}, {"zy", {0, 1}}, {"xz", {2, 0}}, {"zx", {0, 2}}});
    view.rotate90.turns = int(rotate->at("quarter_turns").integer(0, 3));
  }
  if (const auto scale = node.find("scale")) view.scale = scale->number_between(0.1, 10);
  return view;
}

std::vector<View> parse_views(const Node& node) {
  std::vector<View> views;
  for (const auto& view : node.list(1)) views.push_back(parse_view(view));
  node.expect(std::ranges::any_of(views, [](const View& view) { return view.scale <= 1; }),
              "a view of scale 1 or less, to reach the whole patch");
  return views;
}

RescueSpec parse_rescue(const Node& node) {
  node.only({"below_ml", "patch", "overlap", "flips", "vote"});
  RescueSpec rescue;
  rescue.below_ml = node.at("below_ml").number_between(0, 1e6);
  rescue.patch = triple_of(node.at("patch"));
  rescue.overlap = overlap_of(node.at("overlap"));
  for (const auto& axes : node.at("flips").list(1)) {
    auto& view = rescue.views.emplace_back();
    for (const auto& axis : axes.list(0)) view.flip[axis_of(axis)] = true;
  }
  node.at("vote").expect(node.at("vote").value() == "union", "\"union\"");
  return rescue;
}

ProcedureSpec parse_procedure(const Node& node) {
  node.only({"crop", "test_time", "merge", "inversion", "rescue"});
  using Spec = ProcedureSpec;
  Spec procedure;
  if (const auto crop = node.find("crop")) {
    procedure.crop = crop->choice<Spec::Crop>({{"none", Spec::Crop::none}, {"foreground", Spec::Crop::foreground}});
  }
  if (const auto views = node.find("test_time")) procedure.views = parse_views(*views);
  if (const auto merge = node.find("merge")) {
    procedure.merge =
        merge->choice<Spec::Merge>({{"logits", Spec::Merge::logits}, {"probabilities", Spec::Merge::probabilities}});
  }
  if (const auto inversion = node.find("inversion")) {
    procedure.inversion = inversion->choice<Spec::Inversion>(
        {{"labels", Spec::Inversion::labels}, {"probabilities", Spec::Inversion::probabilities}});
  }
  if (const auto rescue = node.find("rescue")) procedure.rescue = parse_rescue(*rescue);
  return procedure;
}

std::vector<ChannelSpec> parse_channels(const Node& node) {
  std::vector<ChannelSpec> channels;
  for (const auto& entry : node.list(1)) {
    entry.only({"clip_hu", "scale_to", "mean", "std"});
    ChannelSpec channel;
    const auto clip = entry.at("clip_hu").range();
    channel.low_hu = clip[0];
    channel.high_hu = clip[1];
    const auto scale = entry.at("scale_to").range();
    channel.to_low = scale[0];
    channel.to_high = scale[1];
    if (const auto mean = entry.find("mean")) channel.mean = mean->number();
    if (const auto std = entry.find("std")) channel.std = std->number_between(0, 1e6);
    channels.push_back(channel);
  }
  return channels;
}

bool is_orientation(const std::string& letters) {
  if (letters.size() != 3) return false;
  constexpr const char* axes[] = {"LR", "PA", "SI"};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    if (std::string(axes[axis]).find(letters[axis]) == std::string::npos) return false;
  }
  return true;
}

}  // namespace

void parse_segmenter(const Node& root, ModelSpec& spec) {
  const auto input = root.at("input");
  input.only({"spacing_mm", "orientation", "axes", "channels"});
  input.at("orientation")
      .expect(is_orientation(spec.orientation), "three letters, L or R, P or A, S or I: where x, y and z run to");
  if (const auto axes = input.find("axes"))
    spec.axes = axes->choice<AxisOrder>({{"zyx", AxisOrder::zyx}, {"xyz", AxisOrder::xyz}});
  const auto spacing = input.at("spacing_mm").triple();
  for (std::size_t axis = 0; axis < 3; ++axis) {
    spec.spacing_mm[axis] = spacing[axis].number();
    spacing[axis].expect(spec.spacing_mm[axis] > 0 && spec.spacing_mm[axis] < 1000, "a spacing above 0");
  }
  spec.channels = parse_channels(input.at("channels"));
  root.at("classes").at(0).at("blood").expect(!spec.classes.front().blood, "false: class 0 is background");
  spec.patch = parse_patch(root.at("patch"));
  if (const auto procedure = root.find("procedure")) spec.procedure = parse_procedure(*procedure);
  const auto& [input_size, output_size] = std::tie(spec.patch.input, spec.patch.output);
  for (std::size_t axis = 0; axis < 3; ++axis) {
    root.at("patch").at("input").expect((input_size[axis] - output_size[axis]) % 2 == 0,
                                        "as large as output or larger by an even number of voxels");
  }
  const bool nnunet = spec.patch.places == PatchPlaces::nnunet || spec.patch.blending == Blending::nnunet_gaussian;
  root.at("patch").at("input").expect(!nnunet || input_size == output_size,
                                      "the same as output, with nnU-Net's places");
  root.at("patch").at("input").expect(!spec.procedure.rescue || input_size == output_size,
                                      "the same as output, with a rescue");
  if (const auto thresholds = root.find("thresholds")) thresholds->only({"study"});
}

}  // namespace ichdet::bundle
