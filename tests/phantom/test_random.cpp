#include <doctest/doctest.h>

#include <cmath>

#include "ichdet/phantom/random.hpp"

using namespace ichdet;

TEST_CASE("counter_normal has mean 0, variance 1 and no memory") {
  double sum = 0, square = 0, product = 0;
  constexpr int n = 200000;
  for (int i = 0; i < n; ++i) {
    const double x = counter_normal(1, 2, std::uint64_t(i));
    sum += x;
    square += x * x;
    product += x * counter_normal(1, 2, std::uint64_t(i) + 1);
  }
  CHECK(std::abs(sum / n) < 0.01);
  CHECK(square / n == doctest::Approx(1).epsilon(0.01));
  CHECK(std::abs(product / n) < 0.01);
  CHECK(counter_hash(1, 2, 3) != counter_hash(1, 2, 4));
  CHECK(counter_hash(1, 2, 3) != counter_hash(1, 3, 3));
  CHECK(counter_hash(1, 2, 3) != counter_hash(2, 2, 3));
}

TEST_CASE("lattice_noise is continuous and within bounds") {
  float largest_step = 0;
  for (int i = 0; i < 2000; ++i) {
    const Eigen::Vector3f p(float(i) * 0.05F - 50, 3.3F, -7.1F);
    const float value = lattice_noise(7, p, 10);
    REQUIRE(std::abs(value) <= 1);
    largest_step = std::max(largest_step, std::abs(lattice_noise(7, p + Eigen::Vector3f(0.05F, 0, 0), 10) - value));
  }
  CHECK(largest_step < 0.02F);
}

TEST_CASE("WaveField's gradient is the slope of its value") {
  const WaveField field(3, 30, 20);
  Eigen::Vector3f gradient;
  const Eigen::Vector3f p(4, -9, 13);
  const float value = field(p, &gradient);
  constexpr float h = 0.01F;
  for (int axis = 0; axis < 3; ++axis) {
    const float slope = (field(p + h * Eigen::Vector3f::Unit(axis)) - value) / h;
    CHECK(slope == doctest::Approx(gradient[axis]).epsilon(0.03));
  }
}
