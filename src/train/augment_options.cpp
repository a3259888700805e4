#include <array>
#include <set>
#include <string>
#include <utility>

#include "../bundle/json_node.hpp"
#include "ichdet/train/augment.hpp"

namespace ichdet::train {
namespace {

using Options = AugmentOptions;

constexpr std::array probabilities{
    std::pair{"neighbour_dropout", &Options::neighbour_dropout},
    std::pair{"neighbour_repeat", &Options::neighbour_repeat},
    std::pair{"flip_columns", &Options::flip_columns},
    std::pair{"flip_rows", &Options::flip_rows},
    std::pair{"flip_slices", &Options::flip_slices},
};
constexpr std::array chances{
    std::pair{"rotation_degrees", &Options::rotation_degrees},
    std::pair{"tilt_degrees", &Options::tilt_degrees},
    std::pair{"scale", &Options::scale},
    std::pair{"stretch", &Options::stretch},
    std::pair{"shear", &Options::shear},
    std::pair{"shift_mm", &Options::shift_mm},
    std::pair{"elastic_mm", &Options::elastic_mm},
    std::pair{"elastic_period_mm", &Options::elastic_period_mm},
    std::pair{"neighbour_shift_mm", &Options::neighbour_shift_mm},
    std::pair{"clip_hu", &Options::clip_hu},
    std::pair{"low_resolution", &Options::low_resolution},
    std::pair{"blur_mm", &Options::blur_mm},
    std::pair{"sharpen", &Options::sharpen},
    std::pair{"slice_blend", &Options::slice_blend},
    std::pair{"cupping_hu", &Options::cupping_hu},
    std::pair{"shading_hu", &Options::shading_hu},
    std::pair{"gain", &Options::gain},
    std::pair{"offset_hu", &Options::offset_hu},
    std::pair{"brain_gain", &Options::brain_gain},
    std::pair{"gamma", &Options::gamma},
    std::pair{"noise_hu", &Options::noise_hu},
    std::pair{"noise_grain_mm", &Options::noise_grain_mm},
};

double probability(const bundle::Node& node) {
  const double value = node.number();
  node.expect(value >= 0 && value <= 1, "a probability, 0 to 1");
  return value;
}

Chance chance(const bundle::Node& node) {
  const auto [often, low, high] = node.triple();
  const Chance result{probability(often), {low.number(), high.number()}};
  node.expect(result.range[0] <= result.range[1], "[probability, low, high], low not above high");
  return result;
}

}  // namespace

AugmentOptions augment_options(const nlohmann::json& object, const std::string& subject) {
  const bundle::Node node(object, subject, "");
  const auto only = node.find("only");
  Options options = only && only->truth() ? no_augmentation() : Options();
  std::set<std::string> known{"only"};
  for (const auto& [key, member] : probabilities) {
    known.insert(key);
    if (const auto found = node.find(key)) options.*member = probability(*found);
  }
  for (const auto& [key, member] : chances) {
    known.insert(key);
    if (const auto found = node.find(key)) options.*member = chance(*found);
  }
  node.only(known);
  for (const auto* positive : {"scale", "stretch", "gain", "brain_gain", "gamma"}) {
    if (const auto found = node.find(positive)) found->expect(found->at(1).number() > 0, "bounds above 0");
  }
  return options;
}

AugmentOptions no_augmentation() {
  Options options;
  for (const auto& [key, member] : probabilities) options.*member = 0;
  for (const auto& [key, member] : chances) (options.*member).probability = 0;
  return options;
}

}  // namespace ichdet::train
