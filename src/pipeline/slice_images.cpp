#include "ichdet/pipeline/slice_images.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_upsample_bilinear2d_aa.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/upsample_bilinear2d.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "ichdet/core/error.hpp"
#include "ichdet/preprocess/masks.hpp"

namespace ichdet {
namespace {

constexpr float air_hu = -1024;

SliceView whole_view(const SliceStack& stack) {
  ViewOptions options;
  options.crop_to_head = false;
  return upright_view(stack, options);
}

/// A slice's size on the way to the network's.
std::array<std::int64_t, 2> scaled_size(const SliceView& view, const ImageSpec& image) {
  const std::array<std::int64_t, 2> own{view.rows, view.columns};
  if (own == image.size) return own;
  const auto scaled = [](std::int64_t pixels, double factor) {
    return std::max<std::int64_t>(1, std::llround(double(pixels) * factor));
  };
  if (image.fit == ImageSpec::Fit::resize) {
    const double factor = std::min(double(image.size[0]) / double(own[0]), double(image.size[1]) / double(own[1]));
    return {scaled(own[0], factor), scaled(own[1], factor)};
  }
  if (image.spacing_mm <= 0) return own;
  return {scaled(own[0], view.row_mm / image.spacing_mm), scaled(own[1], view.column_mm / image.spacing_mm)};
}

Volume nominal_volume(const SliceStack& stack) { return {stack.hu, stack.geometry.nominal()}; }

/// The channel's window of a plane of HU, normalised.
void write_channel(const at::Tensor& hu, const ChannelSpec& channel, const std::optional<Rounding>& levels,
                   float* out) {
  const Array3<float> values(hu.data_ptr<float>(), {1, hu.size(0), hu.size(1)}, nullptr);
  const Window range{channel.low_hu, channel.high_hu};
  const auto mean = float(channel.mean), std = float(channel.std);
  if (!levels) {
    const auto shown = window(values, range);
    std::transform(shown.begin(), shown.end(), out, [=](float value) { return (value - mean) / std; });
    return;
  }
  std::array<float, 256> normalised;
  for (std::size_t level = 0; level < normalised.size(); ++level) {
    normalised[level] = (float(level) / 255.f - mean) / std;
  }
  const auto shown = window_8bit(values, range, *levels);
  std::transform(shown.begin(), shown.end(), out, [&](std::uint8_t level) { return normalised[level]; });
}

}  // namespace

SliceImages::SliceImages(const SliceStack& stack, const ModelSpec& model, int threads)
    : stack_(stack), image_(model.image), channels_(model.channels), view_(whole_view(stack)) {
  scaled_ = scaled_size(view_, image_);
  const auto left = (image_.size[1] - scaled_[1]) / 2, top = (image_.size[0] - scaled_[0]) / 2;
  padding_ = {left, image_.size[1] - scaled_[1] - left, top, image_.size[0] - scaled_[0] - top};
  char text[160];
  if (scaled_ != std::array<std::int64_t, 2>{view_.rows, view_.columns}) {
    std::snprintf(text, sizeof text, "The network reads %lld x %lld pixels: slices of %lld x %lld were resized.",
                  static_cast<long long>(image_.size[0]), static_cast<long long>(image_.size[1]),
                  static_cast<long long>(view_.rows), static_cast<long long>(view_.columns));
    assumptions_.emplace_back(text);
  }
  if (image_.spacing_mm <= 0 && std::abs(view_.row_mm - view_.column_mm) > 0.01 * view_.column_mm) {
    std::snprintf(text, sizeof text, "Pixels of %.3g x %.3g mm were read as if they were square.", view_.row_mm,
                  view_.column_mm);
    assumptions_.emplace_back(text);
  }
  if (!std::ranges::any_of(channels_, &ChannelSpec::brain)) return;
  BrainMaskOptions options;
  options.threads = threads;
  brain_ = brain_mask(nominal_volume(stack), options);
  if (std::ranges::find(brain_, 1) == brain_.end()) {
    assumptions_.emplace_back("No brain was found inside a skull: the skull-stripped channel shows the whole head.");
    brain_ = {};
  }
}

at::Tensor SliceImages::plane(std::int64_t slice, const ChannelSpec& channel) const {
  const auto k = std::clamp<std::int64_t>(slice, 0, stack_.geometry.count() - 1);
  auto hu = shown(view_, stack_.hu, k);
  std::ranges::transform(hu, hu.begin(), [](float value) { return value > air_hu ? value : air_hu; });
  const auto where = [&](const Array3<std::uint8_t>& mask, bool is, float value) {
    const auto plane = shown(view_, mask, k);
    for (std::int64_t i = 0; i < hu.size(); ++i) {
      if ((plane.data()[i] != 0) == is) hu.data()[i] = value;
    }
  };
  if (!stack_.padding.empty()) where(stack_.padding, true, air_hu);
  if (channel.brain && !brain_.empty()) where(brain_, false, float(channel.low_hu));
  auto values = at::from_blob(hu.data(), {hu.extent(0), hu.extent(1)}, at::kFloat);
  if (scaled_ != hu.shape()) {
    values = at::_upsample_bilinear2d_aa(values.unsqueeze(0).unsqueeze(0), scaled_, /*align_corners=*/false)[0][0];
  }
  const bool whole = std::ranges::all_of(padding_, [](auto n) { return n == 0; });
  return whole ? values.clone() : at::constant_pad_nd(values, padding_, air_hu).contiguous();
}

at::Tensor SliceImages::image_at(double position) const {
  const auto first = std::int64_t(std::floor(position));
  const double weight = position - double(first);
  auto image = at::empty({std::int64_t(channels_.size()), image_.size[0], image_.size[1]}, at::kFloat);
  at::Tensor hu;
  for (std::size_t c = 0; c < channels_.size(); ++c) {
    const auto& channel = channels_[c];
    const bool same = c > 0 && channel.slice == channels_[c - 1].slice && !channel.brain && !channels_[c - 1].brain;
    if (!same) {
      hu = plane(first + channel.slice, channel);
      if (weight > 0) hu = hu * (1 - weight) + plane(first + 1 + channel.slice, channel) * weight;
    }
    write_channel(hu, channel, image_.levels, image[std::int64_t(c)].data_ptr<float>());
  }
  return image;
}

at::Tensor SliceImages::operator()(std::span<const std::int64_t> slices) const {
  const at::NoGradGuard no_grad;
  if (slices.empty()) return at::empty({0, std::int64_t(channels_.size()), image_.size[0], image_.size[1]}, at::kFloat);
  std::vector<at::Tensor> images;
  for (const auto slice : slices) {
    if (slice < 0 || slice >= stack_.geometry.count()) {
      throw Error::mismatch(ErrorCode::options, "slice", "0 to " + std::to_string(stack_.geometry.count() - 1),
                            std::to_string(slice));
    }
    images.push_back(image_at(double(slice)));
  }
  return at::stack(images);
}

std::vector<double> SliceImages::exam_positions() const {
  const auto& offsets = stack_.geometry.offsets_mm();
  std::vector<double> positions;
  for (std::int64_t i = 0; i < image_.exam_slices; ++i) {
    const double share = image_.exam_slices > 1 ? double(i) / double(image_.exam_slices - 1) : 0.5;
    const double at_mm = share * offsets.back();
    const auto above = std::upper_bound(offsets.begin(), offsets.end(), at_mm);
    if (above == offsets.end()) {
      positions.push_back(double(offsets.size() - 1));
    } else {
      positions.push_back(double(above - offsets.begin() - 1) + (at_mm - above[-1]) / (above[0] - above[-1]));
    }
  }
  return positions;
}

at::Tensor SliceImages::exam() const {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> images;
  for (const double position : exam_positions()) images.push_back(image_at(position));
  return at::stack(images).unsqueeze(0);
}

Array2f SliceImages::to_slice(const at::Tensor& map) const {
  const at::NoGradGuard no_grad;
  if (map.dim() != 2 || map.size(0) != image_.size[0] || map.size(1) != image_.size[1]) {
    throw Error(ErrorCode::shape, "map: expected the network's image size");
  }
  const std::array<std::int64_t, 4> back{-padding_[0], -padding_[1], -padding_[2], -padding_[3]};
  auto upright = at::constant_pad_nd(map.to(at::kFloat), back, 0);
  if (scaled_ != std::array<std::int64_t, 2>{view_.rows, view_.columns}) {
    upright = at::upsample_bilinear2d(upright.unsqueeze(0).unsqueeze(0), {view_.rows, view_.columns}, false)[0][0];
  }
  upright = upright.contiguous();
  // `shown` tells which pixel of the slice each pixel of the picture is.
  const auto rows = stack_.geometry.rows(), columns = stack_.geometry.columns();
  Array3<std::int64_t> index({1, rows, columns});
  std::iota(index.begin(), index.end(), 0);
  const auto from = shown(view_, index, 0);
  Array2f out({rows, columns});
  for (std::int64_t i = 0; i < from.size(); ++i) out.data()[from.data()[i]] = upright.data_ptr<float>()[i];
  return out;
}

std::vector<std::int64_t> slices_with_head(const SliceStack& stack, int threads) {
  HeadMaskOptions options;
  options.threads = threads;
  const auto head = head_mask(nominal_volume(stack), options);
  std::vector<std::int64_t> slices;
  for (std::int64_t k = 0; k < stack.geometry.count(); ++k) {
    const auto plane = head.plane(k);
    if (std::ranges::find(plane, 1) != plane.end()) slices.push_back(k);
  }
  if (slices.empty()) {
    slices.resize(std::size_t(stack.geometry.count()));
    std::iota(slices.begin(), slices.end(), 0);
  }
  return slices;
}

}  // namespace ichdet
