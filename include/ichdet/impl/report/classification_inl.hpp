#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

#include "ichdet/core/error.hpp"
#include "ichdet/impl/report/panel_writer.hpp"
#include "ichdet/impl/report/scan_tile.hpp"
#include "ichdet/report/classification.hpp"
#include "ichdet/report/summary.hpp"

namespace ichdet {

namespace detail {

struct FigureBox {
  std::int64_t x, y, width, height;
};

/// Probability along z: a bar for each slice, the feet's end at the left.
ICHDET_INLINE void draw_plot(Image& image, const FigureBox& box, const SliceStack& stack, const StudyResult& result) {
  const auto left = box.x + 46, right = box.x + box.width - 14, top = box.y + 30, bottom = box.y + box.height - 40;
  const auto level = [&](double p) { return bottom - std::llround(p * double(bottom - top)); };
  draw::text(image, box.x + 14, box.y + 18, "Probability of hemorrhage, slice by slice", draw::Face::small, theme::dim);
  for (const double tick : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    draw::fill(image, left, level(tick), right - left, 1, theme::line);
    const auto text = format("%g", tick);
    draw::text(image, left - 8 - draw::text_width(text, draw::Face::small), level(tick) + 4, text, draw::Face::small,
               theme::dim);
  }
  const auto count = std::int64_t(result.slices.size());
  const bool forwards = first_slice_is_lowest(stack.geometry);
  const auto start = [&](std::int64_t place) { return left + place * (right - left) / count; };
  std::int64_t labelled = left - 100;
  for (std::int64_t place = 0; place < count; ++place) {
    const auto& slice = result.slices[std::size_t(forwards ? place : count - 1 - place)];
    const auto x = start(place), width = std::max<std::int64_t>(1, start(place + 1) - x);
    const auto gap = width > 4 ? width / 5 : 0;
    if (slice.computed) {
      const bool positive = is_positive(result, slice.probability);
      const auto y = std::min<std::int64_t>(level(slice.probability), bottom - 1);
      draw::fill(image, x + gap / 2, y, width - gap, bottom - y, positive ? theme::alert : draw::Color{112, 120, 132});
      if (positive) draw::fill(image, x + gap / 2, bottom + 2, width - gap, 3, theme::alert);
    } else {
      draw::fill(image, x + gap / 2, bottom + 2, width - gap, 3, theme::line);
    }
    const auto text = std::to_string(slice.index);
    const auto text_width = draw::text_width(text, draw::Face::small);
    const auto centre = x + width / 2;
    if (centre - text_width / 2 > labelled + 10 && centre + text_width / 2 <= right + 8) {
      draw::text(image, centre - text_width / 2, bottom + 19, text, draw::Face::small, theme::dim);
      labelled = centre + text_width / 2;
    }
  }
  const double threshold = result.decision.slice_threshold.value_or(result.decision.threshold);
  for (auto x = left; x < right; x += 10) draw::fill(image, x, level(threshold), 6, 1, theme::warning);
  const auto name = format("threshold %g", threshold);
  const auto key = right - draw::text_width(name, draw::Face::small);
  draw::text(image, key, box.y + 18, name, draw::Face::small, theme::warning);
  for (const std::int64_t dash : {0, 10, 20}) draw::fill(image, key - 36 + dash, box.y + 13, 6, 1, theme::warning);
  const auto ends = "slice, from " + slice_place(stack, forwards ? 0 : count - 1) + " to " +
                    slice_place(stack, forwards ? count - 1 : 0);
  draw::text(image, left, bottom + 35, ends, draw::Face::small, theme::dim);
  const bool skipped = std::ranges::any_of(result.slices, [](const auto& s) { return !s.computed; });
  if (skipped) {
    const std::string what = "grey below the axis: no head, not computed";
    draw::text(image, right - draw::text_width(what, draw::Face::small), bottom + 35, what, draw::Face::small,
               theme::dim);
  }
}

/// A study's classes as bars.
ICHDET_INLINE void draw_classes(Image& image, const FigureBox& box, const StudyResult& result) {
  draw::text(image, box.x + 14, box.y + 18, "Probability of each class", draw::Face::small, theme::dim);
  const auto left = box.x + 200, right = box.x + box.width - 70;
  auto y = box.y + 36;
  for (std::size_t c = 0; c < std::min(result.classes.size(), result.class_probabilities.size()); ++c) {
    const double p = result.class_probabilities[c];
    draw::text(image, box.x + 14, y + 16, draw::fit(result.classes[c], draw::Face::body, 176), draw::Face::body,
               theme::ink);
    draw::fill(image, left, y, right - left, 22, theme::line, 0.35);
    draw::fill(image, left, y, std::max<std::int64_t>(1, std::llround(p * double(right - left))), 22,
               draw::Color{112, 120, 132});
    draw::text(image, right + 10, y + 16, format("%.2f", p), draw::Face::body, theme::ink);
    y += 34;
  }
}

ICHDET_INLINE void draw_tile(Image& image, const FigureBox& box, const SliceStack& stack, const StudyResult& result,
                             const SliceMap& map, const SliceView& view, const ClassificationOptions& options) {
  if (map.slice < 0 || map.slice >= stack.geometry.count()) {
    throw Error::mismatch(ErrorCode::options, "slice to draw", "0 to " + std::to_string(stack.geometry.count() - 1),
                          std::to_string(map.slice));
  }
  const auto at = draw_grey(image, box.x, box.y, box.width, box.height, stack, map.slice, view, options.window);
  if (!map.values.empty()) {
    const auto rows = stack.geometry.rows(), columns = stack.geometry.columns();
    if (map.values.extent(0) != rows || map.values.extent(1) != columns) {
      throw Error::mismatch(ErrorCode::shape, "map of slice " + std::to_string(map.slice), "the slices' own size",
                            std::to_string(map.values.extent(0)) + " x " + std::to_string(map.values.extent(1)));
    }
    auto values = map.values;
    const Array3<float> plane(values.data(), {1, rows, columns}, values.owner());
    draw_heat_map(image, at.x, at.y, at.width, at.height, shown(view, plane, 0), options.heat_map);
  }
  const double probability = slice_probability(result, map.slice);
  const bool positive = !result.slices.empty() && is_positive(result, probability);
  draw::frame(image, box.x, box.y, box.width, box.height, positive ? theme::alert : theme::line);
  draw::text(image, box.x + 8, box.y + 19, std::to_string(map.slice), draw::Face::strong, theme::ink, true);
  draw::text(image, box.x + 8, box.y + box.height - 8, slice_place(stack, map.slice), draw::Face::small, theme::caption,
             true);
  draw_right_aligned(image, box.x + box.width - 8, box.y + 19,
                     map.note.empty() ? format("P %.2f", probability) : map.note, draw::Face::small,
                     positive ? theme::alert : theme::caption);
  draw_directions(image, box.x, box.y, box.width, box.height, view, draw::Face::small, false);
}

ICHDET_INLINE void draw_decision_panel(Image& image, const FigureBox& box, const StudyResult& result, bool maps,
                                       const ClassificationOptions& options) {
  draw::fill(image, box.x, box.y, box.width, box.height, theme::panel);
  PanelWriter writer{image, box.x + 18, box.x + box.width - 18, box.y + 14};
  write_decision(writer, result);
  writer.heading("RULE");
  writer.wrapped(result.decision.rule, draw::Face::small, theme::ink, 4);
  if (maps) {
    writer.heading(options.map_name);
    writer.pen += 8;
    draw_color_bar(image, writer.left, writer.pen, 110, options.heat_map);
    const auto text = writer.left + color_bar_width(options.heat_map) + 14;
    PanelWriter beside{image, text, writer.right, writer.pen - 4};
    beside.wrapped("what spoke for blood, relative to the slice's own maximum", draw::Face::small, theme::dim, 5);
  }
  writer.pen = box.y + box.height - 98;
  writer.heading("");
  writer.pen -= draw::line_height(draw::Face::small) + 4;
  write_model(writer, result);
}

ICHDET_INLINE std::string shortest(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

/// Quoted where it has to be.
ICHDET_INLINE std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string cell(1, '"');
  for (const char c : text) cell.append(c == '"' ? 2 : 1, c);
  return cell + '"';
}

}  // namespace detail

ICHDET_INLINE Image render_classification(const SliceStack& stack, const StudyResult& result,
                                          std::span<const SliceMap> maps, const ClassificationOptions& options) {
  const auto view = upright_view(stack);
  const double aspect = std::clamp(double(view.rows) * view.row_mm / (double(view.columns) * view.column_mm), 0.5, 1.6);
  const std::int64_t gap = 4, panel_width = 300, title_height = 64, plot_height = 230;
  const auto count = std::int64_t(maps.size());
  const auto width = std::max<std::int64_t>(options.tile_px, 120);
  const auto columns = std::clamp<std::int64_t>(std::llround(std::sqrt(double(count) * 1.6)), 3, 6);
  const auto rows = (count + columns - 1) / columns;
  const auto height = std::llround(double(width) * aspect);
  const auto grid_width = columns * (width + gap) + gap;
  const auto grid_top = title_height + plot_height;
  Image image(std::max<std::int64_t>(grid_top + rows * (height + gap) + gap, 560), grid_width + panel_width, 3);
  draw::fill(image, 0, 0, grid_width, grid_top - gap, theme::panel);

  const auto title = finding(result) + (result.trust.ok ? "" : ": not to be trusted, see right");
  draw::text(image, 14, 29, draw::fit(title, draw::Face::title, grid_width - 28), draw::Face::title,
             result.decision.positive ? theme::alert : theme::ink);
  std::string note = result.slices.empty() ? std::to_string(stack.geometry.count()) + " slices, read as one exam"
                                           : std::to_string(result.slices.size()) + " slices, each read by itself";
  if (count > 0) {
    note += detail::format("   shown: %lld   W %g  L %g", static_cast<long long>(count), options.window.width_hu(),
                           options.window.centre_hu());
  }
  draw::text(image, 14, 52, draw::fit(note, draw::Face::small, grid_width - 28), draw::Face::small, theme::dim);
  const detail::FigureBox plot{0, title_height, grid_width, plot_height};
  if (result.slices.empty()) {
    detail::draw_classes(image, plot, result);
  } else {
    detail::draw_plot(image, plot, stack, result);
  }
  bool any_map = false;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto& map = maps[std::size_t(i)];
    any_map = any_map || !map.values.empty();
    const detail::FigureBox box{gap + i % columns * (width + gap), grid_top + i / columns * (height + gap), width,
                                height};
    detail::draw_tile(image, box, stack, result, map, view, options);
  }
  detail::draw_decision_panel(image, {grid_width, 0, panel_width, image.rows}, result, any_map, options);
  return image;
}

