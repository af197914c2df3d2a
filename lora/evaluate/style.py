"""What trained styles do to a model: how far its colours move towards the pictures that they learned from, and what
that costs of the drawing.

A style is a folder that ``inkstream train lora`` left, in any mode: LoRAs, and networks of their own where weights were
trained as well. Every style renders the same drawings as the model without one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from ...stream.base.errors import ModelError
from ...stream.base.progress import Progress, share_of, silent
from ...stream.base.results import result_of, table_of
from ..data.palette import control_image
from ..data.sample import Sample, Samples
from ..hub import LORA_FILE
from .colours import lab
from .measures import line_f1, nearness, ssim
from .rendering import Renderer, native_side, put_network, run_for
from .sheet import columns_of, sheet

NAME = "styles"
KEYS = ("style", "mode")
FIGURES = {"colour_distance": "less", "towards": "more", "edge_f1": "more", "edge_f1_kept": "more", "psnr_db": "more"}
PLAIN = "without"
NOTES = "training.json"
PIXELS, DIRECTIONS = 20_000, 64  # of the distance of colours: pixels of each set, and directions in Lab


@dataclass(frozen=True)
class Styled:
    """One training's result, and what is noted of it."""

    folder: Path
    mode: str
    """conventional, modified or two-step."""
    minutes: float

    @classmethod
    def read(cls, folder: str | Path) -> Styled:
        """Raises ModelError for a folder that no training left."""
        path = Path(folder).expanduser()
        try:
            notes = json.loads((path / NOTES).read_text("utf-8"))
            mode = "two-step" if (path.parent / "first-step").is_dir() else notes["configuration"].get("mode", "")
            return cls(path, mode, float(notes["minutes"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{path}: got no {NOTES} that can be read ({type(error).__name__}), expected output_dir/model of "
                "inkstream train lora"
            ) from error

    @property
    def name(self) -> str:
        """That of its training's folder."""
        whole = self.folder.resolve()
        return whole.parent.name if whole.name == "model" else whole.name

    def put_into(self, pipe: Any) -> None:
        """Replace the networks of a pipeline by those that were trained with it, on the same device and precision."""
        for name in ("unet", "controlnet"):
            if (self.folder / name).is_dir():
                put_network(pipe, name, self.folder / name)


def colour_distance(got: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> float:
    """How far the colours of one set of pictures (H, W, 3) uint8 RGB are from another's, whatever is where, in CIELAB.

    Sliced Wasserstein distance (Bonneel et al. 2015, doi:10.1007/s10851-014-0506-3): the mean over directions of the
    mean distance of pixels that are sorted along them. 0 for equal sets; about 2 is just seen.
    """
    one, other = (_some_pixels(pictures) for pictures in (got, wanted))
    directions = np.random.default_rng(0).normal(size=(3, DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    apart = np.abs(np.sort(one @ directions, 0) - np.sort(other @ directions, 0))
    # The mean length of a projection on a random direction is half the length.
    return float(2 * apart.mean())


def _some_pixels(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """(PIXELS, 3) in CIELAB, as many of each picture."""
    rng, found = np.random.default_rng(1), []
    for picture in pictures:
        values = lab(picture).reshape(-1, 3)
        found.append(values[rng.integers(0, len(values), -(-PIXELS // len(pictures)))])
    return rng.permutation(np.concatenate(found))[:PIXELS].astype(np.float64)


@dataclass(frozen=True, eq=False)
class Compared:
    """``result`` (see ``base.results``) and the renders that a sheet shows: label -> index -> picture."""

    result: dict[str, Any]
    shown: dict[str, dict[int, np.ndarray]]
    captions: dict[int, str]

    def sheet(self) -> np.ndarray:
        """All of it on one page (H, W, 3) uint8 RGB."""
        about = self.result["configuration"]
        return sheet(self.shown, self.captions, f"{about['model']} with styles, on {about['data']}")


def compare(
    model: str,
    styles: Sequence[str | Path],
    taught: Samples | Sequence[Sample],
    judged: Samples | Sequence[Sample],
    data: str,
    steps: int = 2,
    overrides: dict[str, Any] | None = None,
    progress: Progress = silent,
) -> Compared:
    """Render ``judged`` without a style and with each, and hold them against the pictures of ``taught``.

    ``towards`` is the part of the colours' distance to the taught pictures that a style takes away, ``edge_f1_kept``
    its edge F1 over that without a style; ``psnr_db`` and ``ssim`` are against the taught pictures themselves, from
    their own drawings. Raises ModelError for a folder that no training left.
    """
    entries: list[Styled | None] = [None, *(Styled.read(folder) for folder in styles)]
    pictures = [taught[index].picture for index in range(len(taught))]
    shown: dict[str, dict[int, np.ndarray]] = {}
    columns = columns_of(len(judged))
    shown["sketch"] = {index: control_image(255 - judged[index].sketch) for index in columns}
    rows: list[dict[str, Any]] = []
    about: dict[str, Any] = {}
    for number, style in enumerate(entries):
        told = share_of(progress, number, len(entries))
        with _rendering(model, style, overrides or {}, told) as renderer:
            label = PLAIN if style is None else style.name
            renders = _renders(renderer, judged, steps, label, told)
            shown[label] = {index: renders[index] for index in columns}
            own = _renders(renderer, taught, steps, f"{label}, its own", told)
            about = {"side": renderer.side, "engine": renderer.engine, "device": renderer.pipe.device}
        row = {"style": label, "mode": "" if style is None else style.mode}
        row |= {"minutes": None if style is None else style.minutes}
        row["colour_distance"] = colour_distance(renders, pictures)
        row["edge_f1"] = mean(line_f1(picture, judged[index].sketch) for index, picture in enumerate(renders))
        row["psnr_db"] = mean(nearness(picture, taught[index].picture) for index, picture in enumerate(own))
        row["ssim"] = mean(ssim(picture, taught[index].picture) for index, picture in enumerate(own))
        if rows:
            row["towards"] = 1 - row["colour_distance"] / max(rows[0]["colour_distance"], 1e-6)
            row["edge_f1_kept"] = row["edge_f1"] / max(rows[0]["edge_f1"], 1e-6)
        rows.append(row)
    result = result_of(NAME, {}, about.pop("device"), KEYS, FIGURES)
    result["rows"] = rows
    result["configuration"] = {"model": model, "data": data, "samples": len(judged), "taught": len(taught)}
    result["configuration"] |= {"steps": steps, **about}
    return Compared(result, shown, {index: judged[index].captions[0] for index in columns})


@contextmanager
def _rendering(model: str, style: Styled | None, overrides: dict[str, Any], progress: Progress) -> Iterator[Renderer]:
    """A renderer of the model with one style, or without."""
    from ..load import load_pipeline

    settings = dict(overrides)
    if style is not None and (style.folder / LORA_FILE).is_file():
        settings[f"lora_dict.{style.folder / LORA_FILE}"] = 1.0
    run = run_for(model, settings)
    pipe = load_pipeline(run.model, run.stream, progress)
    if style is not None:
        style.put_into(pipe)
    with closing(Renderer(pipe, native_side(pipe), run.stream, progress)) as renderer:
        yield renderer


def _renders(
    renderer: Renderer, samples: Samples | Sequence[Sample], steps: int, label: str, progress: Progress
) -> list[np.ndarray]:
    count = len(samples)
    drawn = (samples[index] for index in range(count))
    jobs = ((control_image(sample.sketch), sample.captions[0]) for sample in drawn)
    found = []
    for index, picture in enumerate(renderer.sketches(jobs, steps)):
        progress(label, index / count)
        found.append(picture)
    return found


def table(result: dict[str, Any]) -> Any:
    """The comparison for people."""

    about = result["configuration"]
    heads = ("minutes", "colours from the style's", "towards it", "edge F1", "kept", "PSNR to the style's", "SSIM")
    title = f"{about['model']} with styles, {about['steps']} steps, on {about['data']}, {about['samples']} samples"
    shown = table_of(title, ("style", "mode"), heads)
    for row in result["rows"]:
        percent = [f"{row[name]:.0%}" if name in row else "" for name in ("towards", "edge_f1_kept")]
        minutes = "" if row["minutes"] is None else f"{row['minutes']:.1f}"
        figures = (f"{row['colour_distance']:.1f}", percent[0], f"{row['edge_f1']:.3f}", percent[1])
        shown.add_row(row["style"], row["mode"], minutes, *figures, f"{row['psnr_db']:.2f} dB", f"{row['ssim']:.3f}")
    return shown
