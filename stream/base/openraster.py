"""OpenRaster files: layered pictures that Krita, GIMP and MyPaint open.

https://www.openraster.org: a ZIP archive whose first entry is ``mimetype``, stored as it is, so that the first bytes
tell the kind of the file.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np

from .files import png
from .frame import Output, Size, place, reduced
from .kept import png_with

MIMETYPE = b"image/openraster"
THUMBNAIL = 256  # pixels a side, at most
_WHEN = (1980, 1, 1, 0, 0, 0)  # the earliest that ZIP knows: the same layers give the same file


class Layer(NamedTuple):
    """One layer, as large as the picture."""

    name: str
    pixels: np.ndarray  # (H, W, 3) uint8 RGB
    shown: bool = True
    mode: str = "svg:src-over"  # how it lies on those below


def layers_of(output: Output) -> list[Layer]:
    """Render and sketch of an output, the topmost first.

    The sketch lies above the render, hidden and multiplied: shown, its lines lie over the render, and its paper
    changes nothing.
    """
    render = Layer("render", output.pixels)
    if output.input is None:
        return [render]
    size = Size.of(output.pixels)
    drawing = place(Size.of(output.input), size, "stretch").apply(output.input)
    return [Layer("sketch", drawing, shown=False, mode="svg:multiply"), render]


def openraster(layers: Sequence[Layer], merged: np.ndarray, recipe: Mapping[str, Any] | None = None) -> bytes:
    """A file of layers, the topmost first. ``merged`` (H, W, 3) uint8 RGB is what they show together; it carries the
    recipe as any kept picture does.

    Raises ValueError for layers of another size than ``merged``.
    """
    size = Size.of(merged)
    for layer in layers:
        if Size.of(layer.pixels) != size:
            raise ValueError(f"openraster: got layer {layer.name} of {Size.of(layer.pixels)}, expected {size}")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:

        def put(name: str, data: bytes, how: int = zipfile.ZIP_STORED) -> None:
            archive.writestr(zipfile.ZipInfo(name, _WHEN), data, how)

        put("mimetype", MIMETYPE)
        put("stack.xml", _stack(layers, size), zipfile.ZIP_DEFLATED)
        for number, layer in enumerate(layers):
            put(_place_of(number), png(layer.pixels))  # PNG is packed already
        put("mergedimage.png", png_with(merged, recipe))
        put("Thumbnails/thumbnail.png", png(reduced(merged, THUMBNAIL)))
    return file.getvalue()


def _place_of(number: int) -> str:
    return f"data/layer{number}.png"


def _stack(layers: Sequence[Layer], size: Size) -> bytes:
    image = ElementTree.Element("image", version="0.0.3", w=str(size.width), h=str(size.height))
    stack = ElementTree.SubElement(image, "stack")
    for number, layer in enumerate(layers):
        ElementTree.SubElement(
            stack,
            "layer",
            {
                "name": layer.name,
                "src": _place_of(number),
                "x": "0",
                "y": "0",
                "opacity": "1.0",
                "visibility": "visible" if layer.shown else "hidden",
                "composite-op": layer.mode,
            },
        )
    return ElementTree.tostring(image, encoding="UTF-8", xml_declaration=True)
