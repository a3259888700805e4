#include "workspace.hpp"

#include "ichdet/nn/prepare.hpp"

namespace ichdet::nn {

std::unique_ptr<Memory> Workspace::take() {
  const std::scoped_lock lock(mutex_);
  if (free_.empty()) return std::make_unique<Memory>();
  auto memory = std::move(free_.back());
  free_.pop_back();
  return memory;
}

void Workspace::give_back(std::unique_ptr<Memory> memory) {
  const std::scoped_lock lock(mutex_);
  free_.push_back(std::move(memory));
}

std::shared_ptr<Workspace> new_workspace() { return std::make_shared<Workspace>(); }

}  // namespace ichdet::nn
