#include "float32_deepmedic.hpp"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>

#include "ichdet/core/progress.hpp"

namespace ichdet::nn {
namespace {

struct Shape {
  std::int64_t depth, height, width, channels;
};

constexpr std::int64_t piece_floats = 4 << 20;  // of one convolution's output

void each_row(std::int64_t depth, std::int64_t height, const std::function<void(std::int64_t, std::int64_t)>& body) {
  at::parallel_for(0, depth * height, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) body(i / height, i % height);
  });
}

/// A few planes at a time: what LibTorch wrote is still in cache when it is finished, and pieces below 32 MB are
/// recycled by malloc in place of being mapped and cleared anew.
void convolve_by_libtorch(const at::Tensor& weight, const at::Tensor& x, const native::TakeSums& take) {
  const auto depth = x.size(0) - 2, height = x.size(1) - 2, width = x.size(2) - 2, channels = weight.size(0);
  const auto planes = std::max<std::int64_t>(1, piece_floats / (height * width * channels));
  for (std::int64_t z = 0; z < depth; z += planes) {
    StopScope::check("network");
    const auto count = std::min(planes, depth - z);
    const auto channels_last = x.narrow(0, z, count + 2).permute({3, 0, 1, 2}).unsqueeze(0);
    const auto piece = at::conv3d(channels_last, weight).squeeze(0).permute({1, 2, 3, 0}).contiguous();
    each_row(count, height, [&, data = piece.data_ptr<float>()](std::int64_t dz, std::int64_t y) {
      take({z + dz, y, 0, width, 0, channels, data + (dz * height + y) * width * channels});
    });
  }
}

/// x's product in pieces of its rows that do not depend on the number of threads, so that its bytes do not either.
at::Tensor multiply_rows(const at::Tensor& x, const RowProduct& multiply, std::int64_t outputs) {
  constexpr std::int64_t rows = 1024;
  auto product = at::empty({x.size(0), outputs});
  at::parallel_for(0, (x.size(0) + rows - 1) / rows, 1, [&](std::int64_t begin, std::int64_t end) {
    const c10::InferenceMode no_gradients;
    for (auto piece = begin; piece < end; ++piece) {
      const auto first = piece * rows, count = std::min(rows, x.size(0) - first);
      product.narrow(0, first, count).copy_(multiply(x.narrow(0, first, count)));
    }
  });
  return product;
}

}  // namespace

const Multiplies& by_libtorch() {
  static const Multiplies made{
      [](const at::Tensor& given) -> ValidConvolution {
        return [weight = given.contiguous(at::MemoryFormat::ChannelsLast3d)](
                   const at::Tensor& x, const native::TakeSums& take) { convolve_by_libtorch(weight, x, take); };
      },
      [](const at::Tensor& matrix) -> RowProduct {
        return [matrix = matrix.contiguous()](const at::Tensor& x) { return at::mm(x, matrix); };
      }};
  return made;
}

Float32DeepMedic::Float32DeepMedic(FoldedDeepMedic folded, const Multiplies& by) : folded_(std::move(folded)) {
  for (const auto& source : folded_.paths) {
    Path path;
    const auto& first = source.blocks.front();
    for (const auto& block : source.blocks) {
      const bool plain = &block == &first && first.in() % 16 != 0;
      path.convolutions.push_back((plain ? by_libtorch() : by).convolution(block.weight));
    }
    path.head = by.product(source.head_weight);
    if (first.in() == 1 && first.out() <= 32) {
      path.first_weight.assign(27 * 32, 0.f);
      const auto weight = first.weight.flatten(1).contiguous();
      for (std::int64_t c = 0; c < first.out(); ++c) {
        for (std::int64_t tap = 0; tap < 27; ++tap) {
          path.first_weight[std::size_t(tap * 32 + c)] = weight.data_ptr<float>()[c * 27 + tap];
        }
      }
    }
    paths_.push_back(std::move(path));
  }
  for (const auto& layer : folded_.head) head_.push_back(by.product(layer.weight.flatten(1).t()));
}

