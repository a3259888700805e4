#pragma once

#include <algorithm>
#include <cmath>

#include "ichdet/report/draw.hpp"
#include "ichdet/report/heat_map.hpp"
#include "ichdet/train/judge_explanations.hpp"

namespace ichdet::cli {

/// A slice with the reference mask's outline, and under each of its maps, spread over its own range.
inline Image judged_picture(const train::JudgedSlice& slice) {
  const auto rows = slice.hu.extent(1), columns = slice.hu.extent(2);
  Image scan(rows, columns, 3);
  const auto inside = [&](std::int64_t y, std::int64_t x) {
    return y >= 0 && x >= 0 && y < rows && x < columns && slice.mask(0, y, x) != 0;
  };
  for (std::int64_t y = 0; y < rows; ++y) {
    for (std::int64_t x = 0; x < columns; ++x) {
      const auto grey = std::uint8_t(std::lround(std::clamp(slice.hu(0, y, x), 0.F, 80.F) * 255 / 80));
      const bool rim = inside(y, x) && !(inside(y - 1, x) && inside(y + 1, x) && inside(y, x - 1) && inside(y, x + 1));
      auto* pixel = scan.at(y, x);
      pixel[0] = rim ? 90 : grey;
      pixel[1] = rim ? 220 : grey;
      pixel[2] = rim ? 120 : grey;
    }
  }
  constexpr std::int64_t across = 4, caption = 20;
  const auto count = std::int64_t(slice.maps.size()) + 1;
  Image sheet((count + across - 1) / across * (rows + caption), across * columns, 3);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto x = i % across * columns, y = i / across * (rows + caption);
    draw::paste(sheet, x, y + caption, scan);
    if (i > 0) {
      const auto& values = slice.maps[std::size_t(i - 1)].values;
      const auto [low, high] = std::minmax_element(values.begin(), values.end());
      HeatMapOptions options;
      options.low = *low < 0 ? 0 : *low;
      options.high = *high > options.low ? *high : options.low + 1;
      draw_heat_map(sheet, x, y + caption, columns, rows,
                    Array2f(const_cast<float*>(values.data()), {rows, columns}, {}), options);
    }
    const auto name =
        i == 0 ? slice.study + ", slice " + std::to_string(slice.slice) : slice.maps[std::size_t(i - 1)].method;
    draw::text(sheet, x + 4, y + 15, name, draw::Face::small, {230, 230, 230});
  }
  return sheet;
}

}  // namespace ichdet::cli
