#pragma once

#include <cstdint>
#include <string_view>

#include "ichdet/core/config.hpp"
#include "ichdet/io/png.hpp"
#include "ichdet/report/view.hpp"

namespace ichdet {

struct HeatMapOptions {
  double low = 0, high = 1;  ///< the values at the ends of the scale; beyond them it goes on with the ends' colours
  double opacity = 0.6;      ///< of the colours, in [0, 1]
  double fade_in = 0.4;  ///< the lower part of the scale, in [0, 1], over which they fade in: what is cold stays grey
};

/// Lays the map's colours (heat_color) over a rectangle of an RGB picture, the map being stretched over it, whatever
/// its resolution: its first row is the rectangle's top.
///
/// Throws Error(shape) for an empty map, one with NaN or infinity in it, or a grey picture, and Error(options) unless
/// low < high, opacity and fade_in lie in [0, 1], and width and height are positive.
void draw_heat_map(Image& image, std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height,
                   const Array2f& map, const HeatMapOptions& options = {});

/// The scale, upright, `high` on top: the colours as they look over mid grey, with numbers at its right, in all
/// `color_bar_width` pixels wide. `height` counts from the middle of the topmost number to that of the lowest.
void draw_color_bar(Image& image, std::int64_t x, std::int64_t y, std::int64_t height,
                    const HeatMapOptions& options = {});
std::int64_t color_bar_width(const HeatMapOptions& options = {});

/// A picture (grey or RGB, as a windowed slice) under its map, with the scale beside it and a line of text below: RGB.
Image heat_map(const Image& picture, const Array2f& map, std::string_view caption = "",
               const HeatMapOptions& options = {});

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/report/heat_map_inl.hpp"
#endif
