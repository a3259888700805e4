#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "ichdet/impl/report/shared.hpp"
#include "ichdet/preprocess/window.hpp"
#include "ichdet/report/draw.hpp"
#include "ichdet/report/panel.hpp"
#include "ichdet/report/view.hpp"

// A slice on a picture, with what is written around it.
namespace ichdet::detail {

/// Where on a picture the scan lies.
struct Placed {
  std::int64_t x, y, width, height;
  double mm_per_px;
};

/// A slice as grey levels 0 to 255, windowed before it is scaled, so that bone does not ring into the brain.
inline Array2f grey_levels(const SliceStack& stack, const SliceView& view, std::int64_t slice, const Window& window) {
  auto plane = shown(view, stack.hu, slice);
  for (auto& value : plane) {
    value = float(std::clamp((double(value) - window.low_hu) / window.width_hu(), 0.0, 1.0) * 255);
  }
  if (!stack.padding.empty()) {
    const auto padded = shown(view, stack.padding, slice);
    for (std::int64_t i = 0; i < plane.size(); ++i) {
      if (padded.data()[i] != 0) plane.data()[i] = 0;
    }
  }
  return plane;
}

/// Draws one slice, as large as fits into the box and centred in it.
inline Placed draw_grey(Image& image, std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height,
                        const SliceStack& stack, std::int64_t slice, const SliceView& view, const Window& window) {
  const double width_mm = double(view.columns) * view.column_mm;
  const double height_mm = double(view.rows) * view.row_mm;
  Placed at{};
  at.mm_per_px = std::max(width_mm / double(width), height_mm / double(height));
  at.width = std::clamp<std::int64_t>(std::llround(width_mm / at.mm_per_px), 1, width);
  at.height = std::clamp<std::int64_t>(std::llround(height_mm / at.mm_per_px), 1, height);
  at.x = x + (width - at.width) / 2;
  at.y = y + (height - at.height) / 2;

  const auto grey = resize(grey_levels(stack, view, slice, window), at.height, at.width);
  for (std::int64_t r = 0; r < at.height; ++r) {
    for (std::int64_t c = 0; c < at.width; ++c) {
      const auto level = std::uint8_t(std::clamp(double(grey(r, c)), 0., 255.) + 0.5);
      draw::blend(image, at.x + c, at.y + r, {level, level, level}, 1);
    }
  }
  return at;
}

/// The longest of 10, 5, 2 or 1 cm that takes at most `width` pixels, with a tick at each centimetre.
inline void draw_scale(Image& image, std::int64_t x, std::int64_t y, std::int64_t width, double mm_per_px) {
  int cm = 10;
  for (const int shorter : {5, 2, 1}) {
    if (cm * 10 / mm_per_px > double(width)) cm = shorter;
  }
  const auto at = [&](int tick) { return x + std::llround(tick * 10 / mm_per_px); };
  draw::fill(image, x - 1, y - 8, at(cm) - x + 3, 11, theme::black, 0.5);
  draw::fill(image, x, y, at(cm) - x + 1, 2, theme::ink);
  for (int tick = 0; tick <= cm; ++tick) {
    const std::int64_t size = tick == 0 || tick == cm ? 7 : 4;
    draw::fill(image, at(tick), y - size, 1, size, theme::ink);
  }
  draw::text(image, at(cm) + 8, y + 2, std::to_string(cm) + " cm", draw::Face::small, theme::ink, true);
}

inline double slice_probability(const StudyResult& result, std::int64_t slice) {
  for (const auto& score : result.slices) {
    if (score.index == slice) return score.probability;
  }
  return 0;
}

inline std::string slice_place(const SliceStack& stack, std::int64_t slice) {
  const auto& geometry = stack.geometry;
  const auto centre =
      geometry.planes()[std::size_t(slice)].to_lps(double(geometry.rows() - 1) / 2, double(geometry.columns() - 1) / 2);
  Eigen::Index axis = 0;
  geometry.normal().cwiseAbs().maxCoeff(&axis);
  return format("%c %.1f mm", "xyz"[axis], centre[axis]);
}

inline void draw_right_aligned(Image& image, std::int64_t right, std::int64_t y, const std::string& text,
                               draw::Face face, draw::Color color) {
  draw::text(image, right - draw::text_width(text, face), y, text, face, color, true);
}

inline void draw_directions(Image& image, std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height,
                            const SliceView& view, draw::Face face, bool all) {
  const auto letter = [&](char direction, std::int64_t cx, std::int64_t cy) {
    const std::string text(1, direction);
    draw::text(image, cx - draw::text_width(text, face) / 2, cy + draw::cap_height(face) / 2, text, face,
               theme::caption, true);
  };
  const auto inset = draw::cap_height(face);
  letter(view.left, x + inset, y + height / 2);
  letter(view.right, x + width - inset, y + height / 2);
  if (!all) return;
  letter(view.top, x + width / 2, y + inset);
  letter(view.bottom, x + width / 2, y + height - inset);
}

/// As near to a sheet of 4 : 3 as goes with few tiles left empty, for tiles `aspect` times as high as wide.
inline std::int64_t sheet_columns(std::int64_t count, double aspect) {
  std::int64_t best = 1;
  double least = 1e9;
  for (std::int64_t columns = 1; columns <= count; ++columns) {
    const auto rows = (count + columns - 1) / columns;
    const double shape = double(columns) / (double(rows) * aspect) / 1.33;
    const double cost = std::abs(std::log(shape)) + 2 * double(rows * columns - count) / double(rows * columns);
    if (cost < least) {
      least = cost;
      best = columns;
    }
  }
  return best;
}

}  // namespace ichdet::detail
