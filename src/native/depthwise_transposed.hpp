#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "convolution.hpp"

namespace ichdet::native {

/// A transposed convolution of an image's channels, each by itself, without a bias: the gradient of a strided one. Each
/// output pixel gathers what reaches it.
class DepthwiseTransposed {
 public:
  struct Options {
    Shape shape;
    Map in, out;
    std::vector<float> weight;  ///< (tap, place) for the places of the maps' blocks
    std::optional<SlopeAt> slope;
  };
  explicit DepthwiseTransposed(Options options) : options_(std::move(options)) {}

  std::int64_t units() const { return std::int64_t(options_.out.blocks.size()) * options_.out.height(); }
  void run(char* arena, std::int64_t begin, std::int64_t end) const;

 private:
  Options options_;
};

}  // namespace ichdet::native
