"""How still pictures stay where nothing changed in the drawing, with and without ``steadiness``.

``strokes``: a sketch of the demo appears in pieces. ``far_mean`` and ``far_p95`` are of the mean change from picture to
picture, in levels of 255, of all pixels further than 32 (of 256) from the piece that was drawn; ``far_p50`` is the
change of the usual picture, where nothing became another thing. ``sharpness`` is the mean of the Laplacian within 8
pixels of the piece, as a share of that without steadiness; ``late_db`` how near each picture is to its own render, and
``rest_db`` the same for the last one when the hand rests (100: equal).
``camera``: a still drawing, seen with noise of ``SIGMA`` levels; ``std`` is the standard deviation over time.
``unused_ms`` is what the places where adapters act cost a frame on the host where there are none, and ``adapter_ms``
what steadiness costs there.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from statistics import mean, median
from typing import Annotated, Any

import cv2
import numpy as np
import torch
import typer
from rich.table import Table

from ..adapters.adapter import Passage
from ..adapters.steadiness import Steadiness
from ..stream.base.config import StreamConfig
from ..stream.base.frame import Frame, Origin, Output
from ..stream.base.measures import psnr
from ..stream.base.options import listed
from ..stream.base.progress import Progress, silent
from ..stream.base.results import Result
from ..stream.loop.chain import Chain
from ..stream.loop.stream import Stream
from ..stream.sources.drawing import DemoSource, prompt_for
from . import _plot
from .bench import Bench
from .models import Models, engine_named, row_of
from .rows import filled_table, measured

FAR, NEAR = 32.0, 8.0  # pixels of a 256 x 256 picture
SIGMA = 4.0
FIGURES = {"far_mean": "less", "far_p95": "less", "far_p50": "less", "late_db": "more", "std": "less"}
BENCH = Bench("steadiness", ("case", "subject", "steadiness"), FIGURES)
COLUMNS = {
    "": "{case}",
    "drawn": "{subject}",
    "steadiness": "{steadiness}",
    "far mean": "{far_mean:.3f}",
    "p50": "{far_p50:.3f}",
    "p95": "{far_p95:.3f}",
    "sharpness": "{sharpness:.2f}",
    "own render dB": "{late_db:.1f}",
    "at rest dB": "{rest_db:.1f}",
    "std": "{std:.3f}",
    "ms": "{ms:.3f}",
}
GOES_ON = Origin(goes_on=True)


def pieces(subject: str, side: int, count: int) -> list[np.ndarray]:
    """Pages (side, side, 3) uint8: bare paper, and a sketch after each of ``count`` pieces of it."""
    source = DemoSource(side, fps=30.0, subject=subject, live=False)
    pages = [source.read()]
    while not source.finished:
        page = source.read()
        if (page != pages[-1]).any():
            pages.append(page.copy())
    places = np.linspace(0, len(pages) - 1, count + 1).round().astype(int)
    return [pages[place] for place in places]


def shown(stream: Stream, pages: list[np.ndarray]) -> list[np.ndarray]:
    """The picture of every page."""
    outputs: list[Output | None] = []
    for number, page in enumerate(pages):
        outputs += [stream(Frame(page, number, origin=GOES_ON), gated=False)]
    found = [*outputs, *stream.drain()]
    return [output.pixels for output in found if output is not None]


def rested(stream: Stream) -> np.ndarray | None:
    """The last picture when the hand has rested; None where that changes nothing."""
    last = None
    while stream.settles:
        last = stream.settle() or last
    for output in stream.drain():
        last = output
    return None if last is None else last.pixels


def strokes(pages: list[np.ndarray], held: list[np.ndarray], own: list[np.ndarray]) -> dict[str, float]:
    """What is said above of pictures that were ``held``, beside those that are all their ``own``."""
    unit, far, sharp = max(pages[0].shape) / 256, list[float](), list[float]()
    for number in range(1, len(pages)):
        drawn = (cv2.absdiff(pages[number], pages[number - 1]).max(axis=2) > 0).astype(np.uint8)
        away = cv2.distanceTransform(1 - drawn, cv2.DIST_L2, 5)
        if not drawn.any() or not (away > FAR * unit).any():
            continue
        far.append(float(cv2.absdiff(held[number], held[number - 1]).mean(axis=2)[away > FAR * unit].mean()))
        near = away < NEAR * unit
        sharp.append(_edges(held[number])[near].mean() / max(1e-6, float(_edges(own[number])[near].mean())))
    return {
        "far_mean": mean(far),
        "far_p50": median(far),
        "far_p95": float(np.percentile(far, 95)),
        "sharpness": float(mean(sharp)),
        "late_db": mean(float(psnr(one, two)) for one, two in zip(held, own, strict=True)),
    }


def _edges(picture: np.ndarray) -> np.ndarray:
    return np.abs(cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_32F))


def noisy(page: np.ndarray, count: int, seed: int = 0) -> Iterator[np.ndarray]:
    """A page as a camera sees it, ``count`` times."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield (page * 0.9 + rng.normal(0, SIGMA, page.shape)).clip(0, 255).astype(np.uint8)


