#include "prefetch.hpp"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include <utility>

namespace ichdet::train {
namespace {

Batch make(const BatchSource& source, std::int64_t step) {
  const at::NoGradGuard no_grad;
  return source(step);
}

}  // namespace

Prefetch::Prefetch(BatchSource source, std::int64_t first, std::int64_t last, int workers)
    : source_(std::move(source)), ordered_(first), last_(last), workers_(workers) {
  for (int i = 0; i < workers_; ++i) order();
}

Prefetch::~Prefetch() {
  for (auto& batch : ahead_) {
    if (batch.valid()) batch.wait();
  }
}

void Prefetch::order() {
  if (ordered_ >= last_) return;
  ahead_.push_back(std::async(std::launch::async, [this, step = ordered_++] {
    at::get_num_threads();  // which takes LibTorch's own number over, once a thread
#ifdef _OPENMP
    omp_set_num_threads(1);  // of this thread alone: the network has the others
#endif
    return make(source_, step);
  }));
}

Batch Prefetch::next() {
  if (workers_ <= 0) return make(source_, ordered_++);
  auto first = std::move(ahead_.front());
  ahead_.pop_front();
  auto batch = first.get();
  order();
  return batch;
}

}  // namespace ichdet::train
