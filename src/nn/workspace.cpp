#include "workspace.hpp"

#include <algorithm>

#include "ichdet/nn/prepare.hpp"

namespace ichdet::nn {

std::unique_ptr<Memory> Workspace::take(std::size_t bytes) {
  const std::scoped_lock lock(mutex_);
  if (free_.empty()) return std::make_unique<Memory>();
  const auto better = [bytes](const auto& a, const auto& b) {
    const bool enough = a->bytes() >= bytes, other = b->bytes() >= bytes;
    return enough != other ? enough : enough ? a->bytes() < b->bytes() : a->bytes() > b->bytes();
  };
  const auto best = std::ranges::min_element(free_, better);
  auto memory = std::move(*best);
  free_.erase(best);
  return memory;
}

void Workspace::give_back(std::unique_ptr<Memory> memory) {
  const std::scoped_lock lock(mutex_);
  free_.push_back(std::move(memory));
}

std::shared_ptr<Workspace> new_workspace() { return std::make_shared<Workspace>(); }

}  // namespace ichdet::nn
