#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/impl/report/shared.hpp"
#include "ichdet/report/colormap.hpp"
#include "ichdet/report/draw.hpp"
#include "ichdet/report/heat_map.hpp"
#include "ichdet/report/panel.hpp"

namespace ichdet {

namespace detail {

inline constexpr std::int64_t bar_px = 16, bar_gap_px = 6;  // the bar's width, and to its numbers
inline constexpr int bar_ticks = 5;

ICHDET_INLINE void check(const HeatMapOptions& options) {
  const auto within = [](double value) { return value >= 0 && value <= 1; };
  if (!(options.low < options.high) || !within(options.opacity) || !within(options.fade_in)) {
    throw Error(ErrorCode::options,
                format("heat map: expected low < high, opacity and fade_in in [0, 1], found %g, %g, %g, %g",
                       options.low, options.high, options.opacity, options.fade_in));
  }
}

/// Lays the colour of a place on the scale, 0 to 1, over one pixel.
ICHDET_INLINE void blend_heat(Image& image, std::int64_t x, std::int64_t y, double place,
                              const HeatMapOptions& options) {
  const double seen = options.fade_in > 0 ? std::clamp(place / options.fade_in, 0.0, 1.0) : 1.0;
  draw::blend(image, x, y, heat_color(place), options.opacity * seen);
}

ICHDET_INLINE std::string bar_number(int tick, const HeatMapOptions& options) {
  return format("%.3g", options.low + (options.high - options.low) * tick / (bar_ticks - 1));
}

}  // namespace detail

ICHDET_INLINE void draw_heat_map(Image& image, std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height,
                                 const Array2f& map, const HeatMapOptions& options) {
  detail::check(options);
  if (width < 1 || height < 1) {
    throw Error::mismatch(ErrorCode::options, "heat map's rectangle", "a positive width and height",
                          std::to_string(width) + " x " + std::to_string(height));
  }
  if (image.channels != 3) throw Error::mismatch(ErrorCode::shape, "picture under a heat map", "RGB", "grey");
  if (map.empty() || !std::all_of(map.begin(), map.end(), [](float v) { return std::isfinite(v); })) {
    throw Error::mismatch(ErrorCode::shape, "heat map", "finite values", map.empty() ? "none" : "NaN or infinity");
  }
  const auto values = resize(map, height, width, Kernel::linear);
  for (std::int64_t r = 0; r < height; ++r) {
    for (std::int64_t c = 0; c < width; ++c) {
      const double place = (values(r, c) - options.low) / (options.high - options.low);
      detail::blend_heat(image, x + c, y + r, place, options);
    }
  }
}

ICHDET_INLINE std::int64_t color_bar_width(const HeatMapOptions& options) {
  std::int64_t widest = 0;
  for (int tick = 0; tick < detail::bar_ticks; ++tick) {
    widest = std::max(widest, draw::text_width(detail::bar_number(tick, options), draw::Face::small));
  }
  return detail::bar_px + detail::bar_gap_px + widest;
}

ICHDET_INLINE void draw_color_bar(Image& image, std::int64_t x, std::int64_t y, std::int64_t height,
                                  const HeatMapOptions& options) {
  detail::check(options);
  draw::fill(image, x, y, detail::bar_px, height, {128, 128, 128});
  for (std::int64_t row = 0; row < height; ++row) {
    const double place = height > 1 ? 1 - double(row) / double(height - 1) : 1;
    for (std::int64_t column = 0; column < detail::bar_px; ++column) {
      detail::blend_heat(image, x + column, y + row, place, options);
    }
  }
  for (int tick = 0; tick < detail::bar_ticks; ++tick) {
    const auto at = y + (height - 1) * (detail::bar_ticks - 1 - tick) / (detail::bar_ticks - 1);
    draw::fill(image, x + detail::bar_px, at, 3, 1, theme::ink);
    draw::text(image, x + detail::bar_px + detail::bar_gap_px, at + draw::cap_height(draw::Face::small) / 2,
               detail::bar_number(tick, options), draw::Face::small, theme::ink);
  }
}

ICHDET_INLINE Image heat_map(const Image& picture, const Array2f& map, std::string_view caption,
                             const HeatMapOptions& options) {
  const std::int64_t margin = 12, caption_height = caption.empty() ? 0 : 28;
  Image image(picture.rows + caption_height, picture.columns + color_bar_width(options) + 2 * margin, 3);
  draw::fill(image, 0, 0, image.columns, image.rows, theme::panel);
  draw::paste(image, 0, 0, picture);
  draw_heat_map(image, 0, 0, picture.columns, picture.rows, map, options);
  draw_color_bar(image, picture.columns + margin, margin, picture.rows - 2 * margin, options);
  draw::text(image, margin, picture.rows + 19, draw::fit(caption, draw::Face::small, image.columns - 2 * margin),
             draw::Face::small, theme::caption);
  return image;
}

}  // namespace ichdet
