#include "prepared_deepmedic.hpp"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "ichdet/core/error.hpp"
#include "ichdet/models/deepmedic.hpp"

namespace ichdet::nn {
namespace {

/// One PreActBlock with batch norm folded, before any channel is dropped. Values are plain for easy selection.
struct Folded {
  AffinePrelu before;
  at::Tensor weight;  // (out, in, k, k, k)
  at::Tensor bias;    // (out)
  bool shortcut;

  std::int64_t in() const { return weight.size(1); }
  std::int64_t out() const { return weight.size(0); }
};

Folded fold(const models::PreActBlockImpl& block) {
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
bool is_constant(const Folded& block, std::int64_t channel) { return block.before.scale[std::size_t(channel)] == 0; }

void fold_constant(Folded& block, std::int64_t channel) {
  const float shift = block.before.shift[std::size_t(channel)];
  const float value = shift > 0 ? shift : block.before.slope * shift;
  block.bias += value * block.weight.select(1, channel).sum(std::vector<std::int64_t>{1, 2, 3});
}

std::vector<float> pick(const std::vector<float>& values, const std::vector<std::int64_t>& kept) {
  std::vector<float> picked;
  for (const auto i : kept) picked.push_back(values[std::size_t(i)]);
  return picked;
}

void keep_inputs(Folded& block, const std::vector<std::int64_t>& kept) {
  for (std::int64_t c = 0; c < block.in(); ++c) {
    if (!std::binary_search(kept.begin(), kept.end(), c)) fold_constant(block, c);
  }
  block.before.scale = pick(block.before.scale, kept);
  block.before.shift = pick(block.before.shift, kept);
  block.weight = block.weight.index_select(1, at::tensor(kept));
}

void keep_outputs(Folded& block, const std::vector<std::int64_t>& kept) {
  const auto index = at::tensor(kept);
  block.weight = block.weight.index_select(0, index);
  block.bias = block.bias.index_select(0, index);
}

/// Drops the channels of a pathway that are constant for everything that reads them. Blocks with a shortcut share
/// their channels with the next, so a run of them keeps or drops a channel together. `reader` is the head's first
/// layer, cut to this pathway's channels.
void prune(std::vector<Folded>& blocks, Folded& reader) {
  const auto n = blocks.size();
  const auto block_at = [&](std::size_t i) -> Folded& { return i < n ? blocks[i] : reader; };
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

struct Shape {
  std::int64_t depth, height, width, channels;
};

constexpr std::int64_t piece_floats = 4 << 20;  // of one convolution's output

void each_row(std::int64_t depth, std::int64_t height, const std::function<void(std::int64_t, std::int64_t)>& body) {
  at::parallel_for(0, depth * height, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) body(i / height, i % height);
  });
}

/// (D, H, W, C) as the (1, C, D, H, W) that LibTorch calls channels-last.
at::Tensor as_channels_last(const at::Tensor& t) { return t.permute({3, 0, 1, 2}).unsqueeze(0); }
at::Tensor from_channels_last(const at::Tensor& t) { return t.squeeze(0).permute({1, 2, 3, 0}).contiguous(); }

}  // namespace

PreparedDeepMedic::PreparedDeepMedic(const models::DeepMedicImpl& network)
    : classes_(network.options.num_classes), blocks_(std::int64_t(network.options.feature_maps.size())) {
  const at::NoGradGuard no_grad;
  step_ = {1, 1, 1};
  const auto head_first = fold(*network.head.front());
  if (head_first.shortcut || network.options.scale_factors.back() != Triple{1, 1, 1}) {
    throw Error(ErrorCode::options,
                "prepare: DeepMedic's last pathway has to be at full resolution, and its head to change the width");
  }
  head_bias_ = head_first.bias.clone();
  const auto features = network.options.feature_maps.back();
  std::int64_t first_feature = 0;
  for (const auto& source : network.paths) {
    std::vector<Folded> blocks;
    for (const auto& block : source->blocks) blocks.push_back(fold(*block));
    if (blocks.front().shortcut) {
      throw Error(ErrorCode::options, "prepare: DeepMedic's first layer has to change the number of channels");
    }
    Folded reader = head_first;
    const auto begin = std::size_t(first_feature), end = std::size_t(first_feature + features);
    reader.before.scale.assign(head_first.before.scale.begin() + begin, head_first.before.scale.begin() + end);
    reader.before.shift.assign(head_first.before.shift.begin() + begin, head_first.before.shift.begin() + end);
    reader.weight = head_first.weight.narrow(1, first_feature, features);
    reader.bias = at::zeros_like(head_first.bias);
    first_feature += features;
    prune(blocks, reader);
    head_bias_ += reader.bias;

    Path path{source->scale, {}, reader.before, reader.weight.flatten(1).t().contiguous(), {}, {}};
    for (std::size_t axis = 0; axis < 3; ++axis) step_[axis] = std::lcm(step_[axis], source->scale[axis]);
    for (const auto& block : blocks) {
      path.blocks.push_back({block.before, block.weight.contiguous(at::MemoryFormat::ChannelsLast3d),
                             block.bias.contiguous(), block.shortcut});
    }
    const auto& first = blocks.front();
    if (first.in() == 1 && first.out() <= 32) {
      path.first_weight.assign(27 * 32, 0.f);
      path.first_bias.assign(32, 0.f);
      const auto weight = first.weight.flatten(1).contiguous();
      for (std::int64_t c = 0; c < first.out(); ++c) {
        path.first_bias[std::size_t(c)] = first.bias[c].item<float>();
        for (std::int64_t tap = 0; tap < 27; ++tap) {
          path.first_weight[std::size_t(tap * 32 + c)] = weight.data_ptr<float>()[c * 27 + tap];
        }
      }
    }
    paths_.push_back(std::move(path));
  }
  for (std::size_t i = 1; i < network.head.size(); ++i) {
    auto layer = fold(*network.head[i]);
    head_.push_back({layer.before, layer.weight.flatten(1).t().contiguous(), layer.shortcut});
  }
}

bool PreparedDeepMedic::feeds_shortcut(const Path& path, std::size_t block) {
  return block + 1 < path.blocks.size() && path.blocks[block + 1].shortcut;
}

at::Tensor PreparedDeepMedic::run_path(const Path& path, const at::Tensor& input, const Triple& output) const {
  at::Tensor x = input[0];
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto needed = (output[axis] / path.scale[axis] + 2 * blocks_) * path.scale[axis];
    const auto spare = x.size(std::int64_t(axis) + 1) / 2 - needed / 2;
    x = x.slice(std::int64_t(axis) + 1, spare + path.scale[axis] / 2, spare + needed, path.scale[axis]);
  }
  x = x.permute({1, 2, 3, 0}).clone(at::MemoryFormat::Contiguous);  // (D, H, W, C), changed in place below
  const auto& first = path.blocks.front().before;
  const auto row = first.repeated(x.size(2));
  each_row(x.size(0), x.size(1), [&, n = x.size(2) * x.size(3), data = x.data_ptr<float>()](auto z, auto y) {
    auto* at = data + (z * x.size(1) + y) * n;
    add_affine_prelu(at, nullptr, row.scale.data(), row.shift.data(), row.slope, at, nullptr, n);
  });

