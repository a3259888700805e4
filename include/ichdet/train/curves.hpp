#pragma once

#include <filesystem>
#include <vector>

#include "ichdet/io/png.hpp"
#include "ichdet/train/log.hpp"

namespace ichdet::train {

/// A training's course as one picture: a diagram for each measure (what stands behind the last '/' of a name), in it a
/// line for each place it was measured at ("train", "select"), against steps. Rows of many steps are shown faint with
/// their running mean on top. The axis of losses and learning rates is logarithmic where they span more than a factor
/// of ten.
Image draw_curves(const std::vector<LogRow>& rows);

/// As PNG, written beside and renamed, so that a viewer never sees half a file. Throws Error(io).
void write_curves(const std::filesystem::path& png, const std::vector<LogRow>& rows);

}  // namespace ichdet::train
