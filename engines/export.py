"""ONNX files of the units, with fixed or open sizes.

``torch.onnx.export(dynamo=True)`` makes them: it takes every unit as it is, open sizes included, where the TorchScript
exporter is deprecated and fixes what depends on a size. ControlNet scales, LoRA scales, the prompt and the timesteps
are inputs, so none of them needs another file; how many ControlNets there are is in the shape of ``scales``.

A file holds its weights, or has them beside it where they exceed what one file can hold (2 GB, as SDXL does).
"""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..stream.base.errors import EngineError
from ..stream.base.progress import Progress
from .shapes import RESULTS, Shapes
from .units import Positional, positional_units

# What every TensorRT 10 reads. Opset 23 has attention as one operator, which ONNX Runtime runs 6 % slower on a CPU.
OPSET = 20
_LARGEST = 1_900_000_000  # bytes of weights in one file; its format ends at 2 GB
_MOST = {"frames": 64, "rows": 63, "side": 1024}  # UNets take another way from 64 rows on


def export_units(
    pipe: Any,
    controlnets: list[Any],
    shapes: Shapes,
    folder: str | Path,
    *,
    dynamic: bool = False,
    precision: torch.dtype | None = None,
    opset: int = OPSET,
    progress: Progress | None = None,
) -> dict[str, Path]:
    """Write ``<unit>.onnx`` for every unit that a stream of these shapes calls; gives their paths.

    ``dynamic`` leaves open how many frames (to 64) and rows (to 63) there are, and their size (to a latent of 1024 x
    1024). ``precision`` is that of the networks inside, by default the pipeline's own; inputs and results are float32.
    Raises EngineError for a network that cannot be exported.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    units = positional_units(pipe, controlnets, shapes, precision)
    paths = {}
    for index, (name, unit) in enumerate(units.items()):
        if progress is not None:
            progress(f"exporting {name}", index / len(units))
        paths[name] = export_unit(unit, name, shapes, folder / f"{name}.onnx", dynamic, opset)
    if progress is not None:
        progress("exported", 1.0)
    return paths


def export_unit(
    unit: Positional, name: str, shapes: Shapes, path: Path, dynamic: bool = False, opset: int = OPSET
) -> Path:
    """Write one unit, which is called ``name``, to a file. See ``export_units``."""
    return write(to_onnx(unit, name, shapes, dynamic, opset), path)


def to_onnx(unit: Positional, name: str, shapes: Shapes, dynamic: bool = False, opset: int = OPSET) -> Any:
    """The ONNX program of a unit: torch's ``ONNXProgram``. Raises EngineError."""
    names = tuple(shapes.inputs(name))
    torch_onnx = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = torch_onnx.level
    torch_onnx.setLevel(logging.ERROR)  # torchvision, whose operators it misses, is not installed on purpose
    device = next(unit.parameters()).device
    example = tuple(value.to(device) for value in (_generic(shapes) if dynamic else shapes).example(name))
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of exporters, about what they decide by themselves
            program = torch.export.export(
                unit,
                example,
                dynamic_shapes=(_open_sizes(unit, shapes, names),) if dynamic else None,
                strict=False,
                prefer_deferred_runtime_asserts_over_guards=dynamic,
            )
            result = torch.onnx.export(
                program,
                dynamo=True,
                input_names=names,
                output_names=[RESULTS[name]],
                opset_version=opset,
                verbose=False,
            )
    except Exception as error:
        raise EngineError(f"{name} cannot be exported to ONNX: {type(error).__name__}: {error}"[:400]) from error
    finally:
        torch_onnx.setLevel(level)
    return result


def write(program: Any, path: Path, external: bool | None = None) -> Path:
    """Write a program to a file, whole or not at all, its weights beside it where ``external`` or they are too large.

    They lie in ``<name>.onnx.data`` in the same folder. A file of the same name is replaced.
    """
    if external is None:
        external = _size(program) > _LARGEST
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        made = Path(folder) / path.name
        program.save(str(made), external_data=external)
        for file in sorted(made.parent.iterdir(), reverse=True):  # the weights before the file that refers to them
            os.replace(file, path.parent / file.name)
    return path


def to_bytes(program: Any) -> bytes | None:
    """A program with its weights; None where they are too large for that."""
    return program.model_proto.SerializeToString() if _size(program) <= _LARGEST else None


def _size(program: Any) -> int:
    return sum(value.const_value.nbytes for value in program.model.graph.initializers.values())


def _generic(shapes: Shapes) -> Shapes:
    """The same with sizes that stand for all others: none is 1, no two are equal."""
    channels, height, width = shapes.latent
    pixels = shapes.height // height
    factor = 16
    height, width = 2 * factor, 3 * factor
    return replace(
        shapes,
        frames=2,
        rows=3,
        latent=(channels, height, width),
        height=height * pixels,
        width=width * pixels,
    )


def _open_sizes(unit: Positional, shapes: Shapes, names: tuple[str, ...]) -> tuple[dict[int, Any], ...]:
    """Which sizes of each input are open. Sides are multiples of what the UNet halves and doubles again."""
    from torch.export import Dim

    frames, rows = Dim("frames", max=_MOST["frames"]), Dim("rows", max=_MOST["rows"])
    levels = len(unit.unit.unet.config.block_out_channels) if hasattr(unit.unit, "unet") else 1
    factor, pixels = 2 ** (levels - 1), shapes.height // shapes.latent[1]
    height, width = (Dim(name, max=_MOST["side"] // factor) for name in ("height", "width"))
    latent = {2: factor * height, 3: factor * width}
    known = {
        "image": {0: frames, 2: pixels * height, 3: pixels * width},
        "conditions": {1: frames, 3: pixels * height, 4: pixels * width},
        "latent": {0: frames, **latent},
        "sample": {0: rows, **latent},
        "features": {1: rows, **{axis + 1: size for axis, size in latent.items()}},
        "scales": {1: rows},
        "lora": {1: rows},
    }
    return tuple(known.get(name, {0: rows}) for name in names)
