#include "ichdet/train/synthesis.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "../bundle/json_node.hpp"
#include "canvas.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/phantom/distance.hpp"
#include "ichdet/phantom/random.hpp"
#include "ichdet/train/training_study.hpp"
#include "strokes.hpp"

namespace ichdet::train {
namespace {

using shapes::ramp;

constexpr float least_cavity_mm2 = 1500;
constexpr std::array types{HemorrhageType::intraparenchymal, HemorrhageType::intraventricular, HemorrhageType::subdural,
                           HemorrhageType::epidural, HemorrhageType::subarachnoid};

std::optional<Stroke> draw(HemorrhageType type, const Canvas& canvas, Dice& dice) {
  switch (type) {
    case HemorrhageType::intraparenchymal: return draw_intraparenchymal(canvas, dice);
    case HemorrhageType::intraventricular: return draw_intraventricular(canvas, dice);
    case HemorrhageType::subdural: return draw_subdural(canvas, dice);
    case HemorrhageType::epidural: return draw_epidural(canvas, dice);
    case HemorrhageType::subarachnoid: return draw_subarachnoid(canvas, dice);
  }
  return std::nullopt;
}

HemorrhageType draw_type(std::array<double, 5> weights, Dice& dice) {
  double left = dice.uniform() * std::accumulate(weights.begin(), weights.end(), 0.0);
  std::size_t i = 0;
  while (i + 1 < weights.size() && (left >= weights[i] || weights[i] == 0)) left -= weights[i++];
  return types[i];
}

/// What a stroke makes of each pixel.
struct Laid {
  Array3<float> hu;
  Array3<std::uint8_t> label;  ///< 0, 1 blood, `oedema_label`, `unknown_label`
  std::vector<std::int64_t> pixels;
};

/// Whether blood that reads `value` where `base` was stands out: from brain, or in a ventricle from CSF.
bool stands_out(const Canvas& v, const Stroke& stroke, float value, float base, float by_hu) {
  if (value >= v.brain_hu + by_hu && value - base >= by_hu) return true;
  return stroke.type == HemorrhageType::intraventricular && value - base >= 12 + by_hu && value >= v.brain_hu + 1;
}

Laid lay(const Canvas& v, const Stroke& stroke, Dice& dice) {
  const auto& hu = v.stack.hu;
  Laid laid{hu.clone(), Array3<std::uint8_t>(hu.shape()), std::vector<std::int64_t>(std::size_t(v.slices))};
  const auto seed = dice.bits();
  const float visible = std::clamp(0.6F * v.noise_hu, 3.0F, 6.0F);
  v.inside([&](std::int64_t s, std::int64_t r, std::int64_t c) {
    const float part = stroke.part(s, r, c);
    const float was = hu(s, r, c);
    const bool brain = was >= 10 && was <= 90 && v.smooth(s, r, c) <= v.brain_hu + 8;  // blood has no oedema in it
    const float darker = stroke.oedema.empty() || !brain ? 0.0F : (1 - part) * stroke.oedema(s, r, c);
    if (darker > 0) {
      laid.hu(s, r, c) = std::clamp(was - darker, v.low_hu, v.high_hu);
      if (darker > 3 && part < 0.5F) laid.label(s, r, c) = oedema_label;
    }
    if (part < 0.02F) return;
    if (was < -60) return;
    const float base = std::clamp(own_tissue(hu, s, r, c), std::max(0.0F, v.low_hu), v.brain_hu + 8);
    const float bone = std::clamp(v.clipped ? (was - 64) / (v.high_hu - 64) : (was - 90) / 700, 0.0F, 1.0F);
    float value = was + part * (1 - bone) * (stroke.hu(s, r, c) - base);
    if (v.clipped && was <= v.low_hu + 0.5F) {  // noise that was cut off
      value += part * v.noise_hu * counter_normal(seed, 7, std::uint64_t((s * v.rows + r) * v.columns + c));
    }
    value = std::min(value, std::max(was, stroke.hu(s, r, c) + 2 * v.noise_hu));  // over blood or a dense falx
    laid.hu(s, r, c) = std::clamp(value - darker, v.low_hu, v.high_hu);
    const float expected = base + part * (stroke.hu(s, r, c) - base);
    const float least = stroke.type == HemorrhageType::subarachnoid ? 0.35F : 0.5F;
    if (part < least || bone > (v.clipped ? 0.6F : 0.05F) || was < base - 20) return;
    auto& label = laid.label(s, r, c);
    if (stands_out(v, stroke, expected, base, visible)) {
      label = 1;
      ++laid.pixels[std::size_t(s)];
    } else {
      label = unknown_label;
    }
  });
  return laid;
}

}  // namespace

bool Synthesised::shows(HemorrhageType type) const {
  const auto i = std::size_t(type) - 1;
  return std::any_of(pixels.begin(), pixels.end(), [&](const auto& slice) { return slice[i] > 0; });
}

bool Synthesised::any() const {
  return std::any_of(types.begin(), types.end(), [&](auto type) { return shows(type); });
}

Synthesised synthesise(SliceStack& slab, Array3<std::uint8_t>& mask, const HeadAnatomy& anatomy,
                       const SynthesisOptions& options, std::uint64_t seed) {
  if (mask.shape() != slab.hu.shape()) throw Error(ErrorCode::shape, "mask: expected the slab's shape, found another");
  Synthesised result{std::vector<std::array<std::int64_t, 5>>(std::size_t(slab.hu.extent(0)))};
  std::optional<Canvas> canvas(look_at(slab, anatomy));
  if (canvas->cavity_mm2 < least_cavity_mm2) return result;
  Dice dice(seed);
  int wanted = 1;
  while (wanted < 3 && dice.chance(options.further_type)) ++wanted;
  const float pixel_mm2 = canvas->row_mm * canvas->column_mm;
  for (int tries = 0; tries < 8 && wanted > 0; ++tries) {
    const auto stroke = draw(draw_type(options.type_weights, dice), *canvas, dice);
    if (!stroke) continue;
    auto laid = lay(*canvas, *stroke, dice);
    const auto most = *std::max_element(laid.pixels.begin(), laid.pixels.end());
    if (float(most) * pixel_mm2 < options.least_area_mm2) continue;
    if (!stroke->distance.empty() && !result.any()) {
      push_aside(*canvas, mask, *stroke);
      laid = lay(*canvas, *stroke, dice);
    }
    std::copy(laid.hu.begin(), laid.hu.end(), slab.hu.begin());
    const auto kind = std::size_t(stroke->type) - 1;
    for (std::int64_t i = 0; i < mask.size(); ++i) {
      const auto label = laid.label.data()[i];
      if (label == 1) mask.data()[i] = options.labels[kind];
      if (label == ichdet::oedema_label && options.oedema_label != 0 && mask.data()[i] == 0) {
        mask.data()[i] = options.oedema_label;
      }
      if (label == unknown_label && mask.data()[i] == 0) mask.data()[i] = unknown_label;
    }
    for (std::size_t s = 0; s < result.pixels.size(); ++s) result.pixels[s][kind] += laid.pixels[s];
    if (--wanted > 0) canvas.emplace(look_at(slab, anatomy));
  }
  return result;
}

SynthesisOptions synthesis_options(const nlohmann::json& object, const std::string& subject) {
  SynthesisOptions options;
  const bundle::Node node(object, subject, "");
  node.only({"intraparenchymal", "intraventricular", "subdural", "epidural", "subarachnoid", "further_type",
             "least_area_mm2"});
  const auto read = [&](const std::string& key, double& value) {
    if (const auto found = node.find(key)) {
      value = found->number();
      found->expect(value >= 0, "a number not below 0");
    }
  };
  for (std::size_t i = 0; i < types.size(); ++i) read(std::string(to_string(types[i])), options.type_weights[i]);
  read("further_type", options.further_type);
  read("least_area_mm2", options.least_area_mm2);
  const auto& w = options.type_weights;
  node.expect(std::any_of(w.begin(), w.end(), [](double weight) { return weight > 0; }),
              "a type with a weight above 0");
  return options;
}

}  // namespace ichdet::train
