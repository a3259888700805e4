#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/StringUtil.h>

#include <algorithm>
#include <cmath>

#include "ichdet/core/error.hpp"
#include "ichdet/models/mindgrab.hpp"

namespace ichdet::models {
namespace {

constexpr std::int64_t slab = 8;            ///< planes
constexpr std::int64_t voxels_a_time = 16;  ///< the innermost loops run over as many, all channels each
constexpr auto last_innermost = at::MemoryFormat::ChannelsLast3d;

/// Planes of D, channels innermost, in a buffer with room around them, in which they move from layer to layer.
class Planes {
 public:
  Planes(const at::Tensor& like, std::int64_t channels, std::int64_t room)
      : buffer_(at::empty({1, channels, like.size(2) + room, like.size(3), like.size(4)},
                          at::TensorOptions(at::kFloat).memory_format(last_innermost))),
        count_(like.size(2)),
        room_(room) {}

  /// The planes from `first` on; a view.
  at::Tensor at(std::int64_t first, std::int64_t count) const { return buffer_.narrow(2, start_ + first, count); }
  std::int64_t count() const noexcept { return count_; }
  std::int64_t channels() const noexcept { return buffer_.size(1); }

  /// What a layer computed, `shift` planes nearer to the start (or, negative, to the end) than it will be called later.
  void put(std::int64_t first, std::int64_t shift, const at::Tensor& planes) {
    at(first - shift, planes.size(2)).copy_(planes);
  }
  /// Which way a layer may go that needs `reach` planes on either side.
  bool room_before(std::int64_t reach) const noexcept { return start_ >= reach; }
  void moved(std::int64_t shift) noexcept { start_ -= shift; }

 private:
  at::Tensor buffer_;
  std::int64_t count_, room_, start_ = room_;
};

/// Sums of each channel's values and squares: in float over a few voxels, in double beyond.
class Moments {
 public:
  explicit Moments(std::int64_t channels) : sums_(std::size_t(2 * channels)) {}

  void add(const at::Tensor& planes) {
    const auto channels = std::int64_t(sums_.size() / 2), width = channels * voxels_a_time;
    const auto* values = planes.const_data_ptr<float>();
    const auto voxels = planes.numel() / channels;
    constexpr std::int64_t grain = 1 << 14;
    const auto parts = (voxels + grain - 1) / grain;
    std::vector<double> partial(std::size_t(parts) * sums_.size());
    at::parallel_for(0, parts, 1, [&](std::int64_t begin, std::int64_t end) {
      std::vector<float> sum(static_cast<std::size_t>(width)), square(sum);
      for (auto part = begin; part < end; ++part) {
        auto* into = partial.data() + part * std::int64_t(sums_.size());
        const auto last = std::min(voxels, (part + 1) * grain) * channels;
        for (auto at = part * grain * channels; at < last;) {
          std::ranges::fill(sum, 0.f);
          std::ranges::fill(square, 0.f);
          for (int rows = 0; rows < 16 && at < last; ++rows) {
            const auto count = std::min(width, last - at);
            for (std::int64_t i = 0; i < count; ++i) {
              sum[std::size_t(i)] += values[at + i];
              square[std::size_t(i)] += values[at + i] * values[at + i];
            }
            at += count;
          }
          for (std::int64_t i = 0; i < width; ++i) {
            into[i % channels] += sum[std::size_t(i)];
            into[channels + i % channels] += square[std::size_t(i)];
          }
        }
      }
    });
    for (std::size_t i = 0; i < partial.size(); ++i) sums_[i % sums_.size()] += partial[i];  // in order: the same bits
    voxels_ += voxels;
  }

  /// What instance norm multiplies by and adds, repeated for `voxels_a_time` voxels.
  std::pair<std::vector<float>, std::vector<float>> scale_and_shift() const {
    const auto channels = sums_.size() / 2;
    std::vector<float> scale(channels * voxels_a_time), shift(scale.size());
    for (std::size_t i = 0; i < scale.size(); ++i) {
      const double mean = sums_[i % channels] / double(voxels_);
      const double variance = std::max(0., sums_[channels + i % channels] / double(voxels_) - mean * mean);
      scale[i] = float(1 / std::sqrt(variance + 1e-5));
      shift[i] = float(-mean / std::sqrt(variance + 1e-5));
    }
    return {std::move(scale), std::move(shift)};
  }