at::Tensor Float32DeepMedic::run_path(std::size_t index, const at::Tensor& input,
                                      const std::array<std::int64_t, 3>& output) const {
  const auto& folded = folded_.paths[index];
  const auto& blocks = folded.blocks;
  const auto& path = paths_[index];
  // (D, H, W, C), changed in place below
  at::Tensor x = folded.sample(input, output).permute({1, 2, 3, 0}).clone(at::MemoryFormat::Contiguous);
  const auto& first = blocks.front().before;
  const auto row = first.repeated(x.size(2));
  each_row(x.size(0), x.size(1), [&, n = x.size(2) * x.size(3), data = x.data_ptr<float>()](auto z, auto y) {
    auto* at = data + (z * x.size(1) + y) * n;
    affine_prelu(at, row.scale.data(), row.shift.data(), row.slope, at, n);
  });

  // Two buffers each for activations and for what shortcuts read, taken in turn.
  std::array<std::int64_t, 2> activation_size{}, stream_size{};
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto shrink = 2 * std::int64_t(i + 1);
    const auto n = (x.size(0) - shrink) * (x.size(1) - shrink) * (x.size(2) - shrink) * blocks[i].out();
    activation_size[i % 2] = std::max(activation_size[i % 2], n);
    if (folded.feeds_shortcut(i)) stream_size[i % 2] = std::max(stream_size[i % 2], n);
  }
  const std::array<at::Tensor, 2> activations{at::empty(activation_size[0]), at::empty(activation_size[1])};
  const std::array<at::Tensor, 2> streams{at::empty(stream_size[0]), at::empty(stream_size[1])};

  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto& block = blocks[i];
    const Shape in{x.size(0), x.size(1), x.size(2), x.size(3)};
    const Shape out{in.depth - 2, in.height - 2, in.width - 2, block.out()};
    const auto& next = i + 1 < blocks.size() ? blocks[i + 1].before : folded.before_head;
    const auto bias = block.bias.contiguous();
    const float* shortcut = block.shortcut ? streams[(i + 1) % 2].data_ptr<float>() : nullptr;
    float* kept = folded.feeds_shortcut(i) ? streams[i % 2].data_ptr<float>() : nullptr;
    float* activated = activations[i % 2].data_ptr<float>();
    const auto take = [&](const native::Sums& sums) {
      const auto at = ((sums.z * out.height + sums.y) * out.width + sums.x) * out.channels + sums.first;
      const auto from = (((sums.z + 1) * in.height + sums.y + 1) * in.width + sums.x + 1) * out.channels + sums.first;
      const Finishing how{sums.pixels,
                          sums.channels,
                          bias.const_data_ptr<float>() + sums.first,
                          next.scale.data() + sums.first,
                          next.shift.data() + sums.first,
                          next.slope,
                          out.channels};
      finish_pixels(how, sums.values, shortcut ? shortcut + from : nullptr, activated + at, kept ? kept + at : nullptr);
    };
    StopScope::check("network");
    if (i == 0 && !path.first_weight.empty()) {
      const auto* data = x.data_ptr<float>();
      at::parallel_for(0, out.depth * out.height, 8, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> convolved(std::size_t(out.width * out.channels));
        for (auto r = begin; r < end; ++r) {
          const auto z = r / out.height, y = r % out.height;
          std::array<const float*, 9> rows;
          for (int t = 0; t < 9; ++t) rows[std::size_t(t)] = data + ((z + t / 3) * in.height + y + t % 3) * in.width;
          convolve_first(rows.data(), path.first_weight.data(), convolved.data(), out.width, out.channels);
          take({z, y, 0, out.width, 0, out.channels, convolved.data()});
        }
      });
    } else {
      path.convolutions[i](x, take);
    }
    x = activations[i % 2]
            .narrow(0, 0, out.depth * out.height * out.width * out.channels)
            .view({out.depth, out.height, out.width, out.channels});
  }
  return x;
}

