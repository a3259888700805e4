#include "ichdet/train/curves.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/report/raster_plot.hpp"

namespace ichdet::train {

namespace {

/// One line of a diagram.
struct Course {
  std::string place;  ///< "train"
  std::vector<double> steps, values;
};

struct Diagram {
  std::string measure;
  std::vector<Course> courses;
};

/// In the order in which names first occur.
std::vector<Diagram> diagrams(const std::vector<LogRow>& rows) {
  std::vector<Diagram> all;
  const auto in = [](auto& list, auto member, const std::string& name) -> auto& {
    const auto found = std::find_if(list.begin(), list.end(), [&](const auto& x) { return x.*member == name; });
    if (found != list.end()) return *found;
    list.emplace_back();
    list.back().*member = name;
    return list.back();
  };
  for (const auto& row : rows) {
    const auto slash = row.name.rfind('/');
    const auto place = slash == row.name.npos ? "" : row.name.substr(0, slash);
    auto& diagram = in(all, &Diagram::measure, slash == row.name.npos ? row.name : row.name.substr(slash + 1));
    auto& course = in(diagram.courses, &Course::place, place);
    course.steps.push_back(double(row.step));
    course.values.push_back(row.value);
  }
  return all;
}

/// The mean over a fortieth of the course on either side.
std::vector<double> running_mean(const std::vector<double>& values) {
  const auto n = std::int64_t(values.size()), reach = n / 40;
  std::vector<double> means(values.size());
  for (std::int64_t i = 0; i < n; ++i) {
    double sum = 0;
    int count = 0;
    for (auto j = std::max<std::int64_t>(0, i - reach); j < std::min(n, i + reach + 1); ++j) {
      if (!std::isfinite(values[std::size_t(j)])) continue;
      sum += values[std::size_t(j)];
      ++count;
    }
    means[std::size_t(i)] = count > 0 ? sum / count : std::nan("");
  }
  return means;
}

bool is_logarithmic(const Diagram& diagram) {
  const auto& name = diagram.measure;
  if (name.find("loss") == name.npos && name != "learning_rate" && name != "lr") return false;
  double low = INFINITY, high = 0;
  for (const auto& course : diagram.courses) {
    for (const double v : course.values) {
      if (!std::isfinite(v)) continue;
      low = std::min(low, v);
      high = std::max(high, v);
    }
  }
  return low > 0 && high > 10 * low;
}

draw::Color course_color(std::size_t i) {
  constexpr draw::Color colors[]{{0, 114, 178}, {213, 94, 0}, {0, 140, 100}, {176, 96, 154}, {181, 137, 0}};
  return colors[i % std::size(colors)];
}

void draw_diagram(Image& picture, std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height,
                  const Diagram& diagram, double last_step, const std::vector<std::string>& places) {
  std::vector<double> values;
  for (const auto& course : diagram.courses) {
    values.insert(values.end(), course.values.begin(), course.values.end());
  }
  draw::Plot plot(picture, x, y, width, height, {{0, last_step, "step"}, false},
                  draw::axis_around(values, "", is_logarithmic(diagram)), diagram.measure);
  constexpr std::size_t many = 80;
  std::vector<std::pair<std::string, draw::Color>> names;
  for (const auto& course : diagram.courses) {
    const auto color = course_color(std::size_t(std::ranges::find(places, course.place) - places.begin()));
    if (course.values.size() > many) {
      plot.line(course.steps, course.values, color, 1, 0.3);
      plot.line(course.steps, running_mean(course.values), color);
    } else {
      plot.line(course.steps, course.values, color);
    }
    if (!course.place.empty()) names.emplace_back(course.place, color);
  }
  plot.legend(names);
}

}  // namespace

Image draw_curves(const std::vector<LogRow>& rows) {
  const auto all = diagrams(rows);
  constexpr std::int64_t width = 460, height = 300, margin = 12;
  const auto count = std::max<std::int64_t>(1, std::int64_t(all.size()));
  const auto across = std::min<std::int64_t>(count, count > 4 ? 3 : 2), down = (count + across - 1) / across;
  Image picture(down * height + 2 * margin, across * width + 2 * margin, 3, 255);
  double last_step = 1;  // one axis for all, and no rounder: it would look as if there were more to come
  for (const auto& row : rows) last_step = std::max(last_step, double(row.step));
  std::vector<std::string> places;  // each has its colour in all diagrams
  for (const auto& diagram : all) {
    for (const auto& course : diagram.courses) {
      if (std::ranges::find(places, course.place) == places.end()) places.push_back(course.place);
    }
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    draw_diagram(picture, margin + std::int64_t(i) % across * width, margin + std::int64_t(i) / across * height, width,
                 height, all[i], last_step, places);
  }
  return picture;
}

void write_curves(const std::filesystem::path& png, const std::vector<LogRow>& rows) {
  const auto part = std::filesystem::path(png).concat(".part");
  io::write_png(part, draw_curves(rows));
  std::error_code failed;
  std::filesystem::rename(part, png, failed);
  if (failed) throw Error(ErrorCode::io, png.string() + ": cannot be written: " + failed.message());
}

}  // namespace ichdet::train
