#include "ichdet/nn/sliding_window.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "ichdet/core/error.hpp"

using namespace ichdet;

namespace {

Array4<float> noise(const std::array<std::int64_t, 4>& shape) {
  Array4<float> image(shape);
  std::mt19937 random(7);
  std::uniform_real_distribution<float> value(-1, 1);
  for (auto& v : image) v = value(random);
  return image;
}

Array4<float> collect(const Array4<float>& image, const PatchPredictor& predict, const SlidingWindowOptions& options,
                      std::int64_t classes = 1) {
  Array4<float> all({classes, image.extent(1), image.extent(2), image.extent(3)}, -9);
  std::int64_t next = options.region.begin[0];
  sliding_window(
      image, classes, predict,
      [&](std::int64_t z, const Array4<float>& slab, const Array3<std::uint8_t>&) {
        CHECK(z == next);
        CHECK(slab.extent(1) <= options.output[0]);
        next += slab.extent(1);
        for (std::int64_t c = 0; c < classes; ++c) {
          for (std::int64_t dz = 0; dz < slab.extent(1); ++dz) {
            for (std::int64_t y = 0; y < slab.extent(2); ++y) {
              for (std::int64_t x = 0; x < slab.extent(3); ++x) {
                all(c, z + dz, options.region.begin[1] + y, options.region.begin[2] + x) = slab(c, dz, y, x);
              }
            }
          }
        }
      },
      options);
  return all;
}

SlidingWindowOptions same_size(const std::array<std::int64_t, 3>& patch, double overlap, Blending blending) {
  SlidingWindowOptions options;
  options.input = options.output = patch;
  options.overlap = overlap;
  options.blending = blending;
  return options;
}

}  // namespace

TEST_CASE("an identity network comes out as it went in, whatever the overlap") {
  const auto image = noise({1, 11, 17, 9});
  for (const auto blending : {Blending::constant, Blending::monai_gaussian}) {
    for (const double overlap : {0.0, 0.25, 0.5, 0.9}) {
      const auto out = collect(
          image, [](const Array4<float>& patch) { return patch.clone(); }, same_size({6, 8, 12}, overlap, blending));
      for (std::int64_t i = 0; i < image.size(); ++i)
        CHECK(out.data()[i] == doctest::Approx(image.data()[i]).epsilon(1e-5));
    }
  }
}

TEST_CASE("a valid 3 x 3 x 3 box network equals the box filter with repeated edges, also in a region") {
  const auto image = noise({1, 10, 13, 12});
  const auto box = [](const Array4<float>& patch) {
    Array4<float> sums({1, patch.extent(1) - 2, patch.extent(2) - 2, patch.extent(3) - 2});
    for (std::int64_t z = 0; z < sums.extent(1); ++z) {
      for (std::int64_t y = 0; y < sums.extent(2); ++y) {
        for (std::int64_t x = 0; x < sums.extent(3); ++x) {
          for (int t = 0; t < 27; ++t) sums(0, z, y, x) += patch(0, z + t / 9, y + t / 3 % 3, x + t % 3);
        }
      }
    }
    return sums;
  };
  SlidingWindowOptions options;
  options.input = {6, 7, 8};
  options.output = {4, 5, 6};
  options.region = {{1, 2, 0}, {9, 10, 12}};
  const auto out = collect(image, box, options);
  const auto at = [&](std::int64_t z, std::int64_t y, std::int64_t x) {
    return image(0, std::clamp<std::int64_t>(z, 0, 9), std::clamp<std::int64_t>(y, 0, 12),
                 std::clamp<std::int64_t>(x, 0, 11));
  };
  for (std::int64_t z = 0; z < 10; ++z) {
    for (std::int64_t y = 0; y < 13; ++y) {
      for (std::int64_t x = 0; x < 12; ++x) {
        float expected = z >= 1 && y >= 2 && y < 12 ? 0.f : -9.f;
        for (int t = 0; t < 27 && expected != -9.f; ++t)
          expected += at(z + t / 9 - 1, y + t / 3 % 3 - 1, x + t % 3 - 1);
        CHECK(out(0, z, y, x) == doctest::Approx(expected).epsilon(1e-5));
      }
    }
  }
}

TEST_CASE("patches start where MONAI's do") {
  CHECK(patch_starts(10, 4, 0.5, true) == std::vector<std::int64_t>{0, 2, 4, 6});
  CHECK(patch_starts(11, 4, 0.25, true) == std::vector<std::int64_t>{0, 3, 6, 7});
  CHECK(patch_starts(3, 4, 0.25, true) == std::vector<std::int64_t>{0});
  CHECK(patch_starts(4, 4, 0.5, true) == std::vector<std::int64_t>{0});
  CHECK(patch_starts(9, 4, 0, false) == std::vector<std::int64_t>{0, 4, 8});
}