def measure(
    models: Models, subjects: list[str], count: int = 60, engine: str = "auto", progress: Progress = silent
) -> Result:
    """Sketches of ``subjects`` in ``count`` pieces, and half as many pictures of a camera, without and with it."""
    named, why_not = engine_named(engine, models.device)
    about = {**models.describe(models.run.stream), "engine": named, "pieces": count}
    result = BENCH.begin(about, models.device)
    config = models.run.stream.changed(acceleration=named, similar_image_filter_threshold=None)
    side = max(config.width, config.height)
    streams: dict[str, Stream] = {}
    own: dict[str, list[np.ndarray]] = {}

    def figures(case: str, subject: str, steadiness: str) -> dict[str, Any]:
        if steadiness not in streams:
            changed = config.changed(steadiness=steadiness if steadiness == "auto" else float(steadiness))
            streams[steadiness] = Stream.from_pretrained(models.run.model, changed)
        stream = streams[steadiness]
        stream.update(prompt=prompt_for(subject))
        pages = pieces(subject, side, count)
        if case == "camera":
            found = np.stack(shown(stream, list(noisy(pages[-1], max(16, count // 2)))))
            return {"std": float(found[len(found) // 2 :].astype(np.float32).std(axis=0).mean())}
        found = shown(stream, pages)
        own.setdefault(subject, found)
        last = rested(stream)
        rest = own[subject][-1] if last is None else last
        return {**strokes(pages, found, own[subject]), "rest_db": float(psnr(rest, own[subject][-1]))}

    try:
        for case in ("strokes", "camera"):
            for subject in subjects if case == "strokes" else subjects[:1]:
                for steadiness in ("0", "auto", "100"):
                    progress(f"{case}: {subject}, steadiness {steadiness}")
                    row = {"case": case, "subject": subject, "steadiness": steadiness}
                    result["rows"].append(row_of(row, why_not, functools.partial(figures, **row)))
    finally:
        for stream in streams.values():
            stream.close()
    for steadiness, took in (("0", unused_ms()), ("auto", adapter_ms(side))):
        result["rows"].append({"case": "cost of a frame", "subject": "", "steadiness": steadiness, "ms": took})
    return result


def unused_ms(times: int = 500) -> float:
    """What a frame pays at the four places where there are no adapters, in milliseconds."""
    chain, config, picture = Chain(), StreamConfig.build(), np.zeros((64, 64, 3), np.uint8)
    latent, taken = torch.zeros(1, 4, 8, 8), []
    for _ in range(times):
        began = time.perf_counter()
        _, passages = chain.image_before(picture, config, False, True)
        rows = chain.brought([passages], latent.device)
        chain.latent_after(chain.latent_before(latent, rows), rows, [], 0)
        chain.image_after(picture, passages)
        taken.append((time.perf_counter() - began) * 1e3)
    return median(taken)


def adapter_ms(side: int, times: int = 100) -> float:
    """What steadiness does on the host with each frame of one stroke more, in milliseconds."""
    adapter, config, random = Steadiness(), StreamConfig.build(), np.random.default_rng(0)
    adapter.rows((4, side // 8, side // 8), 1)
    page, render = (np.full((side, side, 3), level, np.uint8) for level in (255, 128))
    taken = []
    for number in range(times):
        x, y = random.integers(0, side - 16, 2)
        page = page.copy()
        page[y : y + 2, x : x + 16] = 0
        frame = Passage(config, number == 0, True)
        began = time.perf_counter()
        adapter.image_before(page, frame)
        adapter.image_after(render, frame)
        taken.append((time.perf_counter() - began) * 1e3)
    return median(taken)


def table(result: Result) -> Table:
    """The result for people."""
    about = result["configuration"]
    title = f"Change where nothing changed, in levels of 255: {about['model']}, {about['engine']}"
    return filled_table(title, COLUMNS, measured(result))


def draw(result: Result) -> Any:
    """The change far from strokes, of each steadiness."""
    rows = [row for row in measured(result) if row["case"] == "strokes"]
    figure, (axis,) = _plot.figure(result, f"Change far from the stroke, {result['configuration']['model']}")
    series = {"mean": [row["far_mean"] for row in rows], "usual": [row["far_p50"] for row in rows]}
    _plot.bars(axis, [f"{row['subject']}\n{row['steadiness']}" for row in rows], series, ".2f")
    _plot.name(axis, "levels of 255, from picture to picture")
    _plot.legend(figure, axis)
    return figure


@BENCH.command(table, draw)
def main(
    models: Models,
    subject: Annotated[str, typer.Option(metavar="A,B", help="What the demo's hand draws.")] = "sedan,suv,house",
    pieces: Annotated[int, typer.Option(min=4, max=1000, help="In how many pieces a sketch appears.")] = 60,
    engine: Annotated[str, typer.Option(help="The engine.")] = "auto",
    progress: Progress = silent,
) -> Result:
    """Measure what changes in pictures where nothing changed in the drawing, with and without steadiness."""
    return measure(models, listed(subject), pieces, engine, progress)
