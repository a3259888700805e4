#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "ichdet/core/error.hpp"
#include "ichdet/ensemble/classes.hpp"
#include "ichdet/ensemble/combine.hpp"
#include "ichdet/ensemble/staple.hpp"
#include "ichdet/ensemble/weights.hpp"
#include "ichdet/evaluate/threshold_choice.hpp"

using namespace ichdet;
using namespace ichdet::ensemble;

namespace {

const std::vector<std::string> blast{"background", "IPH", "EAH", "oedema", "IVH"};

Geometry grid(std::int64_t nx, std::int64_t ny, std::int64_t nz) { return Geometry::aligned({nx, ny, nz}, {1, 1, 1}); }

/// One voxel.
ProbabilityMap voxel(const std::vector<float>& p, std::vector<std::string> classes) {
  Array4<float> values({std::int64_t(p.size()), 1, 1, 1});
  std::ranges::copy(p, values.begin());
  return {std::move(values), std::move(classes), grid(1, 1, 1)};
}

}  // namespace

TEST_CASE("classes: several of a member's become one of the ensemble's, by name") {
  const std::vector<std::string> ensemble{"background", "ICH"};
  const auto mapping =
      map_classes("blast", blast, ensemble, {{"IPH", "ICH"}, {"EAH", "ICH"}, {"IVH", "ICH"}, {"oedema", "background"}});
  CHECK(mapping.to == std::vector<std::size_t>{0, 1, 1, 0, 1});
  const auto map = to_classes(voxel({0.4f, 0.2f, 0.1f, 0.25f, 0.05f}, blast), mapping);
  CHECK(map.classes == ensemble);
  CHECK(map.values(0, 0, 0, 0) == doctest::Approx(0.65));
  CHECK(map.values(1, 0, 0, 0) == doctest::Approx(0.35));
  Array3<std::uint8_t> labels({1, 1, 5});
  for (int i = 0; i < 5; ++i) labels.data()[i] = std::uint8_t(i);
  const auto renamed = to_classes(LabelMap(labels, blast, grid(5, 1, 1)), mapping);
  CHECK(std::equal(renamed.labels.begin(), renamed.labels.end(), std::vector<int>{0, 1, 1, 0, 1}.begin()));
}

TEST_CASE("classes: what keeps its place keeps its buffer, and background is the first whatever its name") {
  const auto map = voxel({0.5f, 0.5f}, {"nothing", "ICH"});
  const auto mapping = map_classes("m", map.classes, {"background", "ICH"});
  CHECK(to_classes(map, mapping).values.data() == map.values.data());
}

TEST_CASE("classes: an expert answers what its classes become, and no other") {
  const auto mapping = map_classes("sdh", {"background", "SDH"}, {"background", "SAH", "SDH"});
  CHECK(mapping.answers == std::vector<bool>{true, false, true});
}

TEST_CASE("classes: refusals name member and class") {
  const std::vector<std::string> ensemble{"background", "ICH"};
  CHECK_THROWS_WITH_AS(map_classes("blast", blast, ensemble),
                       "member blast: class IPH: expected a class of the ensemble (background, ICH), found IPH", Error);
  CHECK_THROWS_WITH_AS(map_classes("m", {"background", "ICH"}, ensemble, {{"SDH", "ICH"}}),
                       "member m: classes: expected background, ICH, found SDH", Error);
  CHECK_THROWS_WITH_AS(map_classes("m", {"background", "ICH"}, ensemble, {{"ICH", "background"}}),
                       doctest::Contains("all become background"), Error);
  CHECK_THROWS_WITH_AS(map_classes("m", {"nothing", "ICH"}, ensemble, {{"nothing", "ICH"}}),
                       "member m: classes: its background, nothing: expected background, found ICH", Error);
}

TEST_CASE("combine: maps on one grid, weighted; others are refused by number") {
  const std::vector<std::string> classes{"background", "ICH"};
  const std::vector<ProbabilityMap> members{voxel({0.9f, 0.1f}, classes), voxel({0.3f, 0.7f}, classes)};
  const std::vector<double> weights{1, 2};
  CHECK(combine(members, CombineRule::mean, weights).values(1, 0, 0, 0) == doctest::Approx(0.5));
  CHECK(combine(members, CombineRule::any).values(1, 0, 0, 0) == 0.7f);
  CHECK(combine(members, CombineRule::majority, weights).values(1, 0, 0, 0) == doctest::Approx(2. / 3));
  const std::vector<ProbabilityMap> other{members[0], voxel({0.3f, 0.7f}, {"background", "SDH"})};
  CHECK_THROWS_WITH_AS(combine(other, CombineRule::mean), "member 1: class 1: expected ICH, found SDH", Error);
  auto moved = members;
  moved[1].geometry = Geometry::aligned({1, 1, 1}, {1, 1, 1}, {5, 0, 0});
  CHECK_THROWS_WITH_AS(combine(moved, CombineRule::mean), doctest::Contains("member 1: expected the grid of"), Error);
  CHECK_THROWS_AS(combine(members, CombineRule::mean, std::vector<double>{1}), Error);
  for (const auto rule : {CombineRule::mean, CombineRule::any}) CHECK(parse_combine_rule(to_string(rule)) == rule);
}

