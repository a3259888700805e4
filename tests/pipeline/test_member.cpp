#include "ichdet/pipeline/member.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>

#include "ichdet/core/error.hpp"
#include "ichdet/pipeline/segmenter.hpp"
#include "ichdet/pipeline/slice_classifier.hpp"

using namespace ichdet;

namespace {

const auto segmentation = nlohmann::json::parse(R"({"name": "own",
  "classes": [{"name": "background", "blood": false}, {"name": "blood", "blood": true}],
  "input": {"orientation": "LPS", "spacing_mm": [2, 2, 2], "channels": [{"clip_hu": [0, 100], "scale_to": [0, 1]}]},
  "patch": {"input": [8, 8, 8], "output": [8, 8, 8], "step": 0, "padding": "edge"}})");

const auto classification = nlohmann::json::parse(R"({"name": "own", "task": "slice classification",
  "classes": [{"name": "any", "blood": true}, {"name": "subdural", "blood": true}],
  "input": {"orientation": "LPS", "size": [16, 16], "fit": "resize", "levels": "float",
            "channels": [{"clip_hu": [0, 100], "mean": 0, "std": 1}]},
  "output": {"activation": "sigmoid"},
  "decision": {"rule": "maximum", "slice_threshold": 0.5, "case_threshold": 0.5}})");

Volume volume() {
  Array3<float> hu({8, 8, 8});
  for (std::int64_t i = 0; i < hu.size(); ++i) hu.data()[i] = float(i % 100);
  return {std::move(hu), Geometry::aligned({8, 8, 8}, {2, 2, 2})};
}

SliceStack stack(std::int64_t count) {
  std::vector<SlicePlane> planes(static_cast<std::size_t>(count));
  for (std::size_t k = 0; k < planes.size(); ++k) planes[k].position_mm = {0, 0, 5.0 * double(k)};
  return {SliceGeometry(planes, 16, 16), Array3<float>({count, 16, 16}, -1000.f)};
}

}  // namespace

TEST_CASE("a callable is a segmenter's member, and several are averaged") {
  const auto dense = [](double limit) -> Forward {
    return [limit](const at::Tensor& x) { return at::cat({limit - x, x - limit}, 1) * 10; };
  };
  const auto spec = parse_own_spec(segmentation, "spec");
  SegmenterOptions options;
  options.region = SearchRegion::everywhere;
  const auto scan = volume();
  const auto low = Segmenter(std::vector{Member(spec, dense(0.3))}, options)(scan);
  const auto high = Segmenter(std::vector{Member(spec, dense(0.6))}, options)(scan);
  const auto both = Segmenter(std::vector{Member(spec, dense(0.3)), Member(spec, dense(0.6))}, options)(scan);
  for (std::int64_t i = 0; i < 8 * 8 * 8; ++i) {
    const auto p = [&](const Segmentation& s) { return s.probabilities.values.plane(1).data()[i]; };
    CHECK(p(both) == doctest::Approx((p(low) + p(high)) / 2));
    CHECK(p(low) == doctest::Approx(1 / (1 + std::exp(-20 * (scan.hu.data()[i] / 100 - 0.3)))).epsilon(1e-4));
  }
  CHECK(both.inference.form == "a callable");
}

TEST_CASE("what a callable keeps is left alone, and what it throws comes through") {
  const auto kept = at::ones({1, 2, 8, 8, 8});
  const auto spec = parse_own_spec(segmentation, "spec");
  SegmenterOptions options;
  options.region = SearchRegion::everywhere;
  Segmenter(std::vector{Member(spec, [&](const at::Tensor&) { return kept; })}, options)(volume());
  CHECK(kept.min().item<float>() == 1);
  const Segmenter broken(
      std::vector{Member(spec, [](const at::Tensor&) -> at::Tensor { throw std::domain_error("mine"); })}, options);
  CHECK_THROWS_AS(broken(volume()), std::domain_error);
  CHECK_THROWS_AS(Member(spec, Forward()), Error);
}

TEST_CASE("a callable is a classifier's member; maps need its parts") {
  Member member(parse_own_spec(classification, "spec"), [](const at::Tensor& x) {
    return x.mean({2, 3}).expand({-1, 2});
  });
  const SliceClassifier whole(std::vector{member});
  CHECK(whole.probabilities(at::zeros({2, 1, 16, 16})).equal(at::full({2, 2}, 0.5f)));
  CHECK(whole.identities().front().name == "own");
}

TEST_CASE("a classifier is asked about the slices that are named, the others have probability 0") {
  const SliceClassifier classifier(std::vector{Member(parse_own_spec(classification, "spec"), [](const at::Tensor& x) {
    return x.mean({2, 3}).expand({-1, 2});
  })});
  const auto scan = stack(5);
  const auto computed = [](const StudyResult& result) {
    std::vector<std::int64_t> found;
    for (const auto& slice : result.slices) {
      CHECK(slice.computed == (slice.probability > 0));
      if (slice.computed) found.push_back(slice.index);
    }
    return found;
  };
  using Slices = std::vector<std::int64_t>;
  CHECK(computed(classifier(scan, {}, Slices{1, 4})) == Slices{1, 4});
  CHECK(computed(classifier(scan)) == Slices{0, 1, 2, 3, 4});  // no head at all: every slice
  CHECK_THROWS_WITH_AS(classifier(scan, {}, Slices{}), doctest::Contains("slices: expected at least one"), Error);
  for (const auto& wrong : {Slices{5}, Slices{-1}, Slices{2, 2}, Slices{3, 1}}) {
    CHECK_THROWS_WITH_AS(classifier(scan, {}, wrong),
                         doctest::Contains("slices: expected ascending numbers from 0 to 4"), Error);
  }
}

TEST_CASE("a spec of one's own leaves out what is about stored weights alone") {
  auto json = segmentation;
  CHECK(parse_own_spec(json, "mine").version == "1");
  json.erase("patch");
  CHECK_THROWS_WITH_AS(parse_own_spec(json, "mine"), doctest::Contains("mine: "), Error);
  CHECK_THROWS_AS(parse_own_spec(nlohmann::json::array(), "mine"), Error);
}
