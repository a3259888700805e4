#include "patches.hpp"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>

#include "ichdet/core/parallel.hpp"
#include "ichdet/nn/sliding_window.hpp"

namespace ichdet::pipeline {
namespace {

/// Adds one member's share of the probabilities.
void add_softmax(const at::Tensor& logits, float share, Array4<float>& sum, int threads) {
  const auto values = logits.contiguous();
  const auto classes = sum.extent(0), plane = sum.extent(2) * sum.extent(3), voxels = sum.extent(1) * plane;
  parallel_for(sum.extent(1), threads, [&](std::int64_t z) {
    std::vector<float> shares(static_cast<std::size_t>(classes));
    for (std::int64_t i = z * plane; i < (z + 1) * plane; ++i) {
      const auto* logit = values.data_ptr<float>() + i;
      float highest = *logit, total = 0;
      for (std::int64_t c = 1; c < classes; ++c) highest = std::max(highest, logit[c * voxels]);
      for (std::int64_t c = 0; c < classes; ++c) {
        total += shares[std::size_t(c)] = std::exp(logit[c * voxels] - highest);
      }
      for (std::int64_t c = 0; c < classes; ++c) sum.data()[c * voxels + i] += shares[std::size_t(c)] * (share / total);
    }
  });
}

Array4<float> mean_probabilities(const Networks& networks, const Array4<float>& patch,
                                 const Array4<float>::Shape& shape, const Progress& progress) {
  const auto input = at::from_blob(const_cast<float*>(patch.data()),
                                   {1, patch.extent(0), patch.extent(1), patch.extent(2), patch.extent(3)}, at::kFloat);
  Array4<float> mean(shape);
  double done = 0;
  for (const auto& network : networks) {
    add_softmax(network(input), 1.f / float(networks.size()), mean, network.options().threads);
    progress("network", ++done / double(networks.size()));
  }
  return mean;
}

SlabSink writer(Array4<float>& probabilities, const Box& region) {
  return [&probabilities, begin = region.begin](std::int64_t z, const Array4<float>& values,
                                                const Array3<std::uint8_t>& computed) {
    for (std::int64_t dz = 0; dz < values.extent(1); ++dz) {
      for (std::int64_t y = 0; y < values.extent(2); ++y) {
        for (std::int64_t x = 0; x < values.extent(3); ++x) {
          if (computed(dz, y, x) == 0) continue;
          for (std::int64_t c = 0; c < values.extent(0); ++c) {
            probabilities(c, z + dz, begin[1] + y, begin[2] + x) = values(c, dz, y, x);
          }
        }
      }
    }
  };
}

std::int64_t voxels_of(const std::array<std::int64_t, 3>& size) { return size[0] * size[1] * size[2]; }

}  // namespace

std::int64_t paint_boxes(const Networks& networks, const ModelSpec& model, const Array4<float>& image,
                         const std::vector<Box>& boxes, Array4<float>& probabilities, const char* stage,
                         const Progress& progress) {
  std::int64_t all = 0, done = 0;
  for (const auto& box : boxes) all += voxels_of(box.size);
  progress(stage, 0);
  for (const auto& box : boxes) {
    SlidingWindowOptions window;
    window.output = box.size;
    window.region.begin = box.begin;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      window.input[axis] = box.size[axis] + model.patch.input[axis] - model.patch.output[axis];
      window.region.size[axis] = std::min(box.size[axis], image.extent(axis + 1) - box.begin[axis]);
    }
    const Progress within{[&](std::string_view, double fraction) {
                            progress(stage, (double(done) + fraction * double(voxels_of(box.size))) / double(all));
                          },
                          progress.stop};
    const auto predict = [&](const Array4<float>& patch) {
      return mean_probabilities(networks, patch, {probabilities.extent(0), box.size[0], box.size[1], box.size[2]},
                                within);
    };
    sliding_window(image, probabilities.extent(0), predict, writer(probabilities, window.region), window, {},
                   {{}, progress.stop});
    done += voxels_of(box.size);
  }
  return done;
}

Painted paint_patches(const Networks& networks, const Networks& exact, const ModelSpec& model,
                      const Array4<float>& image, const Cells& cells, float clear, Array4<float>& probabilities,
                      const Progress& progress) {
  const auto& output = model.patch.output;
  SlidingWindowOptions window;
  window.input = model.patch.input;
  window.output = output;
  Painted painted;
  const auto predict = [&](const Array4<float>& patch) {
    const Array4<float>::Shape shape{probabilities.extent(0), output[0], output[1], output[2]};
    auto found = mean_probabilities(networks, patch, shape, {{}, progress.stop});
    painted.voxels += voxels_of(output);
    if (exact.empty() || std::ranges::min(found.plane(0)) >= clear) return found;
    painted.again += voxels_of(output);
    return mean_probabilities(exact, patch, shape, {{}, progress.stop});
  };
  const auto meets_a_cell = [&](const Box& box) {
    const auto first = [&](std::size_t axis) { return std::max<std::int64_t>(0, box.begin[axis]) / cells.side; };
    const auto end = [&](std::size_t axis) {
      return std::min(cells.marked.extent(axis), (box.begin[axis] + box.size[axis] - 1) / cells.side + 1);
    };
    for (auto z = first(0); z < end(0); ++z) {
      for (auto y = first(1); y < end(1); ++y) {
        for (auto x = first(2); x < end(2); ++x) {
          if (cells.marked(z, y, x) != 0) return true;
        }
      }
    }
    return false;
  };
  sliding_window(image, probabilities.extent(0), predict, writer(probabilities, {}), window, meets_a_cell, progress);
  return painted;
}

}  // namespace ichdet::pipeline
