#pragma once

#include <algorithm>
#include <array>
#include <set>

#include "ichdet/impl/report/panel_writer.hpp"
#include "ichdet/impl/report/shared.hpp"
#include "ichdet/report/panel.hpp"

namespace ichdet {

ICHDET_INLINE LabelsBySlice labels_by_slice(const SliceLabels& labels) {
  LabelsBySlice found(static_cast<std::size_t>(labels.geometry.count()));
  for (std::int64_t k = 0; k < labels.geometry.count(); ++k) {
    std::array<bool, 256> present{};
    for (const auto value : labels.labels.plane(k)) present[value] = true;
    for (std::size_t value = 1; value < present.size(); ++value) {
      if (present[value]) found[std::size_t(k)].push_back(std::uint8_t(value));
    }
  }
  return found;
}

namespace detail {

ICHDET_INLINE void write_legend(PanelWriter& writer, const StudyResult& result) {
  writer.heading("VOLUME");
  for (const auto& [value, name] : result.labels) {
    const auto volume = result.volumes_ml.find(name);
    const double ml = volume == result.volumes_ml.end() ? 0 : volume->second;
    const auto amount = ml > 0 ? millilitres(ml) : std::string("none");
    const auto amount_width = draw::text_width(amount, draw::Face::body);
    const auto color = ml > 0 ? theme::ink : theme::dim;
    writer.pen += 24;
    draw::fill(writer.image, writer.left, writer.pen - 12, 14, 14, draw::label_color(value), ml > 0 ? 0.35 : 0.1);
    draw::frame(writer.image, writer.left, writer.pen - 12, 14, 14, draw::label_color(value), 2);
    draw::text(writer.image, writer.left + 24, writer.pen,
               draw::fit(name, draw::Face::body, writer.right - writer.left - 36 - amount_width), draw::Face::body,
               color);
    draw::text(writer.image, writer.right - amount_width, writer.pen, amount, draw::Face::body, color);
  }
}

ICHDET_INLINE void write_lesions(PanelWriter& writer, const StudyResult& result, std::size_t most) {
  if (result.lesions.empty()) return;
  writer.heading("LARGEST LESIONS");
  for (std::size_t i = 0; i < std::min(most, result.lesions.size()); ++i) {
    const auto& lesion = result.lesions[i];
    writer.pen += 4;
    writer.line(lesion.label + "  " + millilitres(lesion.volume_ml), draw::Face::body, theme::ink);
    writer.line(format("slices %s, %.0f mm across, P %.2f", ranges(lesion.slices).c_str(), lesion.diameter_mm,
                       lesion.confidence),
                draw::Face::small, theme::dim);
  }
  if (most < result.lesions.size()) {
    writer.line(format("and %zu more", result.lesions.size() - most), draw::Face::small, theme::dim);
  }
}

/// The plot of probability along z in the rectangle from the writer's pen to `bottom`.
ICHDET_INLINE void write_profile(PanelWriter& writer, std::int64_t bottom, const SliceGeometry& geometry,
                                 const LabelsBySlice& labels, const StudyResult& result, const PanelOptions& options) {
  writer.heading("PROBABILITY BY SLICE");
  auto& image = writer.image;
  const auto top = writer.pen + 10;
  const auto count = geometry.count();
  bottom = std::min(bottom - 20, top + 24 * count);
  if (bottom - top < 30) return;
  const auto left = writer.left + 30;
  const auto strips = std::int64_t(result.labels.size());
  const auto right = writer.right - 8 * strips - 6;
  const auto first_lowest = first_slice_is_lowest(geometry);
  const auto edge = [&](std::int64_t k) {  // where slice k begins, from the top
    const auto from_top = first_lowest ? count - k : k;
    return top + from_top * (bottom - top) / count;
  };
  const auto span = [&](std::int64_t k) {
    const auto a = edge(k);
    const auto b = edge(k + 1);
    return std::array{std::min(a, b), std::max<std::int64_t>(1, std::abs(b - a))};
  };

  for (const double tick : {0.0, 0.5, 1.0}) {
    const auto x = left + std::llround(tick * double(right - left));
    draw::fill(image, x, top, 1, bottom - top, theme::line);
    const auto text = format("%g", tick);
    draw::text(image, x - draw::text_width(text, draw::Face::small) / 2, bottom + 15, text, draw::Face::small,
               theme::dim);
  }
  const std::set<std::int64_t> shown(options.shown.begin(), options.shown.end());
  for (const auto& score : result.slices) {
    if (score.index < 0 || score.index >= count) continue;
    const auto [y, size] = span(score.index);
    const auto gap = size > 3 ? 1 : 0;
    const auto length = std::llround(score.probability * double(right - left));
    draw::fill(image, left, y, std::max<std::int64_t>(length, 1), size - gap,
               is_positive(result, score.probability) ? theme::alert : draw::Color{112, 120, 132});
  }
  for (std::int64_t k = 0; k < count; ++k) {
    const auto [y, size] = span(k);
    auto x = right + 6;
    for (const auto& [value, name] : result.labels) {
      const auto& present = labels[std::size_t(k)];
      const bool here = std::find(present.begin(), present.end(), value) != present.end();
      draw::fill(image, x, y, 5, size, here ? draw::label_color(value) : theme::line, here ? 1 : 0.35);
      x += 8;
    }
    if (shown.contains(k)) {
      draw::fill(image, left - 5, y + size / 2, 4, 1, theme::ink);
      if (options.names_slices) draw::frame(image, left - 2, y - 1, right - left + 4, size + 2, theme::ink);
    }
  }
  const auto name = [&](std::int64_t k) {
    const auto [y, size] = span(k);
    const auto text = std::to_string(k);
    draw::text(image, left - 8 - draw::text_width(text, draw::Face::small), y + size / 2 + 5, text, draw::Face::small,
               shown.contains(k) && options.names_slices ? theme::ink : theme::dim);
  };
  const bool crowded = options.names_slices && !options.shown.empty();
  for (const auto k : {std::int64_t{0}, count - 1}) {
    const bool near = crowded && std::abs(edge(options.shown.front()) - edge(k)) < 14;
    if (!near) name(k);
  }
  if (crowded) name(options.shown.front());
}

}  // namespace detail

ICHDET_INLINE void draw_panel(Image& image, std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height,
                              const SliceGeometry& geometry, const LabelsBySlice& labels, const StudyResult& result,
                              const PanelOptions& options) {
  draw::fill(image, x, y, width, height, theme::panel);
  detail::PanelWriter writer{image, x + 18, x + width - 18, y + 14};
  detail::write_decision(writer, result);
  detail::write_legend(writer, result);
  const auto bottom = y + height - 92;
  const bool one_slice = geometry.count() == 1;
  if (bottom - writer.pen > (one_slice ? 240 : 500)) detail::write_lesions(writer, result, 5);
  if (!one_slice) detail::write_profile(writer, bottom, geometry, labels, result, options);
  writer.pen = bottom - 6;
  writer.heading("");
  writer.pen -= draw::line_height(draw::Face::small) + 4;
  detail::write_model(writer, result);
}

}  // namespace ichdet
