#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "ichdet/core/error.hpp"
#include "ichdet/train/sampling.hpp"

using namespace ichdet;
using namespace ichdet::train;

namespace {

/// `with` slices with blood and `without`, of one group.
std::vector<Candidate> slices(int with, int without, const std::string& group = "g") {
  std::vector<Candidate> result;
  for (int i = 0; i < with + without; ++i) result.push_back({i / 10, i % 10, i < with ? 1.f : 0.f, group});
  return result;
}

struct Drawn {
  std::map<std::pair<std::int64_t, std::int64_t>, int> times;
  std::map<std::string, int> groups;
  int blood = 0, examples = 0;
};

Drawn draw(const Sampler& sampler, std::int64_t first, std::int64_t count) {
  Drawn drawn;
  for (auto i = first; i < first + count; ++i) {
    const auto& candidate = sampler(i);
    ++drawn.times[{candidate.study, candidate.slice}];
    ++drawn.groups[candidate.group];
    drawn.blood += candidate.blood == 1;
    ++drawn.examples;
  }
  return drawn;
}

using Balance = SamplingOptions::Balance;

}  // namespace

TEST_CASE("permuted is a bijection, another one for each seed and stream") {
  for (const std::int64_t size : {1, 2, 3, 17, 64, 1000, 4097}) {
    std::set<std::int64_t> seen;
    for (std::int64_t i = 0; i < size; ++i) seen.insert(permuted(i, size, 5, 6));
    CHECK(std::int64_t(seen.size()) == size);
    CHECK(*seen.begin() == 0);
    CHECK(*seen.rbegin() == size - 1);
  }
  int same = 0, fixed = 0;
  for (std::int64_t i = 0; i < 1000; ++i) {
    same += permuted(i, 1000, 5, 6) == permuted(i, 1000, 5, 7);
    fixed += permuted(i, 1000, 5, 6) == i;
  }
  CHECK(same < 10);
  CHECK(fixed < 10);
}

TEST_CASE("uniform: every slice once an epoch, in another order each time") {
  const Sampler sampler(slices(30, 70), {}, 1);
  REQUIRE(sampler.epoch_size() == 100);
  int same_place = 0;
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    const auto drawn = draw(sampler, 100 * epoch, 100);
    CHECK(drawn.times.size() == 100);
    CHECK(drawn.blood == 30);
  }
  for (std::int64_t i = 0; i < 100; ++i) {
    same_place += sampler(i).study == sampler(100 + i).study && sampler(i).slice == sampler(100 + i).slice;
  }
  CHECK(same_place < 10);
}

TEST_CASE("undersampled: as many slices without blood as with, and in the end all of them") {
  SamplingOptions options;
  options.balance = Balance::undersampled;
  const Sampler sampler(slices(10, 90), options, 2);
  REQUIRE(sampler.epoch_size() == 20);
  for (std::int64_t epoch = 0; epoch < 9; ++epoch) {
    const auto drawn = draw(sampler, 20 * epoch, 20);
    CHECK(drawn.blood == 10);
    CHECK(drawn.times.size() == 20);
  }
  const auto drawn = draw(sampler, 0, 180);
  CHECK(drawn.times.size() == 100);
  CHECK_THROWS_AS(Sampler(slices(0, 9), options, 2), Error);
}

TEST_CASE("shares of blood and of groups hold in each epoch, and none is drawn twice before all of its kind") {
  auto all = slices(20, 180, "a");
  const auto plain = slices(0, 50, "b");
  for (auto candidate : plain) {
    candidate.study += 100;
    all.push_back(candidate);
  }
  SamplingOptions options;
  options.balance = Balance::share;
  options.blood_share = 0.4;
  options.group_weights = {{"a", 0.6}, {"b", 0.4}};
  const Sampler sampler(all, options, 3);
  REQUIRE(sampler.epoch_size() == 250);
  const auto drawn = draw(sampler, 250, 250);
  CHECK(drawn.groups.at("a") == 150);
  CHECK(drawn.groups.at("b") == 100);
  CHECK(drawn.blood == 60);
  for (std::int64_t slice = 0; slice < 50; ++slice) CHECK(drawn.times.at({100 + slice / 10, slice % 10}) == 2);
  for (std::int64_t slice = 0; slice < 20; ++slice) CHECK(drawn.times.at({slice / 10, slice % 10}) == 3);
  options.group_weights = {{"a", 0.6}};
  CHECK_THROWS_WITH_AS(Sampler(all, options, 3), doctest::Contains("\"b\" has slices"), Error);
  options.group_weights = {{"a", 0.6}, {"b", 0.4}, {"c", 0.4}};
  CHECK_THROWS_WITH_AS(Sampler(all, options, 3), doctest::Contains("\"c\""), Error);
}

TEST_CASE("an example is a pure function of seed and index; unknown slices are drawn by uniform alone") {
  auto all = slices(10, 30);
  all[12].blood = std::numeric_limits<float>::quiet_NaN();
  SamplingOptions options;
  const Sampler one(all, options, 4), other(all, options, 4), third(all, options, 5);
  int differ = 0;
  for (std::int64_t i = 79; i >= 0; --i) {
    CHECK(one(i).slice == other(i).slice);
    differ += one(i).slice != third(i).slice;
  }
  CHECK(differ > 40);
  CHECK(draw(one, 0, 40).times.contains({1, 2}));
  options.balance = Balance::share;
  CHECK(!draw(Sampler(all, options, 4), 0, 400).times.contains({1, 2}));
}

TEST_CASE("A limit of images: balanced, always the same ones, another choice for each seed") {
  SamplingOptions options;
  options.balance = Balance::undersampled;
  options.images = 20;
  const Sampler sampler(slices(30, 200), options, 1);
  CHECK(sampler.epoch_size() == 20);
  const auto first = draw(sampler, 0, 20), later = draw(sampler, 20, 60);
  CHECK(first.blood == 10);
  CHECK(first.times.size() == 20);
  CHECK(later.blood == 30);
  for (const auto& [slice, times] : later.times) {
    CHECK(times == 3);
    CHECK(first.times.contains(slice));
  }
  const auto other = draw(Sampler(slices(30, 200), options, 2), 0, 20);
  CHECK(other.times != first.times);
  options.images = 1000;
  CHECK(Sampler(slices(30, 200), options, 1).epoch_size() == 60);
  options.balance = Balance::uniform;
  CHECK(Sampler(slices(30, 200), options, 1).epoch_size() == 230);
}
