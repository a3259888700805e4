#include "tiled_deepmedic.hpp"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "ichdet/core/progress.hpp"

namespace ichdet::nn {
namespace {

// The three taps of a channel along x are three rows of a tile, so that a tile of 16 has five channels.
constexpr std::int64_t tile_channels = 5, group_channels = 10;
// A path is computed a few planes at a time, from its first block to its last, so that what blocks hand on stays in
// cache; in these planes a strip of rows at a time, for the same reason.
constexpr std::int64_t chunk = 4, strip = 8;
constexpr std::int64_t head_block = 48;  // voxels that go through the whole head at once

std::int64_t tile_row(std::int64_t channel, std::int64_t tap) {
  return channel / tile_channels * 16 + channel % tile_channels * 3 + tap;
}

std::vector<float> even_number(const float* values, std::int64_t count) {
  std::vector<float> result(values, values + count);
  result.resize(std::size_t(count + count % 2));
  return result;
}

/// Every voxel of the rows of a plane `scale` times, as the head's rows need it.
void repeat(const PairRows& from, const PairRows& to, std::int64_t scale, std::int64_t z) {
  for (std::int64_t row = 0; row < from.height * from.pairs; ++row) {
    const auto* source = from.row(z, 0) + row * from.pitch;
    auto* target = to.row(z, 0) + row * to.pitch;
    for (std::int64_t x = 0; x < to.pitch; ++x) target[x] = x < to.width ? source[x / scale] : 0;
  }
}

}  // namespace

TiledDeepMedic::Finish::Finish(const at::Tensor& given_bias, const AffinePrelu* after) {
  const auto contiguous = given_bias.contiguous();
  const auto count = contiguous.numel();
  bias = even_number(contiguous.data_ptr<float>(), count);
  scale = shift = std::vector<float>(bias.size());
  if (after != nullptr) {
    scale = even_number(after->scale.data(), count);
    shift = even_number(after->shift.data(), count);
    slope = after->slope;
  }
}

FinishPair TiledDeepMedic::Finish::pair(std::int64_t p) const {
  const auto even = std::size_t(2 * p), odd = even + 1;
  return {{bias[even], bias[odd]}, {scale[even], scale[odd]}, {shift[even], shift[odd]}, slope};
}

void TiledDeepMedic::add_segments(std::vector<const std::uint32_t*>& segments, const Activations& from, std::int64_t z,
                                  std::int64_t y) const {
  segments.push_back(from.rounded.row(z, y));
  if (split_) {
    segments.push_back(from.rounded.row(z, y));
    segments.push_back(from.rest.row(z, y));
  }
}

void TiledDeepMedic::set_weight(TiledWeights& weights, std::int64_t row, std::int64_t segment, std::int64_t column,
                                float value) const {
  const auto rounded = to_bf16(value);
  weights.set(row, segment * parts_, column, rounded);
  if (split_) {
    weights.set(row, segment * parts_ + 1, column, to_bf16(value - from_bf16(rounded)));
    weights.set(row, segment * parts_ + 2, column, rounded);
  }
}

void TiledDeepMedic::allocate(Stage& stage, const Planes& size, std::int64_t channels, Keep keep) const {
  const auto readable = head_.front().weights.steps() * TiledWeights::step_pairs;
  stage.out.rounded = {stage.rounded, size, channels, readable};
  if (split_) stage.out.rest = {stage.rest, size, channels, readable};
  if (keep == Keep::rounded) stage.rounded_kept = {stage.stream, size, channels, 0};
  if (keep == Keep::exact) stage.kept = {stage.stream, size, channels + channels % 2};
}

TiledDeepMedic::TiledDeepMedic(FoldedDeepMedic folded, bool split, bool amx)
    : folded_(std::move(folded)), split_(split), amx_(amx), parts_(split ? 3 : 1) {
  for (const auto& path : folded_.paths) paths_.push_back(make_path(path));

  const auto& layers = folded_.head;
  const auto next = [&](std::size_t i) { return i < layers.size() ? &layers[i].before : nullptr; };
  std::int64_t pairs = 0;
  for (const auto& path : folded_.paths) pairs = std::max(pairs, (path.head_weight.size(0) + 1) / 2);
  const auto width = folded_.head_bias.numel();
  TiledWeights first(width, std::int64_t(paths_.size()) * parts_, pairs);
  for (std::size_t p = 0; p < paths_.size(); ++p) {
    const auto& weight = folded_.paths[p].head_weight;  // (channels, width)
    const auto* values = weight.data_ptr<float>();
    for (std::int64_t i = 0; i < weight.numel(); ++i)
      set_weight(first, i % width, std::int64_t(p), i / width, values[i]);
  }
  head_.push_back(
      {std::move(first), {folded_.head_bias, next(0)}, width, false, kept_if(!layers.empty() && layers[0].shortcut)});
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const auto weight = layers[l].weight.flatten(1).contiguous();  // (out, in)
    const auto in = weight.size(1), out = weight.size(0);
    TiledWeights tiled(out, parts_, (in + 1) / 2);
    for (std::int64_t i = 0; i < weight.numel(); ++i) set_weight(tiled, i / in, 0, i % in, weight.data_ptr<float>()[i]);
    head_.push_back({std::move(tiled),
                     {layers[l].bias, next(l + 1)},
                     out,
                     layers[l].shortcut,
                     kept_if(l + 1 < layers.size() && layers[l + 1].shortcut)});
  }
  head_.back().kept = Keep::exact;
}

