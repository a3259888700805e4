#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "ichdet/impl/report/font.hpp"
#include "ichdet/report/draw.hpp"

namespace ichdet::draw {

namespace detail {

using ichdet::detail::font::Glyph;

ICHDET_INLINE const ichdet::detail::font::Face& face_of(Face face) {
  namespace font = ichdet::detail::font;
  switch (face) {
    case Face::small: return font::small;
    case Face::body: return font::body;
    case Face::strong: return font::strong;
    case Face::title: break;
  }
  return font::title;
}

/// Takes one character off the front of UTF-8 text; a malformed byte counts as one unknown character.
ICHDET_INLINE std::uint32_t next_code(std::string_view& utf8) {
  const auto first = static_cast<unsigned char>(utf8.front());
  const std::size_t length = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
  if (length == 1 || utf8.size() < length) {
    utf8.remove_prefix(1);
    return first < 0x80 ? first : 0xFFFD;
  }
  std::uint32_t code = first & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) code = code << 6 | (static_cast<unsigned char>(utf8[i]) & 0x3Fu);
  utf8.remove_prefix(length);
  return code;
}

ICHDET_INLINE const Glyph& glyph(const ichdet::detail::font::Face& face, std::uint32_t code) {
  const auto* end = face.glyphs + face.count;
  const auto* found =
      std::lower_bound(face.glyphs, end, code, [](const Glyph& g, std::uint32_t c) { return g.code < c; });
  return found != end && found->code == code ? *found : face.glyphs['?' - ' '];
}

ICHDET_INLINE void draw_glyph(Image& image, std::int64_t x, std::int64_t y, const ichdet::detail::font::Face& face,
                              const Glyph& glyph, Color color, double opacity) {
  const char* ink = face.ink + glyph.offset;
  for (int row = 0; row < glyph.height; ++row) {
    for (int column = 0; column < glyph.width; ++column, ++ink) {
      if (*ink != '0') blend(image, x + glyph.left + column, y - glyph.top + row, color, opacity * (*ink - '0') / 31.0);
    }
  }
}

}  // namespace detail

ICHDET_INLINE Color label_color(int label) {
  static constexpr std::array<Color, 7> palette{{{213, 94, 0},     // vermillion
                                                 {86, 180, 233},   // sky blue
                                                 {0, 158, 115},    // bluish green
                                                 {240, 228, 66},   // yellow
                                                 {204, 121, 167},  // reddish purple
                                                 {230, 159, 0},    // orange
                                                 {0, 114, 178}}};  // blue
  return palette[static_cast<std::size_t>(std::max(label, 1) - 1) % palette.size()];
}

ICHDET_INLINE void blend(Image& image, std::int64_t x, std::int64_t y, Color color, double opacity) {
  if (x < 0 || y < 0 || x >= image.columns || y >= image.rows || opacity <= 0) return;
  auto* pixel = image.at(y, x);
  if (opacity >= 1) {
    pixel[0] = color.red;
    pixel[1] = color.green;
    pixel[2] = color.blue;
    return;
  }
  const auto mix = [o = opacity](std::uint8_t below, std::uint8_t above) {
    return static_cast<std::uint8_t>(below + o * (above - below) + 0.5);
  };
  pixel[0] = mix(pixel[0], color.red);
  pixel[1] = mix(pixel[1], color.green);
  pixel[2] = mix(pixel[2], color.blue);
}

ICHDET_INLINE void fill(Image& image, std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height,
                        Color color, double opacity) {
  for (auto row = std::max<std::int64_t>(y, 0); row < std::min(y + height, image.rows); ++row) {
    for (auto column = std::max<std::int64_t>(x, 0); column < std::min(x + width, image.columns); ++column) {
      blend(image, column, row, color, opacity);
    }
  }
}

ICHDET_INLINE void frame(Image& image, std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height,
                         Color color, std::int64_t thickness) {
  fill(image, x, y, width, thickness, color);
  fill(image, x, y + height - thickness, width, thickness, color);
  fill(image, x, y + thickness, thickness, height - 2 * thickness, color);
  fill(image, x + width - thickness, y + thickness, thickness, height - 2 * thickness, color);
}

