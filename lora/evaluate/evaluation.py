"""A model is judged: every number of steps against the truth, then how it behaves, then its goals."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

import numpy as np

from ...stream.base.metrics import percentiles
from ...stream.base.progress import Progress, silent
from ...stream.base.results import result_of
from ..data.palette import control_image
from .behaviour import PASSES, TRIALS
from .data import Data
from .features import DetailFeatures, Features, Patches, frechet
from .goals import faults, held_to_goals
from .measures import against_truth, line_f1, others, sharpness
from .rendering import Renderer
from .sheet import columns_of, sheet
from .trial import NotMeasured, Trial

NAME = "evaluate"
KEYS = ("about", "steps")
PICTURES, BEHAVIOUR = "pictures", "behaviour"
USUAL_STEPS = 2  # what a stream in mode sketch takes by default; behaviour is judged in as many
FIGURES = {
    "edge_f1": "more",
    "edge_margin": "more",
    "psnr_db": "more",
    "ssim": "more",
    "sharpness": "more",
    "perceptual": "less",
    "frechet": "less",
    "patch_frechet": "less",
    "p50_ms": "less",
    "psnr_lost_blank_db": "more",
    "psnr_lost_wrong_prompt_db": "more",
    "psnr_lost_no_horizon_db": "less",
    "psnr_lost_third_missing_db": "less",
    "hue_right": "more",
    "palette_iou_on": "more",
    "palette_gain": "more",
    "palette_gain_whole": "more",
    "palette_gain_begun": "more",
    "blobs_iou_on": "more",
    "blobs_gain": "more",
    "img2img_lab": "less",
    "flicker": "less",
    "autoencoder_psnr_db": "more",
    "painted_lab": "less",
    "painted_left": "less",
    "seeds_few_words": "more",
    "seeds_all_words": "less",
    "things_iou": "more",
    "psnr_gain_4_over_1_db": "more",
    "sharpness_4_over_1": "more",
    "patch_frechet_4_over_1": "less",
}


@dataclass(frozen=True, eq=False)
class Judged:
    """What came of it: ``result`` (see ``base.results``; with ``goals``, ``faults``, ``not_measured``) and pictures.

    ``shown`` has the renders of the samples that a sheet shows: label -> index of the sample -> (H, W, 3) uint8.
    """

    result: dict[str, Any]
    shown: dict[str, dict[int, np.ndarray]]
    captions: dict[int, str]

    def sheet(self) -> np.ndarray:
        """All of it on one page (H, W, 3) uint8 RGB."""
        about = self.result["configuration"]
        title = f"{about['model']} on {about['data']}, {about['samples']} samples"
        return sheet(self.shown, self.captions, title)


@dataclass(eq=False)
class _Notice:
    """Tells how far the whole is. A stage renders all samples once."""

    progress: Callable[..., Any]
    stages: int
    done: int = 0
    """Stages before the present one."""
    text: str = ""

    def __call__(self, text: str, part: float) -> None:
        if self.text and text != self.text:
            self.done += 1
        self.text = text
        self.progress(text, (self.done + part) / self.stages)

    def reached(self, stage: int) -> None:
        """So many are done, whether they told or not."""
        self.done, self.text = stage, ""


@dataclass(eq=False)
class _Shown:
    """Keeps the pictures that the sheet will show."""

    indices: list[int]
    rows: dict[str, dict[int, np.ndarray]] = field(default_factory=dict)

    def __call__(self, label: str, index: int, picture: np.ndarray) -> None:
        if index in self.indices:
            self.rows.setdefault(label, {})[index] = picture


def evaluate(
    renderer: Renderer,
    data: Data,
    model: str,
    steps: Sequence[int] = (1, 2, 4),
    features: Features | None = None,
    progress: Progress = silent,
    trials: Sequence[str] = tuple(TRIALS),
    goals: bool = False,
) -> Judged:
    """Judge the model of ``renderer`` on ``data``; ``model`` is its name, for the result.

    ``steps`` are the numbers of steps that are held against the truth; ``features`` are what ``perceptual`` and
    ``frechet`` see with (None: both are left out). Behaviour is judged in two steps, or in the first of ``steps`` where
    two are not among them. ``goals`` holds it to those of the embedded model. All but the times is deterministic.
    Raises ConfigError for numbers of steps that the model's schedule has not.
    """
    usual = USUAL_STEPS if USUAL_STEPS in steps else steps[0]
    samples = data.samples
    shown = _Shown(columns_of(len(samples)))
    for index in shown.indices:
        shown("sketch", index, control_image(255 - samples[index].sketch))
    passes = [PASSES.get(name, 1) for name in trials]
    notice = _Notice(progress, len(steps) + sum(passes))
    result = result_of(NAME, {}, renderer.pipe.device, KEYS, FIGURES)
    plain: dict[int, list[float]] = {}
    for stage, count in enumerate(steps):
        notice.reached(stage)
        row, plain[count] = _against_truth(renderer, data, count, features, shown, notice)
        result["rows"].append(row)
    for index in shown.indices:
        shown("truth", index, samples[index].picture)
    trial = Trial(renderer, data, usual, plain[usual], shown, notice)
    behaviour, missing = {"about": BEHAVIOUR, "steps": usual}, {}
    for place, name in enumerate(trials):
        notice.reached(len(steps) + sum(passes[:place]))
        try:
            behaviour |= TRIALS[name](trial)
        except NotMeasured as reason:
            missing[name] = str(reason)
    result["rows"].append(behaviour | _more_steps(result["rows"]))
    result["configuration"] |= _configuration(renderer, data, model, features)
    result |= {"not_measured": missing, "faults": faults(result)}
    result["goals"] = held_to_goals(result) if goals else []
    return Judged(result, shown.rows, {index: samples[index].captions[0] for index in shown.indices})


def _against_truth(
    renderer: Renderer, data: Data, steps: int, features: Features | None, shown: _Shown, notice: _Notice
) -> tuple[dict[str, Any], list[float]]:
    """The row of one number of steps, and the PSNR of every render."""
    samples, label = data.samples, f"{steps} step{'s' * (steps > 1)}"
    count = len(samples)
    jobs = ((control_image(samples[index].sketch), samples[index].captions[0]) for index in range(count))
    pictures = [hashlib.sha256(samples[index].picture.tobytes()).hexdigest() for index in range(count)]
    found: dict[str, list[float]] = {}
    vectors: list[tuple[np.ndarray, np.ndarray]] = []
    detail = DetailFeatures(renderer.pipe.device)
    made, real = Patches(detail), Patches(detail)
    for index, picture in enumerate(renderer.sketches(jobs, steps)):
        notice(label, index / count)
        sample = samples[index]
        shown(label, index, picture)
        drawings = [samples[other].sketch for other in others(index, pictures)]
        figures = {
            "edge_f1_truth": line_f1(sample.picture, sample.sketch),
            "sharp": sharpness(picture),
            "sharp_truth": sharpness(sample.picture),
            **against_truth(picture, sample.picture, sample.sketch, drawings),
        }
        if features is not None:
            figures["perceptual"] = features.distance(picture, sample.picture)
            vectors.append((features.vector(picture), features.vector(sample.picture)))
        made.add(picture)
        real.add(sample.picture)
        for name, value in figures.items():
            found.setdefault(name, []).append(value)
    row: dict[str, Any] = {"about": PICTURES, "steps": steps} | {name: mean(values) for name, values in found.items()}
    row["sharpness"] = row.pop("sharp") / max(row.pop("sharp_truth"), 1e-6)
    if len(vectors) > 1:
        row["frechet"] = frechet(*(np.stack(column) for column in zip(*vectors, strict=True)))
    row["patch_frechet"] = made.distance(real)
    row |= percentiles([each / 1e3 for each in renderer.milliseconds])
    return row, found["psnr_db"]


def _more_steps(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """What four steps have over one, where both were judged."""
    by_steps = {row["steps"]: row for row in rows if row["about"] == PICTURES}
    if not {1, 4} <= by_steps.keys():
        return {}
    one, four = by_steps[1], by_steps[4]
    return {
        "psnr_gain_4_over_1_db": four["psnr_db"] - one["psnr_db"],
        "sharpness_4_over_1": four["sharpness"] / max(one["sharpness"], 1e-6),
        "patch_frechet_4_over_1": four["patch_frechet"] / max(one["patch_frechet"], 1e-6),
    }


def _configuration(renderer: Renderer, data: Data, model: str, features: Features | None) -> dict[str, Any]:
    config = renderer.config
    return {
        "model": model,
        "data": data.name,
        "samples": len(data.samples),
        "side": renderer.side,
        "engine": renderer.engine,
        "dtype": str(renderer.pipe.unet.dtype).removeprefix("torch."),
        "features": features.name if features else None,
        "unusable": renderer.unusable,
        "stream": config.model_dump(mode="json", exclude={"mode", "t_index_list", "prompt"}),
    }
