#include "ichdet/nn/views.hpp"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "ichdet/core/error.hpp"

namespace ichdet {
namespace {

using Triple = std::array<std::int64_t, 3>;

/// Voxels that a view of this scale spreads over `size`: fewer or more by an even number, so that the centre stays.
Triple seen(const Triple& size, double scale) {
  Triple voxels;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto half = std::llround((double(size[axis]) - double(size[axis]) / scale) / 2);
    voxels[axis] = std::max<std::int64_t>(size[axis] % 2 == 0 ? 2 : 1, size[axis] - 2 * half);
  }
  return voxels;
}

at::Tensor resized(const at::Tensor& values, const Triple& size) {
  return at::upsample_trilinear3d(values, {size[0], size[1], size[2]}, /*align_corners=*/false);
}

/// Adds an answer (class, the layout's shape) to a box of `sum` that starts at `at` and may leave it.
void add(const float* answer, const Layout& layout, const Triple& size, const Triple& at, Array4<float>& sum) {
  Triple first, end;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    first[axis] = std::max<std::int64_t>(0, -at[axis]);
    end[axis] = std::min(size[axis], sum.extent(axis + 1) - at[axis]);
  }
  for (std::int64_t c = 0; c < sum.extent(0); ++c) {
    for (auto z = first[0]; z < end[0]; ++z) {
      for (auto y = first[1]; y < end[1]; ++y) {
        const float* from = answer + c * layout.voxels() + layout.offset + z * layout.step[0] + y * layout.step[1];
        float* to = &sum(c, at[0] + z, at[1] + y, 0) + at[2];
        for (auto x = first[2]; x < end[2]; ++x) to[x] += from[x * layout.step[2]];
      }
    }
  }
}

/// Divides each voxel by the number of answers that reached it.
void divide(Array4<float>& sum, std::size_t networks, const std::vector<View>& views) {
  const Triple size{sum.extent(1), sum.extent(2), sum.extent(3)};
  std::vector<Triple> margins;  // that a view leaves out
  for (const auto& view : views) {
    auto& margin = margins.emplace_back();
    const auto reached = seen(size, view.scale);
    for (std::size_t axis = 0; axis < 3; ++axis) margin[axis] = (size[axis] - reached[axis]) / 2;
  }
  const auto within = [&](const Triple& margin, std::int64_t at, std::size_t axis) {
    return at >= margin[axis] && at < size[axis] - margin[axis];
  };
  for (std::int64_t z = 0; z < size[0]; ++z) {
    for (std::int64_t y = 0; y < size[1]; ++y) {
      for (std::int64_t x = 0; x < size[2]; ++x) {
        const auto answers = std::ranges::count_if(margins, [&](const Triple& margin) {
          return within(margin, z, 0) && within(margin, y, 1) && within(margin, x, 2);
        });
        const auto share = 1.f / float(answers * std::int64_t(networks));
        for (std::int64_t c = 0; c < sum.extent(0); ++c) sum(c, z, y, x) *= share;
      }
    }
  }
}

void scale_all(Array4<float>& sum, float share) {
  for (auto& value : sum) value *= share;
}

}  // namespace

Layout layout_of(const Triple& size, const View& view, AxisOrder axes, const std::array<bool, 3>& against) {
  // Axis k of what is shown is axis from[k] of the box, reversed where backwards[k].
  std::array<std::size_t, 3> from{0, 1, 2};
  std::array<bool, 3> backwards{};
  for (std::size_t axis = 0; axis < 3; ++axis) backwards[axis] = view.flip[axis] != against[axis];
  const auto [a, b] = view.rotate90.plane;
  for (int turn = 0; turn < view.rotate90.turns; ++turn) {
    std::swap(from[a], from[b]);
    std::swap(backwards[a], backwards[b]);
    backwards[a] = !backwards[a];
  }
  if (axes == AxisOrder::xyz) {
    std::ranges::reverse(from);
    std::ranges::reverse(backwards);
  }
  Layout layout;
  for (std::size_t k = 0; k < 3; ++k) layout.shape[k] = size[from[k]];
  const Triple steps{layout.shape[1] * layout.shape[2], layout.shape[2], 1};
  for (std::size_t k = 0; k < 3; ++k) {
    layout.step[from[k]] = backwards[k] ? -steps[k] : steps[k];
    if (backwards[k]) layout.offset += (layout.shape[k] - 1) * steps[k];
  }
  return layout;
}

Array4<float> mean_of_views(const BoxReader& read, std::span<const PatchNetwork> networks, const Box& input,
                            const PatchViews& options, const Progress& progress) {
  const auto& output = options.output;
  if (std::ranges::none_of(options.views, [](const View& view) { return view.scale <= 1; })) {
    throw Error(ErrorCode::options, "test-time views: one has to have a scale of at most 1, to reach the whole patch");
  }
  Array4<float> sum({options.classes, output[0], output[1], output[2]});
  const double answers = double(options.views.size() * networks.size());
  double done = 0;
  for (const auto& view : options.views) {
    const auto read_size = seen(input.size, view.scale), reached = seen(output, view.scale);
    const auto layout = [&](const Triple& size) { return layout_of(size, view, options.axes, options.against); };
    Box box{{}, read_size};
    Triple at;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      box.begin[axis] = input.begin[axis] + (input.size[axis] - read_size[axis]) / 2;
      at[axis] = (output[axis] - reached[axis]) / 2;
    }
    const auto shown = layout(read_size);
    auto patch = at::empty({1, options.channels, shown.shape[0], shown.shape[1], shown.shape[2]});
    read(box, shown, patch.data_ptr<float>());
    if (view.scale != 1) patch = resized(patch, layout(input.size).shape);
    const auto expected = layout(output).shape;
    for (const auto& network : networks) {
      auto answer = network(patch);
      if (answer.sizes() != at::IntArrayRef({1, options.classes, expected[0], expected[1], expected[2]})) {
        throw Error(ErrorCode::shape, "a segmentation network answered another size than its bundle says: expected " +
                                          std::to_string(options.classes) + " classes of " +
                                          std::to_string(expected[0]) + " x " + std::to_string(expected[1]) + " x " +
                                          std::to_string(expected[2]));
      }
      if (view.scale != 1) answer = resized(answer, layout(reached).shape);
      answer = answer.contiguous();
      add(answer.data_ptr<float>(), layout(reached), reached, at, sum);
      progress("network", ++done / answers);
    }
  }
  if (std::ranges::all_of(options.views, [](const View& view) { return view.scale == 1; })) {
    if (answers > 1) scale_all(sum, float(1 / answers));
  } else {
    divide(sum, networks.size(), options.views);
  }
  return sum;
}

}  // namespace ichdet
