#pragma once

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "ichdet/impl/report/evaluation_shared.hpp"
#include "ichdet/impl/report/figures_json.hpp"
#include "ichdet/report/draw.hpp"
#include "ichdet/report/explanation_figures.hpp"

namespace ichdet {

namespace detail {

/// In quotes, where a comma or a quote stands in it.
inline std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

inline std::string csv_number(double value) {
  if (std::isnan(value)) return "";
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

/// | a | b |
inline std::string table_row(const std::vector<std::string>& cells) {
  std::string row = "|";
  for (const auto& cell : cells) row.append(" ").append(cell).append(" |");
  return row + "\n";
}

/// A figure of all methods: dots and intervals on an axis from 0, one line for each.
inline void draw_figure(Image& image, std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t line,
                        const std::vector<evaluate::MethodFigures>& methods, std::size_t figure) {
  const draw::Color ink{40, 44, 52}, grid{222, 226, 232}, dot{0, 114, 178};
  const auto& what = evaluate::map_figures()[figure];
  double most = 0;
  for (const auto& method : methods) {
    const auto& estimate = method.figures[figure];
    for (const double value : {estimate.value, estimate.bootstrap.interval.high}) {
      if (std::isfinite(value)) most = std::max(most, value);
    }
  }
  if (most <= 0) most = 1;
  const auto at = [&](double value) { return double(x) + value / most * double(width - 24); };
  const auto height = line * std::int64_t(methods.size());
  const std::string title = std::string(what.title) + (what.better > 0 ? "" : " (low is good)");
  draw::text(image, x, y - 12, title, draw::Face::strong, ink);
  draw::fill(image, x, y, 1, height, grid);
  draw::fill(image, std::int64_t(at(most)), y, 1, height, grid);
  draw::text(image, std::int64_t(at(most)) - 10, y + height + 16, fixed(most, 2), draw::Face::small, ink);
  draw::text(image, x, y + height + 16, "0", draw::Face::small, ink);
  for (std::size_t m = 0; m < methods.size(); ++m) {
    const auto& estimate = methods[m].figures[figure];
    const auto middle = y + line * std::int64_t(m) + line / 2;
    if (std::isnan(estimate.value)) continue;
    const auto& [low, high] = estimate.bootstrap.interval;
    if (!std::isnan(low)) {
      const auto from = std::int64_t(at(std::max(low, 0.0)));
      draw::fill(image, from, middle - 1, std::max<std::int64_t>(1, std::int64_t(at(high)) - from), 2, dot, 0.6);
    }
    draw::ring(image, at(std::max(estimate.value, 0.0)), double(middle), 3, 4, dot);
  }
}

}  // namespace detail

ICHDET_INLINE nlohmann::ordered_json to_json(const std::vector<evaluate::MethodFigures>& methods) {
  auto json = nlohmann::ordered_json::array();
  for (const auto& method : methods) {
    json.push_back({{"method", method.method},
                    {"maps", method.maps},
                    {"patients", method.patients},
                    {"sameness", detail::defined(method.sameness)},
                    {"figures", detail::to_json(method.figures)}});
  }
  return json;
}

ICHDET_INLINE std::string markdown(const std::vector<evaluate::MethodFigures>& methods) {
  const auto figures = evaluate::map_figures();
  std::vector<std::string> titles{"method"};
  for (const auto& figure : figures) titles.emplace_back(figure.title);
  titles.emplace_back("sameness");
  auto text = detail::table_row(titles) + detail::table_row(std::vector<std::string>(titles.size(), "---"));
  for (const auto& method : methods) {
    std::vector<std::string> cells{method.method};
    for (std::size_t f = 0; f < figures.size(); ++f) {
      const auto& what = figures[f];
      const auto& estimate = method.figures[f];
      cells.push_back(detail::fixed(estimate.value, what.decimals));
      if (std::isnan(estimate.value) || what.better == 0 || what.value == &evaluate::MapOutcome::seconds) continue;
      cells.back().append(" (").append(detail::span_text(estimate.bootstrap.interval, what.decimals)).append(")");
    }
    cells.push_back(detail::fixed(method.sameness, 2));
    text += detail::table_row(cells);
  }
  return text;
}

ICHDET_INLINE std::string csv(const std::vector<evaluate::MapOutcome>& outcomes) {
  std::string text = "study,patient,slice,method,probability,mask_share";
  for (const auto& figure : evaluate::map_figures()) text.append(",").append(figure.name);
  text += '\n';
  for (const auto& one : outcomes) {
    text.append(detail::csv_cell(one.study)).append(",").append(detail::csv_cell(one.patient)).append(",");
    text.append(std::to_string(one.slice)).append(",").append(one.method).append(",");
    text.append(detail::csv_number(one.probability)).append(",").append(detail::csv_number(one.mask_share));
    for (const auto& figure : evaluate::map_figures()) text.append(",").append(detail::csv_number(one.*figure.value));
    text += '\n';
  }
  return text;
}

ICHDET_INLINE Image plot(const std::vector<evaluate::MethodFigures>& methods) {
  constexpr std::int64_t line = 26, names = 190, width = 190, top = 44, bottom = 30;
  std::vector<std::size_t> shown;
  for (std::size_t f = 0; f < evaluate::map_figures().size(); ++f) {
    const auto& figure = evaluate::map_figures()[f];
    if (figure.better != 0 && figure.value != &evaluate::MapOutcome::seconds) shown.push_back(f);
  }
  Image image(top + line * std::int64_t(methods.size()) + bottom, names + width * std::int64_t(shown.size()), 3, 255);
  for (std::size_t m = 0; m < methods.size(); ++m) {
    const auto y = top + line * std::int64_t(m);
    if (m % 2 == 1) draw::fill(image, 0, y, image.columns, line, {246, 247, 249});
    draw::text(image, 12, y + line / 2 + 5, methods[m].method, draw::Face::body, {40, 44, 52});
  }
  for (std::size_t i = 0; i < shown.size(); ++i) {
    detail::draw_figure(image, names + width * std::int64_t(i), top, width, line, methods, shown[i]);
  }
  return image;
}

}  // namespace ichdet
