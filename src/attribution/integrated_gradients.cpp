#include "ichdet/attribution/integrated_gradients.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "images.hpp"

namespace ichdet::attribution {
namespace {

/// Points of all paths to one image.
struct Points {
  std::vector<std::int64_t> path;
  std::vector<double> place;
  at::Tensor weights;  ///< (path, point)
};

Points points(const Nodes& nodes, std::int64_t paths) {
  const auto steps = std::int64_t(nodes.places.size());
  const bool end_is_shared = nodes.places.back() == 1;
  const auto own = end_is_shared ? steps - 1 : steps;
  Points made;
  made.weights = at::zeros({paths, paths * own + (end_is_shared ? 1 : 0)}, at::kDouble);
  for (std::int64_t path = 0; path < paths; ++path) {
    made.path.insert(made.path.end(), std::size_t(own), path);
    made.place.insert(made.place.end(), nodes.places.begin(), nodes.places.begin() + own);
    made.weights[path].narrow(0, path * own, own).copy_(at::tensor(nodes.weights, at::kDouble).narrow(0, 0, own));
  }
  if (end_is_shared) {
    made.path.push_back(0);
    made.place.push_back(1);
    made.weights.select(1, paths * own).fill_(nodes.weights.back());
  }
  return made;
}

}  // namespace

std::vector<Attribution> integrated_gradients(const Explained& explained, const at::Tensor& input,
                                              const std::vector<at::Tensor>& baselines,
                                              const IntegratedGradientsOptions& options, const Progress& progress) {
  const auto x = images(input);
  const auto paths = std::int64_t(baselines.size());
  const auto all = points(quadrature_nodes(options.quadrature, options.steps), paths);
  std::vector<at::Tensor> from;
  std::vector<Attribution> found;
  for (const auto& baseline : baselines) {
    from.push_back(expanded_baseline(baseline, x));
    found.push_back({at::empty_like(x), {}});
  }
  const auto count = paths > 0 ? std::int64_t(all.place.size()) : 0;
  for (std::int64_t image = 0; image < x.size(0); ++image) {
    const auto end = x[image];
    auto sums = at::zeros({paths, end.numel()}, x.options().dtype(at::kDouble));
    for (std::int64_t first = 0; first < count; first += explained.batch) {
      progress("integrated gradients", (double(image) + double(first) / double(count)) / double(x.size(0)));
      std::vector<at::Tensor> inputs;
      const auto last = std::min(count, first + std::max<std::int64_t>(explained.batch, 1));
      for (auto i = first; i < last; ++i) {
        const auto start = from[std::size_t(all.path[std::size_t(i)])][image];
        inputs.push_back(all.place[std::size_t(i)] == 1 ? end : start.lerp(end, all.place[std::size_t(i)]));
      }
      const auto gradients = gradients_of(explained, at::stack(inputs)).flatten(1).to(at::kDouble);
      sums += at::matmul(all.weights.narrow(1, first, last - first).to(x.device()), gradients);
    }
    for (std::size_t path = 0; path < from.size(); ++path) {
      found[path].values[image].copy_(sums[std::int64_t(path)].view_as(end) * (end - from[path][image]));
    }
  }
  progress("integrated gradients", 1);
  if (options.completeness) {
    for (std::size_t path = 0; path < from.size(); ++path) {
      found[path].completeness = completeness(explained, x, from[path], found[path].values);
    }
  }
  return found;
}

Attribution integrated_gradients(const Explained& explained, const at::Tensor& input, const at::Tensor& baseline,
                                 const IntegratedGradientsOptions& options, const Progress& progress) {
  return integrated_gradients(explained, input, std::vector<at::Tensor>{baseline}, options, progress).front();
}

Attribution integrated_gradients(const Explained& explained, const at::Tensor& input, Baseline baseline,
                                 const IntegratedGradientsOptions& options, const Progress& progress) {
  return integrated_gradients(explained, input, baseline_of(input, baseline), options, progress);
}

}  // namespace ichdet::attribution
