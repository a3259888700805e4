#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "voxel_rows.hpp"

namespace ichdet::nn {

/// Memory for the calls that run at the same time, kept for the next ones.
class Workspace {
 public:
  std::unique_ptr<Memory> take();
  void give_back(std::unique_ptr<Memory> memory);

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Memory>> free_;
};

}  // namespace ichdet::nn
