"""``--dry-run``: what a training will take, measured from a few of its real steps, before it is begun."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
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
ENOUGH = 12.0  # seconds that steps may take, once there is something to say


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

    Later parts of a run cost more (crops, rollouts, the adversary), so the times of the three are averaged. Where steps
    take long there are fewer of them, so that an answer comes in half a minute, unless a single one takes longer.
    """
    task = start.make(config, progress, cache=False)
    loop = _Held(task, config, progress=progress)
    scenes = config.data.scenes
    report = Report(samples=scenes - config.data.validation if scenes else len(task.batches.samples))
    for name, module in task.trained().items():
        values = list(module.parameters())
        report.sizes[name] = (_count(values), _count([each for each in values if each.requires_grad]))
    report.checkpoint_mb = _state_bytes(loop) / 1e6
    batches = task.batches.since(0)
    codec: Codec | None = getattr(task, "codec", None)
    encoding = 0.0 if codec is None else _encoding_seconds(codec, next(batches).to(task.device))
    report.step_seconds = statistics.mean(
        statistics.median(seconds) for seconds in _times(loop, batches, progress) if seconds
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


def _times(loop: _Held, batches: Iterator[Batch], progress: Progress) -> list[list[float]]:
    """Seconds of steps at each of three places of the budget; at later ones none where there was no time for them."""
    places = (0.3, 0.6, 0.9)
    times: list[list[float]] = [[] for _ in places]
    began = now = time.perf_counter()
    last = 0.0
    for number, place in enumerate(places):
        loop.place = place
        warm, timed = (WARM, TIMED) if number == 0 else (1, TIMED // 2)
        until = began + ENOUGH * (number + 1) / len(places)
        for each in range(warm + timed):
            if (now > until and times[number]) or (now + last > began + ENOUGH and times[0]):
                break
            progress("measuring steps", (number + each / (warm + timed)) / len(places))
            loop.one_step(batches)
            before, now = now, time.perf_counter()
            last = now - before
            if each >= warm or now > until:  # there is no time for steps that do not count
                times[number].append(last)
    return times


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
