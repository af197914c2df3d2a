"""TensorRT 10.12 and 11: the fastest engine on an NVIDIA GPU. Unverified on real hardware.

Each unit is exported to ONNX in the precision of its network, and built into a plan for exactly the shapes of the
stream. Plans are kept in the engine cache: signed, found by everything that decides them, and built again when the
library, the GPU or the driver no longer takes them. Every new or refitted engine is held to the unit that it was made
from before anything is shown. Prompts, control scales and LoRA scales are inputs, so changing them builds nothing; a
LoRA of the same shape is refitted.
"""

from __future__ import annotations

import importlib.util
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ...stream.base.errors import EngineError
from ...stream.base.frame import Size
from ...stream.base.progress import Progress, share_of
from .. import Options
from ..cache import EngineCache, KeptEngine
from ..export import export_unit
from ..fingerprint import graph_digest, weights_digest
from ..shapes import Shapes
from ..units import Positional, Units, make_units, positional_units
from .library import library, why_not
from .make import Job, Maker, Precision
from .memory import CudaMemory, cuda_missing

log = logging.getLogger(__name__)
_MADE_BY = ("export.py", "units.py", "images.py", "controls.py")
PRECISIONS: dict[torch.dtype, Precision] = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}


def available(where: str = "") -> str:
    """Why it cannot run here; empty: it can."""
    if where:
        return f"it runs on the GPU that the networks are on; use tensorrt, without :{where}"
    missing = cuda_missing()
    if missing:
        return missing
    if not all(importlib.util.find_spec(name) for name in ("onnx", "onnxscript")):
        return 'networks cannot be exported without ONNX: pip install "inkstream[onnx]"'
    return why_not()


def slow_start(pipe: Any, controlnets: list[Any], shapes: Shapes, options: Options) -> str:
    """Why nobody should be made to wait for it unasked: plans that would have to be built. Empty: all are kept."""
    maker = Maker(CudaMemory(pipe.unet.device), EngineCache(options.folder))
    units = positional_units(pipe, controlnets, shapes).items()
    missing = [name for name, unit in units if not maker.quick(make_job(name, unit, shapes))]
    if not missing:
        return ""
    return f'no plan is kept for {", ".join(missing)}, and building takes minutes: run "inkstream build" once'


def build(pipe: Any, controlnets: list[Any], shapes: Shapes, options: Options) -> Units:
    """Units on engines that are built, refitted or come from the cache, and were run once.

    Raises EngineError with one reason.
    """
    started = time.perf_counter()
    memory = CudaMemory(pipe.unet.device)
    maker = Maker(memory, EngineCache(options.folder))
    units = positional_units(pipe, controlnets, shapes)
    say: Progress = lambda text, part=None: options.progress(f"TensorRT: {text}", part)
    calls: dict[str, Callable[..., Any]] = {}
    for index, (name, unit) in enumerate(units.items()):
        maker.progress = share_of(say, index, len(units))
        job = make_job(name, unit, shapes)
        calls[name] = maker.engine(job)
    options.progress("TensorRT", 1.0)
    log.info("TensorRT: ready after %.1f s", time.perf_counter() - started)
    about = f"TensorRT {library().version} on {memory.hardware.model}, {job.precision}"
    return make_units(calls, shapes, "tensorrt", about)


def make_job(name: str, unit: Positional, shapes: Shapes) -> Job:
    """What is wanted of one unit. Raises EngineError for a network in a precision that TensorRT does not take."""
    first = next(unit.parameters())
    precision = PRECISIONS.get(first.dtype)
    if precision is None:
        raise EngineError(f"{name}: got a network in {first.dtype}, expected one of {', '.join(map(str, PRECISIONS))}")

    def export(folder: Path) -> Path:
        with torch.inference_mode(False):
            return export_unit(unit, name, shapes, folder / f"{name}.onnx")

    # Plans that can be refitted are a little slower, and only LoRAs are ever changed.
    refit = bool(shapes.loras) and name == "denoise"
    return Job(
        name=name,
        unit=unit,
        shapes=shapes.inputs(name),
        example=tuple(value.to(first.device) for value in shapes.example(name)),
        export=export,
        precision=precision,
        graph=graph_digest(unit, _MADE_BY, ("onnx", "onnxscript"), shapes.loras),
        weights=weights_digest(unit),
        size=Size(shapes.width, shapes.height),
        refit=refit,
        loras=shapes.loras if name == "denoise" else (),
        controlnets=shapes.controlnets if name in ("embed", "denoise") else 0,
    )


def unusable(entry: KeptEngine) -> str:
    """Why a plan of the cache will not be used on this machine as it is now; empty: it may be, or it is not known."""
    library_name, device = str(entry.parts.get("library", "")), str(entry.parts.get("device", ""))
    if not library_name.startswith("tensorrt ") or available():
        return ""
    version = library().version
    if library_name != f"tensorrt {version}":
        return f"built by {library_name}, and this is {version}"
    capabilities = {
        CudaMemory(torch.device("cuda", index)).hardware.capability for index in range(torch.cuda.device_count())
    }
    if device.split(" ")[0] not in capabilities:
        return f"built for {device}, and here is {', '.join(sorted(capabilities))}"
    return ""