  // Two buffers each for activations and for what shortcuts read, taken in turn.
  std::array<std::int64_t, 2> activation_size{}, stream_size{};
  for (std::size_t i = 0; i < path.blocks.size(); ++i) {
    const auto shrink = 2 * std::int64_t(i + 1);
    const auto n = (x.size(0) - shrink) * (x.size(1) - shrink) * (x.size(2) - shrink) * path.blocks[i].weight.size(0);
    activation_size[i % 2] = std::max(activation_size[i % 2], n);
    if (feeds_shortcut(path, i)) stream_size[i % 2] = std::max(stream_size[i % 2], n);
  }
  const std::array<at::Tensor, 2> activations{at::empty(activation_size[0]), at::empty(activation_size[1])};
  const std::array<at::Tensor, 2> streams{at::empty(stream_size[0]), at::empty(stream_size[1])};

  for (std::size_t i = 0; i < path.blocks.size(); ++i) {
    const auto& block = path.blocks[i];
    const Shape in{x.size(0), x.size(1), x.size(2), x.size(3)};
    const Shape out{in.depth - 2, in.height - 2, in.width - 2, block.weight.size(0)};
    const auto next = (i + 1 < path.blocks.size() ? path.blocks[i + 1].before : path.before_head).repeated(out.width);
    const float* shortcut = block.shortcut ? streams[(i + 1) % 2].data_ptr<float>() : nullptr;
    float* kept = feeds_shortcut(path, i) ? streams[i % 2].data_ptr<float>() : nullptr;
    float* activated = activations[i % 2].data_ptr<float>();
    const auto n = out.width * out.channels;
    const auto finish_row = [&](const float* convolved, std::int64_t z, std::int64_t y) {
      const auto at = (z * out.height + y) * n;
      const auto from = (((z + 1) * in.height + y + 1) * in.width + 1) * out.channels;
      add_affine_prelu(convolved, shortcut ? shortcut + from : nullptr, next.scale.data(), next.shift.data(),
                       next.slope, activated + at, kept ? kept + at : nullptr, n);
    };
    if (i == 0 && !path.first_weight.empty()) {
      const auto* data = x.data_ptr<float>();
      at::parallel_for(0, out.depth * out.height, 8, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> convolved(static_cast<std::size_t>(n));
        for (auto r = begin; r < end; ++r) {
          const auto z = r / out.height, y = r % out.height;
          std::array<const float*, 9> rows;
          for (int t = 0; t < 9; ++t) rows[std::size_t(t)] = data + ((z + t / 3) * in.height + y + t % 3) * in.width;
          convolve_first(rows.data(), path.first_weight.data(), path.first_bias.data(), convolved.data(), out.width,
                         out.channels);
          finish_row(convolved.data(), z, y);
        }
      });
    } else {
      // A few planes at a time: what the convolution wrote is still in cache when the row is finished, and pieces
      // below 32 MB are recycled by malloc in place of being mapped and cleared anew.
      const auto planes = std::max<std::int64_t>(1, piece_floats / (out.height * n));
      for (std::int64_t z = 0; z < out.depth; z += planes) {
        const auto count = std::min(planes, out.depth - z);
        const auto piece =
            from_channels_last(at::conv3d(as_channels_last(x.narrow(0, z, count + 2)), block.weight, block.bias));
        each_row(count, out.height, [&, data = piece.data_ptr<float>()](std::int64_t dz, std::int64_t y) {
          finish_row(data + (dz * out.height + y) * n, z + dz, y);
        });
      }
    }
    x = activations[i % 2]
            .narrow(0, 0, out.depth * out.height * n)
            .view({out.depth, out.height, out.width, out.channels});
  }
  return x;
}

