"""Paper and ink: unpainted paper is undecided, and must not come out as snow.

A picture that is denoised from its own pixels (img2img) turns bare white paper into snow. So the ink is told apart from
the paper (``ink_matte``), and the paper is filled with content that leaves the choice to the model (``fill_paper``).
Everything here is a pure function of one picture.
"""

from __future__ import annotations

import cv2
import numpy as np

from .tone import Paper, check_pixels, find_paper, largest, scalar, smoothstep

MID_TONE = 128  # undecided content: as far from white as from black
INK_BAND = 10.0  # CIELAB units from "still paper" to "surely ink"
_NEIGHBOURS = np.ones((3, 3), np.uint8)
_UNIT = np.arange(256, dtype=np.float32) / 255
_FILL_GRID = 32  # the fill is smooth, so this many cells along the longer side carry it


def ink_matte(pixels: np.ndarray, paper: Paper | None = None) -> np.ndarray:
    """How much each pixel is ink: ``(H, W)`` float32 in [0, 1], 0 on bare paper, 1 on ink.

    A smoothstep of the CIELAB distance to the paper's tone; it starts above the paper's own noise. A pixel that touches
    bare paper is an antialiased edge, and counts as ink only as far as it is as strong as its strongest neighbour.
    All ones when the picture has no paper (see ``find_paper``). ``paper`` saves finding it again.
    """
    check_pixels(pixels)
    paper = paper or find_paper(pixels)
    height, width = pixels.shape[:2]
    if paper is None:
        return np.ones((height, width), np.float32)
    if paper.surface is not None:
        return _uneven_matte(pixels, paper)
    low = 1.5 + 1.4 * paper.noise
    strength = largest(cv2.absdiff(pixels, scalar(*paper.colour)))
    # Most of a drawing is exactly its paper's colour, and needs no colour arithmetic.
    places = np.flatnonzero(strength.reshape(-1) != 0)
    if len(places) > 0.3 * strength.size:
        ink = _ink_of(pixels, paper.tone(1, 1), low)
    else:
        ink = np.zeros((height, width), np.uint8)
        if len(places):
            drawn = np.take(pixels.reshape(-1, 3), places, axis=0)[None]
            ink.reshape(-1)[places] = _ink_of(drawn, paper.tone(1, 1), low)[0]
    return cv2.LUT(_uncover(ink, strength, low), _UNIT)


def fill_paper(pixels: np.ndarray) -> np.ndarray:
    """Replace bare paper by undecided content; ``(H, W, 3)`` uint8 RGB in and out, ink pixels stay as they are.

    The content is a normalised convolution (Knutsson and Westin, 1993) of the ink's colours at three widths, which
    falls back to a middle grey with growing distance from the ink. It is never white and never black. A picture without
    paper comes back unchanged.
    """
    paper = find_paper(pixels)
    if paper is None:
        return pixels.copy()
    return fill_bare(pixels, ink_matte(pixels, paper))


