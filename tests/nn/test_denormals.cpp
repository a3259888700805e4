#include "ichdet/nn/denormals.hpp"

#include <ATen/Parallel.h>
#include <doctest/doctest.h>

#include <atomic>
#include <limits>
#include <mutex>
#include <set>
#include <thread>

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
  std::mutex mutex;
  std::set<std::thread::id> seen;
  const int threads = at::get_num_threads();
  at::parallel_for(0, threads, 1, [&](std::int64_t begin, std::int64_t end) {
    if (flushes()) count += int(end - begin);
    const std::scoped_lock lock(mutex);
    seen.insert(std::this_thread::get_id());
  });
  CHECK(int(seen.size()) == threads);  // LibTorch's pool it is, and not a loop: that takes OpenMP in the caller
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
