#pragma once

#include <algorithm>
#include <cmath>
#include <functional>

#include "ichdet/core/error.hpp"
#include "ichdet/core/version.hpp"
#include "ichdet/core/volume.hpp"
#include "ichdet/impl/report/outline.hpp"
#include "ichdet/impl/report/panel_writer.hpp"
#include "ichdet/impl/report/scan_tile.hpp"
#include "ichdet/report/explanation.hpp"

namespace ichdet {

namespace detail {

inline constexpr draw::Color region_color{255, 176, 60}, reference_color{80, 220, 130};

/// One plane as the view shows it.
template <class T>
Array<T, 2> shown_plane(const SliceView& view, Array<T, 2> plane) {
  return shown(view, Array3<T>(plane.data(), {1, plane.extent(0), plane.extent(1)}, plane.owner()), 0);
}

inline void draw_outline(Image& image, const Placed& at, const Array<std::uint8_t, 2>& mask, draw::Color color) {
  const auto line = line_coverage(label_field(mask, at.height, at.width, 2), 1.2);
  for (std::int64_t r = 0; r < at.height; ++r) {
    for (std::int64_t c = 0; c < at.width; ++c) draw::blend(image, at.x + c, at.y + r, color, line(r, c));
  }
}

/// All but the region darkened.
inline void draw_region(Image& image, const Placed& at, const Array<std::uint8_t, 2>& mask) {
  Array2f values(mask.shape());
  std::copy(mask.begin(), mask.end(), values.begin());
  const auto inside = resize(values, at.height, at.width, Kernel::linear);
  for (std::int64_t r = 0; r < at.height; ++r) {
    for (std::int64_t c = 0; c < at.width; ++c) {
      draw::blend(image, at.x + c, at.y + r, theme::black, 0.72 * (1 - double(inside(r, c))));
    }
  }
  draw_outline(image, at, mask, region_color);
}

inline HeatMapOptions scale_of(const Array2f& map, double percentile) {
  std::vector<float> values(map.begin(), map.end());
  const auto rank = std::size_t(std::clamp(percentile / 100, 0.0, 1.0) * double(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + std::ptrdiff_t(rank), values.end());
  double high = values[rank];
  if (!(high > 0)) high = *std::max_element(map.begin(), map.end());
  HeatMapOptions scale;
  scale.high = high > 0 ? high : 1;
  return scale;
}

inline void check_explained(const SliceStack& stack, const ExplainedSlice& slice, const ExplanationOptions& options) {
  const auto& geometry = stack.geometry;
  if (slice.slice < 0 || slice.slice >= geometry.count()) {
    throw Error::mismatch(ErrorCode::options, "slice to draw", "0 to " + std::to_string(geometry.count() - 1),
                          std::to_string(slice.slice));
  }
  const auto expect = [&](const char* what, const std::array<std::int64_t, 2>& shape) {
    if (shape == std::array<std::int64_t, 2>{geometry.rows(), geometry.columns()}) return;
    throw Error::mismatch(ErrorCode::shape, std::string(what) + " of slice " + std::to_string(slice.slice),
                          "the slices' own size", std::to_string(shape[0]) + " x " + std::to_string(shape[1]));
  };
  expect("map", slice.map.shape());
  for (const auto& region : slice.regions) expect("region", region.shape());
  if (slice.regions.size() != options.areas.size()) {
    throw Error::mismatch(ErrorCode::shape, "regions of slice " + std::to_string(slice.slice),
                          std::to_string(options.areas.size()), std::to_string(slice.regions.size()));
  }
}

}  // namespace detail

ICHDET_INLINE Image render_explanation(const SliceStack& stack, std::span<const ExplainedSlice> slices,
                                       const ExplanationOptions& options, const std::optional<SliceLabels>& reference) {
  if (slices.empty()) throw Error(ErrorCode::options, "explanation: no slice to draw");
  for (const auto& slice : slices) detail::check_explained(stack, slice, options);
  if (reference) check_shape("labels to draw", stack.geometry.shape(), reference->labels.shape());
  const auto view = upright_view(stack);
  const double aspect = std::clamp(double(view.rows) * view.row_mm / (double(view.columns) * view.column_mm), 0.5, 1.6);
  const std::int64_t gap = 4, title_height = 84, panel_width = 290;
  const auto width = std::max<std::int64_t>(options.tile_px, 120);
  const auto height = std::llround(double(width) * aspect);
  const auto columns = std::int64_t(2 + options.areas.size());
  const auto grid_width = columns * (width + gap) + gap;
  Image image(std::max<std::int64_t>(title_height + std::int64_t(slices.size()) * (height + gap) + gap, 520),
              grid_width + panel_width, 3);

  draw::fill(image, 0, 0, grid_width, title_height, theme::panel);
  draw::text(image, 14, 31, draw::fit("What spoke for " + options.target, draw::Face::title, grid_width - 28),
             draw::Face::title, theme::ink);
  const auto column_x = [&](std::int64_t column) { return gap + column * (width + gap); };
  const auto head = [&](std::int64_t column, const std::string& text) {
    draw::text(image, column_x(column) + 10, 68, draw::fit(text, draw::Face::strong, width - 20), draw::Face::strong,
               theme::caption);
  };
  head(0, detail::format("CT  W %g  L %g", options.window.width_hu(), options.window.centre_hu()));
  head(1, options.method);
  for (std::size_t i = 0; i < options.areas.size(); ++i) {
    head(std::int64_t(i) + 2, detail::format("top %g %% of area", 100 * options.areas[i]));
  }

  for (std::size_t row = 0; row < slices.size(); ++row) {
    const auto& slice = slices[row];
    const auto y = title_height + std::int64_t(row) * (height + gap);
    const auto map = detail::shown_plane(view, slice.map);
    std::optional<Array<std::uint8_t, 2>> outline;
    if (reference) {
      outline = shown(view, reference->labels, slice.slice);
      std::transform(outline->begin(), outline->end(), outline->begin(), [](std::uint8_t v) { return v != 0; });
    }
    for (std::int64_t column = 0; column < columns; ++column) {
      const auto x = column_x(column);
      const auto at = detail::draw_grey(image, x, y, width, height, stack, slice.slice, view, options.window);
      if (column == 1) {
        draw_heat_map(image, at.x, at.y, at.width, at.height, map, detail::scale_of(slice.map, options.top_percentile));
      } else if (column > 1) {
        detail::draw_region(image, at, detail::shown_plane(view, slice.regions[std::size_t(column - 2)]));
      }
      if (outline && column > 0) detail::draw_outline(image, at, *outline, detail::reference_color);
      draw::frame(image, x, y, width, height, theme::line);
    }
    draw::text(image, gap + 8, y + 19, std::to_string(slice.slice), draw::Face::strong, theme::ink, true);
    detail::draw_right_aligned(image, gap + width - 8, y + 19, detail::format("P %.2f", slice.probability),
                               draw::Face::small, theme::caption);
    draw::text(image, gap + 8, y + height - 8, detail::slice_place(stack, slice.slice), draw::Face::small,
               theme::caption, true);
    detail::draw_directions(image, gap, y, width, height, view, draw::Face::small, false);
    draw::text(image, column_x(1) + 8, y + height - 8, draw::fit(slice.note, draw::Face::small, width - 16),
               draw::Face::small, theme::caption, true);
  }

  draw::fill(image, grid_width, 0, panel_width, image.rows, theme::panel);
  detail::PanelWriter writer{image, grid_width + 18, grid_width + panel_width - 18, 10};
  writer.line(options.method, draw::Face::title, theme::ink);
  for (const auto& line : options.details) writer.wrapped(line, draw::Face::small, theme::caption, 4);
  writer.heading("COLOURS");
  writer.pen += 8;
  HeatMapOptions scale;
  draw_color_bar(image, writer.left, writer.pen, 110, scale);
  detail::PanelWriter beside{image, writer.left + color_bar_width(scale) + 14, writer.right, writer.pen - 4};
  beside.wrapped("relative to the slice's own strongest; what speaks against it has no colour", draw::Face::small,
                 theme::dim, 6);
  writer.pen += 124;
  const auto key = [&](draw::Color color, const char* text) {
    draw::fill(image, writer.left, writer.pen + 9, 14, 3, color);
    draw::text(image, writer.left + 22, writer.pen + 15, draw::fit(text, draw::Face::small, 230), draw::Face::small,
               theme::dim);
    writer.pen += 20;
  };
  key(detail::region_color, "the map's top, of the network's image");
  if (reference) key(detail::reference_color, "the reference");
  writer.heading("MODEL");
  for (const auto& bundle : options.bundles) {
    writer.wrapped(bundle.name + " " + bundle.version, draw::Face::small, theme::caption, 2);
  }
  writer.line("ichdet " + std::string(version), draw::Face::small, theme::dim);
  writer.pen += 4;
  writer.line("NOT FOR CLINICAL USE", draw::Face::strong, theme::warning);
  return image;
}

}  // namespace ichdet
