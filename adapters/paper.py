"""Paper and ink: which colour of a drawing is bare paper, and what to put there while it is undecided.

A picture that is denoised from its own pixels (img2img) turns unpainted white paper into snow. So the paper is found
(``find_paper``), told apart from the ink (``ink_matte``) and filled with content that leaves the choice to the model
(``fill_paper``). Everything here is a pure function of one picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..stream.errors import FrameError

MID_TONE = 128  # undecided content: as far from white as from black
GRID = 48  # paper is looked for on at most GRID x GRID samples
REACH = 12  # levels by which a sample may differ from the paper's colour in any channel
ENOUGH = 0.45  # score from which a colour is paper, see find_paper
INK_BAND = 10.0  # CIELAB units from "still paper" to "surely ink"
_NEIGHBOURS = np.ones((3, 3), np.uint8)
_UNIT = np.arange(256, dtype=np.float32) / 255
_FILL_GRID = 32  # the fill is smooth, so this many cells along the longer side carry it


@dataclass(frozen=True, eq=False)
class Paper:
    """The bare paper of one drawing."""

    colour: tuple[int, int, int]  # RGB, 0..255
    share: float  # part of the picture that is bare paper, 0..1
    noise: float  # CIELAB distance from the paper's tone that 98 % of the bare paper stays within
    surface: np.ndarray | None  # (6, 3) coefficients of an uneven tone, see _terms; None for an even one

    def tone(self, height: int, width: int) -> np.ndarray:
        """The paper's colour at every pixel, ``(height, width, 3)`` uint8 RGB."""
        if self.surface is None:
            return np.full((height, width, 3), self.colour, np.uint8)
        cells = 24
        coarse = (_terms(cells, cells) @ self.surface).reshape(cells, cells, 3)
        coarse = np.clip(coarse + 0.5, 0, 255).astype(np.uint8)
        return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)


def check_pixels(pixels: np.ndarray) -> None:
    """Raise FrameError unless ``pixels`` is a non-empty ``(H, W, 3)`` uint8 array."""
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        got = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise FrameError(f"picture: got {got}, expected uint8 (H, W, 3) RGB; inkstream.stream.frame.as_rgb converts")
    if pixels.size == 0:
        raise FrameError(f"picture: got {pixels.shape[1]}x{pixels.shape[0]} pixels, expected at least 1x1")


def find_paper(pixels: np.ndarray) -> Paper | None:
    """Find the dominant flat colour of an ``(H, W, 3)`` uint8 RGB picture, or None when there is no paper.

    A colour's score is the mean of its share of the picture and its share of the border, plus a prior: light, nearly
    neutral colours are likelier to be paper than saturated ones (up to +0.3 and down to -0.15), so that a canvas half
    filled with dark paint keeps its white paper. The best colour is paper when its score reaches 0.45 and it is either
    exactly even and covers 5 %, or (a photographed sheet) lies on a smooth surface of tones, a quadratic one fitted to
    the samples on it, that is coherent, covers 40 % and spans at most 140 levels, and is not saturated.

    A photo, a strong gradient, a texture, noise, and a painting that fills its canvas have no paper.
    """
    check_pixels(pixels)
    samples = _samples(pixels)
    rows, columns = samples.shape[:2]
    flat = samples.reshape(-1, 3)
    colour, score = _best_colour(flat, _ring(rows, columns))
    values = flat.astype(np.float32)
    deviation = np.abs(values - colour).max(axis=1)
    near = deviation <= REACH
    if near.any():
        colour = _mode(values[near])
        deviation = np.abs(values - colour).max(axis=1)
        near = deviation <= REACH
    share = float(near.mean())
    even = share >= 0.05 and float(deviation[near].mean()) <= 1.0
    surface = None
    if even:
        if score < ENOUGH:
            return None
        tone = np.broadcast_to(colour, values.shape)
    elif share < 0.12:
        return None
    else:
        surface, near = _fit_surface(values, near, rows, columns)
        tone = _terms(rows, columns) @ surface
        share = float(near.mean())
        if share < 0.4 or not _is_coherent(near.reshape(rows, columns)) or np.ptp(tone, axis=0).max() > 140:
            return None
        prior = float(_prior(colour[None])[0])
        if prior < 0.05 or 0.5 * (share + float(near[_ring(rows, columns)].mean())) + prior < ENOUGH + 0.1:
            return None
    noise = 0.0
    if deviation[near].any():
        distance = np.sort(_lab_distance(values[near], tone[near]))
        noise = float(distance[int(0.98 * (len(distance) - 1))])
    red, green, blue = (int(value) for value in np.clip(colour + 0.5, 0, 255))
    return Paper((red, green, blue), share, noise, surface)


