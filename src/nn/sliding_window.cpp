#include "ichdet/nn/sliding_window.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "ichdet/core/error.hpp"

namespace ichdet {
namespace {

using Triple = std::array<std::int64_t, 3>;

void check(bool ok, const std::string& what) {
  if (!ok) throw Error(ErrorCode::options, "sliding window: " + what);
}

std::vector<float> axis_weights(std::int64_t n, const SlidingWindowOptions& options) {
  std::vector<float> weights(std::size_t(n), 1.f);
  if (options.blending == Blending::constant) return weights;
  const double sigma = options.sigma_scale * double(n);
  for (std::int64_t i = 0; i < n; ++i) {
    const double x = double(i) - double(n - 1) / 2;
    weights[std::size_t(i)] = float(std::exp(-x * x / (2 * sigma * sigma)));
  }
  return weights;
}

/// The part of the image that starts at `begin` (may lie beyond it) and has `size`.
Array4<float> cut(const Array4<float>& image, const Triple& begin, const Triple& size,
                  const SlidingWindowOptions& options) {
  Array4<float> patch({image.extent(0), size[0], size[1], size[2]}, options.padding_value);
  const auto held = [&](std::int64_t at, std::size_t axis) {
    return options.padding == Padding::edge ? std::clamp<std::int64_t>(at, 0, image.extent(axis + 1) - 1) : at;
  };
  const auto inside = [&](std::int64_t at, std::size_t axis) { return at >= 0 && at < image.extent(axis + 1); };
  for (std::int64_t c = 0; c < size[0] * image.extent(0) * size[1]; ++c) {
    const auto channel = c / (size[0] * size[1]), z = held(begin[0] + c / size[1] % size[0], 0),
               y = held(begin[1] + c % size[1], 1);
    if (!inside(z, 0) || !inside(y, 1)) continue;
    float* to = patch.data() + c * size[2];
    const float* from = image.data() + ((channel * image.extent(1) + z) * image.extent(2) + y) * image.extent(3);
    for (std::int64_t x = 0; x < size[2]; ++x) {
      const auto at = held(begin[2] + x, 2);
      if (inside(at, 2)) to[x] = from[at];
    }
  }
  return patch;
}

/// Sums of weighted answers and of weights over some planes of the region, the first being plane `first`.
class Slab {
 public:
  Slab(std::int64_t classes, const Triple& size)
      : sums_({classes, size[0], size[1], size[2]}), weights_({size[0], size[1], size[2]}) {}

  void add(const Array4<float>& answer, const Triple& at, const std::array<std::vector<float>, 3>& weights,
           float least) {
    for (std::int64_t z = 0; z < answer.extent(1); ++z) {
      if (!within(at[0] + z - first_, 0)) continue;
      for (std::int64_t y = 0; y < answer.extent(2); ++y) {
        if (!within(at[1] + y, 1)) continue;
        const float wzy = weights[0][std::size_t(z)] * weights[1][std::size_t(y)];
        for (std::int64_t x = 0; x < answer.extent(3); ++x) {
          if (!within(at[2] + x, 2)) continue;
          const float weight = std::max(wzy * weights[2][std::size_t(x)], least);
          weights_(at[0] + z - first_, at[1] + y, at[2] + x) += weight;
          for (std::int64_t c = 0; c < sums_.extent(0); ++c) {
            sums_(c, at[0] + z - first_, at[1] + y, at[2] + x) += weight * answer(c, z, y, x);
          }
        }
      }
    }
  }

