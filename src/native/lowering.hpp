#pragma once

#include <functional>
#include <vector>

#include <torch/csrc/jit/ir/ir.h>

#include "tiles.hpp"

namespace ichdet::native {

/// Work on one image, cut into units that threads may share.
struct Step {
  std::int64_t units = 1;
  std::function<void(char* arena, std::int64_t begin, std::int64_t end)> run;
  std::function<void(char* arena)> before;  ///< once, before the units; or none
};

/// A network as steps over an arena of `bytes`.
struct Program {
  std::vector<Step> steps;
  std::int64_t bytes = 0;
  std::function<void(const float* image, char* arena, std::int64_t begin, std::int64_t end)> read;
  std::int64_t rows_read = 0;  ///< units of `read`
  std::function<void(const char* arena, float* out, std::int64_t begin, std::int64_t end)> write;
  std::int64_t rows_written = 1;           ///< units of `write`
  std::vector<std::int64_t> output_shape;  ///< for one image, the 1 in front included
};

/// From a folded graph that was traced with one image. Throws Error(options) naming the operator that it has no kernel
/// for.
Program lower(const torch::jit::Graph& graph, Format format);

}  // namespace ichdet::native