TEST_CASE("a classifier's slices scale a segmenter's map") {
  Array4<float> map({3, 2, 1, 1});
  for (int z = 0; z < 2; ++z) {
    map(0, z, 0, 0) = 0.2f;
    map(1, z, 0, 0) = 0.5f;
    map(2, z, 0, 0) = 0.3f;
  }
  multiply_by_slice(map, std::vector<double>{1, 0.5});
  CHECK(map(0, 0, 0, 0) == doctest::Approx(0.2));
  CHECK(map(0, 1, 0, 0) == doctest::Approx(0.6));
  CHECK(map(1, 1, 0, 0) == doctest::Approx(0.25));
  CHECK_THROWS_WITH_AS(multiply_by_slice(map, std::vector<double>{1}), doctest::Contains("expected 2 slices"), Error);
  CHECK_THROWS_WITH_AS(multiply_by_slice(map, std::vector<double>{1, 2}), doctest::Contains("slice 1: prob"), Error);
}

TEST_CASE("STAPLE counted slab by slab is STAPLE of the whole") {
  std::mt19937 random(5);
  std::vector<LabelMap> members;
  for (int m = 0; m < 3; ++m) {
    Array3<std::uint8_t> labels({6, 10, 10});
    for (std::int64_t i = 0; i < labels.size(); ++i) {
      const bool blood = i % 97 < 20;
      labels.data()[i] = std::uint8_t(random() % 20 < unsigned(1 + 2 * m) ? !blood : blood);
    }
    members.emplace_back(labels, std::vector<std::string>{"background", "ICH"}, grid(10, 10, 6));
  }
  const auto whole = staple(members);
  Staple slabs(3, 2);
  const auto part = [&](std::int64_t z) {
    std::vector<std::span<const std::uint8_t>> planes;
    for (const auto& member : members) planes.push_back(member.labels.plane(z));
    return planes;
  };
  for (std::int64_t z = 0; z < 6; ++z) slabs.count(part(z));
  slabs.fit();
  std::vector<float> out(200);
  slabs.posterior(part(4), out);
  CHECK(std::equal(out.begin() + 100, out.end(), whole.values.plane(1).begin() + 400));
  CHECK(slabs.rate(0, 1, 1) > slabs.rate(2, 1, 1));  // the first makes the fewest mistakes
  CHECK_THROWS_WITH_AS(Staple(64, 5), doctest::Contains("at most 2^63, found 5^64"), Error);
  CHECK_THROWS_AS(slabs.count(std::vector<std::span<const std::uint8_t>>(2)), Error);
}

TEST_CASE("thresholds lie half-way, and the lowest of equally good ones is taken") {
  const std::vector<std::uint8_t> truth{0, 1, 0, 1};
  const std::vector<double> scores{0.1, 0.4, 0.6, 0.8};
  const auto ranking = evaluate::rank(truth, scores);
  const auto youden = evaluate::threshold_by_youden(ranking);  // 0.7: 1 of 2 and 2 of 2; 0.25: 2 of 2 and 1 of 2
  CHECK(youden.threshold == doctest::Approx(0.25));
  CHECK(youden.counts.true_positives == 2);
  CHECK(evaluate::threshold_by_cost(ranking, 1, 3).threshold == doctest::Approx(0.7));
  CHECK(evaluate::threshold_for_sensitivity(ranking, 0.5).threshold == doctest::Approx(0.7));
  CHECK_THROWS_AS(evaluate::threshold_by_cost(ranking, 0, 1), Error);
  CHECK_THROWS_AS(evaluate::threshold_for_sensitivity(ranking, 1.1), Error);
}

TEST_CASE("non-negative weights: a member that only harms gets none") {
  const std::vector<double> p{1, 0, 0, 1, 1, 0, 0, 1};  // (4 cases, 2 members): the second says the opposite
  const auto weights = fit_nonnegative(p, std::vector<double>{1, 0, 1, 0});
  CHECK(weights[0] == doctest::Approx(1));
  CHECK(weights[1] == 0);
  CHECK_THROWS_AS(fit_nonnegative(p, std::vector<double>{1, 0, 1}), Error);
}
