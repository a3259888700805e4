#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ichdet::attribution {

/// Where an integral over [0, 1] is sampled.
enum class Quadrature {
  riemann,         ///< evenly, both ends included, all of one weight: as the public implementation does
  trapezoid,       ///< the same places, the ends of half the others' weight: error of second order, not first
  gauss_legendre,  ///< exact for polynomials below degree 2 steps; neither end is sampled
};

/// riemann, trapezoid, gauss-legendre. Throws Error(options) that lists them.
Quadrature parse_quadrature(const std::string& text);
std::string to_string(Quadrature quadrature);

struct Nodes {
  std::vector<double> places;   ///< ascending
  std::vector<double> weights;  ///< their sum is 1
};

/// Throws Error(options) for fewer than 2 steps, of gauss_legendre than 1.
Nodes quadrature_nodes(Quadrature quadrature, std::int64_t steps);

}  // namespace ichdet::attribution
