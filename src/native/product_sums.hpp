#pragma once

#include <cstdint>

#include "map.hpp"
#include "tiles.hpp"

namespace ichdet::native {

/// The sum over all pixels of the products of two maps, by place: the gradient of a gate.
class ProductSums {
 public:
  struct Options {
    Map first, second;
    std::int64_t to = 0;  ///< offset in the arena of a float for each place
  };
  explicit ProductSums(Options options) : options_(std::move(options)) {}

  std::int64_t units() const { return options_.first.places() / lanes; }
  void run(char* arena, std::int64_t begin, std::int64_t end) const;

 private:
  Options options_;
};

}  // namespace ichdet::native