def fill_bare(pixels: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """Undecided content, see ``fill_paper``, wherever ``matte`` (H, W) float32 in [0, 1] does not say 1."""
    content = _undecided(pixels, matte)
    # Only the few pixels between paper and ink need arithmetic; the others are copied.
    result = cv2.copyTo(pixels, cv2.compare(matte, scalar(1), cv2.CMP_GE), content)
    mixed = np.flatnonzero(cv2.inRange(matte, 1e-6, 1.0 - 1e-6).reshape(-1) != 0)
    weight = np.take(matte.reshape(-1), mixed)[:, None]
    flat = result.reshape(-1, 3)
    ink, other = np.take(pixels.reshape(-1, 3), mixed, axis=0), np.take(flat, mixed, axis=0)
    flat[mixed] = other + weight * (ink.astype(np.float32) - other) + 0.5
    return result


def _undecided(pixels: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """The ink's colours spread over the whole picture and faded to the middle grey, ``(H, W, 3)`` uint8."""
    height, width = matte.shape
    shrink = max(1.0, max(height, width) / _FILL_GRID)
    size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    # Every fourth pixel is enough for colours that are spread this far.
    step = max(1, int(shrink // 4))
    solid = cv2.compare(np.ascontiguousarray(matte[::step, ::step]), scalar(0.5), cv2.CMP_GT)
    ink = cv2.bitwise_and(np.ascontiguousarray(pixels[::step, ::step]), scalar(255, 255, 255), mask=solid)
    cover = cv2.resize(solid, size, interpolation=cv2.INTER_AREA).astype(np.float32) * (1 / 255)
    colour = cv2.resize(ink, size, interpolation=cv2.INTER_AREA).astype(np.float32) - MID_TONE * cover[..., None]
    premultiplied = np.dstack([colour, cover])
    total = np.zeros_like(premultiplied)
    for part in (1 / 48, 1 / 16, 1 / 6):
        sigma = max(0.6, part * max(size))
        kernel = 2 * int(2.5 * sigma + 0.5) + 1
        total += cv2.GaussianBlur(premultiplied, (kernel, kernel), sigma, borderType=cv2.BORDER_REFLECT)
    content = np.clip(MID_TONE + 0.5 + 0.75 * total[..., :3] / (total[..., 3:] + 0.12), 0, 255).astype(np.uint8)
    return cv2.resize(content, (width, height), interpolation=cv2.INTER_LINEAR)


def _uneven_matte(pixels: np.ndarray, paper: Paper) -> np.ndarray:
    """``ink_matte`` of a photographed sheet. Averaging takes about half of a camera's noise with it."""
    height, width = pixels.shape[:2]
    if max(height, width) > 400:
        smooth = cv2.resize(pixels, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)
    else:
        smooth = cv2.GaussianBlur(pixels, (3, 3), 0)
    tone = paper.tone(*smooth.shape[:2])
    low = 1.5 + 0.6 * paper.noise
    ink = _uncover(_ink_of(smooth, tone, low), largest(cv2.absdiff(smooth, tone)), low)
    if ink.shape != (height, width):
        ink = cv2.resize(ink, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.LUT(ink, _UNIT)


def _uncover(ink: np.ndarray, strength: np.ndarray, low: float) -> np.ndarray:
    """Weaken the pixels that touch bare paper to their share of the strongest pixel next to them."""
    cover = cv2.divide(strength, cv2.dilate(strength, _NEIGHBOURS), scale=255)
    inside = cv2.compare(cv2.erode(strength, _NEIGHBOURS), scalar(2 * low), cv2.CMP_GT)
    return cv2.multiply(ink, cv2.max(cover, inside), scale=1 / 255)


def _ink_of(pixels: np.ndarray, tone: np.ndarray, low: float) -> np.ndarray:
    """Smoothstep of the CIE76 distance to the paper's tone from ``low`` to ``low + INK_BAND``: ``(H, W)`` uint8."""
    apart = cv2.cvtColor(tone, cv2.COLOR_RGB2Lab)
    apart = cv2.absdiff(
        cv2.cvtColor(pixels, cv2.COLOR_RGB2Lab), apart if apart.size > 3 else scalar(*apart[0, 0].tolist())
    )
    # Squared distances in saturating bytes are many times faster than float32, and exact to half a unit.
    unit = 255.0 / (low + INK_BAND) ** 2
    levels = np.arange(256, dtype=np.float32)
    squares = np.empty((1, 256, 3), np.uint8)
    squares[0, :, 0] = np.minimum((levels / 2.55) ** 2 * unit + 0.5, 255)  # OpenCV's 8-bit L runs to 255
    squares[0, :, 1:] = np.minimum(levels**2 * unit + 0.5, 255)[:, None]
    one, two, three = cv2.split(cv2.LUT(apart, squares))
    ink = smoothstep(low, low + INK_BAND, np.sqrt(levels / unit))
    return cv2.LUT(cv2.add(cv2.add(one, two), three), (255 * ink + 0.5).astype(np.uint8))