TiledDeepMedic::Path TiledDeepMedic::make_path(const FoldedPath& folded) const {
  const auto& first = folded.blocks.front();
  const auto channels = (first.out() + 3) / 4 * 4;
  std::vector<float> weight(std::size_t(first.in() * 27 * channels));
  const auto source = first.weight.contiguous();
  for (std::int64_t i = 0; i < source.numel(); ++i) {
    const auto out = i / (first.in() * 27), tap = i % (first.in() * 27);
    weight[std::size_t(tap * channels + out)] = source.data_ptr<float>()[i];
  }
  const auto* after = folded.blocks.size() > 1 ? &folded.blocks[1].before : &folded.before_head;
  Path path{channels, std::move(weight), {first.bias, after}, {}};
  for (std::size_t block = 1; block < folded.blocks.size(); ++block)
    path.layers.push_back(make_convolution(folded, block));
  return path;
}

TiledDeepMedic::Layer TiledDeepMedic::make_convolution(const FoldedPath& path, std::size_t block) const {
  const auto& folded = path.blocks[block];
  const auto in = folded.in(), out = folded.out(), pairs = (in + 1) / 2;
  TiledWeights weights(tile_row(out - 1, 2) + 1, 3 * parts_, 3 * pairs);
  const auto source = folded.weight.contiguous();
  const auto* value = source.data_ptr<float>();
  for (std::int64_t o = 0; o < out; ++o) {
    for (std::int64_t c = 0; c < in; ++c) {
      for (std::int64_t tap = 0; tap < 27; ++tap) {
        const auto z = tap / 9, y = tap / 3 % 3, x = tap % 3;
        set_weight(weights, tile_row(o, x), z, 2 * y * pairs + c, *value++);
      }
    }
  }
  const auto* after = block + 1 < path.blocks.size() ? &path.blocks[block + 1].before : &path.before_head;
  return {std::move(weights), {folded.bias, after}, out, folded.shortcut, kept_if(path.feeds_shortcut(block))};
}

