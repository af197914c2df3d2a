"""A scene: one thing, its surroundings, and where it is seen from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ...stream.base.errors import ConfigError
from ._camera import View
from ._car_shape import view_word


@dataclass(frozen=True)
class Scene:
    """One thing, its surroundings, and where it is seen from."""

    seed: int
    kind: str
    tags: Mapping[str, str]
    """What it is, in the words of ``vocabulary()``; "none" where something is left out."""
    shape: Mapping[str, float]
    """Its measures, in metres; a landscape's in picture sizes."""
    view: View

    def seen_from(self, yaw: float | None = None, pitch: float | None = None, zoom: float | None = None) -> Scene:
        """The same thing with the camera elsewhere; what is not given stays.

        ``yaw`` and ``pitch`` are in radians: around the thing (a car's left side is at 0, its front at pi / 2), and
        down upon it; in a landscape the camera turns instead. ``zoom`` 2 makes everything twice as large. A car's
        ``view`` tag follows. Raises ConfigError for a pitch that is not from -0.1 to 1.2, or a zoom not from 0.2 to 5.
        """
        view = replace(
            self.view,
            yaw=self.view.yaw if yaw is None else yaw,
            pitch=self.view.pitch if pitch is None else pitch,
            zoom=self.view.zoom if zoom is None else zoom,
        )
        if not math.isfinite(view.yaw):
            raise ConfigError(f"yaw: got {view.yaw}, expected a number of radians")
        if not -0.1 <= view.pitch <= 1.2:
            raise ConfigError(f"pitch: got {view.pitch:g}, expected -0.1 to 1.2 radians")
        if not 0.2 <= view.zoom <= 5:
            raise ConfigError(f"zoom: got {view.zoom:g}, expected 0.2 to 5")
        tags = {**self.tags, "view": view_word(view.yaw)} if self.kind == "car" else self.tags
        return replace(self, view=view, tags=tags)
