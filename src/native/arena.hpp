#pragma once

#include <cstdint>
#include <vector>

#include "map.hpp"

namespace ichdet::native {

/// Where everything lies that steps hand on: each storage has its place from the step that fills it to the last one
/// that reads it, and places are used again.
class ArenaPlan {
 public:
  /// One block of a storage.
  struct Ref {
    std::size_t storage = 0;
    std::int64_t block = 0;
  };

  explicit ArenaPlan(Format format) : format_(format) {}

  /// Maps; `now` is the step that fills them. All its blocks, in order, are its refs.
  std::vector<Ref> add_maps(const Triple& size, std::int64_t blocks, std::int64_t per_pixel, std::int64_t now);
  std::size_t add_bytes(std::int64_t bytes, std::int64_t now);
  void use(std::size_t storage, std::int64_t now);
  void need_border(const std::vector<Ref>& refs, const Triple& border);
  /// They will be read as one map, so they have one border.
  void tie(const std::vector<Ref>& refs);

  /// After all of the above.
  void place();
  Map map(const std::vector<Ref>& refs) const;
  std::int64_t offset(std::size_t storage) const { return storages_[storage].offset; }
  std::int64_t bytes() const { return bytes_; }

 private:
  struct Storage {
    Map map;
    std::int64_t blocks = 0, bytes = 0, offset = 0, first = 0, last = 0;
    std::size_t tied_to = 0;
  };
  std::size_t root(std::size_t storage) const;
  std::int64_t parts() const { return format_ == Format::split ? 2 : 1; }

  Format format_;
  std::vector<Storage> storages_;
  std::int64_t bytes_ = 0;
};

}  // namespace ichdet::native
