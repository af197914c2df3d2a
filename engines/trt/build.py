"""From an ONNX file to an engine plan, with TensorRT 10.12 or 11. Unverified on real hardware.

Networks are always strongly typed, the only kind that TensorRT 11 has: the precision is that of the ONNX file, and a
quantised file brings its own Q/DQ nodes (from NVIDIA's ModelOpt, for example).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from ...stream.base.errors import EngineError
from ...stream.base.progress import Progress
from .library import Library, library
from .onnx import OnnxFile

Shape = tuple[int, ...]
Precision = Literal["fp32", "bf16", "fp16", "int8", "fp8"]
COMPATIBILITY = {"no": "NONE", "same capability": "SAME_COMPUTE_CAPABILITY", "ampere and newer": "AMPERE_PLUS"}


@dataclass(frozen=True)
class Range:
    """Smallest, usual and largest shape of one input; kernels are chosen for the usual one."""

    smallest: Shape
    usual: Shape
    largest: Shape

    def __post_init__(self) -> None:
        ranks = {len(self.smallest), len(self.usual), len(self.largest)}
        ordered = all(a <= b <= c for a, b, c in zip(self.smallest, self.usual, self.largest, strict=False))
        if len(ranks) != 1 or not ordered:
            raise EngineError(f"profile: got {self.smallest} to {self.usual} to {self.largest}, expected rising sizes")

    def holds(self, shape: Sequence[int]) -> bool:
        """Whether an input of this shape can run."""
        return len(shape) == len(self.smallest) and all(
            low <= size <= high for low, size, high in zip(self.smallest, shape, self.largest, strict=True)
        )

    def __str__(self) -> str:
        sizes = zip(self.smallest, self.usual, self.largest, strict=True)
        return "x".join(str(b) if a == c else f"({a}..{b}..{c})" for a, b, c in sizes)


@dataclass(frozen=True)
class Profile:
    """The shapes that a plan serves, for each of its inputs."""

    ranges: Mapping[str, Range]

    @classmethod
    def fixed(cls, shapes: Mapping[str, Shape]) -> Profile:
        """Exactly these shapes: the fastest, because kernels may rely on them."""
        return cls({name: Range(shape, shape, shape) for name, shape in shapes.items()})

    @classmethod
    def ranged(cls, smallest: Mapping[str, Shape], usual: Mapping[str, Shape], largest: Mapping[str, Shape]) -> Profile:
        """Every shape from the smallest to the largest."""
        return cls({name: Range(smallest[name], usual[name], largest[name]) for name in usual})

    @property
    def static(self) -> bool:
        """Whether every shape is fixed."""
        return all(shape.smallest == shape.largest for shape in self.ranges.values())

    def __str__(self) -> str:
        return ", ".join(f"{name} {shape}" for name, shape in self.ranges.items())


@dataclass(frozen=True)
class Recipe:
    """How a plan is built. Everything here is part of the plan's key."""

    precision: Precision = "fp16"
    """What the ONNX file is typed in; said in messages, and checked where it can be."""
    optimization_level: int = 4
    """0 to 5: how long kernels are searched."""
    tiling: Literal["none", "fast", "moderate", "full"] = "moderate"
    """How hard tilings that stay in the L2 cache are searched; only with fixed shapes."""
    refit: bool = False
    """Weights can be replaced later, so that another LoRA of the same shape needs no new build."""
    strip: bool = False
    """The plan is written without its weights, which are refitted when it is loaded."""
    version_compatible: bool = False
    """The plan also runs under later versions of TensorRT; slower."""
    hardware_compatible: Literal["no", "same capability", "ampere and newer"] = "no"
    """On which other GPUs the plan is to run; slower."""
    tf32: bool = False
    """Let float32 be multiplied in TF32."""
    workspace: int | None = None
    """Scratch memory that a kernel may take, in bytes; None: whatever the GPU has."""

    @property
    def flags(self) -> tuple[str, ...]:
        """Everything but the precision, for the plan's key."""
        return tuple(f"{name} {value}" for name, value in sorted(vars(self).items()) if name != "precision")


class Timings(Protocol):
    """Where the measured speed of kernels is kept between builds."""

    def load(self) -> bytes:
        """What is kept, or nothing."""
        ...

    def update(self, merge: Callable[[bytes], bytes]) -> None:
        """Replace what is kept by ``merge(what is kept now)``, while nobody else does."""
        ...


def build_plan(
    onnx_path: str | Path,
    profile: Profile,
    recipe: Recipe,
    progress: Progress | None = None,
    timings: Timings | None = None,
) -> bytes:
    """Build a plan for the GPU that is current. It takes minutes; ``progress(text, part of it)`` is called throughout.

    Raises EngineError with the library's own reason. What ``progress`` raises stops the build, and comes out here.
    """
    lib, file = library(), OnnxFile.open(onnx_path)
    _check(file, profile, recipe)
    trt = lib.trt
    builder = lib.made("starting the builder", trt.Builder, lib.logger)
    network = _parse(lib, builder, file)
    config = lib.made("configuring the builder", builder.create_builder_config)
    _configure(trt, config, profile, recipe)
    _add_profile(lib, builder, config, profile)
    cache = _use_timings(config, timings)
    monitor = _make_monitor(trt, progress or (lambda text, part: None))
    config.progress_monitor = monitor
    try:
        plan = lib.made(f"building {file.path.name}", builder.build_serialized_network, network, config)
    except EngineError:
        if monitor.stopped_by is None:
            raise
    if monitor.stopped_by is not None:
        raise monitor.stopped_by
    if timings is not None and cache is not None:
        _keep_timings(config, timings, cache)
    return bytes(memoryview(plan))


