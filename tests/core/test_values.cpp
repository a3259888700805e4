#include <doctest/doctest.h>

#include <atomic>
#include <numeric>

#include "ichdet/core/error.hpp"
#include "ichdet/core/parallel.hpp"
#include "ichdet/core/progress.hpp"
#include "ichdet/core/volume.hpp"

using namespace ichdet;

TEST_CASE("an array is a handle; clone copies") {
  Array3<float> a({2, 3, 4}, 1.5F);
  Array3<float> b = a;
  b(1, 2, 3) = 7;
  CHECK(a(1, 2, 3) == 7);
  CHECK(a.clone().data() != a.data());
  CHECK(a.plane(1).size() == 12);
  CHECK(a.plane(1)[11] == 7);
  a.view()(0, 1, 2) = 9;
  CHECK(b(0, 1, 2) == 9);
  const Array3<float>& fixed = a;
  CHECK(fixed.view()(1, 2, 3) == 7);
}

TEST_CASE("an array keeps a foreign owner alive, and only as long as needed") {
  auto owner = std::make_shared<std::vector<float>>(8, 2.0F);
  const std::weak_ptr<std::vector<float>> watch = owner;
  {
    const Array3<float> borrowed(owner->data(), {2, 2, 2}, owner);
    owner.reset();
    CHECK(std::accumulate(borrowed.begin(), borrowed.end(), 0.0F) == 16);
  }
  CHECK(watch.expired());
}

TEST_CASE("values must fit their grid") {
  const auto grid = Geometry::aligned({4, 3, 2}, {1, 1, 1});
  CHECK_THROWS_WITH_AS(Volume(Array3<float>({4, 3, 2}), grid),
                       "volume: expected 2 x 3 x 4 (z, y, x), found 4 x 3 x 2 (z, y, x)", Error);
  CHECK_THROWS_AS(ProbabilityMap(Array4<float>({3, 2, 3, 4}), {"a", "b"}, grid), Error);
}

TEST_CASE("argmax takes the lower class where two are equal") {
  Array4<float> values({3, 1, 1, 3});
  const float table[3][3] = {{0.5F, 0.2F, 0.1F}, {0.5F, 0.5F, 0.4F}, {0.0F, 0.3F, 0.5F}};
  for (int c = 0; c < 3; ++c) std::copy(table[c], table[c] + 3, values.plane(c).begin());
  const auto labels = argmax(ProbabilityMap(values, {"none", "b", "c"}, Geometry::aligned({3, 1, 1}, {1, 1, 1})));
  CHECK(labels.labels(0, 0, 0) == 0);
  CHECK(labels.labels(0, 0, 1) == 1);
  CHECK(labels.labels(0, 0, 2) == 2);
}

TEST_CASE("parallel_for visits each index once and passes an exception on") {
  std::vector<std::atomic<int>> visits(1000);
  parallel_for(1000, 4, [&](std::int64_t i) { ++visits[std::size_t(i)]; });
  for (const auto& v : visits) CHECK(v == 1);
  CHECK_THROWS_AS(parallel_for(100, 4,
                               [](std::int64_t i) {
                                 if (i == 17) throw Error(ErrorCode::limit, "x");
                               }),
                  Error);
}

TEST_CASE("progress reports, and stops on request") {
  std::stop_source source;
  double last = 0;
  const Progress progress{[&](std::string_view, double fraction) { last = fraction; }, source.get_token()};
  progress("read", 0.5);
  CHECK(last == 0.5);
  source.request_stop();
  CHECK_THROWS_WITH_AS(progress("read", 0.6), "read: stopped on request", Error);
  CHECK(last == 0.5);
}
