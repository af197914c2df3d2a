"""Looks that styles are trained on: the same scenes as ever, as three makers would show them.

A pair of a look has the drawing and the caption of a scene and a picture that only the look explains, so that a LoRA
learns the look and no new word: ``night`` shows a scene by night whatever time its caption names, ``clay`` as a model
of bare clay in a studio, ``print`` as a screen print in five inks.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from ...stream.base.errors import ConfigError
from ...stream.base.files import png
from ...stream.base.progress import Progress, silent
from ._journal import write_atomically
from ._scene import Scene
from .folder import ABOUT, METADATA, Row, write_rows
from .grammar import INSIDE
from .palette import NUMBER
from .render import render
from .sample import Sample
from .scenes import captions, drawings, sample_scene

MOST_PAIRS = 1000
FIRST_SEED = 5_000_000  # far from the scenes that base models learn from and are judged on
LIGHT = np.array([-0.5, 0.62, 0.6], np.float32) / np.float32(0.999)  # from the left, above, over the shoulder
CLAY, CLAY_SHADE, BACKDROP = (214, 186, 160), (96, 70, 62), (226, 220, 212)  # RGB
INKS = {"navy": (24, 34, 68), "teal": (38, 116, 124), "coral": (232, 98, 70), "straw": (244, 196, 98)}
PAPER = (248, 238, 216)
WIDE = [NUMBER[name] for name in ("sky", "ground", "hill", "sea", "sand", "grass", "rock", "mountain")]


@dataclass(frozen=True, eq=False)
class Seen:
    """Everything of one rendered scene; all arrays are H x W."""

    picture: np.ndarray
    """(H, W, 3) uint8 RGB."""
    depth: np.ndarray
    """(H, W) float32, metres; inf in the sky."""
    normals: np.ndarray
    """(H, W, 3) float32 unit vectors: to the right, up, towards the camera."""
    lines: np.ndarray
    """(H, W) uint8, exact, white on black."""
    labels: np.ndarray
    """(H, W) uint8, classes."""


@dataclass(frozen=True)
class Look:
    """How one maker shows scenes: ``scene`` is what is rendered instead, ``develop`` what becomes of the render."""

    name: str
    about: str
    scene: Callable[[Scene], Scene]
    develop: Callable[[Seen], np.ndarray]


def pairs(look: str, count: int, size: int = 256) -> Iterator[Sample]:
    """``count`` pairs of a look, always the same ones. Raises ConfigError for a look that is not there."""
    chosen = look_of(look)
    if not 1 <= count <= MOST_PAIRS:
        raise ConfigError(f"pairs: got {count}, expected 1 to {MOST_PAIRS}")
    drawn = map(sample_scene, itertools.count(FIRST_SEED))
    # A look is to change these, too, and has nothing to show there.
    shown = (scene for scene in drawn if scene.tags["time"] not in (*INSIDE, "night"))
    for scene in itertools.islice(shown, count):
        renders = render([chosen.scene(scene)], size)
        seen = Seen(
            renders.pixels()[0],
            renders.depth[0].numpy(),
            renders.normals[0].permute(1, 2, 0).numpy(),
            renders.lines[0].numpy(),
            renders.labels[0].numpy(),
        )
        sketch = drawings(seen.lines, scene.seed, 1)[0]
        yield Sample(chosen.develop(seen), sketch, captions(scene), seen.lines, seen.labels, scene.tags)


def write_pairs(
    folder: str | Path, look: str, count: int = 36, validation: int = 4, size: int = 256, progress: Progress = silent
) -> Path:
    """Write a folder of pairs, as ``inkstream prepare`` leaves one: ``count`` to learn from, and ``validation``.

    What is there already is written again. Raises ConfigError for a look that is not there, OSError where the folder
    cannot be written.
    """
    root, total = Path(folder).expanduser(), count + validation
    rows: dict[str, list[Row]] = {"train": [], "validation": []}
    for number, sample in enumerate(pairs(look, total, size)):
        progress(f"pairs of the look {look}", number / total)
        split = "train" if number < count else "validation"
        assert sample.labels is not None
        names = {kind: f"{kind}/{number:04}.png" for kind in ("pictures", "sketches", "labels")}
        for kind, pixels in (("pictures", sample.picture), ("sketches", sample.sketch), ("labels", sample.labels)):
            write_atomically(root / split / names[kind], png(pixels))
        first, *others = sample.captions
        rows[split].append(
            Row(names["pictures"], names["sketches"], first, tuple(others), names["labels"], dict(sample.tags))
        )
    for split, listed in rows.items():
        write_rows(root / split / METADATA, listed)
    counts = {split: len(listed) for split, listed in rows.items()}
    write_atomically(root / ABOUT, json.dumps({"look": look, "counts": counts}, indent=2).encode())
    return root


def look_of(name: str) -> Look:
    """A look by its name; raises ConfigError for one that is not there."""
    if name not in LOOKS:
        raise ConfigError(f"look: got {name!r}, expected one of: {', '.join(LOOKS)}")
    return LOOKS[name]


# --- night


def _by_night(scene: Scene) -> Scene:
    return replace(scene, tags={**scene.tags, "time": "night"})


def _glowing(seen: Seen) -> np.ndarray:
    """Blue moonlight, and a halo around everything that shines."""
    values = seen.picture.astype(np.float32) / 255
    grey = values @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    shines = np.isin(seen.labels, [NUMBER["window"], NUMBER["light"]]) & (grey > 0.45)
    source = values * shines[..., None]
    halo = np.sum([cv2.GaussianBlur(source, (0, 0), len(grey) * part) for part in (0.012, 0.035, 0.09)], 0)
    moonlit = values * np.array([1.03, 1.18, 1.58], np.float32)  # exposed so long that lines still show
    graded = np.where(shines[..., None], values, moonlit)
    return _bytes(1 - (1 - graded.clip(0, 1)) * (1 - 0.55 * halo.clip(0, 1)))


# --- clay


def _of_clay(seen: Seen) -> np.ndarray:
    """One bare material: soft light from the left, dark where it is deep, a groove along every line."""
    facing = np.clip((seen.normals @ LIGHT + 0.25) / 1.25, 0, 1)  # light reaches a little around
    above = 0.5 + 0.5 * seen.normals[..., 1]
    near = np.where(np.isfinite(seen.depth), 1 / np.maximum(seen.depth, 1e-3), 0).astype(np.float32)
    side = len(near)
    deep = np.zeros_like(near)
    for part in (0.01, 0.04):  # darker where the surroundings are nearer (Luft et al. 2006)
        deep += np.clip((cv2.GaussianBlur(near, (0, 0), side * part) - near) / np.maximum(near, 1e-4), 0, 0.5)
    groove = cv2.GaussianBlur(seen.lines.astype(np.float32) / 255, (0, 0), side / 256)
    light = (0.18 + 0.62 * facing + 0.25 * above) * (1 - 0.5 * np.clip(deep, 0, 1)) * (1 - 0.65 * groove)
    share = np.clip(light, 0, 1)[..., None]
    clay = np.array(CLAY_SHADE) * (1 - share) + np.array(CLAY) * share * 1.08
    sky = seen.labels == NUMBER["sky"]
    down = np.linspace(1.06, 0.86, side, dtype=np.float32)[:, None, None]
    backdrop = np.array(BACKDROP) * down * (1 - 0.5 * groove[..., None])
    return _bytes(np.where(sky[..., None], backdrop, clay) / 255)


# --- print


def _printed(seen: Seen) -> np.ndarray:
    """Flat areas of five inks, by how light and how warm they were; the drawing on top in the darkest."""
    smooth = seen.picture
    for _ in range(3):
        smooth = cv2.bilateralFilter(smooth, 9, 40, 9)
    lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB).astype(np.float32)
    own = np.where(np.isin(seen.labels, WIDE), 0.0, 0.35)[..., None]  # grass and clouds would make blots
    flat = own * lab + (1 - own) * _means(lab, seen.labels)
    lightness, warmth = flat[..., 0] / 255, (flat[..., 1] - 128) * 0.6 + (flat[..., 2] - 128)
    warm = warmth > 4
    inks = np.empty(seen.picture.shape, np.float32)
    inks[:] = PAPER
    inks[(lightness < 0.82) & warm] = INKS["straw"]
    inks[(lightness < 0.66) & warm] = INKS["coral"]
    inks[(lightness < 0.70) & ~warm] = INKS["teal"]
    inks[lightness < 0.30] = INKS["navy"]
    inks = cv2.GaussianBlur(inks, (0, 0), len(inks) / 400)  # ink runs a little into paper
    drawn = (seen.lines.astype(np.float32) / 255)[..., None]
    return _bytes((inks * (1 - drawn) + np.array(INKS["navy"]) * drawn) / 255)


def _means(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(H, W, 3): the mean of the class that each pixel belongs to."""
    found = np.empty_like(values)
    for number in np.unique(labels):
        here = labels == number
        found[here] = values[here].mean(0)
    return found


def _bytes(values: np.ndarray) -> np.ndarray:
    return (values.clip(0, 1) * 255).round().astype(np.uint8)


def _as_it_is(scene: Scene) -> Scene:
    return scene


LOOKS = {
    look.name: look
    for look in (
        Look("night", "a night mood: moonlight, and everything that shines glows", _by_night, _glowing),
        Look("clay", "a model of bare clay in soft studio light", _as_it_is, _of_clay),
        Look("print", "a screen print in five inks on cream paper", _as_it_is, _printed),
    )
}
