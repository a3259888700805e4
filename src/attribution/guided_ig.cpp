#include "ichdet/attribution/guided_ig.hpp"

#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <vector>

#include "ichdet/core/error.hpp"
#include "images.hpp"

namespace ichdet::attribution {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double tolerance = 1e-9;  // relative and absolute, of distances

/// One image on its way, flat.
struct Path {
  std::int64_t size;
  const double* from;
  const double* to;
  double* x;      ///< where it is
  double* found;  ///< attributions so far
};

/// Where values may be after a step: between two points of the straight line.
struct Range {
  double low_share;
  std::vector<double> low, high;

  Range(const Path& path, double low_share, double high_share)
      : low_share(low_share), low(at(path, low_share)), high(at(path, high_share)) {}

 private:
  static std::vector<double> at(const Path& path, double share) {
    std::vector<double> point(std::size_t(path.size));
    for (std::int64_t i = 0; i < path.size; ++i) {
      point[std::size_t(i)] = path.from[i] + (path.to[i] - path.from[i]) * share;
    }
    return point;
  }
};

double distance_to_end(const Path& path) {
  double sum = 0;
  for (std::int64_t i = 0; i < path.size; ++i) sum += std::abs(path.x[i] - path.to[i]);
  return sum;
}

void move(const Path& path, std::int64_t i, double next, double gradient) {
  path.found[i] += (next - path.x[i]) * gradient;
  path.x[i] = next;
}

/// Values that fell behind are brought up to the range.
void catch_up(const Path& path, const Range& range, const double* gradient) {
  for (std::int64_t i = 0; i < path.size; ++i) {
    const double whole = path.to[i] - path.from[i];
    if (whole != 0 && (path.x[i] - path.from[i]) / whole < range.low_share) {
      move(path, i, range.low[std::size_t(i)], gradient[i]);
    }
  }
}

/// The lower of two neighbours. `scratch`: memory that is used again.
double lower_quantile(const std::vector<double>& values, double fraction, std::vector<double>& scratch) {
  scratch = values;
  const auto place = scratch.begin() + std::ptrdiff_t(fraction * double(scratch.size() - 1));
  std::nth_element(scratch.begin(), place, scratch.end());
  return *place;
}

/// Moves values until no more than `target` is left of the way, those of small gradients first.
void advance(const Path& path, const Range& range, double target, double fraction, const double* gradient) {
  std::vector<double> magnitudes, scratch;
  std::transform(gradient, gradient + path.size, std::back_inserter(magnitudes), [](double g) { return std::abs(g); });
  for (double gamma = infinity; gamma > 1;) {
    catch_up(path, range, gradient);
    const double left = distance_to_end(path);
    if (left - target <= tolerance * std::max({1.0, left, target})) return;
    for (std::size_t i = 0; i < magnitudes.size(); ++i) {
      if (path.x[i] == range.high[i]) magnitudes[i] = infinity;  // it can go no further
    }
    const double threshold = lower_quantile(magnitudes, fraction, scratch);
    std::vector<std::int64_t> selected;
    double reach = 0;
    for (std::int64_t i = 0; i < path.size; ++i) {
      const double magnitude = magnitudes[std::size_t(i)];
      if (magnitude > threshold || magnitude == infinity) continue;
      selected.push_back(i);
      reach += std::abs(path.x[i] - range.high[std::size_t(i)]);
    }
    if (selected.empty()) return;
    gamma = (left - target) / reach;
    for (const auto i : selected) {
      const double end = range.high[std::size_t(i)];
      move(path, i, gamma > 1 ? end : path.x[i] + (end - path.x[i]) * gamma, gradient[i]);
    }
  }
}

void check(const GuidedIgOptions& options) {
  const auto share = [](const char* name, double value) {
    if (!(value >= 0 && value <= 1)) {
      throw Error::mismatch(ErrorCode::options, name, "0 to 1", std::to_string(value));
    }
  };
  share("fraction", options.fraction);
  share("max_dist", options.max_dist);
  if (options.steps < 1) {
    throw Error::mismatch(ErrorCode::options, "steps", "1 or more", std::to_string(options.steps));
  }
}

}  // namespace

Attribution guided_ig(const Explained& explained, const at::Tensor& input, const at::Tensor& baseline,
                      const GuidedIgOptions& options, const Progress& progress) {
  check(options);
  const auto given = images(input);
  const auto start = expanded_baseline(baseline, given);
  const auto to = given.to(at::kDouble).contiguous(), from = start.to(at::kDouble).contiguous();
  auto x = from.clone(), found = at::zeros_like(to);
  std::vector<Path> paths;
  std::vector<double> lengths;
  for (std::int64_t image = 0; image < to.size(0); ++image) {
    paths.push_back({to[image].numel(), from[image].data_ptr<double>(), to[image].data_ptr<double>(),
                     x[image].data_ptr<double>(), found[image].data_ptr<double>()});
    lengths.push_back(distance_to_end(paths.back()));
  }
  for (std::int64_t step = 1; step <= options.steps && !paths.empty(); ++step) {
    progress("guided integrated gradients", double(step - 1) / double(options.steps));
    const auto gradient = gradients_of(explained, x.to(given.scalar_type())).to(at::kDouble).contiguous();
    const double alpha = double(step) / double(options.steps);
    for (std::size_t image = 0; image < paths.size(); ++image) {
      const Range range(paths[image], std::max(alpha - options.max_dist, 0.0), std::min(alpha + options.max_dist, 1.0));
      advance(paths[image], range, lengths[image] * (1 - alpha), options.fraction,
              gradient[std::int64_t(image)].data_ptr<double>());
    }
  }
  progress("guided integrated gradients", 1);
  Attribution result{found.to(given.scalar_type()), {}};
  if (options.completeness) result.completeness = completeness(explained, given, start, result.values);
  return result;
}

Attribution guided_ig(const Explained& explained, const at::Tensor& input, Baseline baseline,
                      const GuidedIgOptions& options, const Progress& progress) {
  return guided_ig(explained, input, baseline_of(input, baseline), options, progress);
}

}  // namespace ichdet::attribution
