#include "sort_edges.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

namespace ichdet::attribution {
namespace {

constexpr int digit_bits = 11, digits = 3;
constexpr int unsorted_bits = 63 - digits * digit_bits;  // below the leading ones, the sign left out

/// Numbers of 0 or more are in the order of their bits.
std::uint64_t leading_bits(const Edge& edge) { return std::bit_cast<std::uint64_t>(edge.cost) >> unsorted_bits; }

}  // namespace

void sort_edges(std::vector<Edge>& edges) {
  std::array<std::array<std::uint32_t, 1 << digit_bits>, digits> places{};
  const auto digit = [](const Edge& edge, int i) {
    return (leading_bits(edge) >> (i * digit_bits)) & ((1U << digit_bits) - 1);
  };
  for (const auto& edge : edges) {
    for (int i = 0; i < digits; ++i) ++places[std::size_t(i)][digit(edge, i)];
  }
  std::vector<Edge> other(edges.size());
  for (int i = 0; i < digits; ++i) {
    auto& place = places[std::size_t(i)];
    std::uint32_t sum = 0;
    for (auto& count : place) sum += std::exchange(count, sum);
    for (const auto& edge : edges) other[place[digit(edge, i)]++] = edge;
    edges.swap(other);
  }
  const auto cheaper = [](const Edge& a, const Edge& b) { return a.cost < b.cost; };
  for (auto first = edges.begin(); first != edges.end();) {
    const auto leading = leading_bits(*first);
    auto last = first + 1;
    while (last != edges.end() && leading_bits(*last) == leading) ++last;
    if (last - first > 1 && !std::is_sorted(first, last, cheaper)) std::stable_sort(first, last, cheaper);
    first = last;
  }
}

}  // namespace ichdet::attribution