ICHDET_INLINE void ring(Image& image, double x, double y, double radius, double thickness, Color color) {
  const auto reach = static_cast<std::int64_t>(std::ceil(radius + thickness));
  const auto cx = std::llround(x);
  const auto cy = std::llround(y);
  for (auto row = cy - reach; row <= cy + reach; ++row) {
    for (auto column = cx - reach; column <= cx + reach; ++column) {
      const double off = std::abs(std::hypot(double(column) - x, double(row) - y) - radius);
      blend(image, column, row, color, thickness / 2 + 0.5 - off);
    }
  }
}

ICHDET_INLINE std::int64_t text(Image& image, std::int64_t x, std::int64_t y, std::string_view utf8, Face face,
                                Color color, bool halo) {
  const auto& letters = detail::face_of(face);
  const auto pass = [&](std::int64_t dx, std::int64_t dy, Color ink, double opacity) {
    std::int64_t pen = x;
    for (auto rest = utf8; !rest.empty();) {
      const auto& letter = detail::glyph(letters, detail::next_code(rest));
      detail::draw_glyph(image, pen + dx, y + dy, letters, letter, ink, opacity);
      pen += letter.advance;
    }
    return pen;
  };
  if (halo) {
    for (const auto& [dx, dy] : {std::array{-1, 0}, {1, 0}, {0, -1}, {0, 1}, {1, 1}, {-1, -1}, {1, -1}, {-1, 1}}) {
      pass(dx, dy, {0, 0, 0}, 0.6);
    }
  }
  return pass(0, 0, color, 1);
}

ICHDET_INLINE std::int64_t text_width(std::string_view utf8, Face face) {
  const auto& letters = detail::face_of(face);
  std::int64_t width = 0;
  while (!utf8.empty()) width += detail::glyph(letters, detail::next_code(utf8)).advance;
  return width;
}

ICHDET_INLINE std::int64_t line_height(Face face) { return detail::face_of(face).line_height; }
ICHDET_INLINE std::int64_t cap_height(Face face) { return detail::face_of(face).cap_height; }

ICHDET_INLINE std::string fit(std::string_view utf8, Face face, std::int64_t width) {
  if (text_width(utf8, face) <= width) return std::string(utf8);
  const std::string_view ellipsis = "\u2026";
  std::string kept;
  for (auto rest = utf8; !rest.empty();) {
    const auto before = rest;
    detail::next_code(rest);
    const auto letter = before.substr(0, before.size() - rest.size());
    if (text_width(kept, face) + text_width(letter, face) + text_width(ellipsis, face) > width) break;
    kept += letter;
  }
  while (!kept.empty() && kept.back() == ' ') kept.pop_back();
  return kept + std::string(ellipsis);
}

ICHDET_INLINE std::vector<std::string> wrap(std::string_view utf8, Face face, std::int64_t width, std::size_t lines) {
  std::vector<std::string> wrapped;
  while (!utf8.empty() && wrapped.size() + 1 < lines) {
    // As many words as fit, but at least one.
    std::size_t end = std::min(utf8.find(' '), utf8.size());
    while (end < utf8.size()) {
      const auto next = std::min(utf8.find(' ', end + 1), utf8.size());
      if (text_width(utf8.substr(0, next), face) > width) break;
      end = next;
    }
    wrapped.push_back(fit(utf8.substr(0, end), face, width));
    utf8.remove_prefix(std::min(end + 1, utf8.size()));
  }
  if (!utf8.empty()) wrapped.push_back(fit(utf8, face, width));
  return wrapped;
}

ICHDET_INLINE void paste(Image& image, std::int64_t x, std::int64_t y, const Image& part) {
  for (std::int64_t row = 0; row < part.rows; ++row) {
    for (std::int64_t column = 0; column < part.columns; ++column) {
      const auto* pixel = part.at(row, column);
      const auto last = part.channels - 1;
      blend(image, x + column, y + row, {pixel[0], pixel[last > 0 ? 1 : 0], pixel[last > 0 ? 2 : 0]}, 1);
    }
  }
}

}  // namespace ichdet::draw
