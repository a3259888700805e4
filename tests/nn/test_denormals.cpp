#include "ichdet/nn/denormals.hpp"

#include <ATen/Parallel.h>
#include <doctest/doctest.h>

#include <atomic>
#include <limits>

using ichdet::InferenceThreads;

namespace {

bool flushes() {
  volatile float smallest = std::numeric_limits<float>::min();
  const volatile float half = smallest * 0.5f;
  return half == 0;
}

/// How many of the pool's threads flush.
int flushing_threads() {
  std::atomic<int> count{0};
  const int threads = at::get_num_threads();
  at::parallel_for(0, threads, 1, [&](std::int64_t begin, std::int64_t end) {
    if (flushes()) count += int(end - begin);
  });
  return count;
}

}  // namespace

TEST_CASE("denormals are flushed in every thread while the guard lives, and not after") {
  at::set_num_threads(4);
  CHECK(flushing_threads() == 0);
  {
    const InferenceThreads guard;
    CHECK(flushes());
    CHECK(flushing_threads() == 4);
    {
      const InferenceThreads inner(2);
      CHECK(at::get_num_threads() == 2);
      CHECK(flushing_threads() == 2);
    }
    CHECK(at::get_num_threads() == 4);
    CHECK(flushing_threads() == 4);
  }
  CHECK_FALSE(flushes());
  CHECK(flushing_threads() == 0);
}