at::Tensor PreparedDeepMedic::operator()(const at::Tensor& given) const {
  const auto channels = paths_.front().blocks.front().weight.size(1);
  if (given.dim() != 5 || given.size(0) != 1 || given.size(1) != channels) {
    throw Error::mismatch(ErrorCode::shape, "DeepMedic's input", "(1, " + std::to_string(channels) + ", D, H, W)",
                          c10::str(given.sizes()));
  }
  const auto input = given.to(at::kFloat).contiguous();
  Triple output;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    output[axis] = input.size(std::int64_t(axis) + 2) - 2 * blocks_ * paths_.front().scale[axis];
    if (output[axis] <= 0 || output[axis] % step_[axis] != 0) {
      throw Error::mismatch(ErrorCode::shape, "DeepMedic's output on axis " + std::to_string(axis),
                            "a multiple of " + std::to_string(step_[axis]), std::to_string(output[axis]));
    }
  }

  // The head's first layer is linear in its activations, each of which belongs to one pathway: a coarse pathway's part
  // is computed at its own resolution and looked up.
  std::vector<at::Tensor> coarse;
  for (std::size_t i = 0; i + 1 < paths_.size(); ++i) {
    const auto activated = run_path(paths_[i], input, output);
    const auto shape = activated.sizes();
    auto part = at::mm(activated.view({-1, shape[3]}), paths_[i].head_weight);
    if (i == 0) part += head_bias_;
    coarse.push_back(part.view({shape[0], shape[1], shape[2], -1}));
  }
  const auto& fine_path = paths_.back();
  const auto fine = run_path(fine_path, input, output);

  const auto width = output[2], hidden = fine_path.head_weight.size(1), in = fine.size(3);
  const auto rows = std::max<std::int64_t>(1, 1024 / width);  // of voxels in one piece of work: fits in cache
  auto logits = at::empty({output[0], output[1], width, classes_});
  const auto pieces = (output[0] * output[1] + rows - 1) / rows;
  at::parallel_for(0, pieces, 1, [&](std::int64_t begin, std::int64_t end) {
    const c10::InferenceMode no_gradients;
    const auto flat_in = fine.view({-1, in});
    const auto flat_out = logits.view({-1, classes_});
    for (std::int64_t piece = begin; piece < end; ++piece) {
      const auto first = piece * rows, count = std::min(rows, output[0] * output[1] - first), voxels = count * width;
      auto x = at::mm(flat_in.narrow(0, first * width, voxels), fine_path.head_weight);
      auto* values = x.data_ptr<float>();
      for (std::int64_t r = 0; r < count; ++r) {
        const auto z = (first + r) / output[1], y = (first + r) % output[1];
        for (std::size_t p = 0; p < coarse.size(); ++p) {
          const auto& scale = paths_[p].scale;
          const auto& part = coarse[p];
          const auto* from =
              part.data_ptr<float>() + (z / scale[0] * part.size(1) + y / scale[1]) * part.size(2) * hidden;
          for (std::int64_t v = 0; v < width; ++v)
            add(values + (r * width + v) * hidden, from + v / scale[2] * hidden, hidden);
        }
      }
      for (std::size_t l = 0; l < head_.size(); ++l) {
        const auto& layer = head_[l];
        auto activated = at::empty_like(x);
        const auto wide = x.size(1);
        for (std::int64_t v = 0; v < voxels; ++v) {
          add_affine_prelu(x.data_ptr<float>() + v * wide, nullptr, layer.before.scale.data(),
                           layer.before.shift.data(), layer.before.slope, activated.data_ptr<float>() + v * wide,
                           nullptr, wide);
        }
        if (layer.shortcut) {
          x.addmm_(activated, layer.weight);
        } else {
          x = at::mm(activated, layer.weight);
        }
      }
      flat_out.narrow(0, first * width, voxels).copy_(x);
    }
  });
  return logits.permute({3, 0, 1, 2}).unsqueeze(0);
}

}  // namespace ichdet::nn
