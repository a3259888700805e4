#include "ichdet/attribution/region_masks.hpp"

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "ichdet/core/error.hpp"

namespace ichdet::attribution {
namespace {

using Word = std::uint64_t;

RegionMasks empty_masks(std::int64_t count, std::int64_t height, std::int64_t width) {
  RegionMasks masks{count, height, width, {}};
  masks.bits.resize(std::size_t(count * height * masks.words()));
  return masks;
}

Word* row_of(RegionMasks& masks, std::int64_t mask, std::int64_t y) {
  return masks.bits.data() + (mask * masks.height + y) * masks.words();
}

void expect_masks(const char* what, const at::Tensor& given, at::ScalarType type, bool axes_fit, const char* axes) {
  if (given.scalar_type() != type || !axes_fit || given.size(-1) == 0 || given.size(-2) == 0) {
    throw Error::mismatch(ErrorCode::shape, what, std::string(c10::toString(type)) + axes + " with a pixel",
                          std::string(c10::toString(given.scalar_type())) + c10::str(given.sizes()));
  }
}

/// Every bit spread to its two neighbours `distance` (1 to 63) away, and added to what is in `to`.
void add_shifted(const Word* row, std::int64_t words, int distance, Word* to) {
  for (std::int64_t i = 0; i < words; ++i) {
    Word found = row[i] << distance | row[i] >> distance;
    if (i > 0) found |= row[i - 1] >> (64 - distance);
    if (i + 1 < words) found |= row[i + 1] << (64 - distance);
    to[i] |= found;
  }
}

}  // namespace

RegionMasks region_masks(const at::Tensor& masks) {
  expect_masks("masks", masks, at::kBool, masks.dim() == 3, " (mask, y, x)");
  const auto given = masks.cpu().contiguous();
  auto found = empty_masks(given.size(0), given.size(1), given.size(2));
  const bool* from = given.const_data_ptr<bool>();
  for (std::int64_t i = 0; i < found.count * found.height; ++i) {
    Word* row = row_of(found, 0, i);
    for (std::int64_t x = 0; x < found.width; ++x) row[x / 64] |= Word(*from++) << (x % 64);
  }
  return found;
}

at::Tensor to_tensor(const RegionMasks& masks) {
  auto found = at::zeros({masks.count, masks.height, masks.width}, at::kBool);
  bool* to = found.mutable_data_ptr<bool>();
  for (std::int64_t mask = 0; mask < masks.count; ++mask) {
    for (std::int64_t y = 0; y < masks.height; ++y) {
      const auto row = masks.row(mask, y);
      for (std::int64_t x = 0; x < masks.width; ++x) *to++ = row[std::size_t(x / 64)] >> (x % 64) & 1;
    }
  }
  return found;
}

RegionMasks masks_of_labels(const at::Tensor& labels) {
  expect_masks("labels", labels, at::kLong, labels.dim() == 2 || labels.dim() == 3, " (y, x) or (scale, y, x)");
  const auto given = labels.cpu().contiguous();
  const auto height = given.size(-2), width = given.size(-1), scales = given.numel() / (height * width);
  const auto* from = given.const_data_ptr<std::int64_t>();
  std::vector<std::int64_t> first_mask;  // of label 0
  std::int64_t count = 0;
  for (std::int64_t scale = 0; scale < scales; ++scale) {
    const auto* begin = from + scale * height * width;
    const auto [least, highest] = std::minmax_element(begin, begin + height * width);
    if (std::uint64_t(*highest) - std::uint64_t(*least) >= std::uint64_t(height * width)) {
      throw Error::mismatch(ErrorCode::shape, "labels", "at most as many as pixels",
                            std::to_string(*least) + " to " + std::to_string(*highest));
    }
    first_mask.push_back(count - *least);
    count += *highest - *least + 1;
  }
  auto found = empty_masks(count, height, width);
  for (const auto first : first_mask) {
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) row_of(found, first + *from++, y)[x / 64] |= Word(1) << (x % 64);
    }
  }
  return found;
}

MaskRows occupied_rows(const RegionMasks& masks, std::int64_t mask) {
  const auto occupied = [&](std::int64_t y) {
    const auto row = masks.row(mask, y);
    return std::any_of(row.begin(), row.end(), [](Word word) { return word != 0; });
  };
  MaskRows rows{0, masks.height};
  while (rows.first < rows.last && !occupied(rows.first)) ++rows.first;
  while (rows.last > rows.first && !occupied(rows.last - 1)) --rows.last;
  return rows;
}

RegionMasks dilated(const RegionMasks& masks, std::int64_t radius) {
  if (radius < 0 || radius > 63) {
    throw Error::mismatch(ErrorCode::options, "radius to dilate by", "0 to 63", std::to_string(radius));
  }
  auto found = empty_masks(masks.count, masks.height, masks.width);
  const auto words = masks.words();
  const auto last_word = masks.width % 64 == 0 ? ~Word(0) : (Word(1) << (masks.width % 64)) - 1;
  std::vector<Word> wide(std::size_t(words * (radius + 1)));  // a row, grown by 0, 1, ..., radius to both sides
  for (std::int64_t mask = 0; mask < masks.count; ++mask) {
    const auto rows = occupied_rows(masks, mask);
    for (auto y = rows.first; y < rows.last; ++y) {
      const auto row = masks.row(mask, y);
      std::copy(row.begin(), row.end(), wide.begin());
      for (std::int64_t distance = 1; distance <= radius; ++distance) {
        Word* to = wide.data() + distance * words;
        std::copy_n(to - words, words, to);
        add_shifted(row.data(), words, int(distance), to);
        to[words - 1] &= last_word;
      }
      for (auto dy = -std::min(radius, y); dy <= std::min(radius, masks.height - 1 - y); ++dy) {
        const auto reach = std::int64_t(std::sqrt(double(radius * radius - dy * dy)));
        const Word* from = wide.data() + reach * words;
        Word* to = row_of(found, mask, y + dy);
        for (std::int64_t i = 0; i < words; ++i) to[i] |= from[i];
      }
    }
  }
  return found;
}

}  // namespace ichdet::attribution
