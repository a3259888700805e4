#include "fitted.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "../pipeline/trust.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/pipeline/slice_images.hpp"
#include "ichdet/preprocess/grid.hpp"
#include "ichdet/preprocess/resample.hpp"
#include "read_scan.hpp"

namespace ichdet::train {
namespace {

bool is_blood(std::uint8_t value, const ModelSpec& model) {
  const bool by_class = model.task == Task::segmentation || model.task == Task::slice_segmentation;
  return by_class ? value < model.classes.size() && model.classes[value].blood : value > 0 && value != unknown_label;
}

/// Of each slice: 1 where the mask shows blood, 0 where it is known to show none.
std::vector<std::uint8_t> slices_with_blood(const Array3<std::uint8_t>& mask, const ModelSpec& model) {
  std::vector<std::uint8_t> result;
  for (std::int64_t k = 0; k < mask.extent(0); ++k) {
    const auto plane = mask.plane(k);
    const bool some = std::ranges::any_of(plane, [&](auto value) { return is_blood(value, model); });
    const bool unknown = std::ranges::find(plane, unknown_label) != plane.end();
    result.push_back(some ? 1 : unknown ? unknown_label : 0);
  }
  return result;
}

/// The class with the largest part of each of the images' pixels.
Array3<std::uint8_t> fit_mask(const SliceImages& images, const Array3<std::uint8_t>& mask, const ImageSpec& image) {
  Array3<std::uint8_t> result({mask.extent(0), image.size[0], image.size[1]});
  Array3<float> largest(result.shape(), 0), background(result.shape(), 1);
  std::array<bool, 256> present{};
  for (const auto value : mask) present[value] = true;
  for (std::size_t value = 1; value < present.size(); ++value) {
    if (!present[value]) continue;
    Array3<std::uint8_t> pixels(mask.shape());
    std::ranges::transform(mask, pixels.begin(), [=](auto own) { return std::uint8_t(own == value); });
    for (std::int64_t k = 0; k < mask.extent(0); ++k) {
      const auto part = images.part(pixels, k).contiguous();
      for (std::int64_t i = 0; i < part.numel(); ++i) {
        const float share = part.data_ptr<float>()[i];
        background.plane(k)[std::size_t(i)] -= share;
        if (share <= largest.plane(k)[std::size_t(i)]) continue;
        largest.plane(k)[std::size_t(i)] = share;
        result.plane(k)[std::size_t(i)] = std::uint8_t(value);
      }
    }
  }
  for (std::int64_t i = 0; i < result.size(); ++i) {
    if (background.data()[i] >= largest.data()[i]) result.data()[i] = 0;
  }
  return result;
}

template <class T>
Array3<T> slices_reversed(const Array3<T>& values) {
  auto result = Array3<T>::uninitialized(values.shape());
  for (std::int64_t k = 0; k < values.extent(0); ++k) {
    std::ranges::copy(values.plane(k), result.plane(values.extent(0) - 1 - k).begin());
  }
  return result;
}

/// Along the images' own normal, which is against the scan's where turning a slice upright mirrors it.
std::pair<SliceGeometry, bool> sorted_geometry(std::vector<SlicePlane> planes, const ImageSpec& image,
                                               const SliceGeometry& slices) {
  const bool reversed = planes.front().normal().dot(slices.normal()) < 0;
  if (reversed) std::ranges::reverse(planes);
  return {SliceGeometry(std::move(planes), image.size[0], image.size[1], slices.frame_of_reference_uid()), reversed};
}

Fitted fit_images(const Scan& scan, const ModelSpec& model) {
  const at::NoGradGuard no_grad;
  ModelSpec plain = model;
  for (auto& channel : plain.channels) channel.brain = false;
  const SliceImages images(scan.stack, plain, 1);
  auto [geometry, reversed] = sorted_geometry(images.planes(), model.image, scan.stack.geometry);
  Fitted fitted{std::move(geometry), {}, {}, {}, {}, scan.stack.assumptions, reversed};
  const auto& more = images.assumptions();
  fitted.assumptions.insert(fitted.assumptions.end(), more.begin(), more.end());
  const auto count = fitted.geometry.count();
  auto hu = Array3<float>::uninitialized(fitted.geometry.shape());
  for (std::int64_t k = 0; k < count; ++k) {
    const auto plane = images.hu(k).contiguous();
    std::copy_n(plane.data_ptr<float>(), plane.numel(), hu.plane(k).begin());
  }
  if (!scan.mask.empty()) {
    fitted.mask = fit_mask(images, scan.mask, model.image);
    fitted.blood = slices_with_blood(scan.mask, model);
  }
  if (reversed) {
    hu = slices_reversed(hu);
    fitted.mask = slices_reversed(fitted.mask);
    std::ranges::reverse(fitted.blood);
  }
  fitted.hu = CompactHu(hu);
  return fitted;
}

Fitted fit_volume(const Scan& scan, const ModelSpec& model) {
  const auto grid = segmentation_grid(scan.stack.geometry, Eigen::Vector3d(model.spacing_mm.data()));
  const auto measured = pipeline::measured_range(scan.stack);
  const auto volume = resample_to(scan.stack, grid, {.outside = measured.low, .threads = 1});
  Fitted fitted{SliceGeometry(grid), CompactHu(volume.hu), {}, {}, {}, scan.stack.assumptions, false};
  if (!scan.mask.empty()) {
    fitted.mask = resample_to(SliceLabels(scan.mask, {}, scan.stack.geometry), grid, 1).labels;
    fitted.blood = slices_with_blood(fitted.mask, model);
  }
  return fitted;
}

/// Nothing, and a sentence, where no cavity is found.
std::optional<CompactAnatomy> anatomy_of(const SliceStack& stack, std::vector<std::string>& assumptions) {
  AnatomyOptions options;
  options.threads = 1;
  try {
    return CompactAnatomy(anatomy_from_scan(stack, options));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::geometry) throw;
    assumptions.emplace_back(std::string("No anatomy: ") + error.what() + '.');
    return std::nullopt;
  }
}

}  // namespace

bool reads_images(Task task) { return task != Task::segmentation && task != Task::brain_extraction; }

Fitted fit(const StudyEntry& entry, const ModelSpec& model, const PreparationOptions& options) {
  const auto scan = read_scan(entry, model, options);
  const auto fitted_to = [&](const ModelSpec& to) {
    return reads_images(to.task) ? fit_images(scan, to) : fit_volume(scan, to);
  };
  auto fitted = fitted_to(model);
  if (!options.anatomy) return fitted;
  auto whole = model;  // skull and air are found best in HU that are not clipped
  whole.image.clip_hu.reset();
  const auto unclipped = model.image.clip_hu ? fitted_to(whole).hu : fitted.hu;
  fitted.anatomy = anatomy_of({fitted.geometry, unclipped.slices(0, fitted.geometry.count())}, fitted.assumptions);
  return fitted;
}

}  // namespace ichdet::train
