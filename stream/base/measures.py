"""Whether INT8 or FP8 is worth it: how far pictures are from each other, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

LEAST_SPEEDUP = 1.2  # against the fastest that is not quantised
LEAST_PSNR = 25.0  # dB against eager
# What a row is called, and the ``dtype`` that it is of.
PRECISIONS = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16", "int8": "int8", "fp8": "float8"}


@dataclass(frozen=True)
class Row:
    """One precision, measured. Pictures are compared with those of eager float32."""

    precision: str
    median_ms: float
    """Of a frame, host to host."""
    size_mb: float
    """Its graphs in the engine cache or, of an engine that keeps none, the weights that it reads."""
    memory_mb: float
    """What the process, or the memory in use on the GPU, grew by when the stream was loaded."""
    psnr_db: float
    ssim: float
    edge_f1: float
    kept: tuple[str, ...] = ()
    """What is not in this precision, and why."""


@dataclass(frozen=True)
class Verdict:
    """Whether a precision is recommended, and which conditions failed."""

    precision: str
    recommended: bool
    failed: tuple[str, ...]

    def __str__(self) -> str:
        if self.recommended:
            return f"{self.precision} is recommended here: set dtype to {PRECISIONS[self.precision]}"
        return f"{self.precision} is not recommended here: {'; '.join(self.failed)}"


def verdict(quantised: Row, *others: Row) -> Verdict:
    """It must be at least 1.2 times as fast as the fastest of the others, and at least 25 dB from eager."""
    failed = []
    best = min(others, key=lambda row: row.median_ms)
    speedup = best.median_ms / quantised.median_ms
    if not speedup >= LEAST_SPEEDUP:
        failed.append(f"{speedup:.2f} times as fast as {best.precision}, at least {LEAST_SPEEDUP:g} are asked")
    if not quantised.psnr_db >= LEAST_PSNR:
        failed.append(f"{quantised.psnr_db:.1f} dB from eager, at least {LEAST_PSNR:g} are asked")
    return Verdict(quantised.precision, not failed, tuple(failed))


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal to noise in dB of (..., 3) uint8 pictures; 100 where they are equal."""
    error = float(((a.astype(np.float64) - b) ** 2).mean())
    return float(min(100.0, 10 * np.log10(255.0**2 / error))) if error else 100.0


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Structural similarity of the luma of (H, W, 3) uint8 RGB pictures, 1 where equal (Wang et al. 2004)."""
    x, y = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float64) for picture in (a, b))

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(values, (11, 11), 1.5)

    mx, my = mean(x), mean(y)
    vx, vy, both = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float((((2 * mx * my + c1) * (2 * both + c2)) / ((mx * mx + my * my + c1) * (vx + vy + c2))).mean())


def edge_f1(got: np.ndarray, expected: np.ndarray, tolerance: int = 2) -> float:
    """F1 of the edges of one (H, W, 3) uint8 RGB picture against another's, ``tolerance`` pixels apart at most.

    Edges are Canny's (thresholds 40 and 100) after a blur of sigma 1. Two pictures without any agree.
    """
    found, wanted = (edges(picture) for picture in (got, expected))
    if not found.any() and not wanted.any():
        return 1.0
    precision, recall = covered(found, wanted, tolerance), covered(wanted, found, tolerance)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def edges(picture: np.ndarray) -> np.ndarray:
    """Where a (H, W, 3) uint8 RGB picture has edges, (H, W) bool; see ``edge_f1``."""
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return cv2.Canny(cv2.GaussianBlur(gray, (0, 0), 1.0), 40, 100) > 0


def covered(some: np.ndarray, by: np.ndarray, tolerance: int) -> float:
    """The part of ``some`` edges (H, W) bool that others are near to, 0 to 1; 0 where either has none."""
    if not some.any() or not by.any():
        return 0.0
    side = 2 * tolerance + 1
    near = cv2.dilate(by.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    return float(near[some].mean())
