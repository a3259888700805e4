#include <doctest/doctest.h>

#include <cmath>

#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/explanation_figures.hpp"

using namespace ichdet;
using namespace ichdet::evaluate;
using doctest::Approx;

namespace {

MapOutcome outcome(const char* patient, const char* method, double energy, double insertion = undefined) {
  MapOutcome one;
  one.study = one.patient = patient;
  one.method = method;
  one.energy = energy;
  one.insertion = insertion;
  return one;
}

const Estimate& figure(const MethodFigures& method, const std::string& name) {
  for (const auto& estimate : method.figures) {
    if (estimate.name == name) return estimate;
  }
  throw std::out_of_range(name);
}

}  // namespace

TEST_CASE("patients weigh the same, however many slices they have") {
  const std::vector<MapOutcome> all{outcome("a", "x", 0.2, 0.9), outcome("a", "y", 0.5), outcome("a", "x", 0.4),
                                    outcome("a", "x", 0.6), outcome("b", "x", 0.8)};
  const auto found = explanation_figures(all);
  REQUIRE(found.size() == 2);
  CHECK(found[0].method == "x");
  CHECK(found[0].maps == 4);
  CHECK(found[0].patients == 2);
  const auto& energy = figure(found[0], "energy");
  CHECK(energy.value == Approx(0.6));
  CHECK(energy.bootstrap.interval.low == Approx(0.4));  // patient a drawn twice
  CHECK(energy.bootstrap.interval.high == Approx(0.8));
  CHECK(figure(found[0], "insertion").value == Approx(0.9));
  CHECK(figure(found[0], "insertion").bootstrap.degenerate > 0);  // patient b twice: not measured
  CHECK(std::isnan(figure(found[0], "deletion").value));
  CHECK(figure(found[1], "energy").value == Approx(0.5));
  CHECK_THROWS_AS(explanation_figures({}), Error);
}
