#pragma once

#include <cstdint>
#include <optional>

#include "convolution.hpp"

namespace ichdet::native {

/// Of an image's maximum over windows: each window's gradient goes to its first highest pixel, in the order of rows.
class PoolingGradient {
 public:
  struct Options {
    Shape shape;
    Map in, gradient, out;  ///< the pool's input, and the gradient of its output
    std::optional<SlopeAt> slope;
  };
  explicit PoolingGradient(const Options& options) : options_(options) {}

  std::int64_t units() const { return std::int64_t(options_.out.blocks.size()) * (options_.out.per_pixel / lanes); }
  void run(char* arena, std::int64_t begin, std::int64_t end) const;

 private:
  Options options_;
};

}  // namespace ichdet::native
