#pragma once

#include <cstdint>
#include <vector>

#include "map.hpp"
#include "tiles.hpp"

namespace ichdet::native {

/// A function of place in a volume, computed a row at a time: sums and products of what lies along some of its axes.
struct Expression {
  enum class Kind {
    pixels,    ///< floats (group of 16 places, y, x, 16) in the arena, at `offset`
    planes,    ///< floats (group, z, 16)
    rows,      ///< floats (group, y, 16)
    columns,   ///< floats (group, x, 16)
    one,       ///< a float
    constant,  ///< `number`
    add,       ///< of the terms `first` and `second`
    multiply,
    relu,          ///< of `first`
    add_relu,      ///< relu(first + second)
    multiply_add,  ///< first * second + third
  };
  struct Term {
    Kind kind = Kind::constant;
    std::int64_t offset = 0;
    float number = 0;
    std::size_t first = 0, second = 0, third = 0;
  };
  std::vector<Term> terms;  ///< each after those that it is made of; the last one is the result
};

/// The sum of all squares of an expression, over the places that count of a volume of `size`.
class SquareSum {
 public:
  struct Options {
    Expression expression;
    Triple size{};
    std::vector<std::uint16_t> counted;  ///< of each group of 16 places, a bit for each
    std::int64_t row_sums = 0;           ///< offset in the arena of room for (group, y) doubles
    std::int64_t to = 0;                 ///< of the sum, a float
  };
  explicit SquareSum(Options options) : options_(std::move(options)) {}

  std::int64_t units() const { return std::int64_t(options_.counted.size()) * options_.size[1]; }
  void run(char* arena, std::int64_t begin, std::int64_t end) const;
  /// After all units.
  void finish(char* arena) const;

 private:
  Options options_;
};

/// out = in * expression. Both maps have their channels at the same places.
class Modulation {
 public:
  struct Options {
    Expression factor;
    Map in, out;
  };
  explicit Modulation(Options options) : options_(std::move(options)) {}

  std::int64_t units() const { return options_.in.places() / lanes * options_.in.height(); }
  void run(char* arena, std::int64_t begin, std::int64_t end) const;

 private:
  Options options_;
};

}  // namespace ichdet::native
