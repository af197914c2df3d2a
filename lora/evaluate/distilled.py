"""A teacher of many steps beside what was distilled from it, through diffusers' own pipeline and schedulers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, median
from typing import Any, NamedTuple

import numpy as np
import torch

from ...stream.base.config import StreamConfig
from ...stream.base.progress import Progress, silent
from ...stream.base.results import result_of, table_of
from ..data.palette import control_image
from ..data.sample import Sample
from ..words import vocabulary_of
from .data import USUAL_SEED, open_data
from .measures import against_truth, others, sharpness
from .rendering import native_side, put_network

NAME = "distilled"
KEYS = ("who", "steps")
FIGURES = {
    "psnr_db": "more",
    "ssim": "more",
    "edge_f1": "more",
    "edge_margin": "more",
    "sharpness": "more",
    "ms": "less",
}
TEACHER_STEPS, FEW = 25, 4
GUIDANCE = 1.5  # of the teacher, and w = 0.5 of a full student


class Row(NamedTuple):
    """One way to make pictures."""

    who: str
    steps: int
    solver: str
    guidance: float


ROWS = (
    Row("teacher", TEACHER_STEPS, "DDIM", GUIDANCE),
    Row("teacher", FEW, "DDIM", GUIDANCE),
    Row("student", FEW, "LCM", GUIDANCE),
    Row("LCM-LoRA", FEW, "LCM", 1.0),
)


def compare(
    teacher: Path, student: Path, lora: Path, count: int, device: str = "auto", progress: Progress = silent
) -> dict[str, Any]:
    """Render ``count`` drawings with each of ``ROWS``; gives a result (see ``base.results``).

    The folders are those that the trainings left: a pipeline, a UNet with its scheduler, and an LCM-LoRA.
    """
    pipe = _pipeline(teacher, device)
    side = native_side(pipe)
    samples = open_data(f"scenes:{USUAL_SEED}:{count}", side, None, progress, vocabulary_of(pipe)).samples
    result = result_of(NAME, {"samples": count, "side": side, "seed": USUAL_SEED}, pipe.device, KEYS, FIGURES)
    for number, row in enumerate(ROWS):
        pipe = _prepared(row, teacher, student, lora, device)
        pictures, took = [], []
        for index, (picture, seconds) in enumerate(_pictures(pipe, row, samples, side)):
            progress(f"{row.who}, {row.steps} steps", (number + index / count) / len(ROWS))
            pictures.append(picture)
            took.append(seconds)
        about = {"who": row.who, "steps": row.steps, "solver": row.solver, "guidance": row.guidance}
        result["rows"].append(about | _figures(pictures, samples) | {"ms": median(took) * 1e3})
    return result


def _pipeline(folder: Path, device: str) -> Any:
    from ..load import load_pipeline

    return load_pipeline(str(folder), StreamConfig.build(device=device, use_tiny_vae=False))


def _prepared(row: Row, teacher: Path, student: Path, lora: Path, device: str) -> Any:
    """The pipeline of a row, new each time: a LoRA that was loaded once leaves traces."""
    from diffusers import DDIMScheduler, LCMScheduler

    pipe = _pipeline(teacher, device)
    kind = DDIMScheduler if row.solver == "DDIM" else LCMScheduler
    source = {"student": student, "LCM-LoRA": lora}.get(row.who)
    if source is None:
        pipe.scheduler = kind.from_config(pipe.scheduler.config, timestep_spacing="trailing")
    else:
        pipe.scheduler = kind.from_pretrained(source / "scheduler")
    if row.who == "student":
        put_network(pipe, "unet", student / "unet")
    elif row.who == "LCM-LoRA":
        from ..switch import LoraSet

        LoraSet(pipe).load(lora)
    return pipe


def _pictures(pipe: Any, row: Row, samples: Any, side: int) -> Iterator[tuple[np.ndarray, float]]:
    """(H, W, 3) uint8 of each drawing, and the seconds that it took; noise belongs to the drawing's place."""
    from diffusers import StableDiffusionControlNetPipeline
    from PIL import Image

    parts = {name: value for name, value in pipe.components.items() if name != "image_encoder"}
    drawn = StableDiffusionControlNetPipeline(**parts, requires_safety_checker=False)
    drawn.set_progress_bar_config(disable=True)
    for index in range(len(samples)):
        began = time.perf_counter()
        with torch.inference_mode():
            made: Any = drawn(
                samples[index].captions[0],
                image=Image.fromarray(control_image(samples[index].sketch)),
                num_inference_steps=row.steps,
                guidance_scale=row.guidance,
                height=side,
                width=side,
                generator=torch.Generator().manual_seed(index),
            )
        yield np.asarray(made.images[0]), time.perf_counter() - began


def _figures(pictures: list[np.ndarray], samples: Any) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    names = [str(index) for index in range(len(pictures))]
    for index, picture in enumerate(pictures):
        sample: Sample = samples[index]
        drawings = [samples[other].sketch for other in others(index, names)]
        figures = against_truth(picture, sample.picture, sample.sketch, drawings)
        figures["sharpness"] = sharpness(picture) / max(sharpness(sample.picture), 1e-6)
        for name, value in figures.items():
            found.setdefault(name, []).append(value)
    return {name: mean(values) for name, values in found.items()}


def table(result: dict[str, Any]) -> Any:
    """The comparison for people."""

    about = result["configuration"]
    heads = ("guidance", "PSNR", "SSIM", "edge F1", "margin", "sharpness", "a picture")
    shown = table_of(f"Distillation, {about['samples']} drawings", ("who", "steps", "solver"), heads)
    for row in result["rows"]:
        figures = [f"{row[name]:.3f}" for name in ("ssim", "edge_f1", "edge_margin", "sharpness")]
        shown.add_row(
            row["who"],
            str(row["steps"]),
            row["solver"],
            f"{row['guidance']:g}",
            f"{row['psnr_db']:.2f} dB",
            *figures,
            f"{row['ms']:.0f} ms",
        )
    return shown
