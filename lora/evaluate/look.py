"""Pages to look at: drawings by several hands, each in three prompts, with and without palette, in 1, 2 and 4 steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ...stream.base.page import FAINT, Page
from ...stream.base.progress import Progress, silent
from ..data import grammar
from ..data.childlike import childlike
from ..data.grammar import INSIDE
from ..data.palette import control_image
from ..data.render import render
from ..data.scenes import Scene, caption, samples, seen_air
from ..words import Vocabulary
from .data import USUAL_SEED, scenes_in_words
from .rendering import Renderer

COUNT, CHILDLIKE, A_PAGE = 48, 8, 8  # drawings, those of them by another hand, and how many stand on a page
STEPS = (1, 2, 4)
GAP, HEAD, LINE = 4, 40, 15  # pixels
CELL = 128
CHILDREN = {
    "car": (
        "a glossy red sedan car, side view, on road, day",
        "a metallic teal suv car, side view, on sand, sunset",
        "a matte white van car, side view, on snow, night",
    ),
    "house": (
        "a red brick house with a gable roof, on grass, day",
        "a brown wood cottage with a gable roof, on snow, sunset",
        "a grey stone house with a gable roof, on grass, night",
    ),
}


@dataclass(frozen=True, eq=False)
class Drawn:
    """A drawing with what it may become."""

    lines: np.ndarray
    """(H, W) uint8, white on black."""
    labels: np.ndarray
    """(H, W) uint8, classes."""
    prompts: tuple[str, ...]


def drawings(side: int, count: int = COUNT, seed: int = USUAL_SEED, words: Vocabulary | None = None) -> Iterator[Drawn]:
    """``count`` drawings that no training saw: of rendered scenes that ``words`` can say, and the last ones of another
    hand."""
    children = min(CHILDLIKE, count)
    for scene in scenes_in_words(seed, count - children, words) if count > children else ():
        rendered = samples(render([scene], side), [scene])[0]
        assert rendered.labels is not None
        yield Drawn(rendered.sketch, rendered.labels, tuple(caption(each) for each in (scene, *_others(scene))))
    for number in range(children):
        made = childlike(seed + number, side)
        yield Drawn(made.lines, made.labels, CHILDREN[made.kind])


def _others(scene: Scene) -> list[Scene]:
    """The same scene in two other liveries: another colour or material, another time of day."""
    found = []
    for step in (1, 2):
        tags = dict(scene.tags)
        place = 0 if tags["time"] in INSIDE else grammar.TIMES.index(tags["time"])
        if tags["time"] not in INSIDE:
            tags["time"] = grammar.TIMES[(place + step) % len(grammar.TIMES)]
        if tags.get("ground") != grammar.TABLE:
            tags |= seen_air(tags["time"])
        if scene.kind == "car":
            tags["colour"] = _next(grammar.CAR_COLOURS, tags["colour"], 3 * step)
        elif scene.kind == "building":
            tags["material"] = _next(grammar.MATERIALS[tags["style"]], tags["material"], step)
            tags["colour"] = grammar.BUILDING_COLOURS[tags["material"]][0]
        elif scene.kind == "thing":
            tags["material"] = _next([name for name in grammar.MATTER if name != "neon"], tags["material"], step)
            tags["colour"], tags["second"] = grammar.MATTER[tags["material"]][0], grammar.NONE
        else:
            tags["near"] = _next(grammar.NEARS, tags["near"], step)
        found.append(Scene(scene.seed, scene.kind, tags, scene.shape, scene.view))
    return found


def _next(words: Sequence[str], word: str, step: int) -> str:
    place = list(words).index(word) if word in words else -1
    return words[(place + step) % len(words)]


def pages(renderer: Renderer, drawn: Sequence[Drawn], progress: Progress = silent) -> Iterator[np.ndarray]:
    """One page (H, W, 3) uint8 RGB for every eight drawings, all their renders on it."""
    columns = [(palette, prompt, steps) for palette in (False, True) for prompt in range(3) for steps in STEPS]
    found: dict[tuple[bool, int, int], list[np.ndarray]] = {}
    for number, (palette, prompt, steps) in enumerate(columns):
        progress("rendering the look", number / len(columns))
        jobs = [
            (control_image(each.lines, each.labels if palette else None), each.prompts[prompt % len(each.prompts)])
            for each in drawn
        ]
        found[palette, prompt, steps] = list(renderer.sketches(jobs, steps))
    for start in range(0, len(drawn), A_PAGE):
        rows = range(start, min(start + A_PAGE, len(drawn)))
        yield _page(drawn, rows, columns, found)


def _page(
    drawn: Sequence[Drawn],
    rows: range,
    columns: Sequence[tuple[bool, int, int]],
    found: dict[tuple[bool, int, int], list[np.ndarray]],
) -> np.ndarray:
    wide, high = CELL + GAP, CELL + 3 * LINE + GAP
    page = Page((1 + len(columns)) * wide + GAP, HEAD + len(rows) * high)
    for column, (palette, prompt, steps) in enumerate(columns, 1):
        head = f"{'palette, ' if palette else ''}prompt {prompt + 1}" if steps == STEPS[0] else ""
        page.write(GAP + column * wide, 4, head, 14)
        page.write(GAP + column * wide, 22, f"{steps} step{'s' * (steps > 1)}", 12, FAINT)
    for row, index in enumerate(rows):
        y = HEAD + row * high
        each = drawn[index]
        page.picture(GAP, y, _cell(control_image(255 - each.lines)))
        for column, key in enumerate(columns, 1):
            page.picture(GAP + column * wide, y, _cell(found[key][index]))
        for number, prompt in enumerate(each.prompts):
            page.write(GAP, y + CELL + number * LINE, f"{number + 1}: {prompt}", 12, FAINT)
    return page.pixels()


def _cell(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (CELL, CELL), interpolation=cv2.INTER_AREA)