def paper_colour(pixels: np.ndarray) -> tuple[tuple[int, int, int], float]:
    """The paper's RGB and its share of the picture in [0, 1]; the most common colour and 0.0 when there is no paper."""
    paper = find_paper(pixels)
    if paper is not None:
        return paper.colour, paper.share
    flat = _samples(pixels).reshape(-1, 3)
    colour, _ = _best_colour(flat, np.ones(len(flat), bool))
    red, green, blue = (int(value + 0.5) for value in colour)
    return (red, green, blue), 0.0


def ink_matte(pixels: np.ndarray, paper: Paper | None = None) -> np.ndarray:
    """How much each pixel is ink: ``(H, W)`` float32 in [0, 1], 0 on bare paper, 1 on ink.

    A smoothstep of the CIELAB distance to the paper's tone; it starts above the paper's own noise. A pixel that touches
    bare paper is an antialiased edge, and counts as ink only as far as it is as strong as its strongest neighbour.
    All ones when the picture has no paper (see ``find_paper``). ``paper`` saves finding it again.
    """
    paper = paper or find_paper(pixels)
    height, width = pixels.shape[:2]
    if paper is None:
        return np.ones((height, width), np.float32)
    if paper.surface is not None:
        return _uneven_matte(pixels, paper)
    low = 1.5 + 1.4 * paper.noise
    strength = _largest(cv2.absdiff(pixels, (*paper.colour, 0)))
    # Most of a drawing is exactly its paper's colour, and needs no colour arithmetic.
    places = np.flatnonzero(strength.reshape(-1).view(np.bool_))
    if len(places) > 0.3 * strength.size:
        ink = _ink_of(pixels, paper.tone(1, 1), low)
    else:
        ink = np.zeros((height, width), np.uint8)
        if len(places):
            drawn = np.take(pixels.reshape(-1, 3), places, axis=0)[None]
            ink.reshape(-1)[places] = _ink_of(drawn, paper.tone(1, 1), low)[0]
    return cv2.LUT(_uncover(ink, strength, low), _UNIT)


