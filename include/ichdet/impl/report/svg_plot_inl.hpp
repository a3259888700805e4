#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "ichdet/report/svg_plot.hpp"

namespace ichdet::svg {

namespace detail {

// Room for labels around the axes' rectangle, and how far dots on its edge may reach beyond it, px.
inline constexpr double left = 58, right = 14, top = 10, bottom = 44, reach = 6;

/// A coordinate to a hundredth of a pixel.
ICHDET_INLINE std::string px_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  std::string s = text;
  s.erase(s.find_last_not_of('0') + 1);
  if (s.back() == '.') s.pop_back();
  return s == "-0" ? "0" : s;
}

ICHDET_INLINE std::string text_at(double x, double y, const std::string& attributes, std::string_view words) {
  return "<text x=\"" + px_text(x) + "\" y=\"" + px_text(y) + "\"" + attributes + ">" + escaped(words) + "</text>\n";
}

ICHDET_INLINE double tick_step(double low, double high, int count) {
  const double raw = (high - low) / count, power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (raw <= factor * power * 1.0001) return factor * power;
  }
  return 10 * power;
}

}  // namespace detail

ICHDET_INLINE std::vector<double> ticks(double low, double high, int count) {
  const double step = detail::tick_step(low, high, count);
  const double first = std::ceil(low / step - 1e-9), last = std::floor(high / step + 1e-9);
  std::vector<double> found;
  for (int i = 0; i <= last - first; ++i) found.push_back(first + i == 0 ? 0 : (first + i) * step);
  return found;
}

ICHDET_INLINE Axis around(double low, double high, std::string label) {
  if (!(high - low > 1e-9 * std::max(std::abs(low), std::abs(high)))) {  // one value, but for rounding
    const double room = std::max(1.0, std::abs(low) / 2);
    low -= room;
    high += room;
  }
  const double step = detail::tick_step(low, high, 5);
  return {std::floor(low / step) * step, std::ceil(high / step) * step, std::move(label)};
}

ICHDET_INLINE std::string escaped(std::string_view text) {
  // JSON's writer replaces what is not UTF-8; its quotes and backslashes are then taken away again by its reader.
  const auto valid = nlohmann::json::parse(
      nlohmann::json(std::string(text)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  std::string result;
  for (const char c : valid.get<std::string>()) {
    switch (c) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      default: result += c;
    }
  }
  return result;
}

ICHDET_INLINE std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

ICHDET_INLINE std::string label(double value) {
  const auto text = number(value);
  return text.front() == '-' ? "\xE2\x88\x92" + text.substr(1) : text;
}

ICHDET_INLINE Plot::Plot(Axis x, Axis y, std::string title, double width, double height)
    : x_(std::move(x)), y_(std::move(y)), title_(std::move(title)), width_(width), height_(height) {}

ICHDET_INLINE double Plot::px(double x) const {
  return detail::left + (x - x_.low) / (x_.high - x_.low) * (width_ - detail::left - detail::right);
}

ICHDET_INLINE double Plot::py(double y) const {
  return height_ - detail::bottom - (y - y_.low) / (y_.high - y_.low) * (height_ - detail::top - detail::bottom);
}

ICHDET_INLINE void Plot::line(std::span<const double> x, std::span<const double> y, std::string_view style) {
  std::string points;
  double last_x = -1e9, last_y = -1e9;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i]) || std::isnan(y[i])) continue;
    const double at_x = px(x[i]), at_y = py(y[i]);
    if (std::hypot(at_x - last_x, at_y - last_y) < 1.0 / 3 && i + 1 < x.size()) continue;
    if (!points.empty()) points += ' ';
    points.append(detail::px_text(at_x)).append(",").append(detail::px_text(at_y));
    last_x = at_x;
    last_y = at_y;
  }
  marks_ += "<polyline points=\"" + points + "\" fill=\"none\" style=\"" + std::string(style) + "\"/>\n";
}

ICHDET_INLINE void Plot::segment(double x1, double y1, double x2, double y2, std::string_view style) {
  marks_ += "<line x1=\"" + detail::px_text(px(x1)) + "\" y1=\"" + detail::px_text(py(y1)) + "\" x2=\"" +
            detail::px_text(px(x2)) + "\" y2=\"" + detail::px_text(py(y2)) + "\" style=\"" + std::string(style) +
            "\"/>\n";
}

