#include "fold_deepmedic.hpp"

#include <ATen/Functions.h>

#include <algorithm>
#include <numeric>

#include "ichdet/core/error.hpp"
#include "ichdet/models/deepmedic.hpp"

namespace ichdet::nn {
namespace {

FoldedBlock fold(const models::PreActBlockImpl& block) {
  const auto& bn = *block.bn;
  const auto wide = [](const at::Tensor& t) { return t.detach().to(at::kDouble); };
  const auto scale = wide(bn.weight) / at::sqrt(wide(bn.running_var) + bn.options.eps());
  const auto shift = wide(bn.bias) - wide(bn.running_mean) * scale;
  const auto values = [](const at::Tensor& t) {
    const auto f = t.to(at::kFloat).contiguous();
    return std::vector<float>(f.data_ptr<float>(), f.data_ptr<float>() + f.numel());
  };
  const auto weight = block.conv->weight.detach().contiguous();
  return {{values(scale), values(shift), block.prelu->weight.item<float>()},
          weight,
          at::zeros({weight.size(0)}),
          weight.size(0) == weight.size(1)};
}

/// Whether a zero scale makes this input channel a constant. The convolutions are valid, so the constant reaches every
/// output alike and belongs into the bias.
bool is_constant(const FoldedBlock& block, std::int64_t channel) {
  return block.before.scale[std::size_t(channel)] == 0;
}

void fold_constant(FoldedBlock& block, std::int64_t channel) {
  const float shift = block.before.shift[std::size_t(channel)];
  const float value = shift > 0 ? shift : block.before.slope * shift;
  block.bias += value * block.weight.select(1, channel).sum(std::vector<std::int64_t>{1, 2, 3});
}

std::vector<float> pick(const std::vector<float>& values, const std::vector<std::int64_t>& kept) {
  std::vector<float> picked;
  for (const auto i : kept) picked.push_back(values[std::size_t(i)]);
  return picked;
}

void keep_inputs(FoldedBlock& block, const std::vector<std::int64_t>& kept) {
  for (std::int64_t c = 0; c < block.in(); ++c) {
    if (!std::binary_search(kept.begin(), kept.end(), c)) fold_constant(block, c);
  }
  block.before.scale = pick(block.before.scale, kept);
  block.before.shift = pick(block.before.shift, kept);
  block.weight = block.weight.index_select(1, at::tensor(kept));
}

void keep_outputs(FoldedBlock& block, const std::vector<std::int64_t>& kept) {
  const auto index = at::tensor(kept);
  block.weight = block.weight.index_select(0, index);
  block.bias = block.bias.index_select(0, index);
}

/// Drops the channels of a pathway that are constant for everything that reads them. Blocks with a shortcut share
/// their channels with the next, so a run of them keeps or drops a channel together. `reader` is the head's first
/// layer, cut to this pathway's channels.
void prune(std::vector<FoldedBlock>& blocks, FoldedBlock& reader) {
  const auto n = blocks.size();
  const auto block_at = [&](std::size_t i) -> FoldedBlock& { return i < n ? blocks[i] : reader; };
  for (std::size_t begin = 1; begin <= n;) {
    std::size_t end = begin;  // the channels that enter block `begin` are read up to block `end`
    while (end < n && blocks[end].shortcut) ++end;
    std::vector<std::int64_t> kept;
    for (std::int64_t c = 0; c < blocks[begin - 1].out(); ++c) {
      bool constant = true;
      for (std::size_t i = begin; i <= end; ++i) constant = constant && is_constant(block_at(i), c);
      if (!constant) kept.push_back(c);
    }
    if (kept.empty()) kept.push_back(0);
    keep_outputs(blocks[begin - 1], kept);
    for (std::size_t i = begin; i <= end; ++i) {
      keep_inputs(block_at(i), kept);
      if (i < end) keep_outputs(block_at(i), kept);
    }
    begin = end + 1;
  }
}

}  // namespace

FoldedDeepMedic::FoldedDeepMedic(const models::DeepMedicImpl& network) : classes(network.options.num_classes) {
  const at::NoGradGuard no_grad;
  const auto head_first = fold(*network.head.front());
  if (head_first.shortcut || network.options.scale_factors.back() != models::Triple{1, 1, 1}) {
    throw Error(ErrorCode::options,
                "prepare: DeepMedic's last pathway has to be at full resolution, and its head to change the width");
  }
  head_bias = head_first.bias.clone();
  const auto features = network.options.feature_maps.back();
  std::int64_t first_feature = 0;
  for (const auto& source : network.paths) {
    std::vector<FoldedBlock> blocks;
    for (const auto& block : source->blocks) blocks.push_back(fold(*block));
    if (blocks.front().shortcut) {
      throw Error(ErrorCode::options, "prepare: DeepMedic's first layer has to change the number of channels");
    }
    FoldedBlock reader = head_first;
    const auto begin = std::size_t(first_feature), end = std::size_t(first_feature + features);
    reader.before.scale.assign(head_first.before.scale.begin() + begin, head_first.before.scale.begin() + end);
    reader.before.shift.assign(head_first.before.shift.begin() + begin, head_first.before.shift.begin() + end);
    reader.weight = head_first.weight.narrow(1, first_feature, features);
    reader.bias = at::zeros_like(head_first.bias);
    first_feature += features;
    prune(blocks, reader);
    head_bias += reader.bias;
    paths.push_back({source->scale, blocks, reader.before, reader.weight.flatten(1).t().contiguous()});
  }
  for (std::size_t i = 1; i < network.head.size(); ++i) head.push_back(fold(*network.head[i]));
}

FoldedDeepMedic filled_up(FoldedDeepMedic folded, std::int64_t multiple) {
  const auto missing = [&](std::int64_t n) { return (n + multiple - 1) / multiple * multiple - n; };
  const auto fill_affine = [](AffinePrelu& affine, std::int64_t count) {
    affine.scale.resize(affine.scale.size() + std::size_t(count));
    affine.shift.resize(affine.shift.size() + std::size_t(count));
  };
  for (auto& path : folded.paths) {
    for (std::size_t i = 0; i < path.blocks.size(); ++i) {
      auto& block = path.blocks[i];
      const auto in = i == 0 ? 0 : missing(block.in()), out = missing(block.out());
      fill_affine(block.before, in);
      block.weight = at::constant_pad_nd(block.weight, {0, 0, 0, 0, 0, 0, 0, in, 0, out});
      block.bias = at::constant_pad_nd(block.bias, {0, out});
    }
    const auto last = missing(path.head_weight.size(0)), width = missing(path.head_weight.size(1));
    fill_affine(path.before_head, last);
    path.head_weight = at::constant_pad_nd(path.head_weight, {0, folded.head.empty() ? 0 : width, 0, last});
  }
  if (folded.head.empty()) return folded;
  folded.head_bias = at::constant_pad_nd(folded.head_bias, {0, missing(folded.head_bias.numel())});
  for (auto& layer : folded.head) {
    const auto in = missing(layer.in()), out = &layer == &folded.head.back() ? 0 : missing(layer.out());
    fill_affine(layer.before, in);
    layer.weight = at::constant_pad_nd(layer.weight, {0, 0, 0, 0, 0, 0, 0, in, 0, out});
    layer.bias = at::constant_pad_nd(layer.bias, {0, out});
  }
  return folded;
}

std::array<std::int64_t, 3> FoldedDeepMedic::output_size(const at::Tensor& input) const {
  const auto& widest = paths.front();
  const auto channels = widest.blocks.front().in();
  if (input.dim() != 5 || input.size(0) != 1 || input.size(1) != channels) {
    throw Error::mismatch(ErrorCode::shape, "DeepMedic's input", "(1, " + std::to_string(channels) + ", D, H, W)",
                          c10::str(input.sizes()));
  }
  std::array<std::int64_t, 3> output;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    std::int64_t step = 1;
    for (const auto& path : paths) step = std::lcm(step, path.scale[axis]);
    output[axis] = input.size(std::int64_t(axis) + 2) - 2 * std::int64_t(widest.blocks.size()) * widest.scale[axis];
    if (output[axis] <= 0 || output[axis] % step != 0) {
      throw Error::mismatch(ErrorCode::shape, "DeepMedic's output on axis " + std::to_string(axis),
                            "a multiple of " + std::to_string(step), std::to_string(output[axis]));
    }
  }
  return output;
}

at::Tensor FoldedPath::sample(const at::Tensor& input, const std::array<std::int64_t, 3>& output) const {
  at::Tensor x = input[0];
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto needed = (output[axis] / scale[axis] + 2 * std::int64_t(blocks.size())) * scale[axis];
    const auto spare = x.size(std::int64_t(axis) + 1) / 2 - needed / 2;
    x = x.slice(std::int64_t(axis) + 1, spare + scale[axis] / 2, spare + needed, scale[axis]);
  }
  return x;
}

}  // namespace ichdet::nn
