"""From an ONNX file to an engine plan, with TensorRT 10.12 or 11. Unverified on real hardware.

Networks are always strongly typed, the only kind that TensorRT 11 has: the precision is that of the ONNX file. Shapes
are always fixed, so that kernels may rely on them; TensorRT needs no optimization profile for that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ...stream.base.errors import EngineError
from ...stream.base.progress import Progress
from .library import Library, library
from .onnx import OnnxFile

Shape = tuple[int, ...]
# How long kernels are searched, 0 to 5: one more than the library's own choice, since a plan is built once.
OPTIMIZATION_LEVEL = 4
# How hard tilings that stay in the L2 cache are searched, which the library does for fixed shapes only.
TILING = "MODERATE"


class Timings(Protocol):
    """Where the measured speed of kernels is kept between builds."""

    def load(self) -> bytes:
        """What is kept, or nothing."""
        ...

    def update(self, merge: Callable[[bytes], bytes]) -> None:
        """Replace what is kept by ``merge(what is kept now)``, while nobody else does."""
        ...


def build_plan(file: OnnxFile, shapes: Mapping[str, Shape], refit: bool, progress: Progress, timings: Timings) -> bytes:
    """Build a plan for the GPU that is current, and for inputs of these shapes. It takes minutes.

    ``refit``: its weights can be replaced later, so that another LoRA of the same shape needs no new build.
    ``progress`` is called throughout; what it raises stops the build, and comes out here.
    Raises EngineError with the library's own reason.
    """
    lib = library()
    _check(file, shapes)
    trt = lib.trt
    builder = lib.made("starting the builder", trt.Builder, lib.logger)
    network = _parse(lib, builder, file)
    config = lib.made("configuring the builder", builder.create_builder_config)
    config.builder_optimization_level = OPTIMIZATION_LEVEL
    config.tiling_optimization_level = getattr(trt.TilingOptimizationLevel, TILING)
    config.clear_flag(trt.BuilderFlag.TF32)  # float32 is asked for where its accuracy matters
    if refit:
        config.set_flag(trt.BuilderFlag.REFIT)
    cache = _use_timings(config, timings)
    monitor = make_monitor(trt, progress)
    config.progress_monitor = monitor
    try:
        plan = lib.made(f"building {file.path.name}", builder.build_serialized_network, network, config)
    except EngineError:
        if monitor.stopped_by is None:
            raise
    if monitor.stopped_by is not None:
        raise monitor.stopped_by
    if cache is not None:
        _keep_timings(config, timings, cache)
    return bytes(memoryview(plan))


def _check(file: OnnxFile, shapes: Mapping[str, Shape]) -> None:
    """Raise EngineError for what can be seen before minutes are spent."""
    inputs = file.inputs
    if inputs.keys() != shapes.keys():
        raise EngineError(f"{file.path.name}: got shapes for {sorted(shapes)}, it takes {sorted(inputs)}")
    for name, shape in inputs.items():
        if shape != shapes[name]:
            raise EngineError(f"{file.path.name}: {name} is exported as {shape}, asked {shapes[name]}: export it again")


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


def _use_timings(config: Any, timings: Timings) -> Any:
    """Start from what earlier builds measured; from nothing, when that was on another GPU."""
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


def make_monitor(trt: Any, progress: Progress) -> Any:
    """What the library reports a build to, from several threads; it tells ``progress`` how far the build is.

    ``stopped_by`` is what ``progress`` raised first, or None.
    """

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
