"""Looks that styles are trained on: the same scenes as ever, as eight makers would show them.

A pair of a look has the drawing and the caption of a scene and a picture that only the look explains, so that a LoRA
learns the look and no new word: ``night`` shows a scene by night whatever time its caption names, ``clay`` all of it as
a model of bare pale clay, ``studio-clay`` its figure as a car studio models it in brown clay with tape on it.

A look knows the picture of a scene, its lines and its classes, whoever painted it. What it does follows from these, by
what is near and not by where it is in the picture: a small network can imitate that, and a picture that is finished in
tiles gets no margins. Paper, grain and grid are the same in every picture, and faint, because nothing explains them.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ....stream.base.errors import ConfigError
from ....stream.base.files import png, write_whole
from ....stream.base.progress import Progress, silent
from .. import scenes as rendered
from ..folder import ABOUT, METADATA, Row, write_rows
from ..sample import Sample, Samples
from ._blueprint import blueprint
from ._clay import clay
from ._marker import marker
from ._night import night
from ._noir import noir
from ._print import INKS as INKS
from ._print import PAPER as PAPER
from ._print import printed
from ._seen import Seen
from ._studio_clay import studio_clay
from ._watercolour import watercolour

MOST_PAIRS = 1000
FIRST_SEED = 5_000_000  # far from the scenes that base models learn from and are judged on


@dataclass(frozen=True)
class Look:
    """How one maker shows scenes."""

    name: str
    about: str
    develop: Callable[[Seen], np.ndarray]
    """What becomes of a scene: (H, H, 3) float32 RGB, 0 to 1; what is beyond is cut off."""

    def shown(self, sample: Sample) -> np.ndarray:
        """(H, H, 3) uint8 RGB: a sample's picture in this look. Raises ConfigError without exact lines or classes."""
        if sample.clean is None or sample.labels is None:
            raise ConfigError("got a sample without exact lines or classes, expected one of a scene that was rendered")
        seen = Seen(sample.picture, sample.clean, sample.labels, sample.tags)
        return (self.develop(seen).clip(0, 1) * 255).round().astype(np.uint8)


LOOKS = {
    look.name: look
    for look in (
        Look("night", "a night mood: moonlight, and everything that shines glows", night),
        Look("clay", "a model of bare clay in soft studio light", clay),
        Look("print", "a screen print in five inks on cream paper", printed),
        Look(
            "studio-clay",
            "a car studio's model: brown clay with crisp lights and black tape, in a grey hall",
            studio_clay,
        ),
        Look("marker", "a marker rendering: layers of ink, white gouache, outlines, white paper around", marker),
        Look("watercolour", "line and wash: pencil, washes with dark edges and blooms, rough paper", watercolour),
        Look("blueprint", "a blueprint: white lines of three weights on cyanotype blue", blueprint),
        Look("noir", "film noir: hard light, deep blacks, mist, wet ground", noir),
    )
}


def look_of(name: str) -> Look:
    """A look by its name; raises ConfigError for one that is not there."""
    if name not in LOOKS:
        raise ConfigError(f"look: got {name!r}, expected one of: {', '.join(LOOKS)}")
    return LOOKS[name]


def pairs(look: str, count: int, size: int = 256, scenes: Samples | None = None) -> Iterator[Sample]:
    """``count`` pairs of a look, always the same ones: of the first of ``scenes``, or of scenes of its own.

    ``scenes`` know their exact lines and classes, and are ``size`` x ``size``: a ``SceneCache``. Raises ConfigError for
    a look that is not there, and for scenes that are too few or of another size.
    """
    chosen = look_of(look)
    most = MOST_PAIRS if scenes is None else min(len(scenes), MOST_PAIRS)
    if not 1 <= count <= most:
        raise ConfigError(f"pairs: got {count}, expected 1 to {most}")
    for sample in _own(count, size) if scenes is None else map(scenes.__getitem__, range(count)):
        height, width = sample.picture.shape[:2]
        if (height, width) != (size, size):
            raise ConfigError(f"scenes: got pictures of {width}x{height}, expected {size}x{size}")
        yield replace(sample, picture=chosen.shown(sample))


def _own(count: int, size: int) -> Iterator[Sample]:
    for seed in itertools.islice(itertools.count(FIRST_SEED), count):
        scene = rendered.sample_scene(seed)
        yield from rendered.samples(rendered.render([scene], size), [scene])


def write_pairs(
    folder: str | Path,
    look: str,
    count: int = 36,
    validation: int = 4,
    size: int = 256,
    progress: Progress = silent,
    scenes: Samples | None = None,
) -> Path:
    """Write a folder of pairs, as ``inkstream prepare`` leaves one: ``count`` to learn from, and ``validation``.

    What is there already is written again. Raises what ``pairs`` raises, OSError where the folder cannot be written.
    """
    root, total = Path(folder).expanduser(), count + validation
    rows: dict[str, list[Row]] = {"train": [], "validation": []}
    for number, sample in enumerate(pairs(look, total, size, scenes)):
        progress(f"pairs of the look {look}", number / total)
        split = "train" if number < count else "validation"
        assert sample.labels is not None
        names = {kind: f"{kind}/{number:04}.png" for kind in ("pictures", "sketches", "labels")}
        for kind, pixels in (("pictures", sample.picture), ("sketches", sample.sketch), ("labels", sample.labels)):
            path = root / split / names[kind]
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, png(pixels))
        first, *others = sample.captions
        rows[split].append(
            Row(names["pictures"], names["sketches"], first, tuple(others), names["labels"], dict(sample.tags))
        )
    for split, listed in rows.items():
        write_rows(root / split / METADATA, listed)
    counts = {split: len(listed) for split, listed in rows.items()}
    write_whole(root / ABOUT, json.dumps({"look": look, "counts": counts}, indent=2).encode())
    return root
