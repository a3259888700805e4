#include "ichdet/attribution/quadrature.hpp"

#include <cmath>
#include <numbers>

#include "names.hpp"

namespace ichdet::attribution {
namespace {

constexpr Names<Quadrature, 3> names{{{Quadrature::riemann, "riemann"},
                                      {Quadrature::trapezoid, "trapezoid"},
                                      {Quadrature::gauss_legendre, "gauss-legendre"}}};

struct Legendre {
  long double value = 0, slope = 0;
};

/// P_n and its derivative at x, by the three-term recurrence.
Legendre legendre(std::int64_t n, long double x) {
  long double before = 1, here = x;
  for (std::int64_t k = 2; k <= n; ++k) {
    const auto next = ((2 * (long double)k - 1) * x * here - ((long double)k - 1) * before) / (long double)k;
    before = here;
    here = next;
  }
  return {here, (long double)n * (x * here - before) / (x * x - 1)};
}

/// The roots of P_n, by Newton's method from Tricomi's approximation, in more digits than are returned.
Nodes gauss_legendre(std::int64_t n) {
  Nodes nodes;
  for (std::int64_t i = n; i >= 1; --i) {
    auto x = std::cos(std::numbers::pi_v<long double> * (4 * (long double)i - 1) / (4 * (long double)n + 2));
    for (int round = 0; round < 8; ++round) {
      const auto p = legendre(n, x);
      x -= p.value / p.slope;
    }
    const auto slope = legendre(n, x).slope;
    nodes.places.push_back(double((1 + x) / 2));
    nodes.weights.push_back(double(1 / ((1 - x * x) * slope * slope)));
  }
  return nodes;
}

}  // namespace

Quadrature parse_quadrature(const std::string& text) { return parse(names, "quadrature", text); }
std::string to_string(Quadrature quadrature) { return name_of(names, quadrature); }

Nodes quadrature_nodes(Quadrature quadrature, std::int64_t steps) {
  const std::int64_t least = quadrature == Quadrature::gauss_legendre ? 1 : 2;
  if (steps < least) {
    throw Error::mismatch(ErrorCode::options, "steps of " + to_string(quadrature), std::to_string(least) + " or more",
                          std::to_string(steps));
  }
  if (quadrature == Quadrature::gauss_legendre) return gauss_legendre(steps);
  const bool trapezoid = quadrature == Quadrature::trapezoid;
  Nodes nodes;
  for (std::int64_t i = 0; i < steps; ++i) {
    nodes.places.push_back(double(i) / double(steps - 1));
    nodes.weights.push_back(1.0 / double(trapezoid ? steps - 1 : steps));
  }
  if (trapezoid) nodes.weights.front() = nodes.weights.back() /= 2;
  return nodes;
}

}  // namespace ichdet::attribution
