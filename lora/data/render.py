"""Pictures of scenes, with everything that is known about every pixel; batched in torch, on any device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...stream.base.errors import ConfigError
from . import _outline
from ._building import paint_buildings
from ._camera import rays
from ._canvas import Canvas
from ._car import paint_cars
from ._landscape import paint_landscapes
from ._light import developed, light_of
from ._noise import dot, unit
from ._sun import paint_sun
from ._thing import paint_things

if TYPE_CHECKING:
    from ._scene import Scene

LOOK = 5  # grows whenever pictures change, so that no set of them mixes two looks
STEP = 4  # sizes are multiples of this
LARGER = 3, 2  # a picture is drawn half as large again, and then brought down
AT_ONCE = {"cpu": 1, "other": 32}  # pictures of one kind, as memory allows; one stays within a CPU's caches
_PAINTERS: dict[str, Callable[..., None]] = {
    "car": paint_cars,
    "building": paint_buildings,
    "landscape": paint_landscapes,
    "thing": paint_things,
}


@dataclass(frozen=True, eq=False)
class Renders:
    """B pictures of H x W pixels, on the device that rendered them."""

    picture: Tensor
    """(B, 3, H, W) float32 RGB, 0 to 1."""
    labels: Tensor
    """(B, H, W) uint8, indices of ``palette.CLASSES``."""
    depth: Tensor
    """(B, H, W) float32, metres along the view axis; inf in the sky."""
    normals: Tensor
    """(B, 3, H, W) float32 unit vectors: to the right, up, towards the camera."""
    lines: Tensor
    """(B, H, W) uint8, white on black: what a person would draw, exactly."""

    def pixels(self) -> np.ndarray:
        """The pictures, (B, H, W, 3) uint8 RGB."""
        return (self.picture * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def render(scenes: Sequence[Scene], size: int = 256, device: str | torch.device = "cpu") -> Renders:
    """Render scenes, of whatever kinds, to pictures of ``size`` x ``size``.

    A scene gives the same picture alone or among others. Raises ConfigError for a size that is not a multiple of 4 from
    32 to 2048, and for no scenes.
    """
    check_size(size)
    if not scenes:
        raise ConfigError("got no scenes, expected at least one")
    on = torch.device(device)
    together = AT_ONCE.get(on.type, AT_ONCE["other"])
    kinds = dict.fromkeys(scene.kind for scene in scenes)
    order: list[int] = []
    parts: list[tuple[Tensor, ...]] = []
    with torch.inference_mode(), torch.autocast(on.type, enabled=False):
        for kind in kinds:
            rows = [index for index, scene in enumerate(scenes) if scene.kind == kind]
            for start in range(0, len(rows), together):
                some = rows[start : start + together]
                parts.append(_rendered([scenes[index] for index in some], size, on))
                order += some
        back = torch.tensor(order, device=on).argsort()
        return Renders(*(torch.cat(each)[back] for each in zip(*parts, strict=True)))


def check_size(size: int) -> None:
    """Raise ConfigError for a size that ``render`` does not take."""
    if size % STEP or not 32 <= size <= 2048:
        raise ConfigError(f"size: got {size}, expected a multiple of {STEP} from 32 to 2048")


def _rendered(scenes: list[Scene], size: int, device: torch.device) -> tuple[Tensor, ...]:
    """The fields of ``Renders`` for scenes of one kind."""
    through = rays([scene.view for scene in scenes], size * LARGER[0] // LARGER[1], device)
    light = light_of(scenes, device)
    canvas = Canvas.of_sky(light.over_pictures(), through)
    paint_sun(canvas, scenes, through)
    _PAINTERS[scenes[0].kind](canvas, scenes, light, through)
    camera = through.camera.over_pictures()
    normal = _outline.picked(canvas.normal, size)  # (3, B, size, size) in the world
    toward = -camera.forward
    seen = torch.stack([dot(normal, axis) for axis in (camera.right, camera.up, toward)])
    stroke = canvas.stroke | _outline.creases(canvas.normal, canvas.label)
    return (
        _outline.brought_down(developed(canvas.colour), size).clamp(0, 1).transpose(0, 1).contiguous(),
        _outline.picked(canvas.label, size),
        _outline.picked(canvas.depth, size),
        unit(seen).transpose(0, 1).contiguous(),
        _outline.clean_lines(canvas.part, stroke, size),
    )
