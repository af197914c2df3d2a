"""Swatches of palettes, read as paint programs read them."""

import io
import re
import struct

import numpy as np
import pytest
from PIL import Image
from PIL.GimpPaletteFile import GimpPaletteFile
from typer.testing import CliRunner

from inkstream.adapters.palettes import NAMES, open_palette
from inkstream.adapters.palettes.swatches import aco, ase, chart, gpl, swatches
from inkstream.stream.app.cli import app


def read_gpl(data: bytes) -> list[tuple[str, tuple[int, ...]]]:
    """As GIMP does: a magic line, Name, Columns, then three numbers and the rest of the line."""
    lines = data.decode().splitlines()
    assert lines[0] == "GIMP Palette" and lines[1].startswith("Name: ") and re.fullmatch(r"Columns: \d+", lines[2])
    found = []
    for line in lines[3:]:
        if line and not line.startswith("#"):
            red, green, blue, name = line.split(None, 3)
            found.append((name, (int(red), int(green), int(blue))))
    return found


def read_aco(data: bytes) -> list[tuple[str, tuple[int, ...]]]:
    """By Adobe's specification: version 1, and version 2 behind it, which has names."""
    file = io.BytesIO(data)
    version, count = struct.unpack(">HH", file.read(4))
    assert version == 1
    first = [struct.unpack(">HHHHH", file.read(10)) for _ in range(count)]
    assert struct.unpack(">HH", file.read(4)) == (2, count)
    found = []
    for each in first:
        colour = struct.unpack(">HHHHH", file.read(10))
        assert colour == each and colour[0] == 0 and colour[4] == 0
        (length,) = struct.unpack(">I", file.read(4))
        name = file.read(2 * length).decode("utf-16-be")
        assert name[-1] == "\0"
        found.append((name[:-1], tuple(level >> 8 for level in colour[1:4])))
    assert not file.read()
    return found


def read_ase(data: bytes) -> list[tuple[str, tuple[int, ...]]]:
    """Block by block; a group begins, colours, it ends."""
    file = io.BytesIO(data)
    assert file.read(4) == b"ASEF" and struct.unpack(">HH", file.read(4)) == (1, 0)
    (blocks,) = struct.unpack(">I", file.read(4))
    kinds, found = [], []
    for _ in range(blocks):
        kind, length = struct.unpack(">HI", file.read(6))
        body = io.BytesIO(file.read(length))
        kinds.append(kind)
        if kind == 1:
            (letters,) = struct.unpack(">H", body.read(2))
            name = body.read(2 * letters).decode("utf-16-be").removesuffix("\0")
            assert body.read(4) == b"RGB "
            levels = struct.unpack(">fff", body.read(12))
            assert struct.unpack(">H", body.read(2)) == (0,) and not body.read()
            found.append((name, tuple(round(level * 255) for level in levels)))
    assert kinds[0] == 0xC001 and kinds[-1] == 0xC002 and not file.read()
    return found


@pytest.mark.parametrize("name", NAMES)
def test_programs_read_every_paint_with_its_name(name):
    palette = open_palette(name)
    expected = swatches(palette)
    assert len(expected) == 2 * len(palette.things)
    assert read_gpl(gpl(palette)) == read_aco(aco(palette)) == read_ase(ase(palette)) == expected
    raw, mode = GimpPaletteFile(io.BytesIO(gpl(palette))).getpalette()
    assert mode == "RGB" and raw[: 3 * len(expected)] == bytes(sum((colour for _, colour in expected), ()))[: len(raw)]


@pytest.mark.parametrize("name", NAMES)
def test_every_paint_can_be_picked_from_the_chart(name):
    palette = open_palette(name)
    pixels = np.asarray(Image.open(io.BytesIO(chart(palette)))).reshape(-1, 3)
    there = {tuple(each) for each in np.unique(pixels, axis=0).tolist()}
    assert {colour for _, colour in swatches(palette)} <= there


def test_the_command_writes_and_shows_them(tmp_path):
    made = CliRunner().invoke(app, ["palette", "export", "ade20k", str(tmp_path / "new"), "--formats", "gpl,png"])
    assert made.exit_code == 0
    assert sorted(each.name for each in (tmp_path / "new").iterdir()) == [
        "inkstream-ade20k.gpl",
        "inkstream-ade20k.png",
    ]
    shown = CliRunner().invoke(app, ["palette", "show", "cityscapes"])
    assert "traffic light" in shown.output and "#faaa1e" in shown.output
    listed = CliRunner().invoke(app, ["palette", "show"])
    assert all(name in listed.output for name in NAMES)


def test_the_command_names_what_is_wrong(tmp_path):
    for args, words in (
        (["palette", "show", "ade"], "expected one of: ink-tiny, ade20k"),
        (["palette", "export", "coco", str(tmp_path), "--formats", "gpl,svg"], "got 'svg'"),
        (["palette", "export", "coco", "/dev/null/there"], "/dev/null"),
    ):
        made = CliRunner().invoke(app, args)
        assert made.exit_code == 2 and words in made.output
    assert not list(tmp_path.iterdir())
