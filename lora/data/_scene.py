"""A scene: one thing, its surroundings, and where it is seen from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

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

    def seen_from(self, yaw: float) -> Scene:
        """The same thing from ``yaw`` radians around it: a car's left side is at 0, its front at pi / 2.

        In a landscape the camera turns instead. A car's ``view`` tag follows.
        """
        tags = {**self.tags, "view": view_word(yaw)} if self.kind == "car" else self.tags
        return replace(self, view=replace(self.view, yaw=yaw), tags=tags)
