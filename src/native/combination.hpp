#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "convolution.hpp"
#include "map.hpp"
#include "vectors.hpp"

namespace ichdet::native {

/// out = act((sum of factor * norm(map)) * scale * gate + shift) * slope: sums, instance and batch norm, channel-wise
/// gates and nearest up-sampling, in one pass. `out` may lie where a term of its size does.
class Combination {
 public:
  static constexpr std::size_t most_terms = 8;

  struct Term {
    Map map;
    float factor = 1;
    std::vector<std::int64_t> planes, rows, columns;  ///< which of the map's the output's read; empty: the same
    std::optional<std::int64_t> affine;  ///< offset in the arena of (2, place) floats: the map's own scale and shift
  };
  struct Options {
    std::vector<Term> terms;
    Map out;
    std::vector<float> scale, shift;   ///< by place; empty: none
    std::optional<std::int64_t> gate;  ///< offset in the arena of a float for each place
    Activation activation;
    std::optional<std::int64_t> vector_shift;  ///< offset in the arena of a float for each place, added too
    std::optional<SlopeAt> slope;
  };
  explicit Combination(Options options) : options_(std::move(options)) {}

  std::int64_t units() const { return std::int64_t(options_.out.blocks.size()) * options_.out.rows(); }
  void run(char* arena, std::int64_t begin, std::int64_t end) const;

 private:
  Options options_;
};

}  // namespace ichdet::native