  /// Hands on all planes before `end` and moves up.
  void finish(std::int64_t end, std::int64_t region_begin, const SlabSink& sink) {
    const auto planes = std::min(end - first_, weights_.extent(0));
    if (planes <= 0) return;
    const auto height = weights_.extent(1), width = weights_.extent(2), plane = height * width;
    Array4<float> values({sums_.extent(0), planes, height, width});
    Array3<std::uint8_t> computed({planes, height, width});
    for (std::int64_t i = 0; i < planes * plane; ++i) {
      const float weight = weights_.data()[i];
      computed.data()[i] = weight > 0;
      for (std::int64_t c = 0; weight > 0 && c < sums_.extent(0); ++c) {
        values.data()[c * planes * plane + i] = sums_.data()[c * weights_.size() + i] / weight;
      }
    }
    sink(region_begin + first_, values, computed);
    const auto shift = [&](float* data, std::int64_t size) {
      std::copy(data + planes * plane, data + size, data);
      std::fill(data + size - planes * plane, data + size, 0.f);
    };
    shift(weights_.data(), weights_.size());
    for (std::int64_t c = 0; c < sums_.extent(0); ++c) shift(sums_.data() + c * weights_.size(), weights_.size());
    first_ += planes;
  }

 private:
  bool within(std::int64_t at, std::size_t axis) const { return at >= 0 && at < weights_.extent(axis); }

  Array4<float> sums_;
  Array3<float> weights_;
  std::int64_t first_ = 0;
};

}  // namespace

std::vector<std::int64_t> patch_starts(std::int64_t length, std::int64_t patch, double overlap, bool fits_in) {
  const auto step = patch == length ? patch : std::max<std::int64_t>(1, std::int64_t(double(patch) * (1 - overlap)));
  std::vector<std::int64_t> starts;
  for (std::int64_t at = 0;; at += step) {
    const bool last = at + patch >= length;
    starts.push_back(last && fits_in ? std::max<std::int64_t>(0, length - patch) : at);
    if (last) return starts;
  }
}

void sliding_window(const Array4<float>& image, std::int64_t classes, const PatchPredictor& predict,
                    const SlabSink& sink, const SlidingWindowOptions& options, const PatchFilter& keep,
                    const Progress& progress) {
  check(!image.empty(), "the image is empty");
  check(classes > 0, "there has to be a class");
  check(options.overlap >= 0 && options.overlap < 1, "overlap has to be in [0, 1)");
  check(options.sigma_scale > 0, "sigma_scale has to be above 0");
  Box region = options.region;
  if (region.size == Triple{}) region.size = {image.extent(1), image.extent(2), image.extent(3)};
  Triple margin, lead;
  std::array<std::vector<std::int64_t>, 3> starts;
  std::array<std::vector<float>, 3> weights;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    check(options.output[axis] > 0 && options.input[axis] >= options.output[axis] &&
              (options.input[axis] - options.output[axis]) % 2 == 0,
          "input has to be as large as output or larger by an even number of voxels");
    check(region.begin[axis] >= 0 && region.size[axis] > 0 &&
              region.begin[axis] + region.size[axis] <= image.extent(axis + 1),
          "the region has to lie in the image");
    margin[axis] = (options.input[axis] - options.output[axis]) / 2;
    // A region smaller than a same-size patch lies in the patch's middle.
    lead[axis] = margin[axis] == 0 ? std::max<std::int64_t>(0, options.output[axis] - region.size[axis]) / 2 : 0;
    starts[axis] = patch_starts(region.size[axis], options.output[axis], options.overlap, margin[axis] == 0);
    weights[axis] = axis_weights(options.output[axis], options);
  }
  float least = 1;
  if (options.blending == Blending::gaussian) {
    least = weights[0].front() * weights[1].front() * weights[2].front();  // the corner, which weighs least
    least = std::max(least, float(options.least_weight));
  }

  Slab slab(classes, {std::min(options.output[0], region.size[0]), region.size[1], region.size[2]});
  const double patches = double(starts[0].size() * starts[1].size() * starts[2].size());
  double done = 0;
  progress("network", 0);
  for (const auto z : starts[0]) {
    slab.finish(z, region.begin[0], sink);
    for (const auto y : starts[1]) {
      for (const auto x : starts[2]) {
        const Triple at{z - lead[0], y - lead[1], x - lead[2]};
        Box output{{region.begin[0] + at[0], region.begin[1] + at[1], region.begin[2] + at[2]}, options.output};
        if (!keep || keep(output)) {
          const Triple begin{output.begin[0] - margin[0], output.begin[1] - margin[1], output.begin[2] - margin[2]};
          const auto answer = predict(cut(image, begin, options.input, options));
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

}  // namespace ichdet
