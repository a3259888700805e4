#pragma once

#include <cstdint>
#include <vector>

namespace ichdet::attribution {

/// Two pixels, and how much they differ.
struct Edge {
  double cost;
  std::int32_t a, b;
};

/// By cost, 0 or more each; those of one cost stay in order.
void sort_edges(std::vector<Edge>& edges);

}  // namespace ichdet::attribution
