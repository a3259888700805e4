#pragma once

#include <algorithm>
#include <cmath>

#include "ichdet/report/raster_plot.hpp"

namespace ichdet::draw {

namespace detail {

inline constexpr Color ink{40, 46, 54}, grid{226, 230, 234}, edge{150, 158, 166};

/// 1, 2, 5, 10, 20, ... in [low, high]; powers of ten alone where there are many.
ICHDET_INLINE std::vector<double> log_ticks(double low, double high) {
  std::vector<double> found;
  const double decades = std::log10(high / low);
  for (int power = int(std::floor(std::log10(low))); power <= int(std::ceil(std::log10(high))); ++power) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (factor > 1 && decades > 2.5) continue;
      const double tick = factor * std::pow(10, power);
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) found.push_back(tick);
    }
  }
  return found;
}

ICHDET_INLINE std::vector<double> axis_ticks(const PlotAxis& axis) {
  return axis.logarithmic ? log_ticks(axis.range.low, axis.range.high) : svg::ticks(axis.range.low, axis.range.high);
}

/// Where a value lies on its axis, 0 at the low end and 1 at the high one; NaN where it has no place.
ICHDET_INLINE double part(const PlotAxis& axis, double value) {
  const auto& [low, high, label] = axis.range;
  return axis.logarithmic ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
}

}  // namespace detail

ICHDET_INLINE PlotAxis axis_around(std::span<const double> values, std::string label, bool logarithmic) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const double v : values) {
    if (!std::isfinite(v)) continue;
    low = std::min(low, v);
    high = std::max(high, v);
  }
  if (low > high) return {{0, 1, std::move(label)}, false};
  if (!logarithmic || low <= 0) return {svg::around(low, high, std::move(label)), false};
  // The next of 1, 2, 5 outwards.
  const auto outer = [](double value, bool up) {
    const double power = std::pow(10, std::floor(std::log10(value) + 1e-12)), digits = value / power;
    for (const double d : {1.0, 2.0, 5.0, 10.0}) {
      if (up && digits <= d * (1 + 1e-9)) return d * power;
    }
    return (digits >= 5 ? 5 : digits >= 2 ? 2 : 1) * power;
  };
  const double first = outer(low, false), last = outer(high, true);
  return {{first, last > first ? last : 10 * first, std::move(label)}, true};
}

ICHDET_INLINE Plot::Plot(Image& image, std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height,
                         PlotAxis horizontal, PlotAxis vertical, std::string_view title)
    : image_(&image),
      left_(double(x) + 64),
      right_(double(x + width) - 16),
      top_(double(y) + 34),
      bottom_(double(y + height) - 46),
      x_(std::move(horizontal)),
      y_(std::move(vertical)) {
  const auto l = std::int64_t(left_), r = std::int64_t(right_), t = std::int64_t(top_), b = std::int64_t(bottom_);
  for (const double tick : detail::axis_ticks(x_)) {
    const auto words = svg::number(tick);
    fill(image, std::llround(px(tick)), t, 1, b - t, detail::grid);
    text(image, std::llround(px(tick)) - text_width(words, Face::small) / 2, b + 16, words, Face::small, detail::ink);
  }
  for (const double tick : detail::axis_ticks(y_)) {
    const auto words = svg::number(tick);
    fill(image, l, std::llround(py(tick)), r - l, 1, detail::grid);
    text(image, l - 8 - text_width(words, Face::small), std::llround(py(tick)) + 4, words, Face::small, detail::ink);
  }
  fill(image, l, t, 1, b - t + 1, detail::edge);
  fill(image, l, b, r - l, 1, detail::edge);
  text(image, l, t - 12, fit(title, Face::strong, r - l), Face::strong, detail::ink);
  const auto& label = x_.range.label;
  text(image, (l + r - text_width(label, Face::small)) / 2, b + 36, label, Face::small, detail::ink);
}

ICHDET_INLINE double Plot::px(double x) const { return left_ + detail::part(x_, x) * (right_ - left_); }
ICHDET_INLINE double Plot::py(double y) const { return bottom_ - detail::part(y_, y) * (bottom_ - top_); }

ICHDET_INLINE void Plot::line(std::span<const double> x, std::span<const double> y, Color color, double width,
                              double opacity) {
  std::vector<std::pair<double, double>> points;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::pair at(px(x[i]), py(y[i]));
    if (std::isfinite(at.first) && std::isfinite(at.second)) points.push_back(at);
  }
  if (points.size() == 1) ring(*image_, points[0].first, points[0].second, 1.5, 3, color);
  const auto columns = std::int64_t(right_ - left_) + 2, rows = std::int64_t(bottom_ - top_) + 2;
  std::vector<float> covered(std::size_t(columns * rows));  // once for the whole line, so that joints are not darker
  for (std::size_t i = 1; i < points.size(); ++i) {
    const double ax = points[i - 1].first - left_, ay = points[i - 1].second - top_;
    const double dx = points[i].first - left_ - ax, dy = points[i].second - top_ - ay;
    const double length2 = std::max(dx * dx + dy * dy, 1e-12), reach = width / 2 + 1;
    const auto within = [](double v, std::int64_t end) { return std::int64_t(std::clamp(v, 0.0, double(end))); };
    for (auto r = within(std::min(ay, ay + dy) - reach, rows); r < within(std::max(ay, ay + dy) + reach + 1, rows);
         ++r) {
      for (auto c = within(std::min(ax, ax + dx) - reach, columns);
           c < within(std::max(ax, ax + dx) + reach + 1, columns); ++c) {
        const double along = std::clamp(((double(c) - ax) * dx + (double(r) - ay) * dy) / length2, 0.0, 1.0);
        const double away = std::hypot(double(c) - ax - along * dx, double(r) - ay - along * dy);
        auto& cover = covered[std::size_t(r * columns + c)];
        cover = std::max(cover, float(std::clamp(width / 2 + 0.5 - away, 0.0, 1.0)));
      }
    }
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      const double cover = covered[std::size_t(r * columns + c)];
      if (cover > 0) blend(*image_, std::int64_t(left_) + c, std::int64_t(top_) + r, color, opacity * cover);
    }
  }
}

ICHDET_INLINE void Plot::bar(double x1, double y1, double x2, double y2, Color color, double opacity) {
  const auto at_x = [&](double v) { return std::llround(std::clamp(px(v), left_, right_)); };
  const auto at_y = [&](double v) { return std::llround(std::clamp(py(v), top_, bottom_)); };
  const auto [l, r] = std::minmax({at_x(x1), at_x(x2)});
  const auto [t, b] = std::minmax({at_y(y1), at_y(y2)});
  fill(*image_, l, t, r - l, b - t, color, opacity);
}

ICHDET_INLINE void Plot::legend(const std::vector<std::pair<std::string, Color>>& entries) {
  auto x = std::int64_t(right_);
  const auto baseline = std::int64_t(top_) - 12;
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    x -= text_width(entry->first, Face::small);
    text(*image_, x, baseline, entry->first, Face::small, detail::ink);
    x -= 22;
    fill(*image_, x, baseline - 6, 16, 3, entry->second);
    x -= 14;
  }
}

}  // namespace ichdet::draw