 private:
  std::vector<double> sums_;
  std::int64_t voxels_ = 0;
};

/// Instance norm and GELU, in place.
void finish_layer(const at::Tensor& planes, const Moments& moments) {
  const auto [scale, shift] = moments.scale_and_shift();
  const auto width = std::int64_t(scale.size());
  auto* values = planes.data_ptr<float>();
  const auto rows = (planes.numel() + width - 1) / width;
  constexpr std::int64_t grain = 256;  // rows that stay in the cache between the two steps
  at::parallel_for(0, (rows + grain - 1) / grain, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto part = begin; part < end; ++part) {
      const auto first = part * grain * width, last = std::min(planes.numel(), first + grain * width);
      for (auto at = first; at < last; at += width) {
        for (std::int64_t i = 0; i < std::min(width, last - at); ++i) {
          values[at + i] = values[at + i] * scale[std::size_t(i)] + shift[std::size_t(i)];
        }
      }
      auto span = at::from_blob(values + first, {last - first}, at::kFloat);
      at::gelu_(span);
    }
  });
}

/// The convolution's output planes from `first` on. The planes that it reads beyond either end are zero.
template <class Read>
at::Tensor convolve(const at::Tensor& weight, std::int64_t dilation, std::int64_t first, std::int64_t count,
                    std::int64_t planes, const Read& read) {
  const auto low = first - dilation, high = first + count + dilation;
  const auto begin = std::max<std::int64_t>(0, low), end = std::min(planes, high);
  at::Tensor window = read(begin, end - begin);
  if (begin > low || end < high) window = at::constant_pad_nd(window, {0, 0, 0, 0, begin - low, high - end});
  return at::conv3d(window, weight, {}, 1, at::IntArrayRef({0, dilation, dilation}), dilation)
      .contiguous(last_innermost);
}

}  // namespace

at::Tensor forward_in_slabs(const MindGrabImpl& network, const at::Tensor& x, const Progress& progress) {
  if (x.dim() != 5 || x.size(0) != 1 || x.size(1) != network.in_channels || x.numel() == 0) {
    throw Error::mismatch(ErrorCode::shape, "MindGrab in slabs", "one volume (1, channels, D, H, W)",
                          c10::str(x.sizes()));
  }
  const c10::InferenceMode no_gradients;
  const auto& dilations = network.options.dilations;
  const auto image = x.contiguous(last_innermost);
  Planes planes(image, network.options.channels, 2 * *std::ranges::max_element(dilations));
  const auto count = planes.count();
  for (std::size_t layer = 0; layer < dilations.size(); ++layer) {
    progress("brain extraction", double(layer) / double(dilations.size()));
    const auto dilation = dilations[layer];
    const auto weight = network.blocks[layer]->weight.contiguous(last_innermost);
    const bool forwards = planes.room_before(dilation);
    const auto shift = forwards ? dilation : -dilation;
    Moments moments(planes.channels());
    for (std::int64_t done = 0; done < count; done += slab) {
      const auto size = std::min(slab, count - done), first = forwards ? done : count - done - size;
      const auto out = convolve(weight, dilation, first, size, count, [&](std::int64_t from, std::int64_t number) {
        return layer == 0 ? image.narrow(2, from, number) : planes.at(from, number);
      });
      moments.add(out);
      planes.put(first, shift, out);
    }
    planes.moved(shift);
    finish_layer(planes.at(0, count), moments);
  }
  auto logits = at::empty({1, network.options.num_classes, count, x.size(3), x.size(4)}, at::kFloat);
  for (std::int64_t first = 0; first < count; first += slab) {
    const auto size = std::min(slab, count - first);
    logits.narrow(2, first, size).copy_(at::conv3d(planes.at(first, size), network.last->weight, network.last->bias));
  }
  progress("brain extraction", 1);
  return logits;
}

}  // namespace ichdet::models
