#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "ichdet/core/error.hpp"
#include "ichdet/core/volume.hpp"
#include "ichdet/impl/report/outline.hpp"
#include "ichdet/impl/report/scan_tile.hpp"
#include "ichdet/impl/report/shared.hpp"
#include "ichdet/report/draw.hpp"
#include "ichdet/report/overlay.hpp"
#include "ichdet/report/panel.hpp"
#include "ichdet/report/summary.hpp"

namespace ichdet {

namespace detail {

ICHDET_INLINE void check_overlay(const SliceStack& stack, const SliceLabels& labels, const OverlayOptions& options) {
  check_shape("labels to draw", stack.geometry.shape(), labels.labels.shape());
  if (options.setup && std::int64_t(options.setup->labels.size()) != stack.geometry.count()) {
    throw Error::mismatch(ErrorCode::shape, "OverlayOptions.setup", std::to_string(stack.geometry.count()) + " slices",
                          std::to_string(options.setup->labels.size()));
  }
  if (!(options.window_width_hu > 0)) {
    throw Error::mismatch(ErrorCode::options, "window_width_hu", "a positive number",
                          std::to_string(options.window_width_hu));
  }
  if (options.slice_px < 480 || options.tile_px < 120 || options.max_tiles < 1) {
    throw Error(ErrorCode::options, "overlay: expected slice_px >= 480, tile_px >= 120 and max_tiles >= 1, found " +
                                        std::to_string(options.slice_px) + ", " + std::to_string(options.tile_px) +
                                        ", " + std::to_string(options.max_tiles));
  }
}

/// A ring around a label that is so small on the picture that its outline alone would be overlooked.
ICHDET_INLINE void ring_if_tiny(Image& image, const Placed& at, const Array2f& field, draw::Color color) {
  std::int64_t top = field.extent(0), left = field.extent(1), bottom = -1, right = -1;
  for (std::int64_t r = 0; r < field.extent(0); ++r) {
    for (std::int64_t c = 0; c < field.extent(1); ++c) {
      if (field(r, c) <= 0.4f) continue;
      top = std::min(top, r);
      bottom = std::max(bottom, r);
      left = std::min(left, c);
      right = std::max(right, c);
    }
  }
  if (bottom < 0 || std::max(bottom - top, right - left) >= 6) return;
  draw::ring(image, double(at.x) + double(left + right) / 2, double(at.y) + double(top + bottom) / 2, 11, 1.3, color);
}

/// Draws the labels of one slice. Where the lines of two labels run together that of the lower label is drawn.
ICHDET_INLINE void draw_labels(Image& image, const Placed& at, const Array<std::uint8_t, 2>& plane, double width_px,
                               double smooth_px, const OverlayOptions& options) {
  std::array<bool, 256> present{};
  for (const auto value : plane) present[value] = true;
  Array2f taken({at.height, at.width});  // 1 on and beside the lines drawn so far
  for (int value = 1; value < 256; ++value) {
    if (!present[std::size_t(value)]) continue;
    const auto label = std::uint8_t(value);
    const auto color = draw::label_color(label);
    Array<std::uint8_t, 2> mask(plane.shape());
    std::transform(plane.begin(), plane.end(), mask.begin(), [label](std::uint8_t v) { return v == label; });
    const auto field = label_field(mask, at.height, at.width, smooth_px);
    if (options.fill_opacity > 0) {
      for (std::int64_t r = 0; r < at.height; ++r) {
        for (std::int64_t c = 0; c < at.width; ++c) {
          if (field(r, c) > 0.5f) draw::blend(image, at.x + c, at.y + r, color, options.fill_opacity);
        }
      }
    }
    if (!options.outlines) continue;
    const auto line = line_coverage(field, width_px);
    const auto beside = line_coverage(field, width_px + 3);
    for (std::int64_t r = 0; r < at.height; ++r) {
      for (std::int64_t c = 0; c < at.width; ++c) {
        draw::blend(image, at.x + c, at.y + r, color, line(r, c) * (1 - taken(r, c)));
        taken(r, c) = std::max(taken(r, c), beside(r, c));
      }
    }
    ring_if_tiny(image, at, field, color);
  }
}

/// Draws one slice with its labels, as large as fits into the box and centred in it.
ICHDET_INLINE Placed draw_scan(Image& image, std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height,
                               const SliceStack& stack, const SliceLabels& labels, std::int64_t slice,
                               const SliceView& view, double line_px, const OverlayOptions& options) {
  const auto at = draw_grey(image, x, y, width, height, stack, slice, view,
                            Window::centre_width(options.window_center_hu, options.window_width_hu));
  const double smooth_px = std::max(1.0, 1 / std::sqrt(view.row_mm * view.column_mm));  // 1 mm
  draw_labels(image, at, shown(view, labels.labels, slice), line_px, smooth_px, options);
  return at;
}

}  // namespace detail

ICHDET_INLINE PictureSetup picture_setup(const SliceStack& stack, const SliceLabels& labels) {
  return {upright_view(stack, {}, labels.labels), labels_by_slice(labels)};
}

ICHDET_INLINE Image render_slice(const SliceStack& stack, const SliceLabels& labels, const StudyResult& result,
                                 std::int64_t slice, const OverlayOptions& options) {
  detail::check_overlay(stack, labels, options);
  if (slice < 0 || slice >= stack.geometry.count()) {
    throw Error::mismatch(ErrorCode::options, "slice to draw", "0 to " + std::to_string(stack.geometry.count() - 1),
                          std::to_string(slice));
  }
  const std::int64_t panel_width = 300;
  const auto size = options.slice_px;
  const auto [view, by_slice] = options.setup ? *options.setup : picture_setup(stack, labels);
  Image image(size, size + panel_width, 3);
  const auto at = detail::draw_scan(image, 0, 0, size, size, stack, labels, slice, view, 2.0, options);

  const std::int64_t inset = 14;
  draw::text(image, inset, 26, "Slice " + std::to_string(slice), draw::Face::strong, theme::ink, true);
  const auto range = "of 0\u2013" + std::to_string(stack.geometry.count() - 1);
  draw::text(image, inset, 46, stack.geometry.count() > 1 ? range : "the only one", draw::Face::small, theme::caption,
             true);
  draw::text(image, inset, 64, detail::slice_place(stack, slice), draw::Face::small, theme::caption, true);
  const double probability = detail::slice_probability(result, slice);
  detail::draw_right_aligned(image, size - inset, 26, detail::format("P %.2f", probability), draw::Face::strong,
                             detail::is_positive(result, probability) ? theme::alert : theme::ink);
  detail::draw_right_aligned(image, size - inset, 46,
                             detail::format("W %g  L %g", options.window_width_hu, options.window_center_hu),
                             draw::Face::small, theme::caption);
  if (!options.caption.empty()) {
    detail::draw_right_aligned(image, size - inset, size - 14, draw::fit(options.caption, draw::Face::small, size / 2),
                               draw::Face::small, theme::caption);
  }
  detail::draw_scale(image, inset, size - 16, size / 3, at.mm_per_px);
  detail::draw_directions(image, 0, 0, size, size, view, draw::Face::strong, true);
  if (!result.trust.ok || !result.review.empty()) {
    draw::text(image, inset, 88, "REVIEW NEEDED", draw::Face::strong, theme::warning, true);
  }
  draw_panel(image, size, 0, panel_width, size, stack.geometry, by_slice, result, {{slice}, true});
  return image;
}

ICHDET_INLINE std::vector<std::int64_t> sheet_slices(const PictureSetup& setup, const StudyResult& result,
                                                     std::int64_t max_tiles) {
  std::vector<std::int64_t> findings;
  std::vector<std::int64_t> others;
  std::int64_t likeliest = 0;
  for (auto k = std::int64_t{0}; k < std::int64_t(setup.labels.size()); ++k) {
    const double probability = detail::slice_probability(result, k);
    if (probability > detail::slice_probability(result, likeliest)) likeliest = k;
    if (detail::is_positive(result, probability) || !setup.labels[std::size_t(k)].empty()) {
      findings.push_back(k);
    } else if (k >= setup.view.first_slice && k < setup.view.first_slice + setup.view.slices) {
      others.push_back(k);
    }
  }
  // n of the values, the middles of n equal stretches.
  const auto sample = [](const std::vector<std::int64_t>& values, std::int64_t n) {
    const auto size = std::int64_t(values.size());
    if (n >= size) return values;
    std::vector<std::int64_t> sampled;
    for (std::int64_t i = 0; i < n; ++i) sampled.push_back(values[std::size_t((2 * i + 1) * size / (2 * n))]);
    return sampled;
  };
  const auto tiles = std::min(max_tiles, std::int64_t(findings.size() + others.size()));
  const auto rest = std::min(std::int64_t(others.size()), std::max(tiles - std::int64_t(findings.size()), tiles / 4));
  auto chosen = sample(findings, tiles - rest);
  if (!chosen.empty() && std::binary_search(findings.begin(), findings.end(), likeliest) &&
      !std::binary_search(chosen.begin(), chosen.end(), likeliest)) {
    *std::min_element(chosen.begin(), chosen.end(),
                      [&](auto a, auto b) { return std::abs(a - likeliest) < std::abs(b - likeliest); }) = likeliest;
  }
  for (const auto k : sample(others, rest)) chosen.push_back(k);
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

ICHDET_INLINE Image render_sheet(const SliceStack& stack, const SliceLabels& labels, const StudyResult& result,
                                 const OverlayOptions& options) {
  detail::check_overlay(stack, labels, options);
  const auto setup = options.setup ? *options.setup : picture_setup(stack, labels);
  const auto& [view, by_slice] = setup;
  auto slices = sheet_slices(setup, result, options.max_tiles);
  if (!detail::first_slice_is_lowest(stack.geometry)) std::reverse(slices.begin(), slices.end());

  const double aspect = std::clamp(double(view.rows) * view.row_mm / (double(view.columns) * view.column_mm), 0.5, 1.6);
  const std::int64_t gap = 4;
  const std::int64_t panel_width = 300;
  const std::int64_t title_height = 64;
  const auto count = std::int64_t(slices.size());
  const auto columns = detail::sheet_columns(count, aspect);
  const auto rows = (count + columns - 1) / columns;
  const auto width = std::max(options.tile_px, std::min<std::int64_t>(560, 4 * options.tile_px / columns));
  const auto height = std::llround(double(width) * aspect);
  const auto grid_width = columns * (width + gap) + gap;
  const auto total_height = std::max<std::int64_t>(title_height + rows * (height + gap) + gap, 560);
  Image image(total_height, grid_width + panel_width, 3);
  draw::fill(image, 0, 0, image.columns, title_height, theme::panel);

  double mm_per_px = 1;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto slice = slices[std::size_t(i)];
    const auto x = gap + i % columns * (width + gap);
    const auto y = title_height + gap + i / columns * (height + gap);
    mm_per_px = detail::draw_scan(image, x, y, width, height, stack, labels, slice, view, 1.5, options).mm_per_px;
    const double probability = detail::slice_probability(result, slice);
    const bool found = detail::is_positive(result, probability) || !by_slice[std::size_t(slice)].empty();
    draw::frame(image, x, y, width, height, found ? theme::alert : theme::line);
    draw::text(image, x + 8, y + 19, std::to_string(slice), draw::Face::strong, theme::ink, true);
    draw::text(image, x + 8, y + height - 8, detail::slice_place(stack, slice), draw::Face::small, theme::caption,
               true);
    detail::draw_right_aligned(image, x + width - 8, y + 19, detail::format("P %.2f", probability), draw::Face::small,
                               detail::is_positive(result, probability) ? theme::alert : theme::caption);
    detail::draw_directions(image, x, y, width, height, view, draw::Face::small, false);
  }

  const auto title = finding(result);
  const auto face =
      draw::text_width(title, draw::Face::title) <= grid_width - 28 ? draw::Face::title : draw::Face::strong;
  draw::text(image, 14, 29, draw::fit(title, face, grid_width - 28), face,
             result.decision.positive ? theme::alert : theme::ink);
  std::string note =
      detail::format("%lld of %lld slices   W %g  L %g", static_cast<long long>(count),
                     static_cast<long long>(stack.geometry.count()), options.window_width_hu, options.window_center_hu);
  if (!options.caption.empty()) note = options.caption + "   " + note;
  const std::int64_t scale_width = std::llround(50 / mm_per_px) + 60;
  draw::text(image, 14, 52, draw::fit(note, draw::Face::small, grid_width - 28 - scale_width), draw::Face::small,
             theme::dim);
  detail::draw_scale(image, grid_width - scale_width, 50, scale_width - 50, mm_per_px);
  draw_panel(image, grid_width, 0, panel_width, image.rows, stack.geometry, by_slice, result, {slices, false});
  return image;
}

}  // namespace ichdet
