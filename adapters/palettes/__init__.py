"""Palettes: a painted colour is a class of thing, for each family of models that reads classes.

Each palette is one CSV file beside this one, a line for each class: its ``number`` in the data set, its ``name`` in
words, the colour that a person paints with (``paint``), a second one for another thing of the same class (``second``),
and the colour that the network was trained on (``network``). Two paints are at least ``GAP`` levels apart in a channel,
and no paint is near the white of paper, so that each can be told from all others on a screen; a network's colours need
not be: ADE20K's road and skyscraper have the same one, and COCO-Stuff's are numbers. ``kin`` names the class that
stands in for one that a model of fewer classes does not know.

Names, numbers and network colours are facts of the data sets: ADE20K (Zhou et al., 2017; its colours as ControlNet-seg
was trained on them), COCO panoptic (Kirillov et al., 2019; annotations CC BY 4.0), COCO-Stuff (Caesar et al., 2018;
CC BY 4.0; network colours are the grey levels id - 1 of its label files) and Cityscapes (Cordts et al., 2016; train
ids, MIT). Paints that had to move, second paints and everything of ink-tiny are the project's own.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from ...stream.base.errors import ConfigError
from ...stream.base.names import did_you_mean

NAMES = ("ink-tiny", "ade20k", "coco", "coco-stuff", "cityscapes")
ABOUT = {
    "ink-tiny": "what the embedded model's scenes are made of",
    "ade20k": "150 classes of ADE20K, for ControlNet-seg (SD 1.5)",
    "coco": "133 classes of COCO panoptic, for ControlNet 1.1 seg",
    "coco-stuff": "the 171 of COCO-Stuff's 182 classes that are used; as label maps",
    "cityscapes": "19 classes of Cityscapes, by train id",
}
GAP = 8  # levels, in at least one channel, between any two paints of a palette

Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Thing:
    """A class of things; colours are RGB, 0 to 255."""

    number: int
    name: str
    paint: Rgb
    second: Rgb
    network: Rgb
    kin: str = ""


@dataclass(frozen=True, eq=False)
class Palette:
    """The classes of a palette in their order; a class is its place in it, 0 to ``len(things) - 1``, in label maps."""

    name: str
    things: tuple[Thing, ...]

    def network(self, known: int | None = None) -> np.ndarray:
        """(256, 3) uint8: what the network reads for each place; black for places that there are not.

        ``known``: a model knows so many of them, from the first, and is shown the kin of others.
        """
        places = {each.name: place for place, each in enumerate(self.things)}
        table = np.zeros((256, 3), np.uint8)
        for place, each in enumerate(self.things):
            while known is not None and places[each.name] >= known and each.kin:
                each = self.things[places[each.kin]]
            table[place] = each.network if known is None or places[each.name] < known else 0
        return table

    def paints(self) -> np.ndarray:
        """(2, classes, 3) uint8: what people paint each class with, and another thing of the same class."""
        return np.array([[each.paint for each in self.things], [each.second for each in self.things]], np.uint8)


@cache
def open_palette(name: str) -> Palette:
    """The palette of this name; raises ConfigError for one that there is not."""
    if name not in NAMES:
        raise ConfigError(f"palette: got {name!r}, expected one of: {', '.join(NAMES)}{did_you_mean(name, NAMES)}")
    text = files(__name__).joinpath(f"{name}.csv").read_text("utf-8")
    return Palette(name, tuple(_thing(row) for row in csv.DictReader(text.splitlines())))


def _thing(row: dict[str, str]) -> Thing:
    paint, second, network = (_rgb(row[key]) for key in ("paint", "second", "network"))
    return Thing(int(row["number"]), row["name"], paint, second, network, row.get("kin", ""))


def _rgb(text: str) -> Rgb:
    red, green, blue = bytes.fromhex(text.removeprefix("#"))
    return red, green, blue
