"""Writes matplotlib's colour map "plasma" into include/ichdet/impl/report/colormap_table.hpp: the colours of heat maps.

    python tools/make_colormap.py      (needs matplotlib)

Plasma is perceptually uniform (equal steps of value look equally large, in CAM02-UCS), brightens all the way, and holds
no grey, so that it stands out from a scan. Its authors gave it away under CC0, as the head of matplotlib's
_cm_listed.py says.
"""

from pathlib import Path

import matplotlib

HEAD = """#pragma once

// Made by tools/make_colormap.py from matplotlib's "plasma" (CC0). Do not edit.

#include <array>

#include "ichdet/report/draw.hpp"

// clang-format off
namespace ichdet::detail {

inline constexpr std::array<draw::Color, 256> plasma{{
"""


def main():
    colors = matplotlib.colormaps["plasma"].colors
    cells = [f"{{{', '.join(str(round(255 * part)) for part in color)}}}," for color in colors]
    lines = ["    " + " ".join(cells[i:i + 6]) for i in range(0, 256, 6)]
    out = Path(__file__).resolve().parents[1] / "include/ichdet/impl/report/colormap_table.hpp"
    out.write_text(HEAD + "\n".join(lines) + "\n}};\n\n}  // namespace ichdet::detail\n// clang-format on\n")


if __name__ == "__main__":
    main()
