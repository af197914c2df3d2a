"""What a person would draw for exact lines: strokes that shoot past, stop short, waver, repeat, or are not there yet.

Lengths in this file are pixels of a 256 x 256 picture and grow with the picture. ``strength`` multiplies every error
of the hand: 0 draws the lines as they are, 1 is a quick sketch, 2 a careless one.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ...stream.base.errors import ConfigError
from .strokes import Stroke, scale_of, trace

STEP = 2.0  # spacing of points along a stroke
CORNER = 50.0  # degrees; a stroke that bends more at one point has a corner there
KEPT = 4096  # pictures of lines whose strokes are remembered, some 30 kB each
THINNEST = 1.4  # pixels of the picture itself; in a small one a thinner line would hardly be seen
SHORT = 6.0  # strokes shorter than this are neither parted nor drawn twice
_TONES = 8  # levels of grey that the ink of one drawing has
_WAVES = ((150.0, 1.0), (70.0, 0.55), (30.0, 0.22))  # wavelength along a stroke, and its share of the wavering


@dataclass(frozen=True)
class Hand:
    """How one drawing is drawn. Lengths in pixels at 256 x 256, shares in [0, 1]."""

    width: float = 2.0
    """Of a line under full pressure."""
    ink: float = 255.0
    """Level of a line under full pressure."""
    pressure: float = 0.0
    """How much width and ink vary along a stroke."""
    waver: float = 0.0
    """Standard deviation of the slow waves along a stroke."""
    misplaced: float = 0.0
    """Standard deviation of where a whole stroke lies."""
    warp: float = 0.0
    """Standard deviation of a displacement that is the same for neighbours."""
    past: float = 0.0
    """How far strokes shoot past their ends, on average."""
    short: float = 0.0
    """How far they stop before their ends, on average."""
    gaps: float = 0.0
    """Expected gaps in a stroke of 100 pixels."""
    lifts: float = 0.0
    """Share of corners at which the pen is lifted."""
    twice: float = 0.0
    """Share of strokes that are drawn a second time."""

    @classmethod
    def sampled(cls, rng: np.random.Generator, strength: float = 1.0) -> Hand:
        """A hand of its own: one is steady and presses hard, the next searches for the line."""
        calm = rng.uniform(0.4, 1.2) * strength
        return cls(
            width=float(rng.uniform(1.6, 3.0)) if strength else 2.0,
            ink=255.0 - float(rng.uniform(0, 50) * min(1.0, strength)),
            pressure=float(rng.uniform(0.1, 0.5) * min(1.0, strength)),
            waver=0.9 * calm,
            misplaced=0.5 * calm,
            warp=1.1 * float(rng.uniform(0.3, 1.2)) * strength,
            past=float(rng.exponential(1.6)) * strength,
            short=float(rng.exponential(0.5)) * strength,
            gaps=float(rng.exponential(0.25)) * strength,
            lifts=float(rng.uniform(0, 1)) * min(1.0, strength),
            twice=float(rng.choice([0.0, 0.1, 0.5], p=[0.5, 0.3, 0.2])) * min(1.5, strength),
        )


def drawn(
    lines: np.ndarray, rng: np.random.Generator, strength: float = 1.0, complete: float = 1.0, horizon: bool = True
) -> np.ndarray:
    """What a person would draw for ``lines``: both (H, W) uint8, white on black.

    ``complete`` is the share of the lines' length that is there, 0 to 1, taken in the order of ``trace``, in which a
    horizon comes at any time; ``horizon=False`` leaves that out. The same state of ``rng`` gives the same drawing.
    Raises ConfigError for a setting out of range, and for anything but such a picture.
    """
    if not 0.0 <= strength <= 4.0:
        raise ConfigError(f"strength: got {strength:g}, expected 0 to 4")
    if not 0.0 <= complete <= 1.0:
        raise ConfigError(f"complete: got {complete:g}, expected 0 to 1")
    unit = scale_of(_checked(lines))
    found = _traced(lines)
    if complete < 1.0:
        found = _begun(found, complete, rng)
    if not horizon:
        found = [stroke for stroke in found if not stroke.horizon]
    hand = Hand.sampled(rng, strength)
    moves = [move for stroke in found for move in _moves(stroke.points / unit, stroke.closed, hand, rng)]
    return draw(moves, hand, rng, (lines.shape[0], lines.shape[1]))


_known: OrderedDict[bytes, list[Stroke]] = OrderedDict()


def _traced(lines: np.ndarray) -> list[Stroke]:
    """The strokes of these lines; those of what was drawn last are kept, for a training draws every scene anew."""
    key = hashlib.blake2b(lines.tobytes(), digest_size=16).digest() + bytes(str(lines.shape), "ascii")
    found = _known.get(key)
    if found is None:
        found = _known[key] = trace(lines)
        if len(_known) > KEPT:
            _known.popitem(last=False)
    return found


def _checked(lines: np.ndarray) -> np.ndarray:
    if not isinstance(lines, np.ndarray) or lines.dtype != np.uint8 or lines.ndim != 2 or min(lines.shape) < 8:
        got = f"{lines.dtype} {lines.shape}" if isinstance(lines, np.ndarray) else type(lines).__name__
        raise ConfigError(f"lines: got {got}, expected uint8 (H, W) of at least 8 x 8, white lines on black")
    return lines


def _begun(found: list[Stroke], complete: float, rng: np.random.Generator) -> list[Stroke]:
    """The first strokes of a drawing, as long together as the share asked for; the last may end on its way."""
    place = rng.random()  # of the horizon: some begin with it, some never come to it
    rank = np.arange(len(found)) / max(1, len(found)) + rng.normal(0.0, 0.06, len(found))
    rank = np.where([stroke.horizon for stroke in found], place, rank)
    left = complete * sum(stroke.length for stroke in found)
    kept = []
    for index in np.argsort(rank, kind="stable"):
        stroke = found[index]
        if left <= 0:
            break
        share = left / max(stroke.length, 1e-6)
        kept.append(stroke if share >= 1 else replace(stroke, points=_part(stroke.points, 0.0, share), closed=False))
        left -= stroke.length
    return kept


def _along(points: np.ndarray) -> np.ndarray:
    """Length of the path up to each point: (N,)."""
    return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])


def _part(points: np.ndarray, start: float, stop: float) -> np.ndarray:
    """A path (N, 2) from one share of its length to another; outside [0, 1] it goes on straight."""
    along = _along(points)
    total = max(float(along[-1]), 1e-6)
    first, last = start * total, stop * total
    inner = points[(along > max(first, 0.0)) & (along < min(last, total))]
    ends = []
    for at in (first, last):
        point = np.array([np.interp(at, along, points[:, 0]), np.interp(at, along, points[:, 1])])
        if at < 0:
            point = points[0] + (points[0] - points[1]) * (-at / max(along[1], 1e-6))
        elif at > total:
            point = points[-1] + (points[-1] - points[-2]) * ((at - total) / max(total - along[-2], 1e-6))
        ends.append(point)
    return np.concatenate([ends[0][None], inner, ends[1][None]])


def _moves(points: np.ndarray, closed: bool, hand: Hand, rng: np.random.Generator) -> list[np.ndarray]:
    """The moves of the pen, (N, 2) each, that make one stroke (N, 2)."""
    if closed and len(points) > 3:
        points = _begun_elsewhere(points, rng)
    made = []
    for piece in _lifted(points, hand, rng):
        length = float(_along(piece)[-1])
        if length < SHORT:
            made.append(piece)
            continue
        made.extend(_with_gaps(piece, length, hand, rng))
        if rng.random() < hand.twice:
            start, stop = np.sort(rng.uniform(-0.1, 1.1, 2))
            if stop - start > 0.3:
                made.append(_part(piece, start, stop))
    return made


def _begun_elsewhere(ring: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A ring from another of its points; one with corners is begun at a corner anyway, where it is parted."""
    first = int(rng.integers(len(ring) - 1))
    return np.concatenate([ring[first:-1], ring[: first + 1]])


