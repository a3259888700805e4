#include "slab_values.hpp"

#include <ATen/ops/_upsample_bilinear2d_aa.h>
#include <ATen/ops/upsample_bilinear2d.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <vector>

#include "ichdet/phantom/grid_tools.hpp"
#include "ichdet/phantom/random.hpp"
#include "resample_slab.hpp"

namespace ichdet::train {
namespace {

constexpr float air_hu = -200;  ///< below: nothing that a change of tissue's values concerns

/// Gaussian blur of each slice.
void blur_slices(float* values, const Slab& slab, double sigma_mm) {
  const auto rows = slab.hu.size(1), columns = slab.hu.size(2);
  const auto along_row = phantom_detail::gaussian_weights(sigma_mm / slab.spacing_mm[2]);
  const auto along_column = phantom_detail::gaussian_weights(sigma_mm / slab.spacing_mm[1]);
  std::vector<float> scratch;
  for (std::int64_t s = 0; s < slab.hu.size(0); ++s) {
    const std::span<float> slice(values + s * rows * columns, std::size_t(rows * columns));
    phantom_detail::blur_slice(slice, rows, columns, along_row, along_column, scratch);
  }
}

}  // namespace

SlabValues::SlabValues(Slab& slab)
    : slab_(slab),
      hu_(slab.hu.mutable_data_ptr<float>()),
      slices_(slab.hu.size(0)),
      rows_(slab.hu.size(1)),
      columns_(slab.hu.size(2)) {}

void SlabValues::low_resolution(double factor) {
  if (factor <= 1) return;
  const auto coarse = [&](std::int64_t n) { return std::max<std::int64_t>(1, std::llround(double(n) / factor)); };
  const std::array<std::int64_t, 2> small{coarse(rows_), coarse(columns_)}, own{rows_, columns_};
  const auto image = slab_.hu.unsqueeze(0);
  const auto reduced = at::_upsample_bilinear2d_aa(image, small, false);
  slab_.hu.copy_(at::upsample_bilinear2d(reduced, own, false).squeeze(0));
}

void SlabValues::blur(double sigma_mm) {
  if (sigma_mm > 0) blur_slices(hu_, slab_, sigma_mm);
}

void SlabValues::sharpen(double strength) {
  if (strength <= 0) return;
  std::vector<float> soft(hu_, hu_ + slab_.hu.numel());
  blur_slices(soft.data(), slab_, 1);
  for (std::size_t i = 0; i < soft.size(); ++i) {
    hu_[i] += float(strength) * std::clamp(hu_[i] - soft[i], -60.0F, 60.0F);
  }
}

void SlabValues::blend_slices(double share) {
  if (share <= 0 || slices_ < 2) return;
  const std::vector<float> old(hu_, hu_ + slab_.hu.numel());
  const auto area = rows_ * columns_;
  for (std::int64_t s = 0; s < slices_; ++s) {
    const float* own = old.data() + s * area;
    const float* below = old.data() + std::max<std::int64_t>(s - 1, 0) * area;
    const float* above = old.data() + std::min(s + 1, slices_ - 1) * area;
    for (std::int64_t i = 0; i < area; ++i) {
      hu_[s * area + i] = own[i] + float(share) * (below[i] + above[i] - 2 * own[i]);
    }
  }
}

void SlabValues::unclip(float low_hu, float high_hu) {
  // Single pixels at an end are noise, in CSF or in dense blood; air and bone fill areas.
  constexpr float near_hu = 0.05F;
  const std::vector<float> old(hu_, hu_ + slab_.hu.numel());
  const auto at_low = [&](std::int64_t i) { return old[std::size_t(i)] <= low_hu + near_hu; };
  const auto at_high = [&](std::int64_t i) { return old[std::size_t(i)] >= high_hu - near_hu; };
  for (std::int64_t line = 0; line < slices_ * rows_; ++line) {
    const auto up = line % rows_ == 0 ? 0 : -columns_, down = (line + 1) % rows_ == 0 ? 0 : columns_;
    for (std::int64_t c = 0; c < columns_; ++c) {
      const auto i = line * columns_ + c;
      const auto neighbours = [&](const auto& at_end) {
        return at_end(i + up) + at_end(i + down) + at_end(c == 0 ? i : i - 1) + at_end(c + 1 == columns_ ? i : i + 1);
      };
      if (at_high(i) && neighbours(at_high) >= 2) hu_[i] = high_hu + 900;
      if (at_low(i) && neighbours(at_low) == 4) hu_[i] = low_hu - 1000;
    }
  }
}

void SlabValues::cup(double rise_hu) {
  if (rise_hu == 0) return;
  const float* middle = hu_ + slices_ / 2 * rows_ * columns_;
  std::int64_t top = rows_, bottom = -1, left = columns_, right = -1;
  for (std::int64_t r = 0; r < rows_; r += 2) {
    for (std::int64_t c = 0; c < columns_; c += 2) {
      if (middle[r * columns_ + c] < 15) continue;
      top = std::min(top, r);
      bottom = std::max(bottom, r);
      left = std::min(left, c);
      right = std::max(right, c);
    }
  }
  if (bottom <= top || right <= left) return;
  const double row = 0.5 * double(top + bottom), column = 0.5 * double(left + right);
  const double half_rows = 0.5 * double(bottom - top), half_columns = 0.5 * double(right - left);
  for (std::int64_t r = 0; r < rows_; ++r) {
    const auto y = float((double(r) - row) / half_rows);
    for (std::int64_t c = 0; c < columns_; ++c) {
      const auto x = float((double(c) - column) / half_columns);
      const float rise = float(rise_hu) * (std::min(x * x + y * y, 1.2F) - 0.4F);
      for (std::int64_t s = 0; s < slices_; ++s) {
        float& value = hu_[(s * rows_ + r) * columns_ + c];
        if (value > air_hu) value += rise;
      }
    }
  }
}

void SlabValues::shade(double hu, std::uint64_t seed) {
  if (hu <= 0) return;
  const double period_mm = 40 + 60 * counter_uniform(seed, 1, 0);
  const SplineField field(rows_, columns_, period_mm / slab_.spacing_mm[1], period_mm / slab_.spacing_mm[2], seed);
  std::vector<float> line;
  for (std::int64_t r = 0; r < rows_; ++r) {
    field.row(r, line);
    for (std::int64_t s = 0; s < slices_; ++s) {
      float* values = hu_ + (s * rows_ + r) * columns_;
      for (std::size_t c = 0; c < line.size(); ++c) {
        if (values[c] > air_hu) values[c] += float(hu) * line[c];
      }
    }
  }
}

void SlabValues::tone(double gain, double offset_hu, double brain_gain, double gamma) {
  if (gain == 1 && offset_hu == 0 && brain_gain == 1 && gamma == 1) return;
  const auto slope = float(gain * brain_gain);
  const auto start = float(brain_gain * (offset_hu - 32) + 32);
  constexpr float bright = 90;
  for (std::int64_t i = 0; i < slab_.hu.numel(); ++i) {
    if (hu_[i] <= air_hu) continue;
    float value = slope * hu_[i] + start;
    if (gamma != 1 && value > 0 && value < bright) value = bright * std::pow(value / bright, float(gamma));
    hu_[i] = value;
  }
}

void SlabValues::add_noise(double hu, double grain_mm, std::uint64_t seed) {
  if (hu <= 0) return;
  std::vector<float> noise(std::size_t(slab_.hu.numel()));
  for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = counter_normal(seed, 5, i);
  double scale = hu;
  if (grain_mm > 0) {
    blur_slices(noise.data(), slab_, grain_mm);
    // Correlated noise keeps some of what blurring takes: half-way, in ratio, to noise of the same deviation.
    for (const double mm : {slab_.spacing_mm[1], slab_.spacing_mm[2]}) {
      double power = 0;
      for (const float w : phantom_detail::gaussian_weights(grain_mm / mm)) power += double(w) * w;
      scale /= std::pow(power, 0.35);
    }
  }
  for (std::size_t i = 0; i < noise.size(); ++i) hu_[i] += float(scale) * noise[i];
}

}  // namespace ichdet::train
