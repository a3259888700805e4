#include "ichdet/nn/views.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <doctest/doctest.h>

#include "ichdet/core/error.hpp"

using namespace ichdet;

namespace {

using Triple = std::array<std::int64_t, 3>;

/// Reads (channel, z, y, x) by index, zeros beyond it.
BoxReader reading(const at::Tensor& image) {
  return [image](const Box& box, const Layout& layout, float* to) {
    const auto values = image.accessor<float, 4>();
    for (std::int64_t c = 0; c < image.size(0); ++c, to += layout.voxels()) {
      for (std::int64_t z = 0; z < box.size[0]; ++z) {
        for (std::int64_t y = 0; y < box.size[1]; ++y) {
          for (std::int64_t x = 0; x < box.size[2]; ++x) {
            const auto iz = box.begin[0] + z, iy = box.begin[1] + y, ix = box.begin[2] + x;
            const bool inside =
                iz >= 0 && iy >= 0 && ix >= 0 && iz < image.size(1) && iy < image.size(2) && ix < image.size(3);
            to[layout.offset + z * layout.step[0] + y * layout.step[1] + x * layout.step[2]] =
                inside ? values[c][iz][iy][ix] : 0.f;
          }
        }
      }
    }
  };
}

/// Depends on where in the patch a voxel lies, and along which axis.
at::Tensor network(const at::Tensor& patch) {
  const auto ramp = [&](std::int64_t axis) {
    std::vector<std::int64_t> shape(5, 1);
    shape[std::size_t(axis)] = patch.size(axis);
    return at::arange(patch.size(axis), at::kFloat).reshape(shape);
  };
  return at::cat({patch.slice(1, 0, 1) * ramp(2) + ramp(4), patch.slice(1, 1, 2) + ramp(3) * ramp(4)}, 1);
}

std::vector<std::int64_t> flipped_axes(const std::array<bool, 3>& flip) {
  std::vector<std::int64_t> axes;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    if (flip[axis]) axes.push_back(std::int64_t(axis) + 2);
  }
  return axes;
}

at::Tensor as_tensor(const Array4<float>& values) {
  return at::from_blob(const_cast<float*>(values.data()),
                       {1, values.extent(0), values.extent(1), values.extent(2), values.extent(3)}, at::kFloat)
      .clone();
}

}  // namespace

TEST_CASE("views: flips, quarter turns, axes and orientation are those of the tensor library, whatever their order") {
  const auto image = at::rand({2, 6, 7, 5});
  const Box all{{}, {6, 7, 5}};
  int odd = 0;
  for (const AxisOrder axes : {AxisOrder::zyx, AxisOrder::xyz}) {
    for (const std::array<bool, 3>& against : {std::array{false, false, false}, {true, false, true}}) {
      for (int flips = 0; flips < 8; ++flips) {
        for (const auto& plane : {std::array<std::size_t, 2>{1, 2}, {2, 1}, {0, 2}, {1, 0}}) {
          for (int turns = 0; turns < 4; ++turns) {
            View view;
            view.flip = {(flips & 1) != 0, (flips & 2) != 0, (flips & 4) != 0};
            view.rotate90 = {plane, turns};
            PatchViews options;
            options.channels = options.classes = 2;
            options.output = all.size;
            options.views = {view};
            options.axes = axes;
            options.against = against;
            const PatchNetwork networks[] = {network};
            const auto found = as_tensor(mean_of_views(reading(image), networks, all, options));

            const std::vector<std::int64_t> dims{std::int64_t(plane[0]) + 2, std::int64_t(plane[1]) + 2};
            auto shown =
                at::rot90(image.unsqueeze(0).flip(flipped_axes(against)).flip(flipped_axes(view.flip)), turns, dims);
            if (axes == AxisOrder::xyz) shown = shown.permute({0, 1, 4, 3, 2});
            auto answer = network(shown);
            if (axes == AxisOrder::xyz) answer = answer.permute({0, 1, 4, 3, 2});
            const auto expected =
                at::rot90(answer, -turns, dims).flip(flipped_axes(view.flip)).flip(flipped_axes(against));
            CHECK(at::allclose(found, expected, 0, 1e-6));
            odd += turns % 2;
          }
        }
      }
    }
  }
  CHECK(odd > 0);
}

TEST_CASE("views: the mean over views and networks, of a valid convolution") {
  const auto image = at::rand({2, 9, 9, 9});
  const PatchNetwork valid = [](const at::Tensor& patch) {
    return network(patch.slice(2, 1, -1).slice(3, 1, -1).slice(4, 1, -1));
  };
  const PatchNetwork twice = [&](const at::Tensor& patch) { return 2 * valid(patch); };
  const PatchNetwork networks[] = {valid, twice};
  PatchViews options;
  options.channels = options.classes = 2;
  options.output = {4, 5, 6};
  options.views = {View{}, View{.flip = {true, false, true}}};
  const Box input{{2, -1, 1}, {6, 7, 8}};
  const auto found = as_tensor(mean_of_views(reading(image), networks, input, options));
  const auto shown =
      at::constant_pad_nd(image, {0, 0, 1, 0, 0, 0}).slice(1, 2, 8).slice(2, 0, 7).slice(3, 1, 9).unsqueeze(0);
  const auto expected = 1.5 * (valid(shown) + valid(shown.flip({2, 4})).flip({2, 4})) / 2;
  CHECK(at::allclose(found, expected, 0, 1e-5));
}

TEST_CASE("views: a scaled view shows more or less of the image, and its answer is brought back") {
  // Linear in space: interpolation is exact away from the patch's border.
  const auto ramp = at::arange(40, at::kFloat);
  const auto image = (ramp.reshape({40, 1, 1}) + 2 * ramp.reshape({1, 40, 1}) + 5 * ramp).unsqueeze(0);
  const Box input{{12, 12, 12}, {16, 16, 16}};
  const auto expected = image.unsqueeze(0).slice(2, 12, 28).slice(3, 12, 28).slice(4, 12, 28);
  std::vector<std::int64_t> seen;
  const PatchNetwork identity = [&](const at::Tensor& patch) {
    seen.assign(patch.sizes().begin(), patch.sizes().end());
    return patch + 1;
  };
  const PatchNetwork networks[] = {identity};
  PatchViews options;
  options.output = input.size;
  options.views = {View{.scale = 0.5}};
  const auto wider = as_tensor(mean_of_views(reading(image), networks, input, options));
  CHECK(seen == std::vector<std::int64_t>{1, 1, 16, 16, 16});
  CHECK(at::allclose(wider, expected + 1, 0, 1e-3));

  // Twice as large: the middle 8 voxels a side are the mean of both, the others the plain view's.
  options.views = {View{}, View{.scale = 2}};
  const PatchNetwork counting[] = {[n = 0](const at::Tensor& patch) mutable { return patch * 0 + double(n++); }};
  const auto both = as_tensor(mean_of_views(reading(image), counting, input, options));
  auto half = at::zeros({1, 1, 16, 16, 16});
  half.slice(2, 4, 12).slice(3, 4, 12).slice(4, 4, 12).fill_(0.5);
  CHECK(at::allclose(both, half, 0, 1e-6));

  options.views = {View{.scale = 2}};
  CHECK_THROWS_AS(mean_of_views(reading(image), networks, input, options), Error);
  options.views = {View{}};
  const PatchNetwork wrong[] = {[](const at::Tensor& patch) { return patch.slice(2, 1); }};
  CHECK_THROWS_AS(mean_of_views(reading(image), wrong, input, options), Error);
}
