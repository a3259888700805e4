#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ichdet/core/config.hpp"

/// Small diagrams as inline SVG: axes with units and round ticks, lines, points and bands in data coordinates. What
/// lies more than a few pixels outside the axes is cut off. Fonts and the colours of axes come from the page's style
/// sheet.
namespace ichdet::svg {

struct Axis {
  double low = 0, high = 1;
  std::string label;  ///< with its unit
};

/// Round numbers in [low, high], about `count` of them: steps of 1, 2 or 5 times a power of ten.
std::vector<double> ticks(double low, double high, int count = 5);
/// The axis from the lowest to the highest value, widened to the next ticks; around one value, it has room on both
/// sides.
Axis around(double low, double high, std::string label);

/// Text with &, <, > and quotes escaped; what is not valid UTF-8 becomes U+FFFD.
std::string escaped(std::string_view text);
/// Up to four significant digits, without trailing zeros; `label` writes a true minus.
std::string number(double value);
std::string label(double value);

class Plot {
 public:
  /// `title` is read aloud in place of the picture; sizes in px, axes and labels included.
  Plot(Axis x, Axis y, std::string title, double width = 336, double height = 320);

  /// Through the points; those closer than a third of a pixel are passed over.
  void line(std::span<const double> x, std::span<const double> y, std::string_view style);
  void segment(double x1, double y1, double x2, double y2, std::string_view style);
  void circle(double x, double y, double radius_px, std::string_view style, std::string_view tip = {});
  /// From corner to corner.
  void area(double x1, double y1, double x2, double y2, std::string_view style);
  /// `anchor`: start, middle or end; `dx`, `dy`: px.
  void text(double x, double y, std::string_view words, std::string_view anchor = "start", double dx = 0, double dy = 0,
            std::string_view style = "");

  /// The finished element.
  std::string str() const;

 private:
  double px(double x) const;
  double py(double y) const;

  Axis x_, y_;
  std::string title_, marks_, words_;
  double width_, height_;
};

}  // namespace ichdet::svg

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/report/svg_plot_inl.hpp"
#endif
