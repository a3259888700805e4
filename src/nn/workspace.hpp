#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "voxel_rows.hpp"

namespace ichdet::nn {

/// Memory for the calls that run at the same time, kept for the next ones.
class Workspace {
 public:
  /// The smallest that has `bytes`, else the largest, so that few grow.
  std::unique_ptr<Memory> take(std::size_t bytes);
  void give_back(std::unique_ptr<Memory> memory);

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Memory>> free_;
};

}  // namespace ichdet::nn
