"""A palette for paint programs: GIMP's .gpl, Photoshop's .aco and .ase, and a chart to pick from.

``.gpl`` is read by GIMP, Krita, MyPaint and Inkscape. ``.aco`` is Adobe's colour swatches, both of its versions one
after the other as its specification says ("Adobe Photoshop File Formats Specification", Color Swatches); ``.ase`` is
the Adobe Swatch Exchange, blocks of a name, a model and floats. Each class comes with both of its paints.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

from PIL import Image, ImageDraw, ImageFont

from . import Palette, Rgb

COLUMNS = 8  # of a .gpl: four classes with two paints each
ANOTHER = ", another"  # what the second paint of a class is called
CELL, GAP, TEXT = (184, 44), 8, 15  # of the chart, in pixels
PAPER, INK, QUIET = (255, 255, 255), (30, 30, 34), (110, 110, 118)

Swatch = tuple[str, Rgb]


def swatches(palette: Palette) -> list[Swatch]:
    """(name, RGB) of every paint; the second one of a class follows its first."""
    return [
        each for thing in palette.things for each in ((thing.name, thing.paint), (thing.name + ANOTHER, thing.second))
    ]


def gpl(palette: Palette) -> bytes:
    """The palette as GIMP keeps it."""
    lines = ["GIMP Palette", f"Name: inkstream {palette.name}", f"Columns: {COLUMNS}", "#"]
    lines += [f"{red:3d} {green:3d} {blue:3d}\t{name}" for name, (red, green, blue) in swatches(palette)]
    return ("\n".join(lines) + "\n").encode()


def aco(palette: Palette) -> bytes:
    """The palette as Photoshop keeps it: version 1 without names, then version 2 with them."""
    found = swatches(palette)
    made = struct.pack(">HH", 1, len(found)) + b"".join(_aco_colour(colour) for _, colour in found)
    made += struct.pack(">HH", 2, len(found))
    for name, colour in found:
        made += _aco_colour(colour) + struct.pack(">I", len(name) + 1) + _utf16(name)
    return made


def ase(palette: Palette) -> bytes:
    """The palette as Adobe's programs exchange it: one group of RGB colours."""
    found, title = swatches(palette), f"inkstream {palette.name}"
    blocks = [_ase_block(0xC001, struct.pack(">H", len(title) + 1) + _utf16(title))]
    for name, colour in found:
        body = struct.pack(">H", len(name) + 1) + _utf16(name) + b"RGB "
        body += struct.pack(">fffH", *(level / 255 for level in colour), 0)
        blocks.append(_ase_block(0x0001, body))
    blocks.append(_ase_block(0xC002, b""))
    return b"ASEF" + struct.pack(">HHI", 1, 0, len(blocks)) + b"".join(blocks)


def chart(palette: Palette) -> bytes:
    """A PNG to pick colours from: for each class its paint, the second one at its right end, and its name below."""
    count = len(palette.things)
    columns = 4 if count <= 40 else 6
    rows = -(-count // columns)
    width, height = CELL[0] + GAP, CELL[1] + TEXT + 2 * GAP
    image = Image.new("RGB", (columns * width + GAP, rows * height + GAP), PAPER)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(TEXT)
    for place, thing in enumerate(palette.things):
        left, top = GAP + place // rows * width, GAP + place % rows * height
        right, low = left + CELL[0] - 1, top + CELL[1] - 1
        draw.rectangle((left, top, right, low), fill=thing.paint)
        draw.rectangle((right - CELL[0] // 4, top, right, low), fill=thing.second)
        draw.text((left, low + 3), thing.name, INK, font)
        number = str(thing.number)
        draw.text((right - draw.textlength(number, font), low + 3), number, QUIET, font)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


FORMATS: dict[str, Callable[[Palette], bytes]] = {"gpl": gpl, "aco": aco, "ase": ase, "png": chart}


def _aco_colour(colour: Rgb) -> bytes:
    return struct.pack(">HHHHH", 0, *(level * 257 for level in colour), 0)  # 0: RGB, 65535 is full


def _ase_block(kind: int, body: bytes) -> bytes:
    return struct.pack(">HI", kind, len(body)) + body


def _utf16(text: str) -> bytes:
    return (text + "\0").encode("utf-16-be")
