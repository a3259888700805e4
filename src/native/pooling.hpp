#pragma once

#include <cstdint>

#include "convolution.hpp"

namespace ichdet::native {

/// Maximum or mean over windows.
class Pooling {
 public:
  struct Options {
    Shape shape;
    Map in, out;
    bool maximum = true;
    bool count_padding = true;  ///< the mean's divisor counts places beyond the border, up to `padding` of them
  };
  explicit Pooling(const Options& options) : options_(options) {}

  std::int64_t units() const { return std::int64_t(options_.out.blocks.size()) * options_.out.rows(); }
  void run(char* arena, std::int64_t begin, std::int64_t end) const;

 private:
  Options options_;
};

/// The sum of each channel, by place, as floats at `to`: what Depthwise leaves behind with a single band.
void sum_block(const Map& map, char* arena, std::int64_t block, std::int64_t to);

}  // namespace ichdet::native