def _lifted(points: np.ndarray, hand: Hand, rng: np.random.Generator) -> list[np.ndarray]:
    """A stroke, parted at those of its corners at which the pen is lifted."""
    corners = np.flatnonzero(_bends(points, np.zeros(len(points))) > CORNER)
    stops = corners[rng.random(len(corners)) < hand.lifts].tolist()
    return [points[a : b + 1] for a, b in zip([0, *stops], [*stops, len(points) - 1], strict=True)]


def _with_gaps(piece: np.ndarray, length: float, hand: Hand, rng: np.random.Generator) -> list[np.ndarray]:
    """A stroke that shoots past its ends or stops short of them, with the pen lifted for a moment here and there."""
    most = min(9.0, 0.2 * length)  # a short stroke is drawn with more care
    ends = np.clip(rng.exponential(1.0, 2) * hand.past - rng.exponential(1.0, 2) * hand.short, -most, most) / length
    stops = [(-float(ends[0]), 1.0 + float(ends[1]))]
    for at in np.sort(rng.random(rng.poisson(hand.gaps * length / 100))):
        start, stop = stops[-1]
        gap = float(rng.uniform(2.0, 6.0)) / length
        if at - start > 0.15 and stop - at - gap > 0.15:
            stops[-1:] = [(start, float(at)), (float(at) + gap, stop)]
    if stops == [(0.0, 1.0)]:
        return [piece]
    return [_part(piece, *each) for each in stops]