at::Tensor Float32DeepMedic::operator()(const at::Tensor& given) const {
  const auto output = folded_.output_size(given);
  const auto input = given.to(at::kFloat).contiguous();
  std::vector<at::Tensor> coarse;
  for (std::size_t i = 0; i + 1 < paths_.size(); ++i) {
    const auto activated = run_path(i, input, output);
    const auto shape = activated.sizes();
    auto part = multiply_rows(activated.view({-1, shape[3]}), paths_[i].head, folded_.head_bias.numel());
    if (i == 0) part += folded_.head_bias;
    coarse.push_back(part.view({shape[0], shape[1], shape[2], -1}));
  }
  const auto& fine_path = folded_.paths.back();
  const auto fine = run_path(paths_.size() - 1, input, output);

  const auto width = output[2], hidden = fine_path.head_weight.size(1), in = fine.size(3);
  const auto rows = std::max<std::int64_t>(1, 1024 / width);  // of voxels in one piece of work: fits in cache
  auto logits = at::empty({output[0], output[1], width, folded_.classes});
  const auto pieces = (output[0] * output[1] + rows - 1) / rows;
  at::parallel_for(0, pieces, 1, [&](std::int64_t begin, std::int64_t end) {
    const c10::InferenceMode no_gradients;
    const auto flat_in = fine.view({-1, in});
    const auto flat_out = logits.view({-1, folded_.classes});
    for (std::int64_t piece = begin; piece < end; ++piece) {
      const auto first = piece * rows, count = std::min(rows, output[0] * output[1] - first), voxels = count * width;
      auto x = paths_.back().head(flat_in.narrow(0, first * width, voxels));
      auto* values = x.data_ptr<float>();
      for (std::int64_t r = 0; r < count; ++r) {
        const auto z = (first + r) / output[1], y = (first + r) % output[1];
        for (std::size_t p = 0; p < coarse.size(); ++p) {
          const auto& scale = folded_.paths[p].scale;
          const auto& part = coarse[p];
          const auto* from =
              part.data_ptr<float>() + (z / scale[0] * part.size(1) + y / scale[1]) * part.size(2) * hidden;
          for (std::int64_t v = 0; v < width; ++v)
            add(values + (r * width + v) * hidden, from + v / scale[2] * hidden, hidden);
        }
      }
      for (std::size_t l = 0; l < folded_.head.size(); ++l) {
        const auto& layer = folded_.head[l];
        auto activated = at::empty_like(x);
        const auto wide = x.size(1);
        for (std::int64_t v = 0; v < voxels; ++v) {
          affine_prelu(x.data_ptr<float>() + v * wide, layer.before.scale.data(), layer.before.shift.data(),
                       layer.before.slope, activated.data_ptr<float>() + v * wide, wide);
        }
        const auto product = head_[l](activated);
        if (layer.shortcut) {
          x += product;
        } else {
          x = product;
        }
      }
      flat_out.narrow(0, first * width, voxels).copy_(x);
    }
  });
  return logits.permute({3, 0, 1, 2}).unsqueeze(0);
}

std::int64_t Float32DeepMedic::activation_bytes(at::IntArrayRef input_shape) const {
  const auto output = folded_.output_size(at::empty(input_shape, at::kMeta));
  const auto& path = folded_.paths.back();
  const auto blocks = std::int64_t(path.blocks.size());
  // Two buffers each for activations and for what shortcuts read, and one piece of a convolution.
  std::array<std::int64_t, 2> activations{}, streams{};
  for (std::int64_t i = 0; i < blocks; ++i) {
    auto n = path.blocks[std::size_t(i)].out();
    for (const auto size : output) n *= size + 2 * (blocks - 1 - i);
    auto& largest = activations[std::size_t(i % 2)];
    largest = std::max(largest, n);
    auto& kept = streams[std::size_t(i % 2)];
    if (path.feeds_shortcut(std::size_t(i))) kept = std::max(kept, n);
  }
  auto floats = activations[0] + activations[1] + streams[0] + streams[1] + piece_floats;
  for (std::size_t p = 0; p + 1 < folded_.paths.size(); ++p) {
    auto n = folded_.paths[p].head_weight.size(1);
    for (std::size_t axis = 0; axis < 3; ++axis) n *= output[axis] / folded_.paths[p].scale[axis];
    floats += n;
  }
  return floats * std::int64_t(sizeof(float));
}

}  // namespace ichdet::nn
