#include "tiled_deepmedic.hpp"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <algorithm>

namespace ichdet::nn {
namespace {

// The three taps of a channel along x are three rows of a tile, so that a tile of 16 has five channels.
constexpr std::int64_t tile_channels = 5, group_channels = 10;
constexpr std::int64_t strip = 8;  // rows y that are computed for all z in turn: what they read stays in cache

std::int64_t tile_row(std::int64_t channel, std::int64_t tap) {
  return channel / tile_channels * 16 + channel % tile_channels * 3 + tap;
}

std::vector<float> even_number(const float* values, std::int64_t count) {
  std::vector<float> result(values, values + count);
  result.resize(std::size_t(count + count % 2));
  return result;
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
    segments.push_back(from.rest.row(z, y));
    segments.push_back(from.rounded.row(z, y));
  }
}

void TiledDeepMedic::set_weight(TiledWeights& weights, std::int64_t row, std::int64_t segment, std::int64_t column,
                                float value) const {
  const auto rounded = to_bf16(value);
  weights.set(row, segment * parts_, column, rounded);
  if (split_) {
    weights.set(row, segment * parts_ + 1, column, rounded);
    weights.set(row, segment * parts_ + 2, column, to_bf16(value - from_bf16(rounded)));
  }
}

TiledDeepMedic::Activations TiledDeepMedic::activations(Memory& rounded, Memory& rest, const Size& size,
                                                        std::int64_t channels) const {
  const auto readable = head_.front().weights.steps() * TiledWeights::step_pairs;
  Activations result{{rounded, size, channels, readable}, {}};
  if (split_) result.rest = {rest, size, channels, readable};
  return result;
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
      {std::move(first), {folded_.head_bias, next(0)}, width, false, !layers.empty() && layers[0].shortcut});
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const auto weight = layers[l].weight.flatten(1).contiguous();  // (out, in)
    const auto in = weight.size(1), out = weight.size(0);
    TiledWeights tiled(out, parts_, (in + 1) / 2);
    for (std::int64_t i = 0; i < weight.numel(); ++i) set_weight(tiled, i / in, 0, i % in, weight.data_ptr<float>()[i]);
    head_.push_back({std::move(tiled),
                     {layers[l].bias, next(l + 1)},
                     out,
                     layers[l].shortcut,
                     l + 1 < layers.size() && layers[l + 1].shortcut});
  }
  head_.back().kept = true;
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
  return {std::move(weights), {folded.bias, after}, out, folded.shortcut, path.feeds_shortcut(block)};
}

void TiledDeepMedic::run_first(const Path& path, const FoldedPath& folded, const at::Tensor& input,
                               const Activations& out, const FloatRows& kept, Memory& memory) const {
  const auto inputs = input.size(0), depth = input.size(1), height = input.size(2), width = input.size(3);
  const auto& before = folded.blocks.front().before;
  const FloatRows rows(memory, {depth, height, width}, inputs);
  const auto* values = input.data_ptr<float>();
  for (std::int64_t z = 0; z < depth; ++z) {
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t c = 0; c < inputs; ++c) {
        auto* row = rows.row(z, y) + c * rows.pitch;
        std::copy_n(values + ((c * depth + z) * height + y) * width, width, row);
        affine_prelu(row, before.scale[std::size_t(c)], before.shift[std::size_t(c)], before.slope, width);
      }
    }
  }
  const auto tiles = row_tiles(out.rounded.width), stride = tiles * 16;
  at::parallel_for(0, out.rounded.depth * out.rounded.height, 8, [&](std::int64_t begin, std::int64_t end) {
    Memory scratch;
    auto* sums = scratch.as<float>(path.first_channels * stride);
    std::vector<const float*> from(std::size_t(9 * inputs));
    for (auto item = begin; item < end; ++item) {
      const auto z = item / out.rounded.height, y = item % out.rounded.height;
      for (std::int64_t i = 0; i < 9 * inputs; ++i)
        from[std::size_t(i)] = rows.row(z + i % 9 / 3, y + i % 3) + i / 9 * rows.pitch;
      convolve_row(from.data(), inputs, path.first_weight.data(), path.first_channels, sums, stride, tiles);
      for (std::int64_t p = 0; p < out.rounded.pairs; ++p) {
        auto finish = path.first_finish.pair(p);
        if (kept.data != nullptr) {
          finish.kept = kept.row(z, y) + 2 * p * kept.pitch;
          finish.kept_stride = kept.pitch;
        }
        finish.rounded = out.rounded.row(z, y) + p * out.rounded.pitch;
        if (split_) finish.rest = out.rest.row(z, y) + p * out.rest.pitch;
        finish_pair(finish, 1, sums + 2 * p * stride, sums + (2 * p + 1) * stride, stride, tiles);
      }
    }
  });
}

