#include "ichdet/nn/denormals.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <limits>

namespace ichdet {
namespace {

bool flushing() {
  volatile float smallest = std::numeric_limits<float>::min();
  const volatile float half = smallest * 0.5f;
  return half == 0;
}

/// One iteration for each thread of the pool: a range of as many items as threads, in pieces of one, is dealt evenly.
void set_in_pool(bool on) {
  const int threads = at::get_num_threads();
  at::parallel_for(0, threads, 1, [on](std::int64_t, std::int64_t) { at::globalContext().setFlushDenormal(on); });
}

}  // namespace

InferenceThreads::InferenceThreads(int threads)
    : caller_was_flushing_(flushing()), threads_before_(at::get_num_threads()) {
  if (threads > 0 && threads != threads_before_) at::set_num_threads(threads);
  at::globalContext().setFlushDenormal(true);
  set_in_pool(true);
}

InferenceThreads::~InferenceThreads() {
  if (!caller_was_flushing_) set_in_pool(false);
  at::globalContext().setFlushDenormal(caller_was_flushing_);
  if (at::get_num_threads() != threads_before_) at::set_num_threads(threads_before_);
}

}  // namespace ichdet
