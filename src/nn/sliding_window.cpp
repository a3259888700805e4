#include "ichdet/nn/sliding_window.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "ichdet/core/error.hpp"
#include "slab.hpp"

namespace ichdet {
namespace {

using Triple = std::array<std::int64_t, 3>;

void check(bool ok, const std::string& what) {
  if (!ok) throw Error(ErrorCode::options, "sliding window: " + what);
}

/// The part of the image that a box is, which may lie beyond it.
Array4<float> cut(const Array4<float>& image, const Box& box, Padding padding) {
  Array4<float> patch({image.extent(0), box.size[0], box.size[1], box.size[2]});
  const auto held = [&](std::int64_t at, std::size_t axis) {
    return padding == Padding::edge ? std::clamp<std::int64_t>(at, 0, image.extent(axis + 1) - 1) : at;
  };
  const auto inside = [&](std::int64_t at, std::size_t axis) { return at >= 0 && at < image.extent(axis + 1); };
  float* to = patch.data();
  for (std::int64_t c = 0; c < image.extent(0); ++c) {
    for (std::int64_t dz = 0; dz < box.size[0]; ++dz) {
      const auto z = held(box.begin[0] + dz, 0);
      for (std::int64_t dy = 0; dy < box.size[1]; ++dy, to += box.size[2]) {
        const auto y = held(box.begin[1] + dy, 1);
        if (!inside(z, 0) || !inside(y, 1)) continue;
        const float* from = &image(c, z, y, 0);
        for (std::int64_t dx = 0; dx < box.size[2]; ++dx) {
          const auto x = held(box.begin[2] + dx, 2);
          if (inside(x, 2)) to[dx] = from[x];
        }
      }
    }
  }
  return patch;
}

/// Python's round: halves to the even neighbour.
std::int64_t rounded(double value) { return std::int64_t(std::nearbyint(value)); }

}  // namespace

std::vector<std::int64_t> patch_starts(std::int64_t length, std::int64_t patch, double overlap, bool fits_in,
                                       PatchPlaces places) {
  std::vector<std::int64_t> starts;
  if (places == PatchPlaces::nnunet && fits_in) {
    const double room = double(std::max<std::int64_t>(0, length - patch));
    const auto last = std::int64_t(std::ceil(room / std::max(1.0, double(patch) * (1 - overlap))));
    for (std::int64_t i = 0; i <= last; ++i) starts.push_back(last == 0 ? 0 : rounded(room / double(last) * double(i)));
    return starts;
  }
  const auto step = patch == length ? patch : std::max<std::int64_t>(1, std::int64_t(double(patch) * (1 - overlap)));
  for (std::int64_t at = 0;; at += step) {
    const bool last = at + patch >= length;
    starts.push_back(last && fits_in ? std::max<std::int64_t>(0, length - patch) : at);
    if (last) return starts;
  }
}

std::vector<float> patch_weights(std::int64_t n, Blending blending) {
  std::vector<float> weights(std::size_t(n), 1.f);
  if (blending == Blending::constant) return weights;
  const double sigma = double(n) / 8;
  const bool nnunet = blending == Blending::nnunet_gaussian;
  const double centre = nnunet ? double(n / 2) : double(n - 1) / 2;
  const double reach = nnunet ? std::floor(4 * sigma + 0.5) : double(n);  // where scipy cuts a Gaussian off
  for (std::int64_t i = 0; i < n; ++i) {
    const double x = double(i) - centre;
    weights[std::size_t(i)] = std::abs(x) <= reach ? float(std::exp(-x * x / (2 * sigma * sigma))) : 0.f;
  }
  return weights;
}

float least_weight(const std::array<std::vector<float>, 3>& weights, Blending blending) {
  float least = 1;
  for (const auto& axis : weights) {
    float lowest = 1;
    for (const float weight : axis) {
      if (weight > 0) lowest = std::min(lowest, weight);
    }
    least *= lowest;
  }
  return blending == Blending::monai_gaussian ? std::max(least, 1e-3f) : least;
}

void sliding_window(const Triple& shape, std::int64_t classes, const BoxPredictor& predict, const SlabSink& sink,
                    const SlidingWindowOptions& options, const PatchFilter& keep, const Progress& progress) {
  check(shape[0] > 0 && shape[1] > 0 && shape[2] > 0, "the image is empty");
  check(classes > 0, "there has to be a class");
  check(options.overlap >= 0 && options.overlap < 1, "overlap has to be in [0, 1)");
  Box region = options.region;
  if (region.size == Triple{}) region.size = shape;
  Triple margin, lead;
  std::array<std::vector<std::int64_t>, 3> starts;
  std::array<std::vector<float>, 3> weights;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto input = options.input[axis], output = options.output[axis];
    check(output > 0 && input >= output && (input - output) % 2 == 0,
          "input has to be as large as output or larger by an even number of voxels");
    check(region.begin[axis] >= 0 && region.size[axis] > 0 && region.begin[axis] + region.size[axis] <= shape[axis],
          "the region has to lie in the image");
    margin[axis] = (input - output) / 2;
    // A region smaller than a same-size patch lies in the patch's middle.
    const auto surplus = margin[axis] == 0 ? std::max<std::int64_t>(0, output - region.size[axis]) : 0;
    lead[axis] = options.from_end[axis] ? surplus - surplus / 2 : surplus / 2;
    starts[axis] = patch_starts(region.size[axis], output, options.overlap, margin[axis] == 0, options.places);
    weights[axis] = patch_weights(output, options.blending);
    if (options.from_end[axis]) {
      for (auto& start : starts[axis]) start = std::max(region.size[axis], output * (surplus > 0)) - output - start;
      std::ranges::reverse(starts[axis]);
      std::ranges::reverse(weights[axis]);
    }
  }
  const float least = least_weight(weights, options.blending);

  nn::Slab slab(classes, {std::min(options.output[0], region.size[0]), region.size[1], region.size[2]});
  const double patches = double(starts[0].size() * starts[1].size() * starts[2].size());
  double done = 0;
  progress("network", 0);
  for (const auto z : starts[0]) {
    slab.finish(z, region.begin[0], sink);
    for (const auto y : starts[1]) {
      for (const auto x : starts[2]) {
        const Triple at{z - lead[0], y - lead[1], x - lead[2]};
        const Box output{{region.begin[0] + at[0], region.begin[1] + at[1], region.begin[2] + at[2]}, options.output};
        if (!keep || keep(output)) {
          const auto answer = predict(
              {{output.begin[0] - margin[0], output.begin[1] - margin[1], output.begin[2] - margin[2]}, options.input});
          if (answer.shape() !=
              Array4<float>::Shape{classes, options.output[0], options.output[1], options.output[2]}) {
            throw Error(ErrorCode::shape, "sliding window: the predictor's answer is not of the announced size");
          }
          slab.add(answer, at, weights, least);
        }
        progress("network", ++done / patches);
      }
    }
  }
  slab.finish(region.size[0], region.begin[0], sink);
}

void sliding_window(const Array4<float>& image, std::int64_t classes, const PatchPredictor& predict,
                    const SlabSink& sink, const SlidingWindowOptions& options, const PatchFilter& keep,
                    const Progress& progress) {
  sliding_window(
      {image.extent(1), image.extent(2), image.extent(3)}, classes,
      [&](const Box& input) { return predict(cut(image, input, options.padding)); }, sink, options, keep, progress);
}

}  // namespace ichdet
