#include "arena.hpp"

#include <algorithm>
#include <utility>

namespace ichdet::native {

namespace {

void widen(Triple& border, const Triple& needed) {
  for (std::size_t axis = 0; axis < 3; ++axis) border[axis] = std::max(border[axis], needed[axis]);
}

}  // namespace

std::vector<ArenaPlan::Ref> ArenaPlan::add_maps(const Triple& size, std::int64_t blocks, std::int64_t per_pixel,
                                                std::int64_t now) {
  Storage storage;
  storage.map.size = size;
  storage.map.per_pixel = per_pixel;
  storage.map.kept.value_bytes = format_ == Format::float32 ? 4 : 2;
  storage.blocks = blocks;
  storage.first = storage.last = now;
  storage.tied_to = storages_.size();
  std::vector<Ref> refs;
  for (std::int64_t b = 0; b < blocks; ++b) refs.push_back({storages_.size(), b});
  storages_.push_back(std::move(storage));
  return refs;
}

std::size_t ArenaPlan::add_bytes(std::int64_t bytes, std::int64_t now) {
  Storage storage;
  storage.bytes = bytes;
  storage.first = storage.last = now;
  storage.tied_to = storages_.size();
  storages_.push_back(std::move(storage));
  return storages_.size() - 1;
}

void ArenaPlan::use(std::size_t storage, std::int64_t now) {
  storages_[storage].last = std::max(storages_[storage].last, now);
}

std::size_t ArenaPlan::root(std::size_t storage) const {
  while (storages_[storage].tied_to != storage) storage = storages_[storage].tied_to;
  return storage;
}

void ArenaPlan::need_border(const std::vector<Ref>& refs, const Triple& border) {
  widen(storages_[root(refs.front().storage)].map.border, border);
}

void ArenaPlan::tie(const std::vector<Ref>& refs) {
  const auto one = root(refs.front().storage);
  for (const auto& ref : refs) {
    const auto other = root(ref.storage);
    widen(storages_[one].map.border, storages_[other].map.border);
    storages_[other].tied_to = one;
  }
}

void ArenaPlan::place() {
  std::vector<std::size_t> placed;
  for (std::size_t i = 0; i < storages_.size(); ++i) {
    auto& storage = storages_[i];
    if (storage.blocks > 0) {
      storage.map.border = storages_[root(i)].map.border;
      storage.map.kept.rest_bytes = format_ == Format::split ? storage.map.block_bytes() : 0;
      storage.bytes = storage.blocks * storage.map.block_bytes() * parts();
    }
    storage.bytes = (storage.bytes + 63) / 64 * 64;
    // The lowest gap between those that live at the same time.
    std::vector<std::pair<std::int64_t, std::int64_t>> taken;
    for (const auto other : placed) {
      const auto& o = storages_[other];
      if (o.first <= storage.last && storage.first <= o.last) taken.emplace_back(o.offset, o.offset + o.bytes);
    }
    std::sort(taken.begin(), taken.end());
    for (const auto& [begin, end] : taken) {
      if (storage.offset + storage.bytes <= begin) break;
      storage.offset = std::max(storage.offset, end);
    }
    bytes_ = std::max(bytes_, storage.offset + storage.bytes);
    placed.push_back(i);
  }
}

Map ArenaPlan::map(const std::vector<Ref>& refs) const {
  auto map = storages_[refs.front().storage].map;
  for (const auto& ref : refs) {
    const auto& storage = storages_[ref.storage];
    map.blocks.push_back(storage.offset + ref.block * storage.map.block_bytes() * parts());
  }
  return map;
}

}  // namespace ichdet::native
