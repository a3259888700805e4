#include "ichdet/attribution/xrai_regions.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/isfinite.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "ichdet/core/error.hpp"
#include "names.hpp"
#include "region_canvas.hpp"

namespace ichdet::attribution {
namespace {

constexpr Names<XraiAlgorithm, 2> algorithm_names{{{XraiAlgorithm::full, "full"}, {XraiAlgorithm::fast, "fast"}}};

/// A mask that may become a region, and sums over the pixels that it would add, kept up to date as others are covered.
struct Candidate {
  std::int64_t mask;
  MaskRows rows;
  double sum = 0, magnitude = 0;  ///< of the attribution, and without its sign
  std::int64_t count = 0;
  double whole_magnitude = 0;  ///< at first
  std::int64_t whole_count = 0;

  double mean() const { return sum / double(count); }
  /// How far numpy_mean in a type that rounds by `epsilon` may be from mean(): what either rounded.
  double doubt(double epsilon) const {
    constexpr double own = 4 * std::numeric_limits<double>::epsilon();
    return (64 * epsilon * std::max(0.0, magnitude) + own * double(whole_count) * whole_magnitude) / double(count);
  }
};

template <class T>
std::vector<Candidate> candidates_of(const Canvas<T>& canvas) {
  std::vector<Candidate> found;
  for (std::int64_t mask = 0; mask < canvas.masks.count; ++mask) {
    Candidate candidate{mask, occupied_rows(canvas.masks, mask)};
    each_added(canvas, mask, candidate.rows, [&](std::int64_t pixel) {
      const double value = double(canvas.attribution[pixel]);
      candidate.sum += value;
      candidate.magnitude += std::abs(value);
      ++candidate.count;
    });
    candidate.whole_magnitude = candidate.magnitude;
    candidate.whole_count = candidate.count;
    found.push_back(candidate);
  }
  return found;
}

/// Takes the pixels that `mask` is about to add from what the others would.
template <class T>
void take_from(std::vector<Candidate>& others, const Canvas<T>& canvas, std::int64_t mask, MaskRows rows) {
  const auto words = canvas.masks.words();
  for (auto& other : others) {
    for (auto y = std::max(rows.first, other.rows.first); y < std::min(rows.last, other.rows.last); ++y) {
      const auto row = canvas.masks.row(mask, y), shared = canvas.masks.row(other.mask, y);
      const std::uint64_t* covered = canvas.covered.data() + y * words;
      for (std::int64_t i = 0; i < words; ++i) {
        for (std::uint64_t word = row[std::size_t(i)] & shared[std::size_t(i)] & ~covered[i]; word != 0;
             word &= word - 1) {
          const double value = double(canvas.attribution[y * canvas.masks.width + i * 64 + std::countr_zero(word)]);
          other.sum -= value;
          other.magnitude -= std::abs(value);
          --other.count;
        }
      }
    }
  }
}

/// The first of the candidates with the highest gain, and that gain. Only those are summed up again that may have it.
template <class T>
std::pair<std::size_t, T> best_of(const std::vector<Candidate>& candidates, Canvas<T>& canvas) {
  constexpr double epsilon = double(std::numeric_limits<T>::epsilon());
  double at_least = -std::numeric_limits<double>::infinity();
  for (const auto& one : candidates) at_least = std::max(at_least, one.mean() - one.doubt(epsilon));
  std::pair<std::size_t, T> best{candidates.size(), T(0)};
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto& one = candidates[i];
    if (one.mean() + one.doubt(epsilon) < at_least) continue;
    const T gain = gain_of(canvas, one.mask, one.rows);
    if (best.first == candidates.size() || gain > best.second) best = {i, gain};
  }
  return best;
}

template <class T>
void cover_full(Canvas<T>& canvas, const XraiRegionOptions& options) {
  auto candidates = candidates_of(canvas);
  while (double(canvas.covered_pixels) / double(canvas.pixels()) <= options.area_threshold) {
    std::erase_if(candidates, [&](const auto& one) { return one.count < options.min_pixel_diff; });
    if (candidates.empty()) break;
    const auto [index, gain] = best_of(candidates, canvas);
    const auto best = candidates[index];
    candidates.erase(candidates.begin() + std::ptrdiff_t(index));
    take_from(candidates, canvas, best.mask, best.rows);
    cover(canvas, best.mask, best.rows, gain);
  }
}

template <class T>
void cover_fast(Canvas<T>& canvas, const XraiRegionOptions& options) {
  struct Whole {
    std::int64_t mask;
    MaskRows rows;
    T gain;
  };
  std::vector<Whole> order;
  for (std::int64_t mask = 0; mask < canvas.masks.count; ++mask) {
    const auto rows = occupied_rows(canvas.masks, mask);
    order.push_back({mask, rows, gain_of(canvas, mask, rows)});
  }
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.gain > b.gain; });
  for (const auto& one : order) {
    const T gain = gain_of(canvas, one.mask, one.rows);
    if (std::int64_t(canvas.gathered.size()) >= options.min_pixel_diff) cover(canvas, one.mask, one.rows, gain);
  }
}