void TiledDeepMedic::run_first(const Path& path, const FloatRows& input, const Stage& out, std::int64_t first_z,
                               std::int64_t end_z) const {
  const auto& to = out.out.rounded;
  const auto tiles = row_tiles(to.width), stride = tiles * 16;
  at::parallel_for(0, (end_z - first_z) * to.height, 8, [&](std::int64_t begin, std::int64_t end) {
    Memory scratch;
    auto* sums = scratch.as<float>(path.first_channels * stride);
    std::vector<const float*> rows(std::size_t(9 * input.channels));
    for (auto item = begin; item < end; ++item) {
      const auto z = first_z + item / to.height, y = item % to.height;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto row = std::int64_t(i);
        rows[i] = input.row(z + row % 9 / 3, y + row % 3) + row / 9 * input.pitch;
      }
      convolve_row(rows.data(), input.channels, path.first_weight.data(), path.first_channels, sums, stride, tiles);
      for (std::int64_t p = 0; p < to.pairs; ++p) {
        auto finish = path.first_finish.pair(p);
        write_to(finish, out, z, y, p);
        finish_pair(finish, 1, sums + 2 * p * stride, sums + (2 * p + 1) * stride, stride, tiles);
      }
    }
  });
}

void TiledDeepMedic::run_layer(const Layer& layer, const Stage& in, const Stage& out, std::int64_t first_z,
                               std::int64_t end_z) const {
  const auto &from = in.out.rounded, &to = out.out.rounded;
  const auto in_tiles = row_tiles(from.width), out_tiles = row_tiles(to.width), stride = row_pitch(from.width);
  const auto depth = end_z - first_z, strips = (to.height + strip - 1) / strip;
  at::parallel_for(0, strips * depth, 1, [&](std::int64_t begin, std::int64_t end) {
    const TileThread thread(amx_);
    Memory scratch;
    auto* sums = scratch.as<float>(TiledWeights::group_rows * stride + 16);
    std::fill_n(sums, TiledWeights::group_rows * stride + 16, 0.f);
    std::vector<const std::uint32_t*> segments;
    for (auto item = begin; item < end; ++item) {
      const auto z = first_z + item % depth, first_y = item / depth * strip;
      for (auto y = first_y; y < std::min(first_y + strip, to.height); ++y) {
        segments.clear();
        for (int plane = 0; plane < 3; ++plane) add_segments(segments, in.out, z + plane, y);
        for (std::int64_t group = 0; group < layer.weights.groups(); ++group) {
          multiply_group(thread, layer.weights, group, segments.data(), from.pitch, in_tiles, sums, stride);
          const auto begin_pair = group * group_channels / 2;
          for (auto p = begin_pair; p < std::min(begin_pair + group_channels / 2, to.pairs); ++p) {
            auto finish = layer.finish.pair(p);
            if (layer.shortcut) {
              read_shortcut(finish, in, z + 1, y + 1, p, 1);
            }
            write_to(finish, out, z, y, p);
            const auto even = 2 * (p - begin_pair);
            finish_pair(finish, 3, sums + tile_row(even, 0) * stride, sums + tile_row(even + 1, 0) * stride, stride,
                        out_tiles);
          }
        }
      }
    }
  });
}

void TiledDeepMedic::write_to(FinishPair& finish, const Stage& out, std::int64_t z, std::int64_t y, std::int64_t pair) {
  const auto at = pair * out.out.rounded.pitch;
  if (out.out.rounded.data != nullptr) finish.rounded = out.out.rounded.row(z, y) + at;
  if (out.out.rest.data != nullptr) finish.rest = out.out.rest.row(z, y) + at;
  if (out.rounded_kept.data != nullptr) finish.rounded_kept = out.rounded_kept.row(z, y) + at;
  if (out.kept.data != nullptr) {
    finish.kept = out.kept.row(z, y) + 2 * pair * out.kept.pitch;
    finish.kept_stride = out.kept.pitch;
  }
}

void TiledDeepMedic::read_shortcut(FinishPair& finish, const Stage& in, std::int64_t z, std::int64_t y,
                                   std::int64_t pair, std::int64_t x) {
  if (in.rounded_kept.data != nullptr) {
    finish.rounded_shortcut = in.rounded_kept.row(z, y) + pair * in.rounded_kept.pitch + x;
  } else {
    finish.shortcut = in.kept.row(z, y) + 2 * pair * in.kept.pitch + x;
    finish.shortcut_stride = in.kept.pitch;
  }
}