TEST_CASE("patches start where nnU-Net's do") {
  // compute_steps_for_sliding_window's own example: 110 voxels, patch 64, step 0.5.
  CHECK(patch_starts(110, 64, 0.5, true, PatchPlaces::nnunet) == std::vector<std::int64_t>{0, 23, 46});
  CHECK(patch_starts(64, 64, 0.5, true, PatchPlaces::nnunet) == std::vector<std::int64_t>{0});
  CHECK(patch_starts(30, 64, 0.5, true, PatchPlaces::nnunet) == std::vector<std::int64_t>{0});
  CHECK(patch_starts(13, 8, 0.5, true, PatchPlaces::nnunet) == std::vector<std::int64_t>{0, 2, 5});  // 2.5 to even
  CHECK(patch_starts(20, 8, 0.999999999, true, PatchPlaces::nnunet).size() == 13);  // no step below a voxel
}

TEST_CASE("patches laid from the end are those of the mirrored image, mirrored") {
  const auto mirrored = [](const Array4<float>& from) {
    Array4<float> to(from.shape());
    std::reverse_copy(from.begin(), from.end(), to.begin());
    return to;
  };
  const auto place = [](const Array4<float>& patch) {  // depends on where in the patch a voxel lies
    auto answer = patch.clone();
    for (std::int64_t i = 0; i < answer.size(); ++i) answer.data()[i] *= float(i % 7);
    return answer;
  };
  for (const auto places : {PatchPlaces::monai, PatchPlaces::nnunet}) {
    for (const auto& shape : {std::array<std::int64_t, 4>{1, 11, 17, 9}, {1, 5, 7, 30}}) {
      const auto image = noise(shape);
      auto options = same_size({6, 8, 12}, 0.3, Blending::nnunet_gaussian);
      options.padding = Padding::zero;
      options.places = places;
      const auto expected = mirrored(collect(mirrored(image), place, options));
      options.from_end = {true, true, true};
      const auto found = collect(
          image, [&](const Array4<float>& patch) { return mirrored(place(mirrored(patch))); }, options);
      for (std::int64_t i = 0; i < found.size(); ++i) {
        CHECK(found.data()[i] == doctest::Approx(expected.data()[i]).epsilon(1e-5));
      }
    }
  }
}

TEST_CASE("skipped patches are not computed and say so") {
  const Array4<float> image({1, 4, 4, 8}, 1);
  int calls = 0, planes = 0;
  sliding_window(
      image, 1, [&](const Array4<float>& patch) { return ++calls, patch.clone(); },
      [&](std::int64_t, const Array4<float>& slab, const Array3<std::uint8_t>& computed) {
        ++planes;
        CHECK(slab(0, 0, 0, 0) == 0);
        CHECK(computed(0, 0, 0) == 0);
        CHECK(slab(0, 0, 3, 7) == 1);
        CHECK(computed(0, 3, 7) == 1);
      },
      same_size({4, 4, 4}, 0, Blending::constant), [](const Box& box) { return box.begin[2] >= 4; });
  CHECK(calls == 1);
  CHECK(planes == 4);
}

TEST_CASE("a stop is obeyed, and nonsense refused") {
  const Array4<float> image({1, 8, 8, 8}, 1);
  const auto identity = [](const Array4<float>& patch) { return patch.clone(); };
  const auto ignore = [](std::int64_t, const Array4<float>&, const Array3<std::uint8_t>&) {};
  auto options = same_size({4, 4, 4}, 0, Blending::constant);
  std::stop_source source;
  int patches = 0;
  const Progress progress{[&](std::string_view, double) {
                            if (++patches == 3) source.request_stop();
                          },
                          source.get_token()};
  CHECK_THROWS_WITH_AS(sliding_window(image, 1, identity, ignore, options, {}, progress), "network: stopped on request",
                       Error);
  CHECK(patches == 3);
  options.overlap = 1;
  CHECK_THROWS_AS(sliding_window(image, 1, identity, ignore, options), Error);
  options.overlap = 0;
  options.input = {5, 5, 5};
  CHECK_THROWS_AS(sliding_window(image, 1, identity, ignore, options), Error);
  options = same_size({4, 4, 4}, 0, Blending::constant);
  CHECK_THROWS_AS(sliding_window(image, 2, identity, ignore, options), Error);
}