/// The regions by gain, those of one gain by the time at which they came, and the rest of the image last.
template <class T>
XraiRegions in_order(Canvas<T>& canvas) {
  std::vector<std::size_t> order(canvas.gains.size());
  std::iota(order.begin(), order.end(), std::size_t(0));
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return canvas.gains[a] > canvas.gains[b]; });
  if (canvas.covered_pixels < canvas.pixels()) {
    canvas.gathered.clear();
    for (std::int64_t pixel = 0; pixel < canvas.pixels(); ++pixel) {
      auto& region = canvas.region_of[std::size_t(pixel)];
      if (region >= 0) continue;
      region = std::int64_t(order.size());
      canvas.gathered.push_back(canvas.attribution[pixel]);
    }
    order.push_back(order.size());
    canvas.gains.push_back(numpy_mean(canvas.gathered));
    canvas.areas.push_back(std::int64_t(canvas.gathered.size()));
  }
  XraiRegions found;
  std::vector<std::int64_t> rank(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    rank[order[i]] = std::int64_t(i) + 1;
    found.gains.push_back(double(canvas.gains[order[i]]));
    found.areas.push_back(canvas.areas[order[i]]);
  }
  found.heat_map = at::empty({canvas.masks.height, canvas.masks.width}, at::kDouble);
  found.ranks = at::empty_like(found.heat_map, at::kLong);
  auto* heat = found.heat_map.mutable_data_ptr<double>();
  auto* ranks = found.ranks.mutable_data_ptr<std::int64_t>();
  for (const auto region : canvas.region_of) {
    *heat++ = double(canvas.gains[std::size_t(region)]);
    *ranks++ = rank[std::size_t(region)];
  }
  return found;
}

void check(const at::Tensor& attribution, const RegionMasks& masks, const XraiRegionOptions& options) {
  if (attribution.scalar_type() != at::kFloat && attribution.scalar_type() != at::kDouble) {
    throw Error::mismatch(ErrorCode::shape, "attribution", "float32 or float64",
                          c10::toString(attribution.scalar_type()));
  }
  if (attribution.numel() == 0 || attribution.sizes() != at::IntArrayRef({masks.height, masks.width})) {
    throw Error::mismatch(ErrorCode::shape, "attribution (y, x)",
                          "the masks' " + std::to_string(masks.height) + " x " + std::to_string(masks.width),
                          c10::str(attribution.sizes()));
  }
  if (!at::isfinite(attribution).all().item<bool>()) {
    throw Error::mismatch(ErrorCode::shape, "attribution", "finite values", "NaN or infinity");
  }
  if (!(options.area_threshold >= 0 && options.area_threshold <= 1)) {
    throw Error::mismatch(ErrorCode::options, "area_threshold", "0 to 1", std::to_string(options.area_threshold));
  }
  if (options.min_pixel_diff < 1) {
    throw Error::mismatch(ErrorCode::options, "min_pixel_diff", "1 or more", std::to_string(options.min_pixel_diff));
  }
}

template <class T>
XraiRegions regions_of(const at::Tensor& attribution, const RegionMasks& masks, const XraiRegionOptions& options) {
  const auto values = attribution.detach().cpu().contiguous();
  Canvas<T> canvas(masks, values.const_data_ptr<T>());
  (options.algorithm == XraiAlgorithm::full ? cover_full<T> : cover_fast<T>)(canvas, options);
  return in_order(canvas);
}

}  // namespace

XraiAlgorithm parse_xrai_algorithm(const std::string& text) { return parse(algorithm_names, "algorithm", text); }

std::string to_string(XraiAlgorithm algorithm) { return name_of(algorithm_names, algorithm); }

XraiRegions xrai_regions(const at::Tensor& attribution, const RegionMasks& masks, const XraiRegionOptions& options) {
  check(attribution, masks, options);
  const bool wide = attribution.scalar_type() == at::kDouble;
  return (wide ? regions_of<double> : regions_of<float>)(attribution, masks, options);
}

at::Tensor top_regions(const XraiRegions& regions, double share) {
  if (!(share >= 0 && share <= 1)) {
    throw Error::mismatch(ErrorCode::options, "share of the area", "0 to 1", std::to_string(share));
  }
  const double wanted = share * double(regions.ranks.numel());
  std::int64_t last = 0, area = 0;
  while (double(area) < wanted) area += regions.areas[std::size_t(last++)];
  return regions.ranks <= last;
}

}  // namespace ichdet::attribution