void TiledDeepMedic::run_layer(const Layer& layer, const Activations& in, const FloatRows& shortcut,
                               const Activations& out, const FloatRows& kept) const {
  const auto in_tiles = row_tiles(in.rounded.width), out_tiles = row_tiles(out.rounded.width);
  const auto stride = row_pitch(in.rounded.width);
  const auto depth = out.rounded.depth, height = out.rounded.height, strips = (height + strip - 1) / strip;
  at::parallel_for(0, strips * depth, 1, [&](std::int64_t begin, std::int64_t end) {
    const TileThread thread(amx_);
    Memory scratch;
    auto* sums = scratch.as<float>(TiledWeights::group_rows * stride + 16);
    std::fill_n(sums, TiledWeights::group_rows * stride + 16, 0.f);
    std::vector<const std::uint32_t*> segments;
    for (auto item = begin; item < end; ++item) {
      const auto z = item % depth, first_y = item / depth * strip;
      for (auto y = first_y; y < std::min(first_y + strip, height); ++y) {
        segments.clear();
        for (int plane = 0; plane < 3; ++plane) add_segments(segments, in, z + plane, y);
        for (std::int64_t group = 0; group < layer.weights.groups(); ++group) {
          multiply_group(thread, layer.weights, group, segments.data(), in.rounded.pitch, in_tiles, sums, stride);
          const auto begin_pair = group * group_channels / 2;
          for (auto p = begin_pair; p < std::min(begin_pair + group_channels / 2, out.rounded.pairs); ++p) {
            auto finish = layer.finish.pair(p);
            if (layer.shortcut) {
              finish.shortcut = shortcut.row(z + 1, y + 1) + 2 * p * shortcut.pitch + 1;
              finish.shortcut_stride = shortcut.pitch;
            }
            if (layer.kept) {
              finish.kept = kept.row(z, y) + 2 * p * kept.pitch;
              finish.kept_stride = kept.pitch;
            }
            finish.rounded = out.rounded.row(z, y) + p * out.rounded.pitch;
            if (split_) finish.rest = out.rest.row(z, y) + p * out.rest.pitch;
            const auto even = 2 * (p - begin_pair);
            finish_pair(finish, 3, sums + tile_row(even, 0) * stride, sums + tile_row(even + 1, 0) * stride, stride,
                        out_tiles);
          }
        }
      }
    }
  });
}

TiledDeepMedic::Activations TiledDeepMedic::run_path(std::size_t index, const at::Tensor& input, const Size& output,
                                                     Workspace& workspace) const {
  const auto& folded = folded_.paths[index];
  const auto& path = paths_[index];
  const auto sampled = folded.sample(input, output).contiguous();
  Size size{sampled.size(1), sampled.size(2), sampled.size(3)};
  Activations x;
  FloatRows stream;
  for (std::size_t block = 0; block < folded.blocks.size(); ++block) {
    for (auto& extent : size) extent -= 2;
    const auto channels = folded.blocks[block].out(), turn = std::int64_t(block % 2);
    const auto out = activations(workspace.rounded[turn], workspace.rest[turn], size, channels);
    FloatRows kept;
    if (folded.feeds_shortcut(block)) kept = {workspace.streams[turn], size, channels + channels % 2};
    if (block == 0) {
      run_first(path, folded, sampled, out, kept, workspace.input);
    } else {
      run_layer(path.layers[block - 1], x, stream, out, kept);
    }
    x = out;
    stream = kept;
  }
  return x;
}

