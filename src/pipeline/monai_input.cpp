#include <algorithm>
#include <cmath>
#include <set>

#include "monai_parts.hpp"
#include "monai_target.hpp"

namespace ichdet::pipeline {
namespace {

using nlohmann::json;

constexpr double far_hu = 1e5;

bool is_disabled(const JsonReader& component) {
  const auto disabled = component.find("_disabled_");
  return disabled && disabled->value() == true;
}

/// The transforms of a Compose, or of a list.
std::vector<JsonReader> transforms_of(const JsonReader& chain) {
  const auto list = chain.value().is_array() ? chain : chain.at("transforms");
  std::vector<JsonReader> transforms;
  for (const auto& transform : list.list()) {
    if (!is_disabled(transform)) transforms.push_back(transform);
  }
  return transforms;
}

/// What one transform does to the channel that a bundle states: clip, scale, mean and std.
class Intensity {
 public:
  void range(const JsonReader& t) {
    t.expect(!scaled_, "one scaling");
    scaled_ = true;
    low_ = t.at("a_min").number();
    high_ = t.at("a_max").number();
    t.expect(high_ > low_, "a_max above a_min");
    to_low_ = t.at("b_min").number();
    to_high_ = t.at("b_max").number();
    if (const auto clip = t.find("clip")) clips_ = clip->value() == true;
    if (!clips_) {  // the same line, as far as HU reach
      const double slope = (to_high_ - to_low_) / (high_ - low_);
      to_low_ += (-far_hu - low_) * slope;
      to_high_ += (far_hu - high_) * slope;
      low_ = -far_hu;
      high_ = far_hu;
    }
  }
  void normalise(const JsonReader& t) {
    t.expect(t.find("subtrahend") && t.find("divisor") && std_ == 1 && mean_ == 0,
             "subtrahend and divisor: statistics of each scan are not read");
    if (const auto nonzero = t.find("nonzero")) nonzero->expect_equal(false);
    mean_ = t.at("subtrahend").number();
    std_ = t.at("divisor").number();
    t.at("divisor").expect(std_ > 0, "a number above 0");
  }
  json channel() const {
    json channel{{"clip_hu", {low_, high_}}, {"scale_to", {to_low_, to_high_}}};
    if (mean_ != 0 || std_ != 1) channel.update({{"mean", mean_}, {"std", std_}});
    return channel;
  }

 private:
  double low_ = -far_hu, high_ = far_hu, to_low_ = -far_hu, to_high_ = far_hu, mean_ = 0, std_ = 1;
  bool clips_ = false, scaled_ = false;
};

json spacing_of(const JsonReader& t, bool is_oriented) {
  const auto pixdim = t.at("pixdim");
  const auto values = pixdim.list();
  pixdim.expect(values.size() == 3, "three numbers");
  pixdim.expect(is_oriented || (pixdim.value()[0] == pixdim.value()[1] && pixdim.value()[1] == pixdim.value()[2]),
                "Orientationd before Spacingd, or one number for all axes");
  for (const auto& value : values) value.expect(value.number() > 0, "a number above 0");
  return pixdim.value();
}

}  // namespace

MonaiInput input_of_monai(const JsonReader& preprocessing) {
  static const std::set<std::string> without_effect = {"LoadImaged",  "EnsureChannelFirstd", "EnsureTyped", "ToTensord",
                                                       "CastToTyped", "EnsureType",          "ToDeviced"};
  MonaiInput found;
  Intensity intensity;
  json spacing, orientation;
  for (const auto& t : transforms_of(preprocessing)) {
    const auto name = target_of(t);
    if (without_effect.contains(name)) continue;
    if (name == "Orientationd") {
      orientation = t.at("axcodes").text();
    } else if (name == "Spacingd") {
      spacing = spacing_of(t, !orientation.is_null());
    } else if (name == "ScaleIntensityRanged") {
      intensity.range(t);
    } else if (name == "NormalizeIntensityd") {
      intensity.normalise(t);
    } else if (name == "CropForegroundd") {
      if (const auto margin = t.find("margin")) margin->expect_equal(0);
      t.expect(!t.find("select_fn"), "no select_fn, which is not evaluated");
      found.crops_foreground = true;
    } else {
      throw Error::mismatch(ErrorCode::weights, t.where() + "#_target_",
                            "LoadImaged, EnsureChannelFirstd, EnsureTyped, Orientationd, Spacingd, "
                            "ScaleIntensityRanged, NormalizeIntensityd or CropForegroundd",
                            name);
    }
  }
  if (spacing.is_null())
    throw Error(ErrorCode::weights, preprocessing.where() + ": no Spacingd, so the spacing is not known");
  if (orientation.is_null()) {
    throw Error(ErrorCode::weights, preprocessing.where() + ": no Orientationd, so the orientation is not known");
  }
  found.input = {
      {"spacing_mm", spacing}, {"orientation", orientation}, {"axes", "xyz"}, {"channels", {intensity.channel()}}};
  return found;
}

json patch_of_monai(const JsonReader& inferer) {
  const auto name = target_of(inferer);
  if (name != "SlidingWindowInferer" && name != "SlidingWindowInfererAdapt") {
    throw Error::mismatch(ErrorCode::weights, inferer.where() + "#_target_", "SlidingWindowInferer", name);
  }
  const auto roi = inferer.at("roi_size");
  const auto sizes = roi.list();
  roi.expect(sizes.size() == 3, "three numbers");
  auto zyx = json::array();
  for (auto size = sizes.rbegin(); size != sizes.rend(); ++size) {
    size->expect(size->integer() > 0, "a number above 0");
    zyx.push_back(size->integer());
  }
  if (const auto padding = inferer.find("padding_mode")) padding->expect_equal("constant");
  if (const auto value = inferer.find("cval")) value->expect(value->number() == 0, "0");
  if (const auto sigma = inferer.find("sigma_scale")) sigma->expect_equal(0.125);
  const auto mode = inferer.find("mode");
  if (mode) mode->expect(mode->value() == "constant" || mode->value() == "gaussian", "constant or gaussian");
  const auto overlap = inferer.find("overlap");
  return {{"input", zyx},
          {"output", zyx},
          {"step", 0},
          {"padding", "zero"},
          {"overlap", overlap ? overlap->number() : 0.25},
          {"blending", mode && mode->value() == "gaussian" ? "monai gaussian" : "constant"}};
}

void check_postprocessing(const JsonReader& postprocessing) {
  static const std::set<std::string> known = {"Activationsd", "AsDiscreted", "Invertd",    "SaveImaged",
                                              "EnsureTyped",  "ToTensord",   "CopyItemsd", "DeleteItemsd"};
  for (const auto& t : transforms_of(postprocessing)) {
    const auto name = target_of(t);
    if (!known.contains(name)) {
      throw Error::mismatch(ErrorCode::weights, t.where() + "#_target_",
                            "Activationsd, Invertd, AsDiscreted or SaveImaged", name);
    }
    if (name == "Activationsd") t.at("softmax").expect_equal(true);
    if (name == "AsDiscreted") t.at("argmax").expect_equal(true);
  }
}

}  // namespace ichdet::pipeline
