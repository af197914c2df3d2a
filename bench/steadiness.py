"""How still pictures stay where nothing changed, and how true to what moves, with and without ``steadiness``.

``strokes``: a sketch of the demo appears in pieces. ``far_mean`` and ``far_p95`` are of the mean change from picture to
picture, in levels of 255, of all pixels further than 32 (of 256) from the piece that was drawn; ``far_p50`` is the
change of the usual picture, where nothing became another thing. ``sharpness`` is the mean of the Laplacian within 8
pixels of the piece, as a share of that without steadiness; ``late_db`` how near each picture is to its own render, and
``rest_db`` the same for the last one when the hand rests (100: equal).
``camera``: a still drawing, seen with noise of ``SIGMA`` levels; ``std`` is the standard deviation over time.
``orbit``: a 3D scene is walked around; ``film``: the same as a camera sees it, with that noise and nothing but colours.
``warp_error`` is how much of a picture is another than the picture before was there, in levels, where that could be
seen; ``sharpness`` the mean of the Laplacian as a share of that without steadiness.
``of_0`` is the first figure of a row as a share of that without steadiness, measured in the same run.
``cost of a frame``: ``ms`` is what the places where adapters act cost on the host where there are none, and what
steadiness costs there; ``ops`` how many operations it adds to a tick on the device.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Iterator, Sequence
from statistics import mean, median
from typing import Annotated, Any

import cv2
import numpy as np
import torch
import typer
from rich.table import Table
from torch.utils._python_dispatch import TorchDispatchMode

from ..adapters.steadiness import Steadiness
from ..stream.base.config import StreamConfig
from ..stream.base.frame import Frame, Origin, Output, Size
from ..stream.base.measures import psnr
from ..stream.base.options import listed
from ..stream.base.progress import Progress, silent
from ..stream.base.results import Result
from ..stream.loop.chain import Chain
from ..stream.loop.stream import Stream
from ..stream.sources.drawing import DemoSource, prompt_for
from ..stream.sources.scene import SceneSource
from . import _plot
from .bench import Bench
from .models import Models, engine_named, row_of
from .rows import filled_table, measured

FAR, NEAR = 32.0, 8.0  # pixels of a 256 x 256 picture
SIGMA = 4.0
FIRST = ("far_mean", "std", "warp_error")
FIGURES = {"far_mean": "less", "far_p95": "less", "far_p50": "less", "late_db": "more", "std": "less"}
FIGURES |= {"warp_error": "less", "sharpness": "more"}
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
    "warp error": "{warp_error:.3f}",
    "of 0": "{of_0:.3f}",
    "ms": "{ms:.3f}",
    "ops": "{ops:d}",
}
GOES_ON, MOVES = Origin(goes_on=True), Origin(goes_on=True, moves=True)
SCENE_PROMPTS = {
    "car": "a glossy blue coupe car, side view, on road, day",
    "city": "a red brick apartment block with a flat roof, on road, day",
    "terrain": "a mountain landscape with a lake, day",
}
PASSED = ("edges", "palette", "depth", "normal")  # preprocessors that take what a scene knows


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


def shown(stream: Stream, frames: Iterable[np.ndarray | Frame], origin: Origin = GOES_ON) -> list[np.ndarray]:
    """The picture of every page, or frame."""
    outputs: list[Output | None] = []
    for number, each in enumerate(frames):
        frame = each if isinstance(each, Frame) else Frame(each, number, origin=origin)
        outputs += [stream(frame, gated=False)]
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


def noisy(*pages: np.ndarray, seed: int = 0) -> Iterator[np.ndarray]:
    """Pages as a camera sees them."""
    rng = np.random.default_rng(seed)
    for page in pages:
        yield (page * 0.9 + rng.normal(0, SIGMA, page.shape)).clip(0, 255).astype(np.uint8)


def orbit(scene: str, side: int, count: int) -> list[Frame]:
    """Frames of a walk around a 3D scene, ``count`` of 30 a second."""
    source = SceneSource(scene, size=Size(side, side), pace=False, frames=count)
    try:
        return [Frame(source.read(), number, origin=MOVES, passes=source.passes) for number in range(count)]
    finally:
        source.close()


def moving(frames: list[Frame], held: list[np.ndarray], own: list[np.ndarray]) -> dict[str, float]:
    """What is said above of pictures that were ``held``, beside those that are all their ``own``."""
    errors = []
    for number in range(1, len(held)):
        now, before = frames[number].passes, frames[number - 1].passes
        motion = None if now is None or before is None else now.motion_since(before)
        assert motion is not None  # of a scene it is known
        apart = cv2.absdiff(held[number], motion.warp(held[number - 1])).mean(axis=2)
        errors.append(float(apart[motion.seen].mean()))
    sharp, sharp_own = (mean(float(_edges(each).mean()) for each in pictures) for pictures in (held, own))
    return {"warp_error": mean(errors), "sharpness": sharp / max(1e-6, sharp_own)}


def measure(
    models: Models,
    subjects: list[str],
    count: int = 60,
    engine: str = "auto",
    progress: Progress = silent,
    scenes: Sequence[str] = ("car",),
    turns: int = 120,
) -> Result:
    """Sketches of ``subjects`` in ``count`` pieces, half as many pictures of a camera, and ``turns`` pictures of each
    of ``scenes``, without and with it."""
    named, why_not = engine_named(engine, models.device)
    about = {**models.describe(models.run.stream), "engine": named, "pieces": count, "turns": turns}
    result = BENCH.begin(about, models.device)
    config = models.run.stream.changed(acceleration=named, similar_image_filter_threshold=None)
    side = max(config.width, config.height)
    streams: dict[str, Stream] = {}
    own: dict[str, list[np.ndarray]] = {}
    walks = {scene: orbit(scene, side, turns) for scene in scenes}

    def figures(case: str, subject: str, steadiness: str) -> dict[str, Any]:
        if steadiness not in streams:
            changed = config.changed(steadiness=steadiness if steadiness == "auto" else float(steadiness))
            streams[steadiness] = Stream.from_pretrained(models.run.model, changed)
        stream = streams[steadiness]
        stream.update(prompt=SCENE_PROMPTS.get(subject) or prompt_for(subject), controlnets=_steered(config, case))
        if case in ("orbit", "film"):
            walk = walks[subject]
            seen = noisy(*(frame.pixels for frame in walk))
            found = shown(stream, walk if case == "orbit" else seen, MOVES)
            return moving(walk, found, own.setdefault(f"{case} {subject}", found))
        pages = pieces(subject, side, count)
        if case == "camera":
            found = np.stack(shown(stream, noisy(*[pages[-1]] * max(26, count // 2)), MOVES))
            return {"std": float(found[len(found) // 2 :].astype(np.float32).std(axis=0).mean())}
        found = shown(stream, pages)
        own.setdefault(subject, found)
        last = rested(stream)
        rest = own[subject][-1] if last is None else last
        return {**strokes(pages, found, own[subject]), "rest_db": float(psnr(rest, own[subject][-1]))}

    cases = {"strokes": subjects, "camera": subjects[:1], "orbit": scenes, "film": scenes}
    try:
        for case, named_here in cases.items():
            for subject in named_here:
                for steadiness in ("0", "auto", "100"):
                    progress(f"{case}: {subject}, steadiness {steadiness}")
                    row = {"case": case, "subject": subject, "steadiness": steadiness}
                    result["rows"].append(row_of(row, why_not, functools.partial(figures, **row)))
    finally:
        for stream in streams.values():
            stream.close()
    _as_shares(result)
    result["rows"] += [{"case": "cost of a frame", **row} for row in costs(side, walks[scenes[0]])]
    return result


def _steered(config: StreamConfig, case: str) -> list[dict[str, Any]]:
    """Of the first ControlNet: what a scene knows, where it is one."""
    net = config.controlnets[0] if config.controlnets else None
    if net is None:
        return []
    if case == "orbit" and net.preprocessor not in PASSED:
        return [{"preprocessor": "edges", "preprocessor_params": {}}]
    return [{"preprocessor": net.preprocessor, "preprocessor_params": net.preprocessor_params}]


def _as_shares(result: Result) -> None:
    rows = measured(result)
    for row in rows:
        same = [each for each in rows if (each["case"], each["subject"]) == (row["case"], row["subject"])]
        without = next((each for each in same if each["steadiness"] == "0"), None)
        for name in FIRST:
            if without is not None and name in row and without[name] > 0:
                row["of_0"] = row[name] / without[name]


def costs(side: int, walk: list[Frame]) -> list[dict[str, Any]]:
    """What a frame pays where there are no adapters, and what steadiness costs it: of strokes, a scene, a film."""
    pages, random = [np.full((side, side, 3), 255, np.uint8)], np.random.default_rng(0)
    for _ in range(60):
        x, y = random.integers(0, side - 16, 2)
        pages.append(pages[-1].copy())
        pages[-1][y : y + 2, x : x + 16] = 0
    drawn = [Frame(page, origin=GOES_ON) for page in pages]
    film = [Frame(frame.pixels, origin=MOVES) for frame in walk]
    rows = [("", "0", Chain(), drawn)]
    latent = (4, side // 8, side // 8)
    for subject, frames in (("strokes", drawn), ("scene", walk), ("film", film)):
        rows.append((subject, "auto", Chain([Steadiness()], latent, 2), frames))
    return [
        {"subject": subject, "steadiness": steadiness, "ms": host_ms(chain, frames), "ops": device_ops(chain, frames)}
        for subject, steadiness, chain, frames in rows
    ]


def host_ms(chain: Chain, frames: Sequence[Frame], times: int = 4) -> float:
    """What a chain does on the host with each frame, in milliseconds."""
    config, render, taken = StreamConfig.build(), np.full_like(frames[0].pixels, 128), []
    chain.meet(frames[0].origin, lambda: None)
    for number, frame in enumerate([*frames] * times):
        began = time.perf_counter()
        _, passages = chain.image_before(frame.pixels, config, not number % len(frames), frame.origin, frame.passes)
        chain.image_after(render, passages)
        taken.append((time.perf_counter() - began) * 1e3)
    return median(taken)


def device_ops(chain: Chain, frames: Sequence[Frame]) -> int:
    """How many operations a chain adds to a tick of two steps, moves of rows not included."""
    device, config = torch.device("cpu"), StreamConfig.build()
    chain.meet(frames[0].origin, lambda: None)
    _, passages = chain.image_before(frames[0].pixels, config, True, frames[0].origin, frames[0].passes)
    rows = {name: value.repeat(2, 1, 1, 1) for name, value in chain.brought([passages], device).items()}
    side = frames[0].pixels.shape[0] // 8
    latent, memory = torch.randn(2, 4, side, side), chain.memory(2, device)
    with Counter() as counted:
        chain.latent_after(latent, rows, memory, 1)
    return counted.count


class Counter(TorchDispatchMode):
    """Counts operations of PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


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
    scene: Annotated[str, typer.Option(metavar="A,B", help="3D scenes to walk around: car, city, terrain.")] = "car",
    turns: Annotated[int, typer.Option(min=4, max=1000, help="Pictures of each walk.")] = 120,
    engine: Annotated[str, typer.Option(help="The engine.")] = "auto",
    progress: Progress = silent,
) -> Result:
    """Measure what changes in pictures where nothing changed, or only moved, with and without steadiness."""
    return measure(models, listed(subject), pieces, engine, progress, listed(scene), turns)
