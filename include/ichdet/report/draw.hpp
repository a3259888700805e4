#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/io/png.hpp"

/// What captions and frames are drawn with: a few shapes and one embedded typeface (DejaVu Sans), so that pictures look
/// the same, byte for byte, on every machine. Pictures are RGB; what falls outside them is cut off.
namespace ichdet::draw {

struct Color {
  std::uint8_t red = 0, green = 0, blue = 0;
};

/// Okabe and Ito's palette, which people with any colour vision tell apart, without black; ordered so that the first
/// few are also bright on a grey brain (jfly.uni-koeln.de/color).
Color label_color(int label);

/// Sizes of letters; capitals are 9, 11, 11 and 16 pixels high.
enum class Face { small, body, strong, title };

/// color over what is there; `opacity` in [0, 1].
void blend(Image& image, std::int64_t x, std::int64_t y, Color color, double opacity);
void fill(Image& image, std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height, Color color,
          double opacity = 1);
/// The edge of a rectangle, drawn inside it.
void frame(Image& image, std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height, Color color,
           std::int64_t thickness = 1);
/// A circle's edge.
void ring(Image& image, double x, double y, double radius, double thickness, Color color);

/// UTF-8 with its left end at x and its baseline at y; letters the typeface does not have are shown as '?'.
/// With `halo` a dark rim keeps it legible on any background. Returns the x behind the last letter.
std::int64_t text(Image& image, std::int64_t x, std::int64_t y, std::string_view utf8, Face face, Color color,
                  bool halo = false);
std::int64_t text_width(std::string_view utf8, Face face);
std::int64_t line_height(Face face);
std::int64_t cap_height(Face face);
/// As much of the text as fits, with an ellipsis where it was cut.
std::string fit(std::string_view utf8, Face face, std::int64_t width);
/// Lines that fit, broken at spaces; at most `lines` of them, the last one cut with an ellipsis.
std::vector<std::string> wrap(std::string_view utf8, Face face, std::int64_t width, std::size_t lines);

/// Copies `part` with its top left corner at (x, y); grey becomes RGB.
void paste(Image& image, std::int64_t x, std::int64_t y, const Image& part);

}  // namespace ichdet::draw

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/report/draw_inl.hpp"
#endif
