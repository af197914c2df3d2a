"""``--dry-run``: what a training will take, measured from a few of its real steps, before it is begun."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import Any

import torch

from ...stream.base.progress import Progress, silent
from . import start
from .config import TrainConfig
from .data import Batch
from .loop import Loop
from .models import Codec

WARM, TIMED = 2, 6


@dataclass
class Report:
    """Sizes, memory and times of a training. ``minutes`` is None where the budget itself is in minutes alone."""

    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)  # network -> (parameters, of those trained)
    samples: int = 0
    step_seconds: float = 0.0
    samples_a_second: float = 0.0
    memory_mb: float = 0.0
    encode_minutes: float = 0.0
    steps: int | None = None
    minutes: float | None = None
    checkpoint_mb: float = 0.0

    def lines(self) -> list[str]:
        """For people."""
        found = [
            f"{name}: {count / 1e6:.2f} M parameters, {mine / 1e6:.2f} M of them trained"
            for name, (count, mine) in self.sizes.items()
        ]
        found += [
            f"{self.samples:,} pairs to train on",
            f"{self.step_seconds:.2f} s a step, {self.samples_a_second:.1f} samples/s; a checkpoint has "
            f"{self.checkpoint_mb:.0f} MB; memory so far {self.memory_mb:,.0f} MB",
        ]
        if self.encode_minutes:
            found.append(f"latents first: about {self.encode_minutes:.1f} minutes, once")
        if self.steps:
            found.append(f"about {self.steps:,} steps in {self.minutes or 0:.1f} minutes")
        return found


class _Held(Loop):
    """A training that stays where it is put, however many steps it takes."""

    place = 0.0

    def share(self) -> float:
        return self.place


def dry_run(config: TrainConfig, progress: Progress = silent) -> Report:
    """Take real steps as they are at 30, 60 and 90 % of the budget, and keep nothing.

    Later parts of a run cost more (crops, rollouts, the adversary), so the times of the three are averaged.
    """
    task = start.make(config, progress, cache=False)
    loop = _Held(task, config, progress=progress)
    scenes = config.data.scenes
    report = Report(samples=scenes - config.data.validation if scenes else len(task.batches.samples))
    for name, module in task.trained().items():
        values = list(module.parameters())
        report.sizes[name] = (_count(values), _count([each for each in values if each.requires_grad]))
    report.checkpoint_mb = _state_bytes(loop) / 1e6
    times = []
    batches = task.batches.since(0)
    codec: Codec | None = getattr(task, "codec", None)
    encoding = 0.0 if codec is None else _encoding_seconds(codec, next(batches).to(task.device))
    places = (0.3, 0.6, 0.9)
    for number, place in enumerate(places):
        loop.place = place
        for each in range(WARM + TIMED if number == 0 else 1 + TIMED // 2):
            began = time.perf_counter()
            loop.one_step(batches)
            if each >= (WARM if number == 0 else 1):
                times.append((place, time.perf_counter() - began))
            progress("measuring steps", (number + each / (WARM + TIMED)) / len(places))
    report.step_seconds = statistics.mean(
        statistics.median(seconds for at, seconds in times if at == place) for place in places
    )
    held = encoding * config.gradient_accumulation_steps
    if held and getattr(config, "cache_latents", True):
        report.step_seconds = max(1e-9, report.step_seconds - held)
        report.encode_minutes = 2 * encoding * report.samples / config.train_batch_size / 60
    samples = config.train_batch_size * config.gradient_accumulation_steps
    report.samples_a_second = samples / report.step_seconds
    report.memory_mb = _memory_mb(task.device)
    _estimate(report, config)
    return report


def _estimate(report: Report, config: TrainConfig) -> None:
    """Steps and minutes until the first budget ends."""
    by_time = int(config.max_train_minutes * 60 / report.step_seconds) if config.max_train_minutes else None
    report.steps = min(each for each in (by_time, config.max_train_steps) if each is not None)
    report.minutes = report.steps * report.step_seconds / 60


def _encoding_seconds(codec: Codec, batch: Batch) -> float:
    """What encoding a batch takes, which happens beforehand in a real run."""
    codec.latents(batch)
    began = time.perf_counter()
    if codec.latents(batch).is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - began


def _count(values: list[Any]) -> int:
    return sum(each.numel() for each in values)


def _state_bytes(loop: Loop) -> int:
    """Weights, mean, and what the optimisers keep of each."""
    total = 0
    mine = {id(each) for optimiser in loop.optimisers for group in optimiser.param_groups for each in group["params"]}
    for value in loop.parameters.values():
        copies = 1 + bool(loop.ema.means) + (2 if id(value) in mine else 0)
        total += value.numel() * value.element_size() * copies
    return total


def _memory_mb(device: torch.device) -> float:
    """Most memory that was in use: the device's, on a CPU the process's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    import psutil

    return psutil.Process().memory_info().rss / 1e6
