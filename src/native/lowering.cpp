#include "lowering.hpp"

#include <algorithm>
#include <set>

#include "../nn/affine.hpp"
#include "builder.hpp"
#include "transfer.hpp"

namespace ichdet::native {
namespace {

/// Kernels of volumes are often flat along one axis, at full resolution. Rows then lie along another one, so that
/// several of a kernel's pixels lie beside each other, and planes along the flat one, so that a plane needs no others.
Axes volume_axes(Name input) {
  Axes axes{0, 1, 2};
  for (const auto& use : input->uses()) {
    if (!is(use.user, "aten::_convolution")) continue;
    const auto weight = constant_tensor(use.user, 1);
    if (!weight || weight->dim() != 5) continue;
    std::stable_sort(axes.begin(), axes.end(), [&](int a, int b) { return weight->size(2 + a) < weight->size(2 + b); });
    break;
  }
  return axes;
}

}  // namespace

void Lowering::lower(const Node* node) {
  if (node->kind() == torch::jit::prim::Constant || taken_.contains(node) || take_small(node)) return;
  if (node->kind() == torch::jit::prim::ListConstruct) return;
  if (is(node, "aten::max_pool2d_with_indices") || is(node, "aten::max_pool3d_with_indices")) {
    return indexed_pooling(node);
  }
  if (node->outputs().size() != 1) refuse(node, "with several outputs");
  const auto out = node->output();
  const auto alias = [&] {
    Value copy = made(node->input(0));
    values_[out] = std::move(copy);
  };
  if (is(node, "aten::_convolution")) return convolution(node);
  if (of_vectors(node)) return by_libtorch(node);
  if (const auto activation = activation_of(node)) {
    if (at(node->input(0)).floats) refuse(node, "of a vector");
    return materialise(out, unmade(node->input(0)), *activation, {}, {});
  }
  if (is(node, "aten::batch_norm")) {
    const auto affine = nn::affine_of(node);
    if (!affine) refuse(node, "in training");
    Name last = out;
    const auto activation = take_activation(last).value_or(Activation{});
    return materialise(last, sum_of({{node->input(0), 1, {}, {}}}), activation, affine->scale, affine->shift);
  }
  if (is(node, "aten::mul") || is(node, "aten::div")) {
    if (node->inputs().size() != 2) refuse(node, "that rounds");
    for (const int i : {0, 1}) {
      auto factor = factor_of(node->input(std::size_t(1 - i)));
      if (!factor || (i == 1 && is(node, "aten::div"))) continue;
      if (is(node, "aten::div")) factor = 1 / *factor;
      const auto name = node->input(std::size_t(i));
      Value value;
      const auto& part = at(name);
      if (unmade_sum(name)) {
        value.terms = part.terms;
        for (auto& term : value.terms) term.factor *= *factor;
      } else {
        value.terms = {{name, *factor, {}, {}}};
      }
      values_[out] = std::move(value);
      return;
    }
    if (is(node, "aten::mul")) {
      for (const int i : {0, 1}) {
        const auto factor = node->input(std::size_t(i)), other = node->input(std::size_t(1 - i));
        if (!at(factor).small || at(other).small) continue;
        if (size_of(other) != size_of(out)) refuse(node, "that enlarges a map");
        Value value;
        const auto& part = at(other);
        const bool lazy = !part.factors.empty() && !part.made();
        value.source = lazy ? part.source : other;
        if (lazy) value.factors = part.factors;
        value.factors.push_back(factor);
        values_[out] = std::move(value);
        return;
      }
      for (const int i : {0, 1}) {
        const auto gate = node->input(std::size_t(i)), source = node->input(std::size_t(1 - i));
        if (!at(gate).floats || at(source).floats) continue;
        const auto size = size_of(out);
        std::vector<std::int64_t> of_channels(size.size(), 1);
        of_channels[1] = size[1];
        if (size_of(source) != size || size_of(gate) != of_channels) {
          refuse(node, "of a map and a vector that is no value for each channel");
        }
        Value value;
        value.gate = gate;
        value.source = source;
        values_[out] = std::move(value);
        return;
      }
    }
    if (gate_gradient(node)) return;
    refuse(node, "of two maps");
  }
  if (is(node, "aten::add") || is(node, "aten::sub")) {
    const auto alpha = factor_of(node->input(2));
    if (!alpha) refuse(node);
    if (*alpha == 1 && is(node, "aten::add") && shifted_sum(node)) return;
    return sum(node, is(node, "aten::sub") ? -*alpha : *alpha);
  }
  if (is(node, "aten::instance_norm")) return instance_norm(node);
  if (is(node, "aten::upsample_nearest2d") || is(node, "aten::upsample_nearest3d")) {
    const auto size = size_of(out), from = size_of(node->input(0));
    for (std::size_t i = 2; i < node->inputs().size(); ++i) {
      const auto given = constant(node->input(i));
      if (given && given->isNone()) continue;
      if (!given || !given->isDouble() || given->toDouble() != double(size[i]) / double(from[i])) {
        refuse(node, "by a scale that is not the sizes'");
      }
    }
    map(node->input(0));
    values_[out] = sum_of({{node->input(0), 1, extent_of(out), {}}});
    return;
  }
  if (is(node, "aten::constant_pad_nd")) {
    const auto pad = argument(node, 1).toIntVector();
    if (std::int64_t(pad.size()) != 2 * dimensions()) refuse(node, "of other than all dimensions");
    if (*std::min_element(pad.begin(), pad.end()) < 0) refuse(node, "that crops");
    Value value;
    value.source = node->input(0);
    map(value.source);
    for (std::size_t i = 0; i < 3; ++i) {
      if (axes_[i] < 0) continue;
      const auto last_first = std::size_t(2 * (dimensions() - 1 - axes_[i]));
      value.pad_before[i] = pad[last_first];
      value.pad_behind[i] = pad[last_first + 1];
    }
    value.pad_value = argument(node, 2).toScalar().toDouble();
    if (!value.padded()) return alias();
    values_[out] = std::move(value);
    return;
  }
  if (is(node, "aten::max_pool2d") || is(node, "aten::max_pool3d")) return pooling(node, true);
  if (is(node, "aten::avg_pool2d") || is(node, "aten::avg_pool3d")) return pooling(node, false);
  if (is(node, "aten::adaptive_avg_pool2d") || is(node, "aten::adaptive_avg_pool3d")) {
    if (triple(argument(node, 1), axes_, 1) != Triple{1, 1, 1}) refuse(node, "to more than one pixel");
    return mean(node->input(0), out);
  }
  if (is(node, "aten::mean")) {
    if (partial_mean(node)) return;
    const auto axes = constant(node->input(1));
    if (!axes || !axes->isIntList()) refuse(node);
    std::set<std::int64_t> found;
    std::set<std::int64_t> all{2, 3};
    if (dimensions() == 3) all.insert(4);
    for (const auto axis : axes->toIntVector()) found.insert(axis < 0 ? axis + 2 + dimensions() : axis);
    if (found != all) refuse(node, "over other than all pixels");
    return mean(node->input(0), out);
  }
  if (const auto slope = slope_of(node)) return sloped(node, *slope);
  if (is(node, "aten::max_pool2d_with_indices_backward")) return pooling_gradient(node);
  if (is(node, "aten::expand")) {
    if (!at(node->input(0)).floats) refuse(node, "of a map");
    values_[out].shift = node->input(0);
    return;
  }
  if (is(node, "aten::cat")) return cat(node);
  if (is(node, "aten::dropout") || is(node, "aten::feature_dropout") || is(node, "aten::contiguous")) return alias();
  if (is(node, "aten::flatten") || is(node, "aten::view") || is(node, "aten::reshape") || is(node, "aten::squeeze")) {
    const auto from = size_of(node->input(0)), to = size_of(out);
    if (to.empty() || to.front() != 1) refuse(node, "across images");
    if (at(node->input(0)).floats || from == to) return alias();
    if (to.size() != 2) refuse(node, "of a map to other than a vector");
    return flatten(node->input(0), out);
  }
  if (is(node, "aten::linear")) {
    const auto weight = constant_tensor(node, 1), bias = constant_tensor(node, 2);
    if (!weight || !bias) refuse(node, "whose weights are not constant");
    return dense(node->input(0), *weight, *bias, out);
  }
  refuse(node);
}

void Lowering::input(Name name) {
  const auto size = size_of(name);
  if ((size.size() != 4 && size.size() != 5) || size[0] != 1) refuse("an input that is no image or volume");
  if (size.size() == 5) axes_ = volume_axes(name);
  const bool convolved = std::all_of(name->uses().begin(), name->uses().end(), [](const auto& use) {
    return is(use.user, "aten::_convolution") || is(use.user, "aten::constant_pad_nd");
  });
  values_[name] = new_map(size[1], name, size[1] <= 4 && convolved ? 4 : channels);
  input_ = name;
  emit([this, name] { return Step{0, {}, [m = map_of(at(name))](char* arena) { clear_borders(m, arena); }}; });
}

void Lowering::output(Name name, Program& program) {
  program.output_shape = size_of(name);
  const auto value = made(name);
  read(value);
  plan_.place();
  if (value.floats) {
    program.write = [from = plan_.offset(*value.floats), places = value.channel_of](const char* arena, float* out,
                                                                                    std::int64_t, std::int64_t) {
      const auto* x = reinterpret_cast<const float*>(arena + from);
      for (const auto place : places) *out++ = x[place];
    };
  } else {
    const auto m = map_of(value);
    program.rows_written = m.rows();
    program.write = [m, places = value.channel_of, strides = strides_of(m.size, axes_)](
                        const char* arena, float* out, std::int64_t begin, std::int64_t end) {
      write_rows(m, places, arena, out, strides, begin, end);
    };
  }
}

Program Lowering::program() {
  if (graph_.inputs().size() != 1 || graph_.outputs().size() != 1) refuse("a graph of several inputs or outputs");
  Program program;
  input(graph_.inputs().front());
  for (const auto* node : graph_.nodes()) lower(node);
  output(graph_.outputs().front(), program);
  for (const auto& build : builds_) program.steps.push_back(build());
  // Tiles of strided convolutions read beyond the last pixel that counts, and beyond the last map.
  constexpr std::int64_t readable = 16 * 128 * 16;
  program.bytes = plan_.bytes() + readable;
  const auto image = map_of(at(input_));
  program.rows_read = image.rows();
  program.read = [image, count = std::int64_t(at(input_).channel_of.size()), strides = strides_of(image.size, axes_)](
                     const float* from, char* arena, std::int64_t begin, std::int64_t end) {
    read_rows(from, strides, count, image, arena, begin, end);
  };
  return program;
}

Program lower(const torch::jit::Graph& graph, Format format) { return Lowering(graph, format).program(); }

}  // namespace ichdet::native