ICHDET_INLINE std::vector<std::int64_t> slices_to_show(const StudyResult& result, std::int64_t most) {
  std::vector<const SliceScore*> slices;
  for (const auto& slice : result.slices) {
    if (slice.computed) slices.push_back(&slice);
  }
  std::ranges::stable_sort(slices, [](const auto* a, const auto* b) { return a->probability > b->probability; });
  const auto positive =
      std::ranges::count_if(slices, [&](const auto* s) { return detail::is_positive(result, s->probability); });
  const auto wanted = positive > 0 ? std::int64_t(positive) : std::int64_t(3);
  slices.resize(std::size_t(std::clamp<std::int64_t>(std::min(wanted, most), 0, std::int64_t(slices.size()))));
  std::vector<std::int64_t> indices;
  std::ranges::transform(slices, std::back_inserter(indices), [](const auto* s) { return s->index; });
  std::ranges::sort(indices);
  return indices;
}

ICHDET_INLINE std::string slice_table(const StudyResult& result) {
  std::string text = "index,z_mm,probability,positive,computed";
  const auto cell = [&](const std::string& value) { text.append(1, ',').append(detail::csv_cell(value)); };
  for (const auto& name : result.classes) cell(name);
  cell("sop_instance_uid");
  for (const auto& slice : result.slices) {
    text.append(1, '\n').append(std::to_string(slice.index));
    cell(detail::shortest(slice.z_mm));
    cell(detail::shortest(slice.probability));
    cell(detail::is_positive(result, slice.probability) ? "1" : "0");
    cell(slice.computed ? "1" : "0");
    for (std::size_t c = 0; c < result.classes.size(); ++c) {
      cell(c < slice.classes.size() ? detail::shortest(slice.classes[c]) : "");
    }
    cell(slice.sop_instance_uid);
  }
  text.append(1, '\n');
  return text;
}

}  // namespace ichdet
