#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace ichdet::native {

struct Free {
  void operator()(void* p) const { std::free(p); }
};

/// Memory on cache lines, as it comes.
template <class T>
std::unique_ptr<T[], Free> scratch(std::int64_t count) {
  const auto bytes = (std::size_t(count) * sizeof(T) + 63) / 64 * 64;
  void* memory = std::aligned_alloc(64, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return std::unique_ptr<T[], Free>(static_cast<T*>(memory));
}

}  // namespace ichdet::native