ICHDET_INLINE void Plot::circle(double x, double y, double radius_px, std::string_view style, std::string_view tip) {
  if (std::isnan(x) || std::isnan(y)) return;
  marks_ += "<circle cx=\"" + detail::px_text(px(x)) + "\" cy=\"" + detail::px_text(py(y)) + "\" r=\"" +
            detail::px_text(radius_px) + "\" style=\"" + std::string(style) + "\"";
  marks_ += tip.empty() ? "/>\n" : "><title>" + escaped(tip) + "</title></circle>\n";
}

ICHDET_INLINE void Plot::area(double x1, double y1, double x2, double y2, std::string_view style) {
  const double left = std::min(px(x1), px(x2)), top = std::min(py(y1), py(y2));
  marks_ += "<rect x=\"" + detail::px_text(left) + "\" y=\"" + detail::px_text(top) + "\" width=\"" +
            detail::px_text(std::abs(px(x2) - px(x1))) + "\" height=\"" + detail::px_text(std::abs(py(y2) - py(y1))) +
            "\" style=\"" + std::string(style) + "\"/>\n";
}

ICHDET_INLINE void Plot::text(double x, double y, std::string_view words, std::string_view anchor, double dx, double dy,
                              std::string_view style) {
  words_ += detail::text_at(
      px(x) + dx, py(y) + dy,
      " class=\"note\" text-anchor=\"" + std::string(anchor) + "\" style=\"" + std::string(style) + "\"", words);
}

ICHDET_INLINE std::string Plot::str() const {
  using detail::px_text;
  const double x0 = detail::left, x1 = width_ - detail::right, y0 = height_ - detail::bottom, y1 = detail::top;
  std::string grid, labels;
  for (const double t : ticks(x_.low, x_.high)) {
    const auto x = px_text(px(t));
    grid += "<path class=\"grid\" d=\"M" + x + " " + px_text(y0) + "V" + px_text(y1) + "\"/>\n";
    labels += detail::text_at(px(t), y0 + 16, " class=\"tick\" text-anchor=\"middle\"", label(t));
  }
  for (const double t : ticks(y_.low, y_.high)) {
    const auto y = px_text(py(t));
    grid += "<path class=\"grid\" d=\"M" + px_text(x0) + " " + y + "H" + px_text(x1) + "\"/>\n";
    labels += detail::text_at(x0 - 7, py(t) + 4, " class=\"tick\" text-anchor=\"end\"", label(t));
  }
  labels += detail::text_at((x0 + x1) / 2, height_ - 8, " class=\"axis\" text-anchor=\"middle\"", x_.label);
  labels += detail::text_at(
      0, 0,
      " class=\"axis\" text-anchor=\"middle\" transform=\"translate(14 " + px_text((y0 + y1) / 2) + ") rotate(-90)\"",
      y_.label);
  // A nested svg clips its content, and needs no id for that.
  const auto corner_x = px_text(x0 - detail::reach), corner_y = px_text(y1 - detail::reach);
  const auto width = px_text(x1 - x0 + 2 * detail::reach), height = px_text(y0 - y1 + 2 * detail::reach);
  const auto box = corner_x + " " + corner_y + " " + width + " " + height;
  return "<svg viewBox=\"0 0 " + px_text(width_) + " " + px_text(height_) + "\" width=\"" + px_text(width_) +
         "\" height=\"" + px_text(height_) + "\" role=\"img\" aria-label=\"" + escaped(title_) + "\">\n" + grid +
         "<path class=\"frame\" d=\"M" + px_text(x0) + " " + px_text(y1) + "V" + px_text(y0) + "H" + px_text(x1) +
         "\"/>\n<svg x=\"" + corner_x + "\" y=\"" + corner_y + "\" width=\"" + width + "\" height=\"" + height +
         "\" viewBox=\"" + box + "\" overflow=\"hidden\">\n" + marks_ + "</svg>\n" + labels + words_ + "</svg>\n";
}

}  // namespace ichdet::svg
