#include <openvino/op/interpolate.hpp>
#include <openvino/op/pad.hpp>

#include <cmath>
#include <numeric>

#include "lower.hpp"

namespace ichdet::openvino {
namespace {

namespace op = ov::op;
using Interpolate = op::v11::Interpolate;

/// OpenVINO takes its scales from the sizes. A scale that the caller gave counts in LibTorch, so it has to be the same.
void check_scales(const Call& call, const std::vector<std::int64_t>& in, const std::vector<std::int64_t>& out) {
  const bool listed = call.has("scale_factors");
  for (std::size_t axis = 2; axis < in.size(); ++axis) {
    static const char* const names[] = {"scales_w", "scales_h", "scales_d"};
    const std::string name = in.size() == 3 ? "scales" : names[in.size() - 1 - axis];
    if (!listed && !call.has(name)) continue;
    const auto scale = listed ? call.numbers("scale_factors").at(axis - 2) : call.number(name);
    call.require(double(in[axis]) * scale == double(out[axis]), "a scale that is not the sizes' ratio");
  }
}

Value interpolate(const Call& call, const Interpolate::InterpolateAttrs& attributes) {
  const auto* image = call.has("self") ? "self" : "input";  // by overload
  const auto in = call.sizes(image), out = call.result_sizes();
  check_scales(call, in, out);
  std::vector<std::int64_t> axes(in.size() - 2);
  std::iota(axes.begin(), axes.end(), 2);
  return std::make_shared<Interpolate>(call.tensor(image), constant({out.begin() + 2, out.end()}), constant(axes),
                                       attributes);
}

Interpolate::InterpolateAttrs attributes(Interpolate::InterpolateMode mode, Interpolate::CoordinateTransformMode where,
                                         Interpolate::NearestMode nearest = Interpolate::NearestMode::FLOOR) {
  return {mode, Interpolate::ShapeCalcMode::SIZES, {0}, {0}, where, nearest};
}

Values nearest(const Call& call) {
  return {interpolate(
      call, attributes(Interpolate::InterpolateMode::NEAREST, Interpolate::CoordinateTransformMode::ASYMMETRIC))};
}

Values nearest_exact(const Call& call) {
  return {interpolate(
      call, attributes(Interpolate::InterpolateMode::NEAREST, Interpolate::CoordinateTransformMode::HALF_PIXEL,
                       Interpolate::NearestMode::ROUND_PREFER_CEIL))};
}

template <Interpolate::InterpolateMode Mode>
Values smooth(const Call& call) {
  const auto where = call.flag("align_corners") ? Interpolate::CoordinateTransformMode::ALIGN_CORNERS
                                                : Interpolate::CoordinateTransformMode::HALF_PIXEL;
  return {interpolate(call, attributes(Mode, where))};
}

/// LibTorch counts axes from the last one: (before, after) of each.
Value pad(const Call& call, op::PadMode mode) {
  const auto amounts = call.integers(call.has("pad") ? "pad" : "padding");
  const auto rank = call.sizes("self").size();
  std::vector<std::int64_t> before(rank, 0), after(rank, 0);
  for (std::size_t i = 0; i < amounts.size() / 2; ++i) {
    before[rank - 1 - i] = amounts[2 * i];
    after[rank - 1 - i] = amounts[2 * i + 1];
  }
  const auto value = constant(call.has("value") ? call.number("value") : 0.);
  return std::make_shared<op::v12::Pad>(call.tensor("self"), constant(before), constant(after), value, mode);
}

template <op::PadMode Mode>
Values pad_by_mode(const Call& call) {
  return {pad(call, Mode)};
}

Values pad_by_name(const Call& call) {
  const auto mode = call.text("mode");
  if (mode == "constant") return {pad(call, op::PadMode::CONSTANT)};
  if (mode == "reflect") return {pad(call, op::PadMode::REFLECT)};
  if (mode == "replicate") return {pad(call, op::PadMode::EDGE)};
  call.refuse("mode " + mode);
}

}  // namespace

Table resizings() {
  constexpr auto linear = smooth<Interpolate::InterpolateMode::LINEAR_ONNX>;
  constexpr auto reflect = pad_by_mode<op::PadMode::REFLECT>;
  constexpr auto replicate = pad_by_mode<op::PadMode::EDGE>;
  return {{"upsample_nearest1d", nearest},
          {"upsample_nearest2d", nearest},
          {"upsample_nearest3d", nearest},
          {"_upsample_nearest_exact1d", nearest_exact},
          {"_upsample_nearest_exact2d", nearest_exact},
          {"_upsample_nearest_exact3d", nearest_exact},
          {"upsample_linear1d", linear},
          {"upsample_bilinear2d", linear},
          {"upsample_trilinear3d", linear},
          {"upsample_bicubic2d", smooth<Interpolate::InterpolateMode::CUBIC>},
          {"constant_pad_nd", pad_by_mode<op::PadMode::CONSTANT>},
          {"reflection_pad1d", reflect},
          {"reflection_pad2d", reflect},
          {"reflection_pad3d", reflect},
          {"replication_pad1d", replicate},
          {"replication_pad2d", replicate},
          {"replication_pad3d", replicate},
          {"pad", pad_by_name}};
}

}  // namespace ichdet::openvino
