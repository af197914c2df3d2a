"""ONNX files of the units, for exactly the shapes of one stream.

``torch.onnx.export(dynamo=True)`` makes them: it takes every unit as it is, where the TorchScript exporter is
deprecated. ControlNet scales, LoRA scales, the prompt and the timesteps are inputs, so none of them needs another file.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import torch

from ..stream.base.errors import EngineError
from .shapes import RESULTS, Shapes
from .units import Positional

# What every TensorRT 10 reads. Opset 23 has attention as one operator, which ONNX Runtime runs 6 % slower on a CPU.
OPSET = 20
LARGEST = 1_900_000_000  # bytes of weights in one file; its format ends at 2 GB


def export_unit(unit: Positional, name: str, shapes: Shapes, path: Path) -> Path:
    """Write the ONNX file of the unit called ``name`` for a stream of these shapes; gives its path.

    Weights that are too large for it lie beside it, in ``<name>.onnx.data``. Inputs and results are float32, whatever
    the network computes in. Raises EngineError for a network that cannot be exported.
    """
    program = to_onnx(unit, name, shapes)
    program.save(str(path), external_data=_size(program) > LARGEST)
    return path


def to_onnx(unit: Positional, name: str, shapes: Shapes) -> Any:
    """The ONNX program of a unit: torch's ``ONNXProgram``. Raises EngineError."""
    torch_onnx = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = torch_onnx.level
    torch_onnx.setLevel(logging.ERROR)  # torchvision, whose operators it misses, is not installed on purpose
    device = next(unit.parameters()).device
    example = tuple(value.to(device) for value in shapes.example(name))
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of exporters, about what they decide by themselves
            program = torch.export.export(unit, example, strict=False)
            result = torch.onnx.export(
                program,
                dynamo=True,
                input_names=tuple(shapes.inputs(name)),
                output_names=[RESULTS[name]],
                opset_version=OPSET,
                verbose=False,
            )
    except Exception as error:
        raise EngineError(f"{name} cannot be exported to ONNX: {type(error).__name__}: {error}"[:400]) from error
    finally:
        torch_onnx.setLevel(level)
    return result


def to_bytes(program: Any) -> bytes | None:
    """A program with its weights; None where they are too large for that."""
    return program.model_proto.SerializeToString() if _size(program) <= LARGEST else None


def _size(program: Any) -> int:
    return sum(value.const_value.nbytes for value in program.model.graph.initializers.values())
