"""From a unit of the frame to an engine that runs it: found in the cache, refitted from a similar one, or built.

Unverified on real hardware.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from ...stream.base.errors import EngineError
from ...stream.base.frame import Size
from ...stream.base.progress import Progress, silent
from ..cache import CacheUnavailable, EngineCache, EngineKey, EnginePlan, KeptEngine, PlanRefused
from .build import OPTIMIZATION_LEVEL, TILING, Shape, build_plan
from .library import library
from .memory import Memory
from .onnx import OnnxFile, Weight, touched
from .run import TOLERANCE, LoadedPlan, PlanUnfit, check_numbers

log = logging.getLogger(__name__)
Precision = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True)
class Job:
    """One unit, and what is wanted of it."""

    name: str
    """encode, embed, denoise or decode."""
    unit: nn.Module
    """What the engine must compute; takes its inputs by position."""
    shapes: Mapping[str, Shape]
    """Names and shapes of its inputs, in order; the plan takes no others."""
    example: tuple[Tensor, ...]
    """Inputs to hold the engine to the unit with."""
    export: Callable[[Path], Path]
    """Writes the unit as an ONNX file into a folder, and gives the file."""
    precision: Precision
    """What its network computes in, and the ONNX file is typed in."""
    graph: str
    """Digest of the unit without its weights."""
    weights: str
    """Digest of its weights."""
    size: Size
    """Size of the picture, for messages."""
    refit: bool = False
    """Whether the weights of its plan can be replaced later, so that another LoRA of the same shape needs no build."""
    loras: tuple[str, ...] = ()
    controlnets: int = 0


@dataclass
class Maker:
    """Makes engines for one GPU, and keeps their plans in a cache."""

    memory: Memory
    cache: EngineCache
    progress: Progress = silent

    def key(self, job: Job) -> EngineKey:
        """Everything that decides the plan of a job."""
        hardware = self.memory.hardware
        return EngineKey(
            unit=job.name,
            graph=job.graph,
            weights=job.weights,
            profile=str(dict(job.shapes)),
            precision=job.precision,
            library=f"tensorrt {library().version}",
            device=f"{hardware.capability} {hardware.model}",
            driver=hardware.driver,
            loras=job.loras,
            controlnets=job.controlnets,
            flags=(f"optimization level {OPTIMIZATION_LEVEL}", f"tiling {TILING}", f"refit {job.refit}"),
        )

    def engine(self, job: Job) -> LoadedPlan:
        """An engine that is ready to run. Building one takes minutes, which ``progress`` watches.

        Raises EngineError with one reason when it cannot be built, or does not compute what the unit does.
        """
        key, made = self.key(job), []
        with self.memory.current():
            engine = self._stored(job, key)
            if engine is not None:
                return engine
            plan = self.cache.get(key, lambda: self._refitted(job, key, made) or self._build(job, made), self.progress)
            return made[0] if made else self._load(job, plan)

    def quick(self, job: Job) -> bool:
        """Whether ``engine`` would find a plan, or one that it can refit: seconds, not minutes."""
        key = self.key(job)
        return self.cache.path(key).is_file() or bool(self._refittable(key))

    def _refittable(self, key: EngineKey) -> list[tuple[EngineKey, KeptEngine]]:
        """Plans of the same network with other weights, made to be refitted; the last used first."""
        return [pair for pair in self.cache.similar(key, "weights", "loras") if pair[1].notes.get("weights")]

    def _stored(self, job: Job, key: EngineKey) -> LoadedPlan | None:
        """From the plan of this very key, unless there is none, or it turns out not to be fit."""
        try:
            plan = self.cache.load(key)
            return None if plan is None else self._load(job, plan)
        except (PlanRefused, CacheUnavailable) as refusal:
            log.warning("%s; it is built again", refusal)
        except PlanUnfit as unfit:
            log.warning("%s; it is built again", unfit)
            self.cache.remove(key)
        return None

    def _refitted(self, job: Job, key: EngineKey, made: list[LoadedPlan]) -> EnginePlan | None:
        """The plan of the same network with other weights, refitted: seconds instead of minutes.

        Its engine, which is put into ``made``, is a new one that nothing runs yet; so a stream that changes its LoRAs
        goes on undisturbed with its own meanwhile.
        """
        candidates = self._refittable(key)
        if not candidates:
            return None
        with self.cache.scratch(key) as folder:
            file = self._export(job, folder)
            for other, entry in candidates[:2]:
                try:
                    engine = self._refit(job, file, other, entry)
                except EngineError as error:
                    log.warning("%s cannot be refitted, so it is built: %s", job.name, error)
                    continue
                if engine is not None:
                    made.append(engine)
                    # What is written out of a refitted engine cannot be refitted again, so it notes no weights.
                    return EnginePlan(engine.serialized(), {"size": str(job.size)})
        return None

    def _refit(self, job: Job, file: OnnxFile, other: EngineKey, entry: KeptEngine) -> LoadedPlan | None:
        self.progress(f"refitting {job.name}", None)
        plan = self.cache.load(other)
        before = [Weight(name, dtype, tuple(shape), digest) for name, dtype, shape, digest in entry.notes["weights"]]
        places = touched(before, file.weights)
        if plan is None or places is None:
            return None
        place_of = {weight.name: place for place, weight in enumerate(before)}  # a LoRA's name may be in the weight's
        engine = self._open(job, plan)
        new = {before[place].name: file.array(place) for place in places}
        engine.refit(new, lambda name: file.array(place_of[name]))
        # Not rounded worse than the one it comes from: so a refit that did nothing, or half of it, is found out too.
        limit = min(TOLERANCE[job.precision], max(1e-3, 4 * entry.notes["error"]))
        check_numbers(engine, job.unit, job.example, limit)
        return engine

    def _load(self, job: Job, plan: EnginePlan) -> LoadedPlan:
        """An engine from a plan, run once, so that no frame waits for what is done at the first call."""
        engine = self._open(job, plan)
        engine(*job.example)
        return engine

    def _open(self, job: Job, plan: EnginePlan) -> LoadedPlan:
        return LoadedPlan(plan.data, self.memory, job.shapes, job.name, job.size, job.precision)

    def _export(self, job: Job, folder: Path) -> OnnxFile:
        self.progress(f"exporting {job.name}", None)
        return OnnxFile.open(job.export(folder))

    def _build(self, job: Job, made: list[LoadedPlan]) -> EnginePlan:
        """A plan that was held to the unit; its engine is put into ``made``."""
        timings = _Timings(self.cache, self.memory)
        with self.cache.scratch(self.key(job)) as folder:
            file = self._export(job, folder)
            say: Progress = lambda text, part=None: self.progress(f"building {job.name}: {text}", part)
            data = build_plan(file, job.shapes, job.refit, say, timings)
            notes: dict[str, Any] = {"size": str(job.size)}
            if job.refit:
                notes["weights"] = [[w.name, w.dtype, list(w.shape), w.digest] for w in file.weights]
        engine = self._open(job, EnginePlan(data))
        try:
            notes["error"] = check_numbers(engine, job.unit, job.example, TOLERANCE[job.precision])
        except EngineError as wrong:
            raise EngineError(
                f"the {job.name} engine that was built is wrong: {wrong}; try another dtype, or acceleration: compile"
            ) from wrong
        log.info("%s: relative error %.2g against the network itself", job.name, notes["error"])
        made.append(engine)
        return EnginePlan(data, notes)


class _Timings:
    """The speed of kernels, kept for each version of the library and each kind of GPU, signed like the plans."""

    def __init__(self, cache: EngineCache, memory: Memory) -> None:
        self._cache = cache
        self._key = EngineKey("timings", "", "", "", "", f"tensorrt {library().version}", memory.hardware.capability)

    def load(self) -> bytes:
        """What is kept; nothing, when it is not what this user wrote."""
        try:
            plan = self._cache.load(self._key)
        except (PlanRefused, CacheUnavailable) as refusal:
            log.warning("%s; kernels are timed anew", refusal)
            return b""
        return plan.data if plan else b""

    def update(self, merge: Callable[[bytes], bytes]) -> None:
        """Change it while no other process does. It only saves time: a failure is logged."""
        try:
            self._cache.update(self._key, merge)
        except EngineError as error:
            log.warning("timings of kernels are not kept: %s", error)
