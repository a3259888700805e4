"""Renders DejaVu Sans into include/ichdet/impl/report/font.hpp: the letters that pictures are captioned with.

    python tools/make_font.py      (needs Pillow and Debian's fonts-dejavu-core; any other version may move a pixel)

Each glyph is a box of grey levels, one character per pixel: '0' is clear, 'O' is full ink (32 levels).
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

FOLDER = Path("/usr/share/fonts/truetype/dejavu")
FACES = [("small", "DejaVuSans.ttf", 12), ("body", "DejaVuSans.ttf", 15), ("strong", "DejaVuSans-Bold.ttf", 15),
         ("title", "DejaVuSans-Bold.ttf", 22)]
LETTERS = [chr(c) for c in range(32, 127)] + list("°±²³µ·×–…≤≥")
LEVELS = 31


def glyph(font, letter):
    """(left, top above the baseline, width, height, advance, levels)"""
    advance = round(font.getlength(letter))
    size = 4 * int(font.size)
    canvas = Image.new("L", (size, size))
    origin = size // 4, size // 2
    ImageDraw.Draw(canvas).text(origin, letter, fill=255, font=font, anchor="ls")
    box = canvas.getbbox()
    if box is None:
        return 0, 0, 0, 0, advance, ""
    levels = canvas.crop(box).tobytes()
    text = "".join(chr(ord("0") + (v * LEVELS + 127) // 255) for v in levels)
    return box[0] - origin[0], origin[1] - box[1], box[2] - box[0], box[3] - box[1], advance, text


def face(name, file, pixels):
    font = ImageFont.truetype(str(FOLDER / file), pixels, layout_engine=ImageFont.Layout.BASIC)
    rows, ink, offset = [], "", 0
    for letter in LETTERS:
        left, top, width, height, advance, levels = glyph(font, letter)
        rows.append(f"{{{ord(letter)}, {offset}, {left}, {top}, {width}, {height}, {advance}}},")
        ink += levels
        offset += len(levels)
    lines = [f'    "{ink[i:i + 114]}"' for i in range(0, len(ink), 114)]
    ascent = -font.getbbox("H", anchor="ls")[1]
    return (f"inline constexpr Glyph {name}_glyphs[] = {{\n    " + "\n    ".join(
        " ".join(rows[i:i + 4]) for i in range(0, len(rows), 4)) + "\n};\n"
        f"inline constexpr char {name}_ink[] =\n" + "\n".join(lines) + ";\n"
        f"inline constexpr Face {name}{{{name}_glyphs, {name}_ink, {len(LETTERS)}, {ascent}, {round(pixels * 1.4)}}};\n")


HEAD = """#pragma once

// Made by tools/make_font.py from DejaVu Sans; the fonts' licence is in LICENSES/DejaVu-Fonts.txt. Do not edit.

#include <cstdint>

// clang-format off
namespace ichdet::detail::font {

/// A letter: its Unicode number, where its ink begins, and its box relative to the pen on the baseline.
struct Glyph {
  std::uint16_t code, offset;
  std::int8_t left, top;
  std::uint8_t width, height, advance;
};

/// One size of one typeface, its glyphs in ascending order of `code`.
struct Face {
  const Glyph* glyphs;
  const char* ink;
  int count;
  int cap_height;   ///< of a capital letter, pixels
  int line_height;  ///< from baseline to baseline, pixels
};

"""


def main():
    LETTERS.sort()
    out = Path(__file__).resolve().parents[1] / "include/ichdet/impl/report/font.hpp"
    text = HEAD + "\n".join(face(*f) for f in FACES) + "\n}  // namespace ichdet::detail::font\n// clang-format on\n"
    out.write_text(text)


if __name__ == "__main__":
    main()
