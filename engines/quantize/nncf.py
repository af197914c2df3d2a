"""The calls to NNCF (Neural Network Compression Framework), post-training quantisation of OpenVINO graphs."""

from __future__ import annotations

import contextlib
import io
import logging
from typing import Any

import numpy as np

from ...stream.base.errors import EngineError
from ...stream.base.progress import Progress
from ..openvino_library import first_line, runtime, silently


def package() -> Any:
    """The package ``nncf``, imported without its telemetry."""
    runtime()
    nncf = silently("nncf")
    logging.getLogger("nncf").setLevel(logging.ERROR)
    return nncf


def quantise(model: Any, inputs: list[list[np.ndarray]], hybrid: bool, name: str, progress: Progress) -> Any:
    """An INT8 graph of a float32 one, which is changed. ``inputs`` are those of real calls, by position.

    ``hybrid``: convolutions are quantised with their activations, linear layers have their weights compressed only.
    Otherwise everything that NNCF quantises is. Raises EngineError when it cannot.
    """
    nncf = package()
    seen = 0

    def given(values: list[np.ndarray]) -> dict[int, np.ndarray]:
        nonlocal seen
        progress(f"quantising {name}", (seen % len(inputs)) / len(inputs))
        seen += 1
        return dict(enumerate(values))

    try:
        with contextlib.redirect_stdout(io.StringIO()):  # progress bars of its own
            ignored = None
            if hybrid:
                only = nncf.IgnoredScope(types=["Convolution"], validate=False)
                others = sorted({op.get_type_name() for op in model.get_ops()} - {"Convolution"})
                model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM, ignored_scope=only)
                ignored = nncf.IgnoredScope(types=others, validate=False)
            return nncf.quantize(
                model,
                nncf.Dataset(inputs, given),
                preset=nncf.QuantizationPreset.MIXED,  # activations of either sign, weights symmetric
                subset_size=len(inputs),
                ignored_scope=ignored,
            )
    except Exception as error:  # whatever NNCF and OpenVINO raise, in many types
        raise EngineError(f"{name} cannot be quantised: {first_line(error)}") from error
