"""A picture that has its passes beside it, as programs show them that can write no files: half colour, half depth."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import ConfigError, FrameError
from ...base.frame import Origin
from ...base.passes import Passes
from .folder import Depth, colour_of, depth_of, ids_of, normals_of

PARTS = ("colour", "depth", "normal", "ids")


class BesideSource:
    """Another source, whose pictures are cut into parts of one width, from left to right as in ``order``.

    Everything else (whether it is live, where it is, how it comes back) is that source's own.
    """

    moves = True

    def __init__(self, beside: Any, order: str = "colour|depth", depth: Depth = "near") -> None:
        """``beside`` is a source, or a specification of one. Raises ConfigError, and what opening it raises."""
        from .. import open_source

        self._order = [each.strip() for each in order.split("|")]
        wrong = [each for each in self._order if each not in PARTS]
        if wrong or self._order.count("colour") != 1 or len(set(self._order)) != len(self._order):
            raise ConfigError(f"gbuffer: got order={order!r}, expected colour once, and others of: {', '.join(PARTS)}")
        if len(self._order) < 2:
            raise ConfigError(f"gbuffer: got order={order!r}, expected two parts or more, for example colour|depth")
        if depth == "z":
            raise ConfigError("gbuffer: got depth=z, expected near or far: a screen has grey levels, and no lengths")
        self._depth = depth
        self._source = open_source(beside) if isinstance(beside, str) else beside
        self.passes: Passes | None = None
        self._count = 0

    def __getattr__(self, name: str) -> Any:
        # ``again`` would open the other source alone, without what is cut from its pictures.
        if name.startswith("_") or name == "again":
            raise AttributeError(name)
        return getattr(self._source, name)

    @property
    def live(self) -> bool:
        return self._source.live

    @property
    def origin(self) -> Origin:
        """What the other source says of its picture."""
        return getattr(self._source, "origin", Origin(self.live))

    def read(self) -> np.ndarray:
        """The colour part, (H, W, 3) uint8 RGB. Raises FrameError for a picture that is too narrow to be cut."""
        whole = self._source.read()
        parts = len(self._order)
        width = whole.shape[1] // parts
        if width < 16:
            raise FrameError(
                f"gbuffer: got a picture {whole.shape[1]} pixels wide, expected {parts} parts of 16 or more"
            )
        found = {
            name: np.ascontiguousarray(whole[:, index * width : (index + 1) * width])
            for index, name in enumerate(self._order)
        }
        depth = depth_of(found["depth"]) if "depth" in found else None
        if depth is not None and self._depth == "far":
            depth = np.where(depth >= 1.0, 0.0, 1.0 - depth).astype(np.float32)
        self.passes = Passes(
            depth,
            normals_of(found["normal"], "left") if "normal" in found else None,
            ids_of(found["ids"]) if "ids" in found else None,
            number=self._count,
        )
        self._count += 1
        return colour_of(found["colour"])

    def close(self) -> None:
        self._source.close()
