"""What a model is judged on: a folder of pairs, or scenes that are rendered for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...stream.base.errors import ConfigError
from ...stream.base.progress import Progress, silent
from ..data.sample import Part, Sample, Samples
from ..words import Vocabulary, single_words
from .colours import HUED

if TYPE_CHECKING:
    from ..data.scenes import Scene

SCENES = "scenes"
KEPT = f"a folder of pairs or of kept scenes, or {SCENES}:SEED:COUNT"
USUAL_SEED, USUAL_COUNT = 1_000_000, 96
MOST_SCENES = 2000  # they are all kept in memory
DETAILS = ("sky", "light")
RARE = 20  # times as many scenes are looked at as are wanted
BATCH = 8  # scenes rendered at once
HUE_SIDE = 128  # pixels of the pictures that only teach hues
HUE_TIMES = ("day", "sunset", "overcast", "night", "studio")
MOVED = ("car", "building")
SEQUENCES, FRAMES = 3, 8  # things that a camera moves around, and pictures of each
WALK = 0.16  # radians that it moves around them
PAIRS_FOR_HUES = 500


@dataclass(frozen=True, eq=False)
class Data:
    """Samples to judge on, and what else is needed for it."""

    name: str
    samples: Samples | Sequence[Sample]
    hues: Iterable[Sample]
    """True pictures that teach what a colour word looks like; may be the samples."""
    moving: tuple[tuple[Sample, ...], ...] = ()
    """Things while a camera moves around them, each in order of time."""


def open_data(
    text: str, side: int, count: int | None = None, progress: Progress = silent, words: Vocabulary | None = None
) -> Data:
    """Open a folder of pairs or of scenes (``inkstream scenes render``), or render ``scenes:SEED:COUNT``; pictures are
    ``side`` pixels square.

    ``count`` is how many are taken, the first ones; 96 unless said otherwise. Of scenes only those are taken whose
    tags have no words but ``words``, those that the judged model was taught. Raises ConfigError for a text that is
    neither, and for scenes of another size; DataError for a folder that holds no pairs.
    """
    numbers = check_data(text, count)
    if numbers is not None:
        return _scenes(text, *numbers, side, progress, words)
    from ..data.cache import ABOUT

    folder = Path(text).expanduser()
    return _kept(folder, side, count, progress, words) if (folder / ABOUT).is_file() else _pairs(folder, side, count)


def check_data(text: str, count: int | None = None) -> tuple[int, int] | None:
    """What ``open_data`` will be asked: the seed and the number of scenes, None for a folder; raises ConfigError."""
    if Path(text).expanduser().is_dir():
        return None
    kind, _, rest = text.partition(":")
    if kind != SCENES:
        raise ConfigError(f"--data: got {text!r}, expected {KEPT}")
    parts = rest.split(":")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
        raise ConfigError(f"--data: got {text!r}, expected {SCENES}:SEED:COUNT, for example {SCENES}:1000000:96")
    wanted = int(parts[1]) if len(parts) == 2 else count or USUAL_COUNT
    wanted = min(wanted, count or wanted)
    if not 1 <= wanted <= MOST_SCENES:
        raise ConfigError(f"--data: got {wanted} scenes, expected 1 to {MOST_SCENES}")
    return int(parts[0]), wanted


def scenes_in_words(seed: int, count: int, words: Vocabulary | None) -> list[Scene]:
    """``count`` scenes from a seed on, of those whose tags have no words but ``words``; all are taken without them, and
    where hardly any scene is known. Sky and side of the light are details that a model need not know."""
    from ..data.scenes import sample_scene

    found: list[Scene] = []
    for number in range(RARE * count):
        scene = sample_scene(seed + number)
        if _known(scene.tags, words):
            found.append(scene)
        if len(found) == count:
            return found
    return [sample_scene(seed + number) for number in range(count)]


def _known(tags: Mapping[str, str], words: Vocabulary | None) -> bool:
    from ..data.grammar import NONE

    said = [word for tag, word in tags.items() if tag not in DETAILS and word != NONE]
    return words is None or words.known.issuperset(single_words(" ".join(said)))


def _kept(folder: Path, side: int, count: int | None, progress: Progress, words: Vocabulary | None) -> Data:
    """Scenes that are there already, whoever painted them, of words that the model was taught, if there are any."""
    from ..data.cache import SceneCache

    cache = SceneCache.kept(folder, count, progress)
    if cache.size != side:
        raise ConfigError(
            f"--data: got scenes of {cache.size} pixels, expected {side}; render them with --size {side}, or add "
            f"--size {cache.size}"
        )
    known = [index for index in range(len(cache)) if _known(cache[index].tags, words)]
    rows = (known or list(range(len(cache))))[: count or USUAL_COUNT]
    hues, moving = _taught(cache.scene(0).seed, [cache.scene(row) for row in rows], side, progress)
    return Data(str(folder), [cache[row] for row in rows], hues, moving)


def _scenes(
    text: str, seed: int, count: int, side: int, progress: Callable[..., Any], words: Vocabulary | None
) -> Data:
    scenes = scenes_in_words(seed, count, words)
    samples = _rendered(scenes, side, lambda part: progress("rendering scenes", part))
    return Data(text, samples, *_taught(seed, scenes, side, progress))


def _taught(
    seed: int, scenes: Sequence[Scene], side: int, progress: Callable[..., Any]
) -> tuple[list[Sample], tuple[tuple[Sample, ...], ...]]:
    """``hues`` and ``moving`` of ``Data``, by the fast painter."""
    from ..data.scenes import sample_scene

    painted = [
        sample_scene(seed + number, "car", colour=colour, time=time)
        for number, (colour, time) in enumerate((colour, time) for colour in HUED for time in HUE_TIMES)
    ]
    hues = _rendered(painted, min(side, HUE_SIDE), lambda part: progress("learning hues", part))
    things = [scene for scene in scenes if scene.kind in MOVED][:SEQUENCES]
    moving = []
    for number, thing in enumerate(things):
        frames: list[Scene] = [
            thing.seen_from(yaw=thing.view.yaw + WALK * frame / (FRAMES - 1)) for frame in range(FRAMES)
        ]
        progress("a camera moves", number / len(things))
        moving.append(tuple(_rendered(frames, side)))
    return hues, tuple(moving)


def _rendered(scenes: Sequence[Any], side: int, at: Callable[[float], Any] = lambda part: None) -> list[Sample]:
    """Samples of scenes, a few at a time, so that memory stays small."""
    from ..data.render import render
    from ..data.scenes import samples

    found: list[Sample] = []
    for start in range(0, len(scenes), BATCH):
        at(start / len(scenes))
        some = scenes[start : start + BATCH]
        found += samples(render(some, side), some)
    return found


def _pairs(folder: Path, side: int, count: int | None) -> Data:
    """The validation split of a folder; one without splits is taken whole. Its training pairs teach the hues."""
    from ..data.folder import METADATA, Pairs

    has = [split for split in ("validation", "train") if (folder / split / METADATA).is_file()]
    judged = Pairs(folder, has[0] if has else "train", side)
    samples = _first(judged, count or USUAL_COUNT)
    teaching = Pairs(folder, "train", min(side, HUE_SIDE)) if "train" in has else samples
    return Data(str(folder), samples, _first(teaching, PAIRS_FOR_HUES))


def _first(samples: Samples, count: int) -> Part:
    return Part(samples, 0, min(count, len(samples)))
