"""What a single-file checkpoint predicts: the noise (epsilon) or the velocity (v_prediction), and how that is known.

The file says it nowhere for certain, so what other programs go by is looked at in turn: keys that mark it, its free
text, the YAML file that web UIs keep beside it, and for Stable Diffusion 2.x a bias that training with velocities
makes large.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..stream.base import safeyaml
from ..stream.base.errors import ConfigError, ModelError
from .describe import Family
from .safety import MAX_CONFIG_BYTES, Header

Prediction = Literal["epsilon", "v_prediction"]
_WORDS: dict[str, Prediction] = {
    **dict.fromkeys(("v", "v_prediction", "v-prediction", "vpred", "v_pred"), "v_prediction"),
    **dict.fromkeys(("epsilon", "eps"), "epsilon"),
}
_TRUE = ("true", "1")
# The threshold of ComfyUI: above it is 2.0 and 2.1 for 768 pixels, below it what predicts noise, for 512 pixels.
_BIAS, _LARGE = "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias", 0.09


@dataclass(frozen=True)
class Parameterisation:
    """What a checkpoint predicts, whether its noise reaches zero signal (arXiv 2305.08891), and why that is thought."""

    prediction: Prediction
    zero_snr: bool
    why: str
    sure: bool = True
    """False: nothing says so, it only looks like it."""


def find_parameterisation(path: Path, header: Header, family: Family) -> Parameterisation:
    """How a checkpoint of this family is parameterised.

    Raises ModelError for one that is trained on another schedule (EDM), and for a YAML file beside it that is damaged.
    """
    if {"edm_mean", "edm_std", "edm_vpred.sigma_max"} & header.tensors.keys():
        raise ModelError(
            f"{path}: it is trained on EDM's noise (Playground 2.5, CosXL), expected a model with betas, such as SDXL"
        )
    text = {key.lower(): value.strip().lower() for key, value in header.metadata.items()}
    zero = "ztsnr" in header.tensors or text.get("ss_zero_terminal_snr") in _TRUE
    if "v_pred" in header.tensors or "ztsnr" in header.tensors:
        key = "v_pred" if "v_pred" in header.tensors else "ztsnr"
        return Parameterisation("v_prediction", zero, f"it has the key {key}")
    for key in ("modelspec.prediction_type", "modelspec.predict_key"):
        if text.get(key) in _WORDS:
            return Parameterisation(_WORDS[text[key]], zero, f"its metadata says so in {key}")
    if text.get("ss_v_parameterization") in _TRUE:
        return Parameterisation("v_prediction", zero, "its metadata says so in ss_v_parameterization")
    if text.get("modelspec.architecture", "").startswith("stable-diffusion-v2-"):
        found: Prediction = "v_prediction" if text["modelspec.architecture"].endswith("-v") else "epsilon"
        return Parameterisation(found, zero, "its metadata says so in modelspec.architecture")
    beside = path.with_suffix(".yaml")
    if beside.is_file():
        found = "v_prediction" if _parameterised(beside) == "v" else "epsilon"
        return Parameterisation(found, zero, f"{beside.name} beside it says so")
    if family != "sd2":
        return Parameterisation("epsilon", zero, "as nothing in it says otherwise", sure=False)
    spread = _spread(path, header)
    if spread is None:
        return Parameterisation("v_prediction", zero, "as Stable Diffusion 2.1 does", sure=False)
    found = "v_prediction" if spread > _LARGE else "epsilon"
    return Parameterisation(found, zero, "its weights look like it", sure=False)


def scheduler_with(scheduler: Any, prediction: Prediction, zero_snr: bool | None = None) -> Any:
    """A scheduler of diffusers like the one given, for what is predicted; ``zero_snr`` None leaves that as it is."""
    from diffusers import DDIMScheduler

    kind, more = type(scheduler), {}
    if zero_snr is not None:
        more = {"rescale_betas_zero_snr": zero_snr}
        if zero_snr and "rescale_betas_zero_snr" not in inspect.signature(kind.__init__).parameters:
            kind = DDIMScheduler
    return kind.from_config(scheduler.config, prediction_type=prediction, **more)


def _parameterised(path: Path) -> Any:
    """What the configuration of the original code says under model.params.parameterization."""
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise ModelError(f"{path}: got {path.stat().st_size:,} bytes, expected at most {MAX_CONFIG_BYTES:,}")
    try:
        value = safeyaml.read(path.read_text("utf-8", errors="replace"), str(path)).value
    except ConfigError as error:
        raise ModelError(f"{error}; mend it or remove it: it says what the model beside it predicts") from error
    for key in ("model", "params", "parameterization"):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _spread(path: Path, header: Header) -> float | None:
    if _BIAS not in header.tensors:
        return None
    from safetensors import safe_open

    with safe_open(str(path), "pt") as file:
        return float(file.get_tensor(_BIAS).float().std(correction=0))
