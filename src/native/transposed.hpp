#pragma once

#include <cstdint>
#include <vector>

#include "convolution.hpp"

namespace ichdet::native {

/// Transposed convolutions of several maps, side by side in one: each output row is made of products of input rows with
/// one kernel row, added where they belong ("GEMM and col2im", a row at a time, so that sums stay in cache). No product
/// is made of zeros that stride or dilation would insert.
class TransposedConvolutions {
 public:
  struct Part {
    Shape shape;
    Map in;
    std::vector<std::int64_t> channel_of;
    const float* weight = nullptr;  ///< (channel, output, kernel y, kernel x)
    std::int64_t outputs = 0;
    const float* bias = nullptr;   ///< or none
    std::int64_t first_place = 0;  ///< of its outputs, beside each other: block times 32 + place
  };

  TransposedConvolutions(const std::vector<Part>& parts, const Map& out, const Activation& activation, Format format);

  std::int64_t units() const { return out_.height(); }  ///< output rows
  void run(char* arena, std::int64_t begin, std::int64_t end) const;

 private:
  struct Kernel {
    Shape shape;
    Map in;
    std::int64_t first_group = 0, groups = 0;  ///< of 16 places in the output
    Weights weights;                           ///< for each group, kernel row and kernel column 16 outputs
    std::vector<std::int64_t> offsets;
  };
  void add_row(const Kernel& kernel, const char* arena, std::int64_t y, std::int64_t ky, float* row) const;

  std::vector<Kernel> kernels_;
  std::vector<float> bias_;
  Map out_;
  Activation activation_;
};

}  // namespace ichdet::native
