#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ichdet/core/config.hpp"
#include "ichdet/report/draw.hpp"
#include "ichdet/report/svg_plot.hpp"

/// Small diagrams as pictures, for files that are looked at without a browser.
namespace ichdet::draw {

/// A diagram's axis: round ends around the data (svg::around), or, `logarithmic`, from above 0.
struct PlotAxis {
  svg::Axis range;
  bool logarithmic = false;
};

/// Around the finite values; logarithmic where asked for and all of them are above 0. Of none: 0 to 1.
PlotAxis axis_around(std::span<const double> values, std::string label, bool logarithmic = false);

/// Axes with round ticks in a rectangle of a picture, and marks in data coordinates, cut off at the axes.
class Plot {
 public:
  /// Draws axes, ticks, the horizontal axis's label and the title at once; sizes in pixels, labels included.
  Plot(Image& image, std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height, PlotAxis horizontal,
       PlotAxis vertical, std::string_view title);

  /// Through the points, smooth-edged; one that is not finite (or, on a logarithmic axis, not above 0) is left out. A
  /// single one is a dot.
  void line(std::span<const double> x, std::span<const double> y, Color color, double width = 2, double opacity = 1);
  /// Filled, from corner to corner.
  void bar(double x1, double y1, double x2, double y2, Color color, double opacity = 1);
  /// Names and their colours, above the axes at the right.
  void legend(const std::vector<std::pair<std::string, Color>>& entries);

 private:
  double px(double x) const;
  double py(double y) const;

  Image* image_;
  double left_, right_, top_, bottom_;
  PlotAxis x_, y_;
};

}  // namespace ichdet::draw

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/report/raster_plot_inl.hpp"
#endif