at::Tensor TiledDeepMedic::run_head(const std::vector<Activations>& features, const Size& output) const {
  auto logits = at::empty({1, folded_.classes, output[0], output[1], output[2]});
  auto* values = logits.data_ptr<float>();
  const auto plane = output[1] * output[2], tiles = row_tiles(output[2]), pitch = row_pitch(output[2]);
  std::int64_t widest = 0;
  for (const auto& layer : head_) widest = std::max(widest, layer.channels);
  at::parallel_for(0, output[0] * output[1], 1, [&](std::int64_t begin, std::int64_t end) {
    const TileThread thread(amx_);
    std::array<Memory, 2> rounded, rest, streams;
    Memory scratch;
    auto* sums = scratch.as<float>(TiledWeights::group_rows * pitch);
    std::vector<const std::uint32_t*> segments;
    for (auto item = begin; item < end; ++item) {
      const auto z = item / output[1], y = item % output[1];
      segments.clear();
      for (std::size_t p = 0; p < features.size(); ++p) {
        const auto& scale = folded_.paths[p].scale;
        add_segments(segments, features[p], z / scale[0], y / scale[1]);
      }
      FloatRows stream;
      for (std::size_t l = 0; l < head_.size(); ++l) {
        const auto& layer = head_[l];
        const Size row{1, 1, output[2]};
        const Activations out{{rounded[l % 2], row, layer.channels}, {rest[l % 2], row, layer.channels}};
        FloatRows kept;
        if (layer.kept) kept = {streams[l % 2], row, layer.channels + layer.channels % 2};
        for (std::int64_t group = 0; group < layer.weights.groups(); ++group) {
          multiply_group(thread, layer.weights, group, segments.data(), pitch, tiles, sums, pitch);
          const auto begin_pair = group * TiledWeights::group_rows / 2;
          for (auto p = begin_pair; p < std::min(begin_pair + TiledWeights::group_rows / 2, out.rounded.pairs); ++p) {
            auto finish = layer.finish.pair(p);
            if (layer.shortcut) {
              finish.shortcut = stream.data + 2 * p * pitch;
              finish.shortcut_stride = pitch;
            }
            if (layer.kept) {
              finish.kept = kept.data + 2 * p * pitch;
              finish.kept_stride = pitch;
            }
            if (l + 1 < head_.size()) {
              finish.rounded = out.rounded.data + p * pitch;
              if (split_) finish.rest = out.rest.data + p * pitch;
            }
            const auto* even = sums + 2 * (p - begin_pair) * pitch;
            finish_pair(finish, 1, even, even + pitch, pitch, tiles);
          }
        }
        stream = kept;
        segments.clear();
        add_segments(segments, out, 0, 0);
      }
      for (std::int64_t c = 0; c < folded_.classes; ++c)
        std::copy_n(stream.data + c * pitch, output[2], values + c * output[0] * plane + z * plane + y * output[2]);
    }
  });
  return logits;
}

at::Tensor TiledDeepMedic::operator()(const at::Tensor& given) const {
  const auto output = folded_.output_size(given);
  const auto input = given.to(at::kFloat).contiguous();
  Workspace workspace;
  std::vector<Activations> features;
  std::vector<std::array<Memory, 2>> repeated(paths_.size());
  for (std::size_t p = 0; p < paths_.size(); ++p) {
    auto x = run_path(p, input, output, workspace);
    if (p + 1 < paths_.size()) {
      // Every voxel of a row as often as the head's rows need it, and out of the next path's way.
      const auto channels = folded_.paths[p].head_weight.size(0), scale = folded_.paths[p].scale[2];
      const auto wide =
          activations(repeated[p][0], repeated[p][1], {x.rounded.depth, x.rounded.height, output[2]}, channels);
      const auto repeat = [&](const PairRows& from, const PairRows& to) {
        for (std::int64_t row = 0; row < from.depth * from.height * from.pairs; ++row) {
          for (std::int64_t v = 0; v < to.pitch; ++v)
            to.data[row * to.pitch + v] = v < to.width ? from.data[row * from.pitch + v / scale] : 0;
        }
      };
      repeat(x.rounded, wide.rounded);
      if (split_) repeat(x.rest, wide.rest);
      x = wide;
    }
    features.push_back(x);
  }
  return run_head(features, output);
}

}  // namespace ichdet::nn
