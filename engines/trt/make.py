"""From a unit of the frame to an engine that runs it: found in the cache, refitted from a similar one, or built.

Unverified on real hardware.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ...stream.base.errors import EngineError
from ...stream.base.progress import Progress, silent
from ..cache import EngineCache, Entry, Plan, PlanKey, PlanRefused
from .build import Profile, Range, Recipe, build_plan
from .library import library
from .memory import Memory
from .onnx import OnnxFile, Weight, touched
from .run import TOLERANCE, Engine, PlanUnfit, check_numbers

log = logging.getLogger(__name__)
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Job:
    """One unit, and what is wanted of it."""

    name: str
    """encode, embed, denoise or decode."""
    unit: nn.Module
    """What the engine must compute; takes its inputs by position."""
    shapes: Mapping[str, Shape]
    """Names and shapes of its inputs, in order."""
    example: tuple[Tensor, ...]
    """Inputs to hold the engine to the unit with."""
    export: Callable[[Path], Path]
    """Writes the unit as an ONNX file into a folder, and gives the file."""
    profile: Profile
    """Shapes that the plan is to serve."""
    recipe: Recipe
    graph: str
    """Digest of the unit without its weights."""
    weights: str
    """Digest of its weights."""
    size: tuple[int, int]
    """Width and height of the picture, for messages."""
    loras: tuple[str, ...] = ()
    controlnets: int = 0


@dataclass
class Maker:
    """Makes engines for one GPU, and keeps their plans in a cache."""

    memory: Memory
    cache: EngineCache
    progress: Progress = silent

    def key(self, job: Job) -> PlanKey:
        """Everything that decides the plan of a job."""
        hardware, version = self.memory.hardware, library().version
        devices = {
            "no": f"{hardware.capability} {hardware.model}",
            "same capability": hardware.capability,
            "ampere and newer": "sm_80 and newer",
        }
        later = job.recipe.version_compatible
        return PlanKey(
            unit=job.name,
            graph=job.graph,
            weights=job.weights,
            profile=str(job.profile),
            precision=job.recipe.precision,
            library=f"tensorrt {version.split('.')[0]} and later" if later else f"tensorrt {version}",
            device=devices[job.recipe.hardware_compatible],
            driver=hardware.driver,
            loras=job.loras,
            controlnets=job.controlnets,
            flags=job.recipe.flags,
        )

    def engine(self, job: Job) -> Engine:
        """An engine that is ready to run. Building one takes minutes; ``progress`` is told.

        Raises EngineError with one reason when it cannot be built, or does not compute what the unit does.
        """
        key, made = self.key(job), []
        with self.memory.current():
            engine = self._stored(job, key) or self._ranged(job, key)
            if engine is not None:
                return engine
            plan = self.cache.get(key, lambda: self._refitted(job, key, made) or self._build(job, made), self.progress)
            return made[0] if made else self._load(job, key, plan)

    def quick(self, job: Job) -> bool:
        """Whether ``engine`` would find a plan, or one that it can refit: seconds, not minutes."""
        key = self.key(job)
        if self.cache.path(key).is_file():
            return True
        serves = any(self._serves(job, entry) for _, entry in self.cache.similar(key, "profile"))
        refits = job.recipe.refit and any(
            entry.notes.get("weights") for _, entry in self.cache.similar(key, "weights", "loras")
        )
        return serves or refits

    @staticmethod
    def _serves(job: Job, entry: Entry) -> bool:
        """Whether a plan for a range of sizes holds the one that is asked for."""
        ranges = {name: Range(low, high, high) for name, (low, high) in entry.notes.get("ranges", {}).items()}
        if not job.profile.static or ranges.keys() != job.shapes.keys():
            return False
        return all(ranges[name].holds(job.shapes[name]) for name in ranges)

    def _stored(self, job: Job, key: PlanKey) -> Engine | None:
        """From the plan of this very key, unless there is none, or it turns out not to be fit."""
        try:
            plan = self.cache.load(key)
            return None if plan is None else self._load(job, key, plan)
        except PlanRefused as refusal:
            log.warning("%s; it is built again", refusal)
        except PlanUnfit as unfit:
            log.warning("%s; it is built again", unfit)
            self.cache.remove(key)
        return None

    def _ranged(self, job: Job, key: PlanKey) -> Engine | None:
        """From a plan for a range of sizes that holds the one that is asked for."""
        for other, entry in self.cache.similar(key, "profile"):
            if self._serves(job, entry):
                engine = self._stored(job, other)
                if engine is not None:
                    return engine
        return None

    def _refitted(self, job: Job, key: PlanKey, made: list[Engine]) -> Plan | None:
        """The plan of the same network with other weights, refitted: seconds instead of minutes.

        Its engine, which is put into ``made``, is a new one that nothing runs yet; so a stream that changes its LoRAs
        goes on undisturbed with its own meanwhile.
        """
        candidates = [pair for pair in self.cache.similar(key, "weights", "loras") if pair[1].notes.get("weights")]
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
                    return Plan(engine.serialized(), {"size": _written(job.size)})
        return None

    def _refit(self, job: Job, file: OnnxFile, other: PlanKey, entry: Entry) -> Engine | None:
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
        limit = min(TOLERANCE[job.recipe.precision], max(1e-3, 4 * entry.notes["error"]))
        check_numbers(engine, job.unit, job.example, limit)
        return engine

    def _load(self, job: Job, key: PlanKey, plan: Plan) -> Engine:
        """An engine from a plan, run once, so that no frame waits for what is done at the first call."""
        engine = self._open(job, plan)
        if plan.notes.get("stripped"):
            with self.cache.alone(key, self.progress), self.cache.scratch(key) as folder:
                _fill(engine, self._export(job, folder))
        engine(*job.example)
        return engine

    def _open(self, job: Job, plan: Plan) -> Engine:
        precision, host_code = job.recipe.precision, job.recipe.version_compatible
        return Engine(plan.data, self.memory, job.shapes, job.name, job.size, precision, host_code)

    def _export(self, job: Job, folder: Path) -> OnnxFile:
        self.progress(f"exporting {job.name}", None)
        return OnnxFile.open(job.export(folder))

    def _build(self, job: Job, made: list[Engine]) -> Plan:
        """A plan that was held to the unit; its engine is put into ``made``."""
        timings = _Timings(self.cache, self.memory)
        with self.cache.scratch(self.key(job)) as folder:
            file = self._export(job, folder)
            say: Progress = lambda text, part: self.progress(f"building {job.name}: {text}", part)
            data = build_plan(file.path, job.profile, job.recipe, say, timings)
            notes: dict[str, Any] = {"size": _written(job.size), "stripped": job.recipe.strip}
            if job.recipe.refit:
                notes["weights"] = [[w.name, w.dtype, list(w.shape), w.digest] for w in file.weights]
            if not job.profile.static:
                notes["ranges"] = {name: [r.smallest, r.largest] for name, r in job.profile.ranges.items()}
            engine = self._open(job, Plan(data))
            if job.recipe.strip:
                _fill(engine, file)
        try:
            notes["error"] = check_numbers(engine, job.unit, job.example, TOLERANCE[job.recipe.precision])
        except EngineError as wrong:
            raise EngineError(
                f"the {job.name} engine that was built is wrong: {wrong}; try another dtype, or acceleration: compile"
            ) from wrong
        log.info("%s: relative error %.2g against the network itself", job.name, notes["error"])
        made.append(engine)
        return Plan(data, notes)


def _written(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _fill(engine: Engine, file: OnnxFile) -> None:
    """Give a stripped engine its weights."""
    place_of = {weight.name: place for place, weight in enumerate(file.weights)}
    engine.refit({}, lambda name: file.array(place_of[name]))


class _Timings:
    """The speed of kernels, kept for each version of the library and each kind of GPU, signed like the plans."""

    def __init__(self, cache: EngineCache, memory: Memory) -> None:
        self._cache = cache
        self._key = PlanKey("timings", "", "", "", "", f"tensorrt {library().version}", memory.hardware.capability)

    def load(self) -> bytes:
        """What is kept; nothing, when it is not what this user wrote."""
        try:
            plan = self._cache.load(self._key)
        except PlanRefused as refusal:
            log.warning("%s; kernels are timed anew", refusal)
            return b""
        return plan.data if plan else b""

    def update(self, merge: Callable[[bytes], bytes]) -> None:
        """Change it while no other process does. It only saves time: a failure is logged."""
        try:
            self._cache.update(self._key, merge)
        except EngineError as error:
            log.warning("timings of kernels are not kept: %s", error)
