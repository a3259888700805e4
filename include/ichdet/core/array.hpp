#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <numeric>
#include <span>
#include <vector>
#include <xtensor/xadapt.hpp>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace ichdet {

/// A contiguous, row-major array of N dimensions whose buffer is shared with an owner.
///
/// Copies are handles to the same buffer, as with at::Tensor or a NumPy view; `clone()` copies the values. The owner
/// may be our own allocation, a NumPy array or a torch tensor, so nothing is copied at the borders.
template <class T, std::size_t N>
class Array {
 public:
  using Shape = std::array<std::int64_t, N>;

  Array() = default;

  /// Allocates, filled with `fill`.
  explicit Array(const Shape& shape, T fill = T{}) : shape_(shape) {
    auto storage = std::make_shared<std::vector<T>>(static_cast<std::size_t>(count(shape)), fill);
    data_ = storage->data();
    owner_ = std::move(storage);
  }

  /// Allocates without writing to the memory: for arrays whose every value is about to be set. Large ones ask Linux for
  /// huge pages, since the first touch of ordinary ones takes longer than most stages.
  static Array uninitialized(const Shape& shape) {
    constexpr std::size_t huge_page = std::size_t{1} << 21;
    const auto bytes = static_cast<std::size_t>(count(shape)) * sizeof(T);
    if (bytes < 2 * huge_page) {
      auto storage = std::make_shared_for_overwrite<T[]>(static_cast<std::size_t>(count(shape)));
      T* data = storage.get();
      return Array(data, shape, std::move(storage));
    }
    const auto rounded = (bytes + huge_page - 1) / huge_page * huge_page;
    void* memory = std::aligned_alloc(huge_page, rounded);
    if (memory == nullptr) throw std::bad_alloc();
#ifdef __linux__
    madvise(memory, rounded, MADV_HUGEPAGE);
#endif
    return Array(static_cast<T*>(memory), shape, std::shared_ptr<const void>(memory, std::free));
  }

  /// Borrows `data` (row-major, contiguous), kept alive by `owner`.
  Array(T* data, const Shape& shape, std::shared_ptr<const void> owner)
      : shape_(shape), data_(data), owner_(std::move(owner)) {}

  const Shape& shape() const noexcept { return shape_; }
  std::int64_t extent(std::size_t axis) const noexcept { return shape_[axis]; }
  std::int64_t size() const noexcept { return data_ ? count(shape_) : 0; }
  bool empty() const noexcept { return size() == 0; }

  T* data() noexcept { return data_; }
  const T* data() const noexcept { return data_; }
  T* begin() noexcept { return data_; }
  T* end() noexcept { return data_ + size(); }
  const T* begin() const noexcept { return data_; }
  const T* end() const noexcept { return data_ + size(); }

  template <class... I>
  requires(sizeof...(I) == N) T& operator()(I... index) noexcept {
    return data_[offset({static_cast<std::int64_t>(index)...})];
  }
  template <class... I>
  requires(sizeof...(I) == N) const T& operator()(I... index) const noexcept {
    return data_[offset({static_cast<std::int64_t>(index)...})];
  }

  /// The values at the first index `i`, contiguous: a slice of a volume, a class of a probability map.
  std::span<T> plane(std::int64_t i) noexcept { return {data_ + i * stride(), static_cast<std::size_t>(stride())}; }
  std::span<const T> plane(std::int64_t i) const noexcept {
    return {data_ + i * stride(), static_cast<std::size_t>(stride())};
  }

  /// An xtensor view of the same memory.
  auto view() { return xt::adapt(data_, static_cast<std::size_t>(size()), xt::no_ownership(), view_shape()); }
  auto view() const { return xt::adapt(data(), static_cast<std::size_t>(size()), xt::no_ownership(), view_shape()); }

  Array clone() const {
    Array copy(shape_);
    std::copy(begin(), end(), copy.begin());
    return copy;
  }

  const std::shared_ptr<const void>& owner() const noexcept { return owner_; }

 private:
  static std::int64_t count(const Shape& shape) {
    return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
  }
  std::int64_t stride() const noexcept {
    return std::accumulate(shape_.begin() + 1, shape_.end(), std::int64_t{1}, std::multiplies<>());
  }
  std::array<std::size_t, N> view_shape() const noexcept {
    std::array<std::size_t, N> shape;
    std::copy(shape_.begin(), shape_.end(), shape.begin());
    return shape;
  }
  std::int64_t offset(const Shape& index) const noexcept {
    std::int64_t result = 0;
    for (std::size_t axis = 0; axis < N; ++axis) result = result * shape_[axis] + index[axis];
    return result;
  }

  Shape shape_{};
  T* data_ = nullptr;
  std::shared_ptr<const void> owner_;
};

template <class T>
using Array3 = Array<T, 3>;  ///< z, y, x
template <class T>
using Array4 = Array<T, 4>;  ///< class or channel, z, y, x

}  // namespace ichdet
