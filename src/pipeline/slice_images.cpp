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
#include <limits>
#include <numeric>

#include "ichdet/core/error.hpp"
#include "ichdet/pipeline/write_strip.hpp"
#include "ichdet/preprocess/masks.hpp"
#include "image_channel.hpp"

namespace ichdet {
namespace {

constexpr float air_hu = -1024;

SliceView whole_view(const SliceStack& stack) {
  ViewOptions options;
  options.crop_to_head = false;
  return upright_view(stack, options);
}

struct Limits {
  float low, high;
};

/// Of what is read.
Limits limits(const ImageSpec& image) {
  if (!image.clip_hu) return {air_hu, std::numeric_limits<float>::infinity()};
  return {std::max(air_hu, float((*image.clip_hu)[0])), float((*image.clip_hu)[1])};
}

/// A slice's size on the way to the network's.
std::array<std::int64_t, 2> scaled_size(const SliceView& view, const ImageSpec& image) {
  const std::array<std::int64_t, 2> own{view.rows, view.columns};
  if (own == image.size && image.spacing_mm <= 0) return own;
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

/// Where the network's image begins in the resized slice, rows and columns; negative where it reaches beyond.
std::array<std::int64_t, 2> first_pixel(const SliceStack& stack, const SliceView& view, const ImageSpec& image,
                                        const std::array<std::int64_t, 2>& scaled) {
  if (image.centre == ImageSpec::Centre::image) {
    return {-((image.size[0] - scaled[0]) / 2), -((image.size[1] - scaled[1]) / 2)};
  }
  ViewOptions options;
  options.margin_mm = 0;
  const auto head = upright_view(stack, options);
  const auto first = [](std::int64_t begin, std::int64_t count, double factor, std::int64_t size) {
    return std::int64_t(std::llround((double(begin) + double(count) / 2) * factor - double(size) / 2));
  };
  return {first(head.first_row, head.rows, double(scaled[0]) / double(view.rows), image.size[0]),
          first(head.first_column, head.columns, double(scaled[1]) / double(view.columns), image.size[1])};
}

struct Share {
  std::int64_t slice;
  double weight;
};

/// Slices that a slab of this thickness about slice `k` is made of, each reaching half way to the next; less than a
/// twentieth of the slab is none. The weights' sum is 1.
std::vector<Share> shares(const std::vector<double>& offsets_mm, std::int64_t k, double thickness_mm) {
  const auto last = std::int64_t(offsets_mm.size()) - 1;
  if (thickness_mm <= 0 || last == 0) return {{k, 1}};
  const auto at = [&](std::int64_t i) { return offsets_mm[std::size_t(i)]; };
  const auto half_gap = [&](std::int64_t i) { return (at(i + 1) - at(i)) / 2; };  // behind slice i
  const double from = at(k) - thickness_mm / 2, to = at(k) + thickness_mm / 2;
  std::vector<Share> all;
  double sum = 0;
  for (std::int64_t i = 0; i <= last; ++i) {
    const double begin = at(i) - half_gap(std::max<std::int64_t>(i - 1, 0));
    const double end = at(i) + half_gap(std::min(i, last - 1));
    const double overlap = std::min(end, to) - std::max(begin, from);
    if (i != k && overlap < thickness_mm / 20) continue;
    all.push_back({i, overlap});
    sum += overlap;
  }
  for (auto& share : all) share.weight /= sum;
  return all;
}

Array3<std::uint8_t> find_brain(const SliceStack& stack, int threads, const SkullStripper* skull_strip,
                                std::vector<std::string>& assumptions) {
  if (skull_strip == nullptr) {
    BrainMaskOptions options;
    options.threads = threads;
    return brain_mask({stack.hu, stack.geometry.nominal()}, options);
  }
  auto stripped = strip_stack(stack, *skull_strip, threads);
  assumptions.push_back("The brain of the skull-stripped channel was found by " + stripped.found.engine + ".");
  return std::move(stripped.brain.labels);
}

}  // namespace

SliceImages::SliceImages(const SliceStack& stack, const ModelSpec& model, int threads, const SkullStripper* skull_strip)
    : stack_(stack), image_(model.image), channels_(model.channels), view_(whole_view(stack)) {
  scaled_ = scaled_size(view_, image_);
  const auto [row, column] = first_pixel(stack, view_, image_, scaled_);
  padding_ = {-column, image_.size[1] - scaled_[1] + column, -row, image_.size[0] - scaled_[0] + row};
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
  brain_ = find_brain(stack, threads, skull_strip, assumptions_);
  if (std::ranges::find(brain_, 1) == brain_.end()) {
    assumptions_.emplace_back("No brain was found inside a skull: the skull-stripped channel shows the whole head.");
    brain_ = {};
  }
}

Array2f SliceImages::native(std::int64_t slice, const ChannelSpec& channel) const {
  auto hu = shown(view_, stack_.hu, slice);
  const auto where = [&](const Array3<std::uint8_t>& mask, bool is, float value) {
    const auto plane = shown(view_, mask, slice);
    for (std::int64_t i = 0; i < hu.size(); ++i) {
      if ((plane.data()[i] != 0) == is) hu.data()[i] = value;
    }
  };
  if (!stack_.padding.empty()) where(stack_.padding, true, air_hu);
  const auto [low, high] = limits(image_);
  std::ranges::transform(hu, hu.begin(),
                         [low = low, high = high](float value) { return value > low ? std::min(value, high) : low; });
  if (channel.brain && !brain_.empty()) where(brain_, false, float(channel.low_hu));
  return hu;
}

at::Tensor SliceImages::fitted(std::int64_t slice, float beyond,
                               const std::function<Array2f(std::int64_t)>& read) const {
  const auto slices = shares(stack_.geometry.offsets_mm(), slice, image_.slice_mm);
  auto plane = read(slices.front().slice);
  auto values = at::from_blob(plane.data(), {plane.extent(0), plane.extent(1)}, at::kFloat);
  if (slices.size() > 1) values.mul_(slices.front().weight);
  for (std::size_t i = 1; i < slices.size(); ++i) {
    auto more = read(slices[i].slice);
    values.add_(at::from_blob(more.data(), values.sizes(), at::kFloat), slices[i].weight);
  }
  if (scaled_ != plane.shape()) {
    values = at::_upsample_bilinear2d_aa(values.unsqueeze(0).unsqueeze(0), scaled_, /*align_corners=*/false)[0][0];
  }
  const bool whole = std::ranges::all_of(padding_, [](auto n) { return n == 0; });
  return whole ? values.clone() : at::constant_pad_nd(values, padding_, beyond).contiguous();
}

at::Tensor SliceImages::plane(std::int64_t slice, const ChannelSpec& channel) const {
  return fitted(slice, limits(image_).low, [&](std::int64_t k) { return native(k, channel); });
}

at::Tensor SliceImages::hu(std::int64_t slice) const {
  const at::NoGradGuard no_grad;
  check_slice(slice);
  return plane(slice, {});
}

at::Tensor SliceImages::part(const Array3<std::uint8_t>& mask, std::int64_t slice) const {
  const at::NoGradGuard no_grad;
  check_slice(slice);
  check_shape("mask", stack_.geometry.shape(), mask.shape());
  return fitted(slice, 0, [&](std::int64_t k) {
    const auto pixels = shown(view_, mask, k);
    Array2f part(pixels.shape());
    std::ranges::transform(pixels, part.begin(), [](std::uint8_t value) { return float(value != 0); });
    return part;
  });
}

std::vector<SlicePlane> SliceImages::planes() const {
  const double row_step = double(view_.rows) / double(scaled_[0]),
               column_step = double(view_.columns) / double(scaled_[1]);
  auto planes = stack_.geometry.planes();
  for (auto& plane : planes) {
    const auto own = plane;
    // Of the upright slice, as `shown` turns it.
    const auto at = [&](double row, double column) {
      if (view_.rows_flipped) row = double(view_.rows - 1) - row;
      if (view_.columns_flipped) column = double(view_.columns - 1) - column;
      return view_.transposed ? own.to_lps(column, row) : own.to_lps(row, column);
    };
    plane.position_mm =
        at((0.5 - double(padding_[2])) * row_step - 0.5, (0.5 - double(padding_[0])) * column_step - 0.5);
    plane.along_row = (at(0, 1) - at(0, 0)).normalized();
    plane.along_column = (at(1, 0) - at(0, 0)).normalized();
    plane.column_spacing_mm = view_.column_mm * column_step;
    plane.row_spacing_mm = view_.row_mm * row_step;
  }
  return planes;
}

void SliceImages::check_slice(std::int64_t slice) const {
  if (slice >= 0 && slice < stack_.geometry.count()) return;
  throw Error::mismatch(ErrorCode::options, "slice", "0 to " + std::to_string(stack_.geometry.count() - 1),
                        std::to_string(slice));
}

std::int64_t SliceImages::neighbour(std::int64_t slice, std::int64_t step) const {
  const auto& offsets = stack_.geometry.offsets_mm();
  const auto last = std::int64_t(offsets.size()) - 1;
  const auto at = [&](std::int64_t k) { return offsets[std::size_t(std::clamp<std::int64_t>(k, 0, last))]; };
  const double wanted = at(slice) + double(step) * image_.slice_mm;
  const auto misses_by = [&](std::int64_t k) { return std::abs(at(k) - wanted); };
  auto found = slice + step;
  if (step != 0 && image_.slice_mm > 0) {
    const std::int64_t onwards = step > 0 ? 1 : -1;
    while (misses_by(found + onwards) < misses_by(found) - 1e-3) found += onwards;  // of two as near, the nearer slice
  }
  return std::clamp<std::int64_t>(found, 0, last);
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
      hu = plane(neighbour(first, channel.slice), channel);
      if (weight > 0) hu = hu * (1 - weight) + plane(neighbour(first + 1, channel.slice), channel) * weight;
    }
    pipeline::write_channel(hu, channel, image_.levels, image[std::int64_t(c)].data_ptr<float>());
  }
  return image;
}

at::Tensor SliceImages::operator()(std::span<const std::int64_t> slices) const {
  const at::NoGradGuard no_grad;
  if (slices.empty()) return at::empty({0, std::int64_t(channels_.size()), image_.size[0], image_.size[1]}, at::kFloat);
  std::vector<at::Tensor> images;
  for (const auto slice : slices) {
    check_slice(slice);
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
  const auto head = head_mask({stack.hu, stack.geometry.nominal()}, options);
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
