#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ichdet/bundle/spec.hpp"
#include "ichdet/core/slice_stack.hpp"
#include "ichdet/report/view.hpp"

namespace ichdet {

class SkullStripper;

/// What a classifier reads of a stack: Hounsfield units, windowed, fitted to the network's size and normalised.
///
/// Slices are turned upright first (rows run to the back, columns to the patient's left; axial DICOM slices lie so
/// already), padding and what is darker reads as air (-1024 HU), and values are clipped and slices averaged where the
/// bundle says so (ImageSpec::clip_hu, slice_mm). Of a slice of the network's own size and spacing no pixel is
/// resampled; others are resized with linear weights, widened where they shrink, and padded with air (ImageSpec::Fit).
/// Each channel is then window_8bit() or window(), and (x / 255 - mean) / std or (x - mean) / std, in float32, as
/// NumPy and torchvision's ToTensor and Normalize do it on a PNG file.
///
/// Immutable; calls may run from several threads at once. Keeps a handle on the stack's values.
class SliceImages {
 public:
  /// Looks for the brain where a channel is skull-stripped: by `skull_strip`, or where there is none by brain_mask.
  /// `model` is a classifier.
  SliceImages(const SliceStack& stack, const ModelSpec& model, int threads = 0,
              const SkullStripper* skull_strip = nullptr);

  /// (image, channel, row, column), float32, of these slices. Throws Error(options) where there is no such slice.
  at::Tensor operator()(std::span<const std::int64_t> slices) const;

  /// (1, image, channel, row, column): `model.image.exam_slices` images at equal steps from the first to the last
  /// slice, each interpolated linearly between the two slices around it, along the normal.
  at::Tensor exam() const;
  /// Where the exam's images lie: as slice indices with fractions.
  std::vector<double> exam_positions() const;

  /// (row, column), float32: one slice's HU before windows, fitted; no brain is looked for. Throws as above.
  at::Tensor hu(std::int64_t slice) const;
  /// What part of each of the image's pixels is not 0 in a mask over the stack, fitted as HU are; 0 beyond the slice.
  /// Throws Error(shape) where the mask has another shape than the stack.
  at::Tensor part(const Array3<std::uint8_t>& mask, std::int64_t slice) const;
  /// Where the images lie, in the order of the slices: theirs, turned upright and resized.
  std::vector<SlicePlane> planes() const;

  /// A map over the network's image, brought back to the slice's own (row, column); 0 beyond the image.
  Array2f to_slice(const at::Tensor& map) const;

  const std::vector<std::string>& assumptions() const noexcept { return assumptions_; }
  /// Where the slices' upper edge points: 'A' for axial ones.
  char top() const noexcept { return view_.top; }

 private:
  at::Tensor image_at(double position) const;
  at::Tensor plane(std::int64_t slice, const ChannelSpec& channel) const;
  at::Tensor fitted(std::int64_t slice, float beyond, const std::function<Array2f(std::int64_t)>& read) const;
  void check_slice(std::int64_t slice) const;
  Array2f native(std::int64_t slice, const ChannelSpec& channel) const;
  std::int64_t neighbour(std::int64_t slice, std::int64_t step) const;

  SliceStack stack_;
  ImageSpec image_;
  std::vector<ChannelSpec> channels_;
  SliceView view_;
  Array3<std::uint8_t> brain_;
  std::array<std::int64_t, 2> scaled_{};   ///< a slice's size after resizing
  std::array<std::int64_t, 4> padding_{};  ///< left, right, top, bottom; negative where it is cropped
  std::vector<std::string> assumptions_;
};

/// Indices of the slices that show some of what head_mask() finds, ascending; all of them where it finds nothing.
std::vector<std::int64_t> slices_with_head(const SliceStack& stack, int threads = 0);

}  // namespace ichdet
