#pragma once

#include <cstdint>
#include <vector>

#include "vectors.hpp"

namespace ichdet::native {

/// y = act(weight x + bias) for vectors of floats in the arena.
class Dense {
 public:
  struct Options {
    std::int64_t in = 0, out = 0;  ///< offsets in the arena
    std::int64_t inputs = 0;       ///< floats at `in`
    std::int64_t outputs = 0;      ///< of which there are `outputs` made, and room for a multiple of 32
    std::vector<float> weight;     ///< (output, input)
    std::vector<float> bias;
    Activation activation;
    bool split = false;  ///< false: weights are kept in bfloat16, half of the memory to pass through
  };
  explicit Dense(Options options);

  std::int64_t units() const { return (options_.outputs + lanes - 1) / lanes; }
  void run(char* arena, std::int64_t begin, std::int64_t end) const;

 private:
  Options options_;
  std::int64_t row_ = 0;  ///< inputs, up to whole registers
  std::vector<float> weight_;
  std::vector<std::uint16_t> rounded_;
};

}  // namespace ichdet::native