def draw(moves: list[np.ndarray], hand: Hand, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Draw moves of the pen, (N, 2) each in pixels at 256 x 256, on black: ``shape`` (H, W) uint8."""
    height, width = shape
    unit = (height * width) ** 0.5 / 256
    fine = 4 if unit <= 1.25 else 2 if unit <= 4 else 1
    canvas = np.zeros((height * fine, width * fine), np.uint8)
    if moves:
        points, number, share, length = _resampled(moves)
        points = points + _wavering(points, number, share, length, hand, rng)
        press = _pressure(number, share, length, hand, rng)
        _ink(canvas, points, number, press, hand, unit * fine, fine)
    return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA) if fine > 1 else canvas


def _resampled(moves: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """All points of all moves ``STEP`` apart, (P, 2), with bends rounded off, but not corners.

    Also the move that each belongs to (P,), where on it (P,) in [0, 1], and the length of every move (moves,).
    """
    along = [_along(move) for move in moves]
    length = np.array([each[-1] for each in along])
    counts = np.maximum(2, np.round(length / STEP).astype(int) + 1)
    number = np.repeat(np.arange(len(moves)), counts)
    share = (np.arange(len(number)) - np.repeat(np.cumsum(counts) - counts, counts)) / np.repeat(counts - 1, counts)
    # Every move gets a stretch of one axis, so that one interpolation serves them all.
    offset = np.concatenate([[0.0], np.cumsum(length + 1.0)[:-1]])
    known = np.concatenate([each + start for each, start in zip(along, offset, strict=True)])
    at = offset[number] + share * length[number]
    given = np.concatenate(moves)
    points = np.stack([np.interp(at, known, given[:, axis]) for axis in (0, 1)], 1)
    free = (share > 0) & (share < 1)
    corners = np.flatnonzero(_bends(given, np.repeat(np.arange(len(moves)), [len(move) for move in moves])) > CORNER)
    nearest = np.searchsorted((at[1:] + at[:-1]) / 2, known[corners])
    points[nearest], free[nearest] = given[corners], False
    inner = np.flatnonzero(free)
    for _ in range(3):
        points[inner] += 0.25 * (points[inner - 1] - 2 * points[inner] + points[inner + 1])
    return points, number, share, length


def _bends(points: np.ndarray, number: np.ndarray) -> np.ndarray:
    """By how many degrees the path bends at each point (N, 2): (N,), 0 at the ends of every path ``number`` (N,)."""
    bends = np.zeros(len(points))
    if len(points) > 2:
        way = np.diff(points, axis=0)
        heading = np.degrees(np.arctan2(way[:, 1], way[:, 0]))
        bends[1:-1] = np.abs((np.diff(heading) + 180) % 360 - 180) * (number[2:] == number[:-2])
    return bends


def _wavering(
    points: np.ndarray, number: np.ndarray, share: np.ndarray, length: np.ndarray, hand: Hand, rng: np.random.Generator
) -> np.ndarray:
    """How far every point (P, 2) is from where it should be, (P, 2)."""
    count = len(length)
    along = share * length[number]
    reach = np.minimum(1.0, length / 60)[:, None]  # short strokes have no room to waver
    moved = (rng.normal(0.0, 1.0, (count, 2)) * hand.misplaced * (0.3 + 0.7 * reach))[number]
    for wave, part in _WAVES:
        phase = rng.uniform(0.0, 2 * np.pi, (count, 2))
        size = rng.normal(0.0, 1.0, (count, 2)) * hand.waver * part * reach
        moved += size[number] * np.sin(2 * np.pi * along[:, None] / wave + phase[number])
    for _ in range(4):
        direction, phase = rng.uniform(0.0, 2 * np.pi, 2)
        wave = rng.uniform(140.0, 420.0)
        across = points @ np.array([np.cos(direction), np.sin(direction)])
        size = rng.normal(0.0, 1.0, 2) * hand.warp * 0.7
        moved += size * np.sin(2 * np.pi * across / wave + phase)[:, None]
    return moved


def _pressure(
    number: np.ndarray, share: np.ndarray, length: np.ndarray, hand: Hand, rng: np.random.Generator
) -> np.ndarray:
    """How hard the pen presses at every point, (P,) in (0, 1]: it lands, presses, breathes, and lifts."""
    span = np.maximum(length, 1.0)[number]
    lands = np.clip(share * span / np.minimum(7.0, 0.35 * span), 0, 1) ** 0.5
    lifts = np.clip((1 - share) * span / np.minimum(14.0, 0.45 * span), 0, 1) ** 0.7
    breath = np.sin(share * span / rng.uniform(9.0, 25.0) + rng.uniform(0, 2 * np.pi, len(length))[number])
    weight = rng.uniform(0.5, 1.0, len(length))[number]
    return 1 - hand.pressure * np.clip(1 - lands * lifts * weight * (0.85 + 0.15 * breath), 0, 1)


def _ink(
    canvas: np.ndarray, points: np.ndarray, number: np.ndarray, press: np.ndarray, hand: Hand, unit: float, fine: int
) -> None:
    """Draw the points onto the canvas, weak lines first, so that a strong one is seen where they cross.

    ``unit`` is the canvas's pixels for one at 256 x 256, ``fine`` those for one of the drawing.
    """
    fixed = np.round(((points + 0.5) * unit - 0.5) * 16).astype(np.int32)  # 1/16 pixels
    both = np.flatnonzero(number[1:] == number[:-1])
    pieces = np.stack([fixed[both], fixed[both + 1]], 1)  # (pieces, 2, 2)
    pressed = (press[both] + press[both + 1]) / 2
    # OpenCV draws a line of even thickness one pixel wider than asked.
    width = np.maximum(hand.width * unit, THINNEST * fine) * pressed
    thick = np.maximum(1, np.round((width - 1) / 2).astype(int) * 2)
    tone = np.ceil(pressed**0.7 * _TONES).clip(1, _TONES).astype(int)
    for key in np.unique(tone * 10_000 + thick):
        chosen = (tone == key // 10_000) & (thick == key % 10_000)
        level = hand.ink * (key // 10_000) / _TONES
        cv2.polylines(canvas, list(pieces[chosen]), False, float(level), int(key % 10_000), cv2.LINE_8, 4)
