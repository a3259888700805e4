#include "ichdet/attribution/information_curve.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "ichdet/attribution/score_curves.hpp"
#include "ichdet/core/error.hpp"

namespace ichdet::attribution {
namespace {

/// numpy.quantile of values in ascending order.
double quantile(const double* ascending, std::int64_t count, double q) {
  const double place = q * double(count - 1);
  const auto below = std::min(std::int64_t(place), count - 1);
  const auto above = std::min(below + 1, count - 1);
  return ascending[below] + (place - double(below)) * (ascending[above] - ascending[below]);
}

/// Each image's known pixels, nothing revealed first.
std::vector<at::Tensor> revealed(const at::Tensor& map, const std::vector<double>& shares, const at::Tensor& known) {
  const auto values = map.to(at::kDouble).contiguous();
  const auto sorted = std::get<0>(values.flatten().sort());
  std::vector<at::Tensor> masks{known};
  for (const double share : shares) {
    const double cut = quantile(sorted.data_ptr<double>(), sorted.numel(), 1 - share);
    masks.push_back((values >= cut).logical_or(known));
  }
  return masks;
}

/// Through points sorted by x, at equal steps from 0 up to 1; at 1 it is 1.
std::vector<double> sampled(std::vector<std::pair<double, double>> points, std::int64_t count) {
  std::stable_sort(points.begin(), points.end(), [](auto& a, auto& b) { return a.first < b.first; });
  std::vector<double> y;
  for (std::int64_t i = 0; i < count; ++i) {
    const double x = double(i) / double(count);
    const auto next =
        std::upper_bound(points.begin(), points.end(), x, [](double v, const auto& p) { return v < p.first; });
    const auto& [x0, y0] = next[-1];
    const auto& [x1, y1] = *next;
    y.push_back(x0 == x ? y0 : y0 + (y1 - y0) / (x1 - x0) * (x - x0));
  }
  y.push_back(1);
  return y;
}

void check(const at::Tensor& image, const at::Tensor& map, const InformationCurveOptions& options) {
  if (image.dim() != 3 || map.sizes() != image.sizes().slice(1) || !at::isfinite(map).all().item<bool>()) {
    throw Error::mismatch(ErrorCode::shape, "image and map", "(channel, y, x), and finite values (y, x)",
                          c10::str(image.sizes(), " and ", map.sizes()));
  }
  if (options.known.defined() && (options.known.sizes() != map.sizes() || options.known.scalar_type() != at::kBool)) {
    throw Error::mismatch(ErrorCode::shape, "known", c10::str("booleans ", map.sizes()),
                          c10::str(options.known.scalar_type(), " ", options.known.sizes()));
  }
  double before = 0;
  for (const double share : options.shares) {
    if (!(share > before && share < 1)) {
      throw Error::mismatch(ErrorCode::options, "shares", "ascending numbers between 0 and 1", std::to_string(share));
    }
    before = share;
  }
  if (options.points < 1) {
    throw Error::mismatch(ErrorCode::options, "points", "1 or more", std::to_string(options.points));
  }
}

double entropy_bits(const std::array<std::int64_t, 256>& counts, std::int64_t all) {
  double bits = 0;
  for (const auto count : counts) {
    if (count > 0) bits -= double(count) * std::log2(double(count) / double(all));
  }
  return bits;
}

std::string why_skipped(const InformationCurve& curve, double least_score) {
  const auto &score = curve.measured_score, &information = curve.measured_information;
  const auto than = [](double a, double b) { return std::to_string(a) + ", whole " + std::to_string(b); };
  if (score.back() < least_score) return "the whole image scores " + std::to_string(score.back());
  if (information.front() >= information.back()) {
    return "nothing revealed tells as much: " + than(information.front(), information.back());
  }
  if (score.front() >= score.back()) return "nothing revealed scores as much: " + than(score.front(), score.back());
  return "";
}

}  // namespace

Information residual_bytes(double low, double high) {
  if (!(low < high) || !std::isfinite(high - low)) {
    throw Error::mismatch(ErrorCode::options, "residual_bytes", "low below high",
                          std::to_string(low) + " and " + std::to_string(high));
  }
  return [low, high](const at::Tensor& image) {
    const auto levels = ((image.to(at::kDouble) - low) * (255 / (high - low))).round().clamp(0, 255).to(at::kInt);
    const auto channels = levels.dim() == 2 ? levels.unsqueeze(0).contiguous() : levels.contiguous();
    const auto rows = channels.size(1), columns = channels.size(2);
    double bits = 0;
    for (std::int64_t c = 0; c < channels.size(0); ++c) {
      const int* pixels = channels.data_ptr<int>() + c * rows * columns;
      const auto at = [&](std::int64_t y, std::int64_t x) { return y < 0 || x < 0 ? 0 : pixels[y * columns + x]; };
      std::array<std::int64_t, 256> counts{};
      for (std::int64_t y = 0; y < rows; ++y) {
        for (std::int64_t x = 0; x < columns; ++x) {
          const int left = at(y, x - 1), up = at(y - 1, x), corner = at(y - 1, x - 1);
          const auto [least, most] = std::minmax(left, up);
          const int guess = corner >= most ? least : corner <= least ? most : left + up - corner;
          ++counts[std::size_t((at(y, x) - guess) & 255)];
        }
      }
      bits += entropy_bits(counts, rows * columns);
    }
    return bits / 8;
  };
}

Reveal before_blur(double sigma) {
  return [sigma](const at::Tensor& image, const at::Tensor& known) {
    return at::where(known.unsqueeze(0), image, blurred(image.unsqueeze(0), sigma)[0]);
  };
}

InformationCurve information_curve(const Explained& explained, const at::Tensor& image, const at::Tensor& map,
                                   const InformationCurveOptions& options) {
  check(image, map, options);
  const auto reveal =
      options.reveal ? options.reveal : before_blur(double(std::min(image.size(1), image.size(2))) / 16);
  const auto known = options.known.defined() ? options.known : at::zeros(map.sizes(), at::kBool);
  auto information = options.information;
  const double low = image.min().item<double>(), high = image.max().item<double>();
  InformationCurve curve;
  if (!information) {
    if (low == high) {
      curve.skipped = "the image is flat";
      return curve;
    }
    information = residual_bytes(low, high);
  }

  std::vector<at::Tensor> images;
  for (const auto& mask : revealed(map, options.shares, known)) images.push_back(reveal(image, mask));
  images.push_back(image);
  for (const auto& shown : images) curve.measured_information.push_back(information(shown));
  const auto scores = scores_of(explained, at::stack(images)).contiguous();
  curve.measured_score.assign(scores.data_ptr<double>(), scores.data_ptr<double>() + scores.numel());
  curve.skipped = why_skipped(curve, options.least_score);
  if (!curve.skipped.empty()) return curve;

  const auto part = [](const std::vector<double>& all, std::size_t i) {
    return std::clamp((all[i] - all.front()) / (all.back() - all.front()), 0.0, 1.0);
  };
  std::vector<std::pair<double, double>> points;
  double highest = 0;
  for (std::size_t i = 1; i + 1 < images.size(); ++i) {
    const double score = part(curve.measured_score, i);
    highest = std::max(highest, score);
    points.emplace_back(part(curve.measured_information, i), options.monotone ? highest : score);
  }
  points.emplace_back(0, 0);
  points.emplace_back(1, 1);
  for (std::int64_t i = 0; i <= options.points; ++i) {
    curve.information.push_back(double(i) / double(options.points));
  }
  curve.score = sampled(std::move(points), options.points);
  curve.area = trapezoids(curve.information, curve.score);
  return curve;
}

InformationCurve joined(const std::vector<InformationCurve>& curves, Joined how) {
  InformationCurve all;
  std::vector<std::vector<double>> columns;
  for (const auto& curve : curves) {
    if (!curve.skipped.empty()) continue;
    if (all.information.empty()) {
      all.information = curve.information;
      columns.resize(curve.score.size());
    }
    if (curve.information != all.information) {
      throw Error(ErrorCode::shape, "information curves: expected the same points, found others");
    }
    for (std::size_t i = 0; i < columns.size(); ++i) columns[i].push_back(curve.score[i]);
  }
  if (columns.empty()) throw Error::mismatch(ErrorCode::options, "information curves", "at least one", "none");
  for (auto& column : columns) {
    double value = 0;
    if (how == Joined::mean) {
      for (const double score : column) value += score / double(column.size());
    } else {
      std::sort(column.begin(), column.end());
      value = quantile(column.data(), std::int64_t(column.size()), 0.5);
    }
    all.score.push_back(value);
  }
  all.area = trapezoids(all.information, all.score);
  return all;
}

}  // namespace ichdet::attribution