def _check(file: OnnxFile, profile: Profile, recipe: Recipe) -> None:
    """Raise EngineError for what can be told before minutes are spent."""
    inputs = file.inputs
    if inputs.keys() != profile.ranges.keys():
        raise EngineError(f"{file.path.name}: got shapes for {sorted(profile.ranges)}, it takes {sorted(inputs)}")
    for name, shape in inputs.items():
        wanted = profile.ranges[name]
        sizes = zip(shape, wanted.smallest, wanted.largest, strict=False)
        if len(shape) != len(wanted.usual) or any(size >= 0 and {low, high} != {size} for size, low, high in sizes):
            raise EngineError(f"{file.path.name}: {name} is exported as {shape}, asked {wanted}: export it again")
    if recipe.precision in ("int8", "fp8") and not file.quantised:
        raise EngineError(
            f"{file.path.name}: got no Q/DQ nodes, expected a model quantised to {recipe.precision}; "
            f"quantise it with NVIDIA ModelOpt, or build fp16"
        )
    if not 0 <= recipe.optimization_level <= 5:
        raise EngineError(f"optimization_level: got {recipe.optimization_level}, expected 0 to 5")


def _parse(lib: Library, builder: Any, file: OnnxFile) -> Any:
    trt = lib.trt
    # 11 knows no other kind, and keeps the flag for old programs only.
    flags = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED) if lib.major < 11 else 0
    network = lib.made("making a network", builder.create_network, flags)
    parser = lib.made("making a parser", trt.OnnxParser, network, lib.logger)
    if not parser.parse_from_file(str(file.path.absolute())):  # absolute: weights beside the file are found from it
        errors = [parser.get_error(index) for index in range(parser.num_errors)]
        texts = [f"{error.node_name()} ({error.node_operator()}): {error.desc()}" for error in errors]
        raise EngineError(f"{file.path.name}: TensorRT {lib.version} cannot read it: {'; '.join(texts[:5])}")
    return network


def _configure(trt: Any, config: Any, profile: Profile, recipe: Recipe) -> None:
    config.builder_optimization_level = recipe.optimization_level
    if profile.static:
        config.tiling_optimization_level = getattr(trt.TilingOptimizationLevel, recipe.tiling.upper())
    if not recipe.tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    if recipe.refit:
        config.set_flag(trt.BuilderFlag.REFIT)
    if recipe.strip:
        config.set_flag(trt.BuilderFlag.STRIP_PLAN)
        if not recipe.refit:  # the same weights will come back, so more can be optimised
            config.set_flag(trt.BuilderFlag.REFIT_IDENTICAL)
    if recipe.version_compatible:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    level = COMPATIBILITY[recipe.hardware_compatible]
    config.hardware_compatibility_level = getattr(trt.HardwareCompatibilityLevel, level)
    if recipe.workspace is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, recipe.workspace)


def _add_profile(lib: Library, builder: Any, config: Any, profile: Profile) -> None:
    made = lib.made("making a profile", builder.create_optimization_profile)
    for name, shape in profile.ranges.items():
        made.set_shape(name, shape.smallest, shape.usual, shape.largest)
    if config.add_optimization_profile(made) < 0:
        raise EngineError(f"TensorRT {lib.version} takes no profile {profile}: {lib.logger.last()}")


def _use_timings(config: Any, timings: Timings | None) -> Any:
    """Start from what earlier builds measured; from nothing, when that was on another GPU."""
    if timings is None:
        return None
    kept = timings.load()
    for data in (kept, b"") if kept else (b"",):
        cache = config.create_timing_cache(data)
        if cache is not None and config.set_timing_cache(cache, False):
            return cache
    return None


def _keep_timings(config: Any, timings: Timings, cache: Any) -> None:
    def merge(kept: bytes) -> bytes:
        other = config.create_timing_cache(kept) if kept else None
        if other is not None:  # another build may have finished meanwhile
            cache.combine(other, False)
        return bytes(memoryview(cache.serialize()))

    timings.update(merge)


def _make_monitor(trt: Any, progress: Progress) -> Any:
    """Tells ``progress`` how far the build is; the library calls it from several threads."""

    class Monitor(trt.IProgressMonitor):
        def __init__(self) -> None:
            super().__init__()
            self.stopped_by: BaseException | None = None
            self._lock = threading.Lock()
            self._phases: dict[str, tuple[str | None, int, int]] = {}  # name -> parent, steps, steps done

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            with self._lock:
                self._phases[phase_name] = (parent_phase, max(1, num_steps), 0)
            self._tell(phase_name)

        def step_complete(self, phase_name: str, step: int) -> bool:
            with self._lock:
                parent, steps, _ = self._phases.get(phase_name, (None, step + 1, 0))
                self._phases[phase_name] = (parent, steps, min(steps, step + 1))
            self._tell(phase_name)
            return self.stopped_by is None

        def phase_finish(self, phase_name: str) -> None:
            with self._lock:
                self._phases.pop(phase_name, None)

        def _tell(self, phase: str) -> None:
            with self._lock:
                part = self._part()
            try:
                progress(phase, part)
            except BaseException as error:  # noqa: BLE001 - not through the library's C++ frames; build_plan raises it
                self.stopped_by = self.stopped_by or error

        def _part(self) -> float:
            """Steps done, those of an inner phase counted as a part of one step of the outer."""
            inner = {parent: name for name, (parent, _, _) in self._phases.items()}
            part, share, name = 0.0, 1.0, inner.get(None)
            while name is not None:
                _, steps, done = self._phases[name]
                part += share * done / steps
                share, name = share * (done < steps) / steps, inner.get(name)
            return min(1.0, part)

    return Monitor()