void TiledDeepMedic::run_path(std::size_t index, const at::Tensor& given, const Size& output,
                              const Receive& receive) const {
  const auto& folded = folded_.paths[index];
  const auto& path = paths_[index];
  const auto sampled = folded.sample(given, output).contiguous();
  const auto inputs = sampled.size(0), depth = sampled.size(1), height = sampled.size(2), width = sampled.size(3);
  const auto& before = folded.blocks.front().before;
  Memory memory;
  const FloatRows input(memory, {depth, height, width}, inputs);
  const auto* values = sampled.data_ptr<float>();
  for (std::int64_t z = 0; z < depth; ++z) {
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t c = 0; c < inputs; ++c) {
        auto* row = input.row(z, y) + c * input.pitch;
        std::copy_n(values + ((c * depth + z) * height + y) * width, width, row);
        affine_prelu(row, before.scale[std::size_t(c)], before.shift[std::size_t(c)], before.slope, width);
      }
    }
  }

  std::vector<Stage> stages(folded.blocks.size());
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const auto shrink = 2 * std::int64_t(i + 1);
    allocate(stages[i], {chunk + 2, height - shrink, width - shrink}, folded.blocks[i].out(),
             kept_if(folded.feeds_shortcut(i)));
    stages[i].depth = depth - shrink;
  }
  for (std::int64_t turn = 1; stages.back().done < stages.back().depth; ++turn) {
    StopScope::check("network");
    for (std::size_t i = 0; i < stages.size(); ++i) {
      auto& stage = stages[i];
      const auto end = std::min(stage.depth, turn * chunk - 2 * std::int64_t(i));
      if (end <= stage.done) continue;
      if (i == 0) {
        run_first(path, input, stage, stage.done, end);
      } else {
        run_layer(path.layers[i - 1], stages[i - 1], stage, stage.done, end);
      }
      if (i + 1 == stages.size()) receive(stage.out, stage.done, end);
      stage.done = end;
    }
  }
}

void TiledDeepMedic::run_head(const std::vector<Activations>& features, std::int64_t first_z, std::int64_t end_z,
                              at::Tensor& logits) const {
  auto* values = logits.data_ptr<float>();
  const auto depth = logits.size(2), height = logits.size(3), width = logits.size(4);
  const auto blocks = (width + head_block - 1) / head_block;
  at::parallel_for(0, (end_z - first_z) * height * blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    const TileThread thread(amx_);
    Memory scratch;
    auto* sums = scratch.as<float>(TiledWeights::group_rows * head_block);
    std::vector<Stage> stages(head_.size());
    for (std::size_t l = 0; l < stages.size(); ++l)
      allocate(stages[l], {1, 1, head_block}, head_[l].channels, head_[l].kept);
    std::vector<const std::uint32_t*> segments;
    for (auto item = begin; item < end; ++item) {
      const auto x = item % blocks * head_block, y = item / blocks % height, z = first_z + item / blocks / height;
      const auto count = std::min(head_block, width - x), tiles = row_tiles(count);
      segments.clear();
      for (std::size_t p = 0; p < features.size(); ++p) {
        const auto& scale = folded_.paths[p].scale;
        add_segments(segments, features[p], z / scale[0], y / scale[1]);
      }
      for (auto& segment : segments) segment += x;
      auto pitch = features.front().rounded.pitch;
      for (std::size_t l = 0; l < stages.size(); ++l) {
        const auto& layer = head_[l];
        for (std::int64_t group = 0; group < layer.weights.groups(); ++group) {
          multiply_group(thread, layer.weights, group, segments.data(), pitch, tiles, sums, head_block);
          const auto begin_pair = group * TiledWeights::group_rows / 2, pairs = stages[l].out.rounded.pairs;
          for (auto p = begin_pair; p < std::min(begin_pair + TiledWeights::group_rows / 2, pairs); ++p) {
            auto finish = layer.finish.pair(p);
            if (layer.shortcut) read_shortcut(finish, stages[l - 1], 0, 0, p, 0);
            write_to(finish, stages[l], 0, 0, p);
            const auto* even = sums + 2 * (p - begin_pair) * head_block;
            finish_pair(finish, 1, even, even + head_block, head_block, tiles);
          }
        }
        segments.clear();
        add_segments(segments, stages[l].out, 0, 0);
        pitch = stages[l].out.rounded.pitch;
      }
      const auto& last = stages.back().kept;
      for (std::int64_t c = 0; c < folded_.classes; ++c)
        std::copy_n(last.data + c * last.pitch, count, values + ((c * depth + z) * height + y) * width + x);
    }
  });
}

