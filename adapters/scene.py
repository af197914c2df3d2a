"""Condition images that only a 3D scene, or a network, knows: depth, normals, classes of things."""

from __future__ import annotations

import numpy as np

from ..stream.base.errors import FrameError
from ..stream.base.passes import Passes, depth_picture
from .preprocessor import Preprocessor

SOURCES = "scene:… or gbuffer:… as the source"


class Depth(Preprocessor):
    """How near everything is: near is white, as depth ControlNets take it."""

    finds_lines = False

    def _from(self, passes: Passes) -> np.ndarray | None:
        return None if passes.depth is None else depth_picture(passes.depth)

    def _make(self, pixels: np.ndarray) -> np.ndarray:
        raise _unknown("depth")


class Normal(Preprocessor):
    """Which way everything faces, in BAE's colours (``lllyasviel/control_v11p_sd15_normalbae``)."""

    finds_lines = False

    def _from(self, passes: Passes) -> np.ndarray | None:
        return passes.normal

    def _make(self, pixels: np.ndarray) -> np.ndarray:
        raise _unknown("normal")


def _unknown(what: str) -> FrameError:
    return FrameError(
        f"{what}: this picture came without its {what}, and a picture alone does not say it; take {SOURCES}, or a "
        "preprocessor that reads drawings (scribble, lineart)"
    )
