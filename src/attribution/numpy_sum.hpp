#pragma once

#include <limits>
#include <vector>

namespace ichdet::attribution {

/// Summed in the order in which NumPy sums an array without gaps: in halves down to 128 values or fewer, and of those
/// every eighth by itself.
template <class T>
T numpy_sum(const T* values, std::size_t count) {
  if (count > 128) {
    const auto half = count / 2 / 8 * 8;
    return numpy_sum(values, half) + numpy_sum(values + half, count - half);
  }
  T sum = 0;
  std::size_t i = 0;
  if (count >= 8) {
    T part[8] = {};
    for (; i + 8 <= count; i += 8) {
      for (std::size_t j = 0; j < 8; ++j) part[j] += values[i + j];
    }
    sum = ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
  }
  for (; i < count; ++i) sum += values[i];
  return sum;
}

/// -infinity of nothing.
template <class T>
T numpy_mean(const std::vector<T>& values) {
  if (values.empty()) return -std::numeric_limits<T>::infinity();
  return numpy_sum(values.data(), values.size()) / T(values.size());
}

}  // namespace ichdet::attribution