at::Tensor TiledDeepMedic::operator()(const at::Tensor& given) const {
  const auto output = folded_.output_size(given);
  const auto input = given.to(at::kFloat).contiguous();
  auto logits = at::empty({1, folded_.classes, output[0], output[1], output[2]});
  std::vector<Activations> features(paths_.size());
  std::vector<Stage> repeated(paths_.size() - 1);
  for (std::size_t p = 0; p < repeated.size(); ++p) {
    const auto& folded = folded_.paths[p];
    const auto scale = folded.scale;
    allocate(repeated[p], {output[0] / scale[0], output[1] / scale[1], output[2]}, folded.head_weight.size(0),
             Keep::nothing);
    features[p] = repeated[p].out;
    run_path(p, input, output, [&](const Activations& x, std::int64_t begin, std::int64_t end) {
      for (auto z = begin; z < end; ++z) {
        repeat(x.rounded, features[p].rounded, scale[2], z);
        if (split_) repeat(x.rest, features[p].rest, scale[2], z);
      }
    });
  }
  run_path(repeated.size(), input, output, [&](const Activations& x, std::int64_t begin, std::int64_t end) {
    features.back() = x;
    run_head(features, begin, end, logits);
  });
  return logits;
}

std::int64_t TiledDeepMedic::activation_bytes(at::IntArrayRef input_shape) const {
  const auto output = folded_.output_size(at::empty(input_shape, at::kMeta));
  const std::int64_t parts = split_ ? 2 : 1;
  const auto pairs_bytes = [](std::int64_t channels, std::int64_t height, std::int64_t width) {
    return (channels + 1) / 2 * height * row_pitch(width) * std::int64_t(sizeof(std::uint32_t));
  };
  std::int64_t repeated = 0, largest_path = 0;
  for (const auto& path : folded_.paths) {
    const auto blocks = std::int64_t(path.blocks.size());
    std::array<std::int64_t, 3> size;
    for (std::size_t axis = 0; axis < 3; ++axis) size[axis] = output[axis] / path.scale[axis] + 2 * blocks;
    auto bytes = 2 * size[0] * size[1] * size[2] * path.blocks.front().in() * std::int64_t(sizeof(float));
    for (std::int64_t i = 0; i < blocks; ++i) {
      const auto channels = path.blocks[std::size_t(i)].out();
      const auto plane = pairs_bytes(channels, size[1] - 2 * (i + 1), size[2] - 2 * (i + 1));
      const auto kept = kept_if(path.feeds_shortcut(std::size_t(i)));
      bytes += (chunk + 2) * plane * (parts + (kept == Keep::exact ? 2 : kept == Keep::rounded ? 1 : 0));
    }
    largest_path = std::max(largest_path, bytes);
    if (&path != &folded_.paths.back()) {
      repeated += output[0] / path.scale[0] * parts *
                  pairs_bytes(path.head_weight.size(0), output[1] / path.scale[1], output[2]);
    }
  }
  return repeated + largest_path;
}

}  // namespace ichdet::nn
