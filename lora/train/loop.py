"""The training loop: steps, checkpoints, validation and logs of any ``Task``, within a budget.

A step is a function of the weights, the optimisers, the step's number and the seed. All of that is in a checkpoint, so
that a run that was killed goes on with the same losses (bit for bit on a CPU, if the budget is in steps).
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...stream.base.errors import ConfigError, InkstreamError, ModelError
from ...stream.base.folders import tidy
from ...stream.base.progress import Progress, silent
from ...stream.base.signals import interrupts, saving
from . import seeds, storage
from .checkpoint import Checkpoints, set_state, state_of
from .config import TrainConfig, differences
from .devices import accelerated
from .due import Due, seconds
from .optimisers import Ema, Schedule, optimisers, set_rates
from .outputs import MODEL, write_model
from .task import Now, Task
from .trackers import FILE, PICTURES, Trackers

logger = logging.getLogger(__name__)
NOT_FINITE = 20  # steps in a row whose loss or gradient is no number, after which it makes no sense to go on


class TrainError(InkstreamError):
    """Training cannot go on."""


@dataclass(frozen=True)
class Finished:
    """How a run ended."""

    steps: int
    seconds: float
    interrupted: bool
    model: Path | None
    """Folder of the model; None after an interruption, where a checkpoint is kept instead."""


class Loop:
    """One training. ``clock`` gives seconds; ``say(line)`` is told a line now and then."""

    def __init__(
        self,
        task: Task,
        config: TrainConfig,
        *,
        say: Callable[[str], Any] = logger.info,
        progress: Progress = silent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.task, self.config, self.say, self.progress, self.clock = task, config, say, progress, clock
        self.step, self.spent = 0, 0.0
        self.earlier: list[dict[str, Any]] = []
        """Settings that were others before: until which step and minute, and what they were."""
        self.stopping = False
        self.accelerator = accelerated(config)
        self.parameters = task.parameters()
        if not self.parameters:
            raise ConfigError("train: nothing is trained; name modules that the network has")
        weights = list(self.parameters.values())
        made = optimisers(self.parameters, config)
        self.optimisers: list[Any] = [self.accelerator.prepare_optimizer(each) for each in made]
        self.ema = Ema(weights, config.ema_decay)
        self.schedule = Schedule(config.lr_warmup_steps, config.lr_flat, config.lr_end)
        self.checkpoints = Checkpoints(config.folder, config.checkpoints_total_limit)
        self.trackers: Trackers | None = None
        self._bad = 0
        self._checkpoint_due = Due(config.checkpointing_steps, seconds(config.checkpointing_minutes))
        self._validation_due = Due(config.validation_steps, seconds(config.validation_minutes))
        self._line_due = Due(None, config.logging_seconds)

    # --- the whole

    def run(self, resume: str | None = None) -> Finished:
        """Train until the budget is spent or a signal asks to stop, and write the model.

        Raises ConfigError when there are checkpoints already and ``resume`` names none, TrainError when the loss stays
        no number.
        """
        output = self.config.folder
        writes = () if self.checkpoints.all() else (MODEL, FILE, PICTURES, self.checkpoints.folder.name)
        with storage.alone(output, writes, self.progress):
            return self._run(output, resume)

    def _run(self, output: Path, resume: str | None) -> Finished:
        tidy(self.checkpoints.folder)
        torch.manual_seed(seeds.number(self.config.seed, seeds.STEP))  # for dropout, which asks no generator
        self._resume(resume)
        self.trackers = Trackers(self.config, self.step)
        try:
            with interrupts(self._stop), saving():  # of the running step
                self._train()
            if self.stopping:
                with saving():
                    kept = self.checkpoint()
                self.say(
                    f"stopped at step {self.step:,}; {kept or 'no checkpoint'} is kept: go on with --resume latest"
                )
                return Finished(self.step, self.spent, True, None)
            self.checkpoint()
            self._validate()
            model = self.write()
            self.say(f"done: {self.step:,} steps in {self.spent / 60:.1f} minutes; {model}")
            return Finished(self.step, self.spent, False, model)
        finally:
            self.trackers.close()

    def _stop(self, _: int) -> None:
        """A signal: end after the running step."""
        self.stopping = True

    def share(self) -> float:
        """How much of the budget is spent, 0 to 1."""
        steps = self.step / self.config.max_train_steps if self.config.max_train_steps else 0.0
        minutes = self.spent / 60 / self.config.max_train_minutes if self.config.max_train_minutes else 0.0
        return min(1.0, max(steps, minutes))

    def _train(self) -> None:
        config = self.config
        batches = self.task.batches.since(self.step * config.gradient_accumulation_steps, config.dataloader_num_workers)
        if self.step == 0:
            self._validate()
        for due in (self._checkpoint_due, self._validation_due, self._line_due):
            due.start(self.clock())
        while self.share() < 1 and not self.stopping:
            started = self.clock()
            figures = self.one_step(batches)
            self.spent += self.clock() - started
            self._log(figures)
            last = self.share() >= 1
            if not last and self._validation_due.now(self.step, self.clock()):
                self._validate()
            if not last and self._checkpoint_due.now(self.step, self.clock()):
                self.checkpoint()
                if self.config.model_at_checkpoints:
                    self._write_early()

    # --- one step

    def one_step(self, batches: Iterator[Any]) -> dict[str, float]:
        """One change of the weights; gives what is logged of it."""
        for module in self.task.trained().values():
            module.train()
        rate = self.schedule.factor(self.step, self.share())
        set_rates(self.optimisers, rate)
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        parts = self._accumulate(batches)
        norm = self.accelerator.clip_grad_norm_(list(self.parameters.values()), self.config.max_grad_norm)
        parts["gradient_norm"] = norm
        names = list(parts)
        found = [torch.as_tensor(parts[name], device=self.task.device).float().reshape(()) for name in names]
        values = torch.stack(found).tolist()  # the only time a step waits for the device
        figures = dict(zip(names, values, strict=True)) | {"lr": rate * self.config.learning_rate}
        finite = math.isfinite(figures["loss"]) and math.isfinite(figures["gradient_norm"])
        if finite or self.accelerator.scaler is not None:  # a scaler leaves such steps out by itself
            for optimiser in self.optimisers:
                optimiser.step()
        self.step += 1
        if finite:
            self.ema.update(self.step)
        self._check_finite(finite)
        return figures

    def _accumulate(self, batches: Iterator[Any]) -> dict[str, Any]:
        """Gradients of all parts of a step, and the means of what they log."""
        count, total = self.config.gradient_accumulation_steps, {}
        for part in range(count):
            random = seeds.generator(self.config.seed, seeds.STEP, self.step, part)
            batch = next(batches).to(self.task.device)
            with self.accelerator.autocast():
                loss = self.task.loss(batch, Now(self.step, self.share(), random))
            self.accelerator.backward(loss.total / count)
            for name, value in {"loss": loss.total.detach(), **loss.parts}.items():
                total[name] = total.get(name, 0.0) + (value.detach() if isinstance(value, Tensor) else value) / count
        return total

    def _check_finite(self, finite: bool) -> None:
        self._bad = 0 if finite else self._bad + 1
        if self._bad == 1:
            logger.warning("step %d: the loss or its gradient is not finite; the step is left out", self.step)
        if self._bad >= NOT_FINITE:
            raise TrainError(
                f"got {NOT_FINITE} steps in a row until step {self.step:,} without a finite loss; lower learning_rate, "
                f"or set mixed_precision: no, and go on with --resume latest"
            )

    # --- what is kept

    def checkpoint(self) -> Path | None:
        """Keep everything; None, after a warning, where the disk does not take it."""
        if self.trackers is not None:
            self.trackers.flush()
        return self.checkpoints.save(self.step, state_of(self))

    def write(self) -> Path:
        """Write the model as it is now, whole or not at all, into ``OUTPUT/model``. Raises ModelError."""
        self._evaluating()
        target = self.config.folder / MODEL
        try:
            with self.ema.used(), torch.no_grad():
                return write_model(target, self.task, self.config, self.step, self.spent, self.earlier)
        except ModelError as error:
            kept = self.checkpoints.all()
            what = f"{kept[-1].name} is kept: go on with --resume latest" if kept else "no checkpoint is kept"
            raise ModelError(f"{error}; {what}") from error

    def _write_early(self) -> None:
        """As ``write``, where the training goes on: a full disk is no reason to end it."""
        try:
            self.write()
        except ModelError as error:
            logger.warning("%s; training goes on", error)

    def _resume(self, resume: str | None) -> None:
        there = self.checkpoints.all()
        if resume is None:
            if there:
                raise ConfigError(
                    f"output_dir: {self.config.output_dir} holds a training of {there[-1].name} already; "
                    "go on with --resume latest, or choose another folder"
                )
            if os.path.lexists(self.config.folder / MODEL):
                raise ConfigError(
                    f"output_dir: {self.config.output_dir} holds a model already; choose another folder, or remove it"
                )
            return
        found = self.checkpoints.load(resume)
        if found is None:
            self.say(f"no checkpoint in {self.checkpoints.folder} yet: training begins")
            return
        path, state = found
        before = differences(state["configuration"], self.config.model_dump(mode="json"))
        changed = [name for name in before if not name.startswith("max_train_")]
        if changed:
            logger.warning("%s was made with other settings: %s", path.name, ", ".join(changed[:8]))
        set_state(self, state)
        if before:
            self.earlier.append({"until_step": self.step, "minutes": round(self.spent / 60, 2), "settings": before})
        self.say(f"goes on from {path.name}, {self.spent / 60:.1f} minutes in")

    # --- what is said

    def _log(self, figures: dict[str, float]) -> None:
        assert self.trackers is not None
        self.trackers.log(self.step, figures)
        self.progress(f"step {self.step:,}, loss {figures['loss']:.4f}", self.share())
        if self._line_due.now(self.step, self.clock()) or self.step == 1:
            samples = self.step * self.config.gradient_accumulation_steps * self.config.train_batch_size
            means = self.trackers.means()
            listed = " ".join(f"{name} {value:.4g}" for name, value in means.items())
            self.say(
                f"{self.share():4.0%} step {self.step:,}, {self.spent / 60:.1f} min, "
                f"{samples / max(1e-9, self.spent):.1f} samples/s: {listed}"
            )
            self.trackers.flush()

    def _validate(self) -> None:
        assert self.trackers is not None
        self._evaluating()
        with self.ema.used(), torch.no_grad(), self.accelerator.autocast():
            figures = self.task.measure()
            sheet = self.task.pictures() if self.config.validation_pictures else None
        if figures:
            self.trackers.log(self.step, {f"validation/{name}": value for name, value in figures.items()})
            self.say(f"validation at step {self.step:,}: " + " ".join(f"{k} {v:.4g}" for k, v in figures.items()))
        if sheet is not None:
            self.trackers.picture(self.step, sheet)

    def _evaluating(self) -> None:
        for module in self.task.trained().values():
            module.eval()
