#include <algorithm>
#include <numeric>

#include "lower.hpp"

namespace ichdet::onnx {
namespace {

template <std::size_t Spatial>
std::vector<Attribute> window(const Call& call) {
  call.require(call.sizes("self").size() == Spatial + 2, "an input without a batch axis");
  const auto kernel = call.integers("kernel_size", Spatial, 1);
  const auto stride = call.integers("stride").empty() ? kernel : call.integers("stride", Spatial, 1);
  return {{"kernel_shape", kernel},
          {"strides", stride},
          {"pads", twice(call.integers("padding", Spatial, 0))},
          {"ceil_mode", std::int64_t(call.flag("ceil_mode"))}};
}

template <std::size_t Spatial>
Names max_pool(const Call& call) {
  auto attributes = window<Spatial>(call);
  attributes.emplace_back("dilations", call.integers("dilation", Spatial, 1));
  return {call.graph.add("MaxPool", {call.tensor("self")}, attributes)};
}

template <std::size_t Spatial>
Names avg_pool(const Call& call) {
  call.require(!call.has("divisor_override"), "divisor_override");
  auto attributes = window<Spatial>(call);
  const bool padded = call.integers("padding", Spatial, 0) != std::vector<std::int64_t>(Spatial, 0);
  // Runtimes differ in what a last window beyond the edge counts.
  call.require(!call.flag("ceil_mode") || !padded, "ceil_mode with padding");
  attributes.emplace_back("count_include_pad", std::int64_t(call.flag("count_include_pad")));
  return {call.graph.add("AveragePool", {call.tensor("self")}, attributes)};
}

/// To one value for each channel, or in windows of one size.
template <std::size_t Spatial>
Names adaptive(const Call& call, const char* global, const char* pool) {
  const auto in = call.sizes("self"), out = call.integers("output_size", Spatial, 1);
  call.require(in.size() == Spatial + 2, "an input without a batch axis");
  if (std::all_of(out.begin(), out.end(), [](std::int64_t n) { return n == 1; })) {
    return {call.graph.add(global, {call.tensor("self")})};
  }
  std::vector<std::int64_t> size;
  for (std::size_t axis = 0; axis < Spatial; ++axis) {
    call.require(in[axis + 2] % out[axis] == 0, "windows of several sizes");
    size.push_back(in[axis + 2] / out[axis]);
  }
  return {call.graph.add(pool, {call.tensor("self")}, {{"kernel_shape", size}, {"strides", size}})};
}

template <std::size_t Spatial>
Names adaptive_avg_pool(const Call& call) {
  return adaptive<Spatial>(call, "GlobalAveragePool", "AveragePool");
}
template <std::size_t Spatial>
Names adaptive_max_pool(const Call& call) {
  return adaptive<Spatial>(call, "GlobalMaxPool", "MaxPool");
}

std::vector<std::int64_t> axes(const Call& call) {
  const auto rank = std::int64_t(call.sizes("self").size());
  std::vector<std::int64_t> found;
  if (call.has("dim")) found = call.integers("dim", call.integers("dim").size(), 0);
  if (found.empty()) {
    found.resize(std::size_t(rank));
    std::iota(found.begin(), found.end(), 0);
  }
  for (auto& axis : found) axis += axis < 0 ? rank : 0;
  return found;
}

Names mean(const Call& call) {
  return {call.graph.add("ReduceMean", {call.tensor("self")},
                         {{"axes", axes(call)}, {"keepdims", std::int64_t(call.flag("keepdim"))}})};
}

Names sum(const Call& call) {
  return {call.graph.add("ReduceSum", {call.tensor("self"), call.graph.constant(axes(call))},
                         {{"keepdims", std::int64_t(call.flag("keepdim"))}})};
}

Names highest(const Call& call) {
  return {call.graph.add("ReduceMax", {call.tensor("self")},
                         {{"axes", axes(call)}, {"keepdims", std::int64_t(call.flag("keepdim"))}})};
}

Names resized(const Call& call, const char* mode, const char* where, const char* rounding = nullptr) {
  const auto* image = call.has("self") ? "self" : "input";  // by overload
  std::vector<Attribute> attributes{{"mode", std::string(mode)},
                                    {"coordinate_transformation_mode", std::string(where)}};
  if (rounding != nullptr) attributes.emplace_back("nearest_mode", std::string(rounding));
  return {call.graph.add("Resize", {call.tensor(image), "", "", call.graph.constant(call.result_sizes())}, attributes)};
}

Names nearest(const Call& call) { return resized(call, "nearest", "asymmetric", "floor"); }
Names nearest_exact(const Call& call) { return resized(call, "nearest", "half_pixel", "round_prefer_ceil"); }
Names linear(const Call& call) {
  return resized(call, "linear", call.flag("align_corners") ? "align_corners" : "half_pixel");
}

/// LibTorch counts axes from the last one: (before, after) of each.
Names padded(const Call& call, const char* mode) {
  const auto amounts = call.integers(call.has("pad") ? "pad" : "padding");
  const auto rank = call.sizes("self").size();
  std::vector<std::int64_t> pads(2 * rank, 0);
  for (std::size_t i = 0; i < amounts.size() / 2; ++i) {
    pads[rank - 1 - i] = amounts[2 * i];
    pads[2 * rank - 1 - i] = amounts[2 * i + 1];
  }
  Names inputs{call.tensor("self"), call.graph.constant(pads)};
  if (std::string(mode) == "constant") {
    inputs.push_back(call.graph.constant(call.has("value") ? call.number("value") : 0.));
  }
  return {call.graph.add("Pad", inputs, {{"mode", std::string(mode)}})};
}

Names constant_pad(const Call& call) { return padded(call, "constant"); }
Names reflection_pad(const Call& call) { return padded(call, "reflect"); }
Names replication_pad(const Call& call) { return padded(call, "edge"); }

Names pad_by_name(const Call& call) {
  const auto mode = call.text("mode");
  if (mode == "constant") return constant_pad(call);
  if (mode == "reflect") return reflection_pad(call);
  if (mode == "replicate") return replication_pad(call);
  call.refuse("mode " + mode);
}

}  // namespace

Table samplings() {
  Table table{{"max_pool1d", max_pool<1>},
              {"max_pool2d", max_pool<2>},
              {"max_pool3d", max_pool<3>},
              {"max_pool2d_with_indices", max_pool<2>},
              {"max_pool3d_with_indices", max_pool<3>},
              {"avg_pool1d", avg_pool<1>},
              {"avg_pool2d", avg_pool<2>},
              {"avg_pool3d", avg_pool<3>},
              {"adaptive_avg_pool1d", adaptive_avg_pool<1>},
              {"adaptive_avg_pool2d", adaptive_avg_pool<2>},
              {"adaptive_avg_pool3d", adaptive_avg_pool<3>},
              {"adaptive_max_pool1d", adaptive_max_pool<1>},
              {"adaptive_max_pool2d", adaptive_max_pool<2>},
              {"adaptive_max_pool3d", adaptive_max_pool<3>},
              {"mean", mean},
              {"sum", sum},
              {"amax", highest},
              {"constant_pad_nd", constant_pad},
              {"pad", pad_by_name}};
  for (const auto* name : {"upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d"}) table[name] = nearest;
  for (const auto* name : {"_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "_upsample_nearest_exact3d"}) {
    table[name] = nearest_exact;
  }
  for (const auto* name : {"upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d"}) table[name] = linear;
  for (const auto* name : {"reflection_pad1d", "reflection_pad2d", "reflection_pad3d"}) table[name] = reflection_pad;
  for (const auto* name : {"replication_pad1d", "replication_pad2d", "replication_pad3d"})
    table[name] = replication_pad;
  return table;
}

}  // namespace ichdet::onnx
