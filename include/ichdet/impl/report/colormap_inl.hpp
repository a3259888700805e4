#pragma once

#include <algorithm>
#include <cmath>

#include "ichdet/impl/report/colormap_table.hpp"
#include "ichdet/report/colormap.hpp"

namespace ichdet {

ICHDET_INLINE draw::Color heat_color(double value) {
  const auto last = double(detail::plasma.size() - 1);
  return detail::plasma[std::size_t(std::lround(std::clamp(value, 0.0, 1.0) * last))];
}

}  // namespace ichdet
