#include "classifier_spec.hpp"

namespace ichdet::bundle {
namespace {

Window window_of(const Node& entry, const ImageSpec& image) {
  const auto clip = entry.at("clip_hu").range();
  if (image.clip_hu) {
    const auto [low, high] = *image.clip_hu;
    entry.at("clip_hu").expect(clip[0] >= low && clip[1] <= high, "a window within input's clip_hu");
  }
  return {clip[0], clip[1]};
}

std::vector<WeightedWindow> parse_mix(const Node& node, const ImageSpec& image) {
  node.expect(!image.levels, "none but with \"levels\": \"float\"");
  std::vector<WeightedWindow> mix;
  for (const auto& entry : node.list(1)) {
    entry.only({"clip_hu", "weight"});
    mix.push_back({window_of(entry, image), entry.at("weight").number()});
  }
  return mix;
}

std::vector<ChannelSpec> parse_channels(const Node& node, const ImageSpec& image) {
  std::vector<ChannelSpec> channels;
  for (const auto& entry : node.list(1)) {
    ChannelSpec channel;
    Window range;
    if (const auto mix = entry.find("mix")) {
      entry.only({"mix", "mean", "std", "slice", "brain"});
      channel.mix = parse_mix(*mix, image);
      range = channel.mix.front().window;
      for (const auto& [window, unused] : channel.mix) {
        range = {std::min(range.low_hu, window.low_hu), std::max(range.high_hu, window.high_hu)};
      }
    } else {
      entry.only({"clip_hu", "mean", "std", "slice", "brain"});
      range = window_of(entry, image);
    }
    channel.low_hu = range.low_hu;
    channel.high_hu = range.high_hu;
    channel.mean = entry.at("mean").number();
    channel.std = entry.at("std").number_between(0, 1e6);
    if (const auto slice = entry.find("slice")) channel.slice = slice->integer(-16, 16);
    if (const auto brain = entry.find("brain")) channel.brain = brain->truth();
    channels.push_back(channel);
  }
  return channels;
}

ImageSpec parse_image(const Node& input, Task task) {
  ImageSpec image;
  const auto size = input.at("size").list(2);
  input.at("size").expect(size.size() == 2, "[rows, columns]");
  image.size = {size[0].integer(1, 4096), size[1].integer(1, 4096)};
  image.fit =
      input.at("fit").choice<ImageSpec::Fit>({{"resize", ImageSpec::Fit::resize}, {"crop", ImageSpec::Fit::crop}});
  if (const auto spacing = input.find("spacing_mm")) {
    spacing->expect(image.fit == ImageSpec::Fit::crop, "none with \"fit\": \"resize\"");
    image.spacing_mm = spacing->number_between(0, 100);
  }
  if (const auto centre = input.find("centre")) {
    centre->expect(image.fit == ImageSpec::Fit::crop, "none with \"fit\": \"resize\"");
    image.centre =
        centre->choice<ImageSpec::Centre>({{"image", ImageSpec::Centre::image}, {"head", ImageSpec::Centre::head}});
  }
  if (const auto clip = input.find("clip_hu")) image.clip_hu = clip->range();
  if (const auto thickness = input.find("slice_mm")) {
    thickness->expect(task != Task::exam_classification, "none of an exam, whose images are interpolated");
    image.slice_mm = thickness->number_between(0, 100);
  }
  image.levels = input.at("levels").choice<std::optional<Rounding>>(
      {{"truncate", Rounding::truncate}, {"nearest", Rounding::nearest}, {"float", std::nullopt}});
  if (task == Task::exam_classification) image.exam_slices = input.at("exam_slices").integer(1, 4096);
  return image;
}

CaseRule parse_rule(const Node& node, Task task) {
  CaseRule rule;
  if (task == Task::exam_classification) {
    node.only({"case_threshold"});
    rule.kind = CaseRuleKind::maximum;
    rule.case_threshold = node.at("case_threshold").number_between(0, 1);
    rule.slice_threshold = rule.case_threshold;
    return rule;
  }
  rule.kind = node.at("rule").choice<CaseRuleKind>({{"percent", CaseRuleKind::percent},
                                                    {"maximum", CaseRuleKind::maximum},
                                                    {"noisy-or", CaseRuleKind::noisy_or},
                                                    {"top-mean", CaseRuleKind::top_mean},
                                                    {"logistic", CaseRuleKind::logistic}});
  rule.slice_threshold = node.at("slice_threshold").number_between(0, 1);
  std::set<std::string> keys{"rule", "slice_threshold"};
  const auto own = [&](const char* key) {
    keys.insert(key);
    return node.at(key);
  };
  if (rule.kind == CaseRuleKind::percent) {
    rule.percent = own("percent").number();
  } else {
    rule.case_threshold = own("case_threshold").number_between(0, 1);
  }
  if (rule.kind == CaseRuleKind::top_mean) rule.top = own("top").integer(1, 1000);
  if (rule.kind == CaseRuleKind::logistic) {
    rule.logistic.intercept = own("intercept").number();
    for (const auto& weight : own("weights").list(1)) rule.logistic.weights.push_back(weight.number());
  }
  node.only(keys);
  try {
    check(rule);
  } catch (const Error& e) {
    node.expect(false, e.what());
  }
  return rule;
}

}  // namespace

void parse_classifier(const Node& root, ModelSpec& spec) {
  const auto input = root.at("input");
  std::set<std::string> keys{"size",    "fit",      "spacing_mm",  "centre",  "levels",
                             "clip_hu", "slice_mm", "orientation", "channels"};
  if (spec.task == Task::exam_classification) keys.insert("exam_slices");
  input.only(keys);
  input.at("orientation").expect(spec.orientation == "LPS", "\"LPS\"");
  spec.image = parse_image(input, spec.task);
  spec.channels = parse_channels(input.at("channels"), spec.image);
  const bool tells = std::ranges::any_of(spec.classes, &ClassSpec::blood);
  root.at("classes").expect(tells, "a class with \"blood\": true");
  root.at("output").only({"activation"});
  spec.activation = root.at("output")
                        .at("activation")
                        .choice<Activation>({{"softmax", Activation::softmax}, {"sigmoid", Activation::sigmoid}});
  spec.rule = parse_rule(root.at("decision"), spec.task);
}

}  // namespace ichdet::bundle
