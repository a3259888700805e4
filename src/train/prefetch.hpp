#pragma once

#include <cstdint>
#include <deque>
#include <future>

#include "ichdet/train/loop.hpp"

namespace ichdet::train {

/// Batches made ahead of their use by a few threads, given out in order.
class Prefetch {
 public:
  /// Of steps `first` to `last` - 1. Without workers each batch is made when it is asked for.
  Prefetch(BatchSource source, std::int64_t first, std::int64_t last, int workers);
  ~Prefetch();
  Prefetch(const Prefetch&) = delete;
  Prefetch& operator=(const Prefetch&) = delete;

  /// The next step's. Throws what making it threw.
  Batch next();

 private:
  void order();

  BatchSource source_;
  std::int64_t ordered_, last_;
  int workers_;
  std::deque<std::future<Batch>> ahead_;
};

}  // namespace ichdet::train
