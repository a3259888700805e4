#include "ichdet/attribution/felzenszwalb.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "ichdet/core/error.hpp"
#include "image_planes.hpp"
#include "sort_edges.hpp"

namespace ichdet::attribution {
namespace {

/// All pairs of neighbours, by cost.
std::vector<Edge> sorted_edges(const std::vector<Plane>& planes) {
  const auto height = planes.front().height, width = planes.front().width;
  std::vector<Edge> edges;
  edges.reserve(std::size_t(4 * height * width));
  // From each pixel, row by row, to the one that many columns and rows further, where there is one.
  const auto add = [&](std::int64_t right, std::int64_t down) {
    const auto first = std::max<std::int64_t>(0, -right), last = width - std::max<std::int64_t>(0, right);
    const auto step = down * width + right;
    for (std::int64_t y = 0; y < height - down; ++y) {
      for (auto x = first; x < last; ++x) {
        const auto from = y * width + x;
        double square = 0;
        for (const auto& plane : planes) {
          const double difference = plane.values[std::size_t(from)] - plane.values[std::size_t(from + step)];
          square += difference * difference;
        }
        edges.push_back({std::sqrt(square), std::int32_t(from), std::int32_t(from + step)});
      }
    }
  };
  add(1, 0);
  add(0, 1);
  add(1, 1);
  add(-1, 1);
  sort_edges(edges);
  return edges;
}

/// Disjoint sets of pixels.
class Forest {
 public:
  /// Of a set, kept at its root: its pixels, and the cost from which on no edge joins it to another.
  struct Set {
    std::int32_t size;
    float limit;  // float32 in scikit-image too
  };

  Forest(std::int64_t pixels, double scale)
      : parents_(std::size_t(pixels)), sets_(std::size_t(pixels), {1, float(scale)}), scale_(scale) {
    std::iota(parents_.begin(), parents_.end(), 0);
  }

  std::int32_t root(std::int32_t pixel) {
    auto* parents = parents_.data();
    while (parents[pixel] != pixel) pixel = parents[pixel] = parents[parents[pixel]];
    return pixel;
  }

  const Set& set(std::int32_t root) const { return sets_[std::size_t(root)]; }

  void join(std::int32_t a, std::int32_t b, double cost) {
    if (set(a).size < set(b).size) std::swap(a, b);
    parents_[std::size_t(b)] = a;
    auto& joined = sets_[std::size_t(a)];
    joined.size += set(b).size;
    joined.limit = float(cost + scale_ / joined.size);
  }

 private:
  std::vector<std::int32_t> parents_;
  std::vector<Set> sets_;
  double scale_;
};

void label(Forest& forest, at::Tensor labels) {
  auto* to = labels.mutable_data_ptr<std::int64_t>();
  std::vector<std::int64_t> of_root(std::size_t(labels.numel()), -1);
  std::int64_t next = 0;
  for (std::int32_t i = 0; i < labels.numel(); ++i) {
    auto& found = of_root[std::size_t(forest.root(i))];
    if (found < 0) found = next++;
    to[i] = found;
  }
}

void segment(const std::vector<Edge>& edges, double scale, std::int64_t min_size, const at::Tensor& labels) {
  Forest forest(labels.numel(), scale / 255);
  std::vector<Edge> between;  // sets that were not joined then
  for (const auto& edge : edges) {
    const auto a = forest.root(edge.a), b = forest.root(edge.b);
    if (a == b) continue;
    if (edge.cost < std::min(forest.set(a).limit, forest.set(b).limit)) {
      forest.join(a, b, edge.cost);
    } else {
      between.push_back(edge);
    }
  }
  for (const auto& edge : between) {
    const auto a = forest.root(edge.a), b = forest.root(edge.b);
    if (a != b && std::min(forest.set(a).size, forest.set(b).size) < min_size) forest.join(a, b, edge.cost);
  }
  label(forest, labels);
}

}  // namespace

std::vector<Plane> planes_of(const at::Tensor& image) {
  if (image.scalar_type() != at::kFloat && image.scalar_type() != at::kDouble) {
    throw Error::mismatch(ErrorCode::shape, "image", "float32 or float64", c10::toString(image.scalar_type()));
  }
  if ((image.dim() != 2 && image.dim() != 3) || image.numel() == 0) {
    throw Error::mismatch(ErrorCode::shape, "image", "(y, x) or (channel, y, x) with a pixel", c10::str(image.sizes()));
  }
  if (image.size(-1) * image.size(-2) > std::numeric_limits<std::int32_t>::max() / 4) {
    throw Error::mismatch(ErrorCode::limit, "image", "at most 2^29 pixels", c10::str(image.sizes()));
  }
  if (!at::isfinite(image).all().item<bool>()) {
    throw Error::mismatch(ErrorCode::shape, "image", "finite values", "NaN or infinity");
  }
  const auto values = image.detach().to(at::kCPU, at::kDouble).contiguous();
  std::vector<Plane> planes;
  for (std::int64_t channel = 0; channel < values.numel() / (image.size(-1) * image.size(-2)); ++channel) {
    auto& plane = planes.emplace_back(image.size(-2), image.size(-1));
    const auto* from = values.const_data_ptr<double>() + channel * std::int64_t(plane.values.size());
    std::copy_n(from, plane.values.size(), plane.values.begin());
  }
  return planes;
}

at::Tensor felzenszwalb_scales(const std::vector<Plane>& planes, at::ArrayRef<double> scales, double sigma,
                               std::int64_t min_size) {
  if (!(sigma >= 0)) throw Error::mismatch(ErrorCode::options, "sigma", "0 or more", std::to_string(sigma));
  for (const double scale : scales) {
    if (!(scale > 0)) throw Error::mismatch(ErrorCode::options, "scale", "more than 0", std::to_string(scale));
  }
  std::vector<Plane> smooth;
  for (const auto& plane : planes) {
    const auto down = smoothed(plane, sigma, Border::mirrored);
    smooth.push_back(transposed(smoothed(transposed(down), sigma, Border::mirrored)));
  }
  const auto edges = sorted_edges(smooth);
  const auto labels = at::empty({std::int64_t(scales.size()), planes.front().height, planes.front().width}, at::kLong);
  for (std::size_t i = 0; i < scales.size(); ++i) segment(edges, scales[i], min_size, labels[std::int64_t(i)]);
  return labels;
}

at::Tensor felzenszwalb_scales(const at::Tensor& image, at::ArrayRef<double> scales,
                               const FelzenszwalbOptions& options) {
  return felzenszwalb_scales(planes_of(image), scales, options.sigma, options.min_size);
}

at::Tensor felzenszwalb(const at::Tensor& image, const FelzenszwalbOptions& options) {
  return felzenszwalb_scales(image, options.scale, options)[0];
}

}  // namespace ichdet::attribution
