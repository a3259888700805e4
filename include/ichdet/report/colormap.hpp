#pragma once

#include "ichdet/core/config.hpp"
#include "ichdet/report/draw.hpp"

namespace ichdet {

/// The colour of a value in [0, 1]; values beyond get the ends' colours. From deep blue over red to yellow:
/// matplotlib's "plasma", perceptually uniform, brightening all the way (so that it also reads in grey), and nowhere
/// grey itself.
draw::Color heat_color(double value);

}  // namespace ichdet

#ifdef ICHDET_HEADER_ONLY
#include "ichdet/impl/report/colormap_inl.hpp"
#endif
