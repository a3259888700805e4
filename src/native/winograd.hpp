#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "convolution.hpp"
#include "sums.hpp"

namespace ichdet::native {

/// A 3 x 3 convolution by Winograd's F(m x m, 3 x 3): m x m outputs from (m + 2) x (m + 2) inputs, of which each is
/// multiplied once by each weight, in place of 9 m^2 products. In float32; with m = 4 and the points 0, 3/4, -3/4, 3/2,
/// -3/2 the error is twice that of plain sums (Barabasz et al., ACM TOMS 46, 2020, on the choice of points).
class Winograd {
 public:
  /// The m (2 or 4) with which it is faster than Convolution; 0: there is none.
  static int suits(const Layer& layer);
  /// The layer's weights as the products take them, whatever the map's size.
  static Weights transformed(const Layer& layer, int m);
  Winograd(const Layer& layer, int m) : Winograd(layer, m, std::make_shared<const Weights>(transformed(layer, m))) {}
  /// With `take`, sums go there, not to the layer's map.
  Winograd(const Layer& layer, int m, std::shared_ptr<const Weights> weights, TakeSums take = {});

  std::int64_t units() const { return strips_ * runs_ * splits_; }
  void run(char* arena, std::int64_t begin, std::int64_t end) const;

  /// Of statistics.
  std::int64_t parts() const { return strips_ * (run_ > 0 ? tiles_[0] : 1); }
  /// No more parts has a map of this size.
  static std::int64_t most_parts(const Triple& size);

 private:
  struct Room;
  /// Some tiles: of a plane, or where runs_ is 1 and run_ 0, of all of them.
  struct Strip {
    std::int64_t first, last, plane;
    std::int64_t tiles() const { return last - first; }
  };
  template <int m>
  void run_all(char* arena, std::int64_t begin, std::int64_t end) const;
  template <int m>
  void transform(const char* arena, const Strip& strip, std::int64_t from_plane, Room& room) const;
  template <int m>
  void multiply_pair(char* arena, const Strip& strip, std::int64_t group, Room& room, float* statistics) const;

  int m_;
  Map in_;
  Triple padding_;
  std::int64_t planes_ = 1;  ///< of the kernel
  Finish finish_;
  TakeSums take_;
  std::optional<std::int64_t> statistics_;
  Triple tiles_{};           ///< along each axis
  std::int64_t inputs_ = 0;  ///< of a tile: places, of all planes of the kernel
  std::int64_t groups_ = 0;  ///< of 16 outputs
  std::shared_ptr<const Weights> weights_;
  /// Where the steps of a tile's inputs begin: by how far the planes are turned.
  std::vector<std::vector<std::int64_t>> offsets_;
  std::int64_t strip_tiles_ = 0, strips_ = 0;
  /// A strip goes through that many planes, so that each plane is transformed once; 0: strips go on from plane to
  /// plane.
  std::int64_t run_ = 0;
  std::int64_t runs_ = 1;
  std::int64_t splits_ = 1;  ///< of a strip's outputs, where there are few strips
};

}  // namespace ichdet::native
