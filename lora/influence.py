"""What ``drawing_influence`` means to a model: ``influence.json`` in its folder, influence -> [control, ink].

``control`` is what ControlNets' scales are multiplied with; ``ink``, 0 to 1, how dark the drawn lines lie over the
picture. ``{"25": [0.05, 0], "50": [1, 0], "100": [3, 1]}`` for example; between two points both go straight. A model
without the file has the usual ones. The file is there because models answer differently: the embedded one has taken
most of a drawing at a twentieth of its ControlNet's strength, and is torn apart by six times that of others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from ..stream.base.errors import ModelError
from ..stream.base.files import json_bytes, write_whole
from ..stream.base.names import short
from .safety import read_config
from .styles import model_folder

FILE = "influence.json"
MOST_CONTROL = 4.0  # as conditioning_scale
MIDDLE = 50.0  # where a picture is as it was configured


class Influence(NamedTuple):
    """What an influence does."""

    control: float
    ink: float


Curve = Sequence[tuple[float, Influence]]
# More control than 1.5 tears the pictures of most models apart.
USUAL: Curve = ((0.0, Influence(0.0, 0.0)), (MIDDLE, Influence(1.0, 0.0)), (100.0, Influence(1.5, 0.0)))


def at(curve: Curve, drawing_influence: float) -> Influence:
    """What an influence of 0 to 100 does on a curve that goes from 0 to 100."""
    for (low, first), (high, second) in pairwise(curve):
        if drawing_influence <= high:
            share = (drawing_influence - low) / (high - low)
            return Influence(*(a + share * (b - a) for a, b in zip(first, second, strict=True)))
    return curve[-1][1]


def read_influence(folder: str | Path) -> Curve:
    """That of a model's folder; the usual one where there is no such file. Raises ModelError for a wrong one."""
    path = Path(folder) / FILE
    if not path.is_file():
        return USUAL
    points = {0.0: Influence(0.0, 0.0)}
    for name, value in read_config(path).items():
        if not (_number(name) and _right(float(name), value)):
            raise ModelError(
                f"{path}: {short(name)}: got {short(value)}, expected for an influence of 0 to 100 a pair: control, "
                f"0 to {MOST_CONTROL:g}, and ink, 0 to 1; 50 must be [1, 0]"
            )
        points[float(name)] = Influence(float(value[0]), float(value[1]))
    if not {MIDDLE, 100.0} <= points.keys():
        raise ModelError(
            f"{path}: got {', '.join(f'{each:g}' for each in sorted(points))}, expected 50 and 100 as well"
        )
    return tuple(sorted(points.items()))


def write_influence(folder: str | Path, points: Mapping[float, tuple[float, float]]) -> Path:
    """Write a model's curve into its folder; gives the path. Raises OSError when it cannot be written."""
    table = {f"{influence:g}": list(pair) for influence, pair in sorted(points.items())}
    return write_whole(Path(folder) / FILE, json_bytes(table))


def influence_of(pipe: Any) -> Curve:
    """That of a loaded pipeline's model. Raises ModelError."""
    folder = model_folder(pipe)
    return USUAL if folder is None else read_influence(folder)


def _number(text: str) -> bool:
    try:
        return 0.0 <= float(text) <= 100.0
    except ValueError:
        return False


def _right(influence: float, pair: Any) -> bool:
    if not isinstance(pair, list) or len(pair) != 2 or not all(type(each) in (int, float) for each in pair):
        return False
    control, ink = pair
    return 0 <= control <= MOST_CONTROL and 0 <= ink <= 1 and (influence != MIDDLE or (control, ink) == (1, 0))
