#include <doctest/doctest.h>

#include <random>

#include "ichdet/core/components.hpp"

using namespace ichdet;

namespace {

/// Flood fill by the definition, one voxel at a time.
Components flood(const Array3<std::uint8_t>& mask, int most_steps) {
  Components result{Array3<std::int32_t>(mask.shape()), {0}};
  const auto [nz, ny, nx] = mask.shape();
  for (std::int64_t z = 0; z < nz; ++z)
    for (std::int64_t y = 0; y < ny; ++y)
      for (std::int64_t x = 0; x < nx; ++x) {
        if (!mask(z, y, x)) {
          ++result.sizes[0];
          continue;
        }
        if (result.labels(z, y, x)) continue;
        const auto label = std::int32_t(result.sizes.size());
        result.sizes.push_back(0);
        std::vector<std::array<std::int64_t, 3>> stack{{z, y, x}};
        result.labels(z, y, x) = label;
        while (!stack.empty()) {
          const auto [a, b, c] = stack.back();
          stack.pop_back();
          ++result.sizes.back();
          for (int i = -1; i <= 1; ++i)
            for (int j = -1; j <= 1; ++j)
              for (int k = -1; k <= 1; ++k) {
                if (std::abs(i) + std::abs(j) + std::abs(k) > most_steps) continue;
                const auto d = a + i, e = b + j, f = c + k;
                if (d < 0 || e < 0 || f < 0 || d >= nz || e >= ny || f >= nx) continue;
                if (!mask(d, e, f) || result.labels(d, e, f)) continue;
                result.labels(d, e, f) = label;
                stack.push_back({d, e, f});
              }
        }
      }
  return result;
}

}  // namespace

TEST_CASE("components equal a flood fill at every density and connectivity") {
  std::mt19937 random(7);
  for (const double density : {0.05, 0.15, 0.3, 0.5, 0.8}) {
    Array3<std::uint8_t> mask({7, 11, 13});
    for (auto& v : mask) v = std::bernoulli_distribution(density)(random) ? 3 : 0;
    const std::pair<Connectivity, int> rules[] = {
        {Connectivity::faces, 1}, {Connectivity::edges, 2}, {Connectivity::corners, 3}};
    for (const auto& [connectivity, steps] : rules) {
      const auto found = connected_components(mask, connectivity);
      const auto expected = flood(mask, steps);
      CHECK(found.sizes == expected.sizes);
      CHECK(std::equal(found.labels.begin(), found.labels.end(), expected.labels.begin()));
    }
  }
}

TEST_CASE("an empty mask has no component") {
  const auto none = connected_components(Array3<std::uint8_t>({2, 3, 4}));
  CHECK(none.count() == 0);
  CHECK(none.largest() == 0);
  CHECK(none.sizes == std::vector<std::int64_t>{24});
  CHECK(connected_components(Array3<std::uint8_t>({1, 1, 1}, 1)).mask(1)(0, 0, 0) == 1);
}