def fill_paper(pixels: np.ndarray, matte: np.ndarray | None = None) -> np.ndarray:
    """Replace bare paper by undecided content; ``(H, W, 3)`` uint8 RGB in and out, ink pixels stay as they are.

    The content is a normalised convolution (Knutsson and Westin, 1993) of the ink's colours at three widths, which
    falls back to a middle grey with growing distance from the ink. It is never white and never black.
    ``matte`` is ``(H, W)`` float32 in [0, 1], 1 = ink; without it ``ink_matte`` is used. A picture without paper comes
    back unchanged. Raises FrameError when the matte has another size.
    """
    check_pixels(pixels)
    if matte is None:
        paper = find_paper(pixels)
        if paper is None:
            return pixels.copy()
        matte = ink_matte(pixels, paper)
    height, width = pixels.shape[:2]
    if matte.shape != (height, width):
        raise FrameError(f"matte: got {matte.shape[1]}x{matte.shape[0]}, expected the picture's {width}x{height}")
    matte = np.ascontiguousarray(matte, np.float32)

    content = _undecided(pixels, matte)
    # Only the few pixels between paper and ink need arithmetic; the others are copied.
    result = cv2.copyTo(pixels, cv2.compare(matte, 1.0, cv2.CMP_GE), content)
    mixed = np.flatnonzero(cv2.inRange(matte, 1e-6, 1.0 - 1e-6).view(bool).reshape(-1))
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
    solid = cv2.compare(np.ascontiguousarray(matte[::step, ::step]), 0.5, cv2.CMP_GT)
    ink = cv2.bitwise_and(np.ascontiguousarray(pixels[::step, ::step]), (255, 255, 255, 0), mask=solid)
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
    ink = _uncover(_ink_of(smooth, tone, low), _largest(cv2.absdiff(smooth, tone)), low)
    if ink.shape != (height, width):
        ink = cv2.resize(ink, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.LUT(ink, _UNIT)


def _uncover(ink: np.ndarray, strength: np.ndarray, low: float) -> np.ndarray:
    """Weaken the pixels that touch bare paper to their share of the strongest pixel next to them."""
    cover = cv2.divide(strength, cv2.dilate(strength, _NEIGHBOURS), scale=255)
    inside = cv2.compare(cv2.erode(strength, _NEIGHBOURS), 2 * low, cv2.CMP_GT)
    return cv2.multiply(ink, cv2.max(cover, inside), scale=1 / 255)


def _largest(pixels: np.ndarray) -> np.ndarray:
    """The largest channel of each pixel, ``(H, W)``."""
    red, green, blue = cv2.split(pixels)
    return cv2.max(cv2.max(red, green), blue)


def _ink_of(pixels: np.ndarray, tone: np.ndarray, low: float) -> np.ndarray:
    """Smoothstep of the CIE76 distance to the paper's tone from ``low`` to ``low + INK_BAND``: ``(H, W)`` uint8."""
    apart = cv2.cvtColor(tone, cv2.COLOR_RGB2Lab)
    apart = cv2.absdiff(cv2.cvtColor(pixels, cv2.COLOR_RGB2Lab), apart if apart.size > 3 else (*apart[0, 0].tolist(), 0))
    # Squared distances in saturating bytes are many times faster than float32, and exact to half a unit.
    unit = 255.0 / (low + INK_BAND) ** 2
    levels = np.arange(256, dtype=np.float32)
    squares = np.empty((1, 256, 3), np.uint8)
    squares[0, :, 0] = np.minimum((levels / 2.55) ** 2 * unit + 0.5, 255)  # OpenCV's 8-bit L runs to 255
    squares[0, :, 1:] = np.minimum(levels**2 * unit + 0.5, 255)[:, None]
    one, two, three = cv2.split(cv2.LUT(apart, squares))
    ink = _smoothstep(low, low + INK_BAND, np.sqrt(levels / unit))
    return cv2.LUT(cv2.add(cv2.add(one, two), three), (255 * ink + 0.5).astype(np.uint8))


def _samples(pixels: np.ndarray) -> np.ndarray:
    """Pixels of a regular grid, ``(rows, columns, 3)``, unmixed, so that an even colour stays exactly even."""
    steps = [max(1, -(-side // GRID)) for side in pixels.shape[:2]]
    return np.ascontiguousarray(pixels[steps[0] // 2 :: steps[0], steps[1] // 2 :: steps[1]])


def _ring(rows: int, columns: int) -> np.ndarray:
    """``(rows * columns,)`` bool: the samples along the border."""
    ring = np.zeros((rows, columns), bool)
    ring[[0, -1]] = True
    ring[:, [0, -1]] = True
    return ring.ravel()


def _mode(values: np.ndarray) -> np.ndarray:
    """The most common level of each channel of ``(N, 3)`` values; their mean where no level stands out."""
    counts = [np.bincount(values[:, channel].astype(np.intp), minlength=256) for channel in range(3)]
    common = np.float32([count.argmax() for count in counts])
    return common if min(count.max() for count in counts) > 0.5 * len(values) else values.mean(axis=0)


def _is_coherent(near: np.ndarray) -> bool:
    """Whether most of the paper's samples have paper to their right: tells a sheet from a texture."""
    return bool((near[:, 1:] & near[:, :-1]).sum() >= 0.7 * max(1, near[:, :-1].sum()))


def _best_colour(flat: np.ndarray, ring: np.ndarray) -> tuple[np.ndarray, float]:
    """The likeliest paper colour of ``(N, 3)`` samples, as ``(3,)`` float, and its score."""
    coarse = (flat >> 4).astype(np.intp)
    bins = (coarse[:, 0] << 8) | (coarse[:, 1] << 4) | coarse[:, 2]
    counts = np.bincount(bins, minlength=4096)
    used = np.flatnonzero(counts)
    border = np.bincount(bins[ring], minlength=4096)[used] / ring.sum()
    sums = np.stack([np.bincount(bins, flat[:, channel], 4096) for channel in range(3)], axis=1)
    colours, counts = sums[used] / counts[used, None], counts[used] / len(flat)
    top = np.argsort(-(counts + border), kind="stable")[:16]
    near = np.abs(colours[top, None] - colours[None]).max(axis=2) <= REACH  # (16, bins)
    weights = near * counts
    shares = weights.sum(axis=1)
    centres = weights @ colours / shares[:, None]
    scores = 0.5 * (shares + near @ border) + _prior(centres)
    best = int(np.argmax(scores))
    return centres[best].astype(np.float32), float(scores[best])


def _prior(colours: np.ndarray) -> np.ndarray:
    """How much likelier than others a colour is to be paper: ``(N, 3)`` RGB -> ``(N,)`` in [-0.15, 0.3]."""
    light = colours.mean(axis=1)
    chroma = colours.max(axis=1) - colours.min(axis=1)
    white = _smoothstep(150, 230, light) * (1 - _smoothstep(25, 70, chroma))
    black = 1 - _smoothstep(10, 40, light)
    neutral = 1 - _smoothstep(15, 40, chroma)
    return 0.25 * white + 0.1 * black + 0.05 * neutral - 0.15 * _smoothstep(60, 120, chroma)


def _smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _terms(rows: int, columns: int) -> np.ndarray:
    """``(rows * columns, 6)``: 1, x, y, xx, xy, yy with x and y in [-1, 1] at cell centres."""
    y = ((np.arange(rows, dtype=np.float32) + 0.5) / rows * 2 - 1)[:, None] + np.zeros(columns, np.float32)
    x = ((np.arange(columns, dtype=np.float32) + 0.5) / columns * 2 - 1) + np.zeros((rows, 1), np.float32)
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)


def _fit_surface(values: np.ndarray, near: np.ndarray, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Fit the paper's tone to the samples on it, growing outwards from those near the dominant colour."""
    terms = _terms(rows, columns)
    some = np.zeros((rows, columns), bool)
    some[::2, ::2] = True
    some = some.ravel()
    few, few_values, few_near = terms[some], values[some], near[some]
    surface = np.zeros((6, 3), np.float32)
    for _ in range(6):
        used = few[few_near]
        if len(used) < 12:
            break
        centre = few_values[few_near].mean(axis=0)
        # The small ridge keeps the surface even where no sample says otherwise.
        ridge = np.diag(np.float32([1e-3] + [0.002 * len(used)] * 5))
        surface = np.linalg.solve(used.T @ used + ridge, used.T @ (few_values[few_near] - centre))
        surface[0] += centre
        few_near = np.abs(few_values - few @ surface).max(axis=1) <= REACH * 1.25
    return surface.astype(np.float32), np.abs(values - terms @ surface).max(axis=1) <= REACH * 1.25


def _lab_distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """CIE76 distances of ``(N, 3)`` float32 RGB colours in [0, 255]."""
    pair = [cv2.cvtColor(rgb[None].astype(np.float32) * (1 / 255), cv2.COLOR_RGB2Lab)[0] for rgb in (one, other)]
    return np.linalg.norm(pair[0] - pair[1], axis=1)
