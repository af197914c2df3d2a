"""What changed between two pictures, in groups of pixels, and whether such a group belongs to the pointer."""

from __future__ import annotations

import cv2
import numpy as np

NEAR = 14  # pixels around a change that count as near
JOIN = 7  # pixels between the dots of one outline
CENTRED = 0.15  # of its size: how far from the pointer the middle of an outline may be
HOLLOW = 24  # pixels: no smaller are wide rings
ROUNDING = 1  # level by which GIMP paints a scaled pixel differently from one time to the next
WIDEST = 32  # pixels of a ring, or of one and another that has taken its place

Box = tuple[int, int, int, int]  # left, top, width, height


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two contiguous pictures of one shape are equal."""
    if a is b:
        return True
    one, other = a.reshape(-1), b.reshape(-1)
    whole = one.size // 8 * 8
    long = np.array_equal(one[:whole].view(np.uint64), other[:whole].view(np.uint64))
    return long and np.array_equal(one[whole:], other[whole:])


def differing(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where two pictures differ by more than ``ROUNDING``: ``(H, W)`` uint8 0 or 1."""
    red, green, blue = cv2.split(cv2.absdiff(a, b))
    return (cv2.bitwise_or(cv2.bitwise_or(red, green), blue) > ROUNDING).view(np.uint8)


def pieces(mask: np.ndarray) -> list[tuple[np.ndarray, Box]]:
    """Groups of pixels that lie together, dots of an outline, too: ``(h, w)`` bool, and left, top, width, height."""
    if not mask.any():
        return []
    _, labels, stats, _ = cv2.connectedComponentsWithStats(cv2.dilate(mask, np.ones((JOIN, JOIN), np.uint8)))
    found = []
    for label, (x, y, width, height, _) in enumerate(stats.tolist()):
        if label:
            box = slice(y, y + height), slice(x, x + width)
            found.append(((labels[box] == label) & (mask[box] > 0), (x, y, width, height)))
    return found


def is_inside(place: tuple[int, int], box: Box) -> bool:
    """Whether a place is in a box, or within ``NEAR`` pixels of it."""
    x, y, width, height = box
    return -NEAR <= place[0] - x < width + NEAR and -NEAR <= place[1] - y < height + NEAR


def way_of(trail: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The places of a trail, and what is between them."""
    way = trail[:1]
    for x, y in trail:
        start = way[-1]
        steps = int(max(abs(x - start[0]), abs(y - start[1])) // NEAR) + 1
        way += [(start[0] + (x - start[0]) * n // steps, start[1] + (y - start[1]) * n // steps) for n in range(steps)]
        way.append((x, y))
    return way


def distance(place: tuple[int, int], middle: tuple[float, float]) -> float:
    """Pixels between two places, across or down, whichever are more."""
    return max(abs(place[0] - middle[0]), abs(place[1] - middle[1]))


def is_thin(part: np.ndarray) -> bool:
    """Whether a group of pixels is made of lines, not of areas."""
    core = cv2.erode(np.pad(part, 1).astype(np.uint8), np.ones((4, 4), np.uint8))
    return int(core.sum()) <= 0.05 * int(part.sum())


def may_be_outline(part: np.ndarray) -> bool:
    """Whether a group of pixels is made of lines, or is a round ring that is not very wide, as soft brushes have.

    A sheet that becomes smaller changes a frame around a bare middle, too, but with corners.
    """
    if is_thin(part):
        return True
    height, width = part.shape
    rows, columns, high, wide = round(0.35 * height), round(0.35 * width), height // 12, width // 12
    if min(height, width) < HOLLOW or part[rows:-rows, columns:-columns].any():
        return False
    corners = part[:high, :wide], part[:high, -wide:], part[-high:, :wide], part[-high:, -wide:]
    is_round = not all(each.any() for each in corners)  # borders may cut it
    return is_round and int(part.sum()) <= WIDEST * 1.6 * (height + width)


def is_around(place: tuple[int, int], box: Box, shape: tuple[int, ...]) -> bool:
    """Whether a group of pixels lies around the pointer, as far as the borders of the picture let it be seen."""
    slack = max(4, CENTRED * max(box[2:]))
    for at, begin, size, end in zip(place, box[:2], box[2:], shape[1::-1], strict=True):
        off, first, last = at - (begin + size / 2), begin <= 0, begin + size >= end
        if (off > slack and (first or not last)) or (off < -slack and (last or not first)):
            return False
    return True


def is_cut_off(
    part: np.ndarray,
    box: Box,
    found: list[tuple[np.ndarray, Box]],
    shape: tuple[int, ...],
    places: list[tuple[int, int]],
) -> bool:
    """Whether a group of pixels is a piece of an outline that a border of the picture cuts in two: what is left of it
    lies around the pointer and reaches a border, too."""
    x, y, width, height = box
    if not at_border(box, shape) or int(part.sum()) > WIDEST * 1.6 * (height + width):
        return False
    ys, xs = np.nonzero(part)
    for other, around in found:
        if around == box or not at_border(around, shape) or not may_be_outline(other):
            continue
        left, top, across, down = around
        for place in places:
            reach = max(place[0] - left, left + across - place[0], place[1] - top, top + down - place[1]) + JOIN
            near = max(place[0] - x, x + width - place[0], place[1] - y, y + height - place[1]) <= reach
            if (
                near
                and is_around(place, around, shape)
                and np.hypot(xs + x - place[0], ys + y - place[1]).min() >= reach / 2
            ):
                return True
    return False


def at_border(box: Box, shape: tuple[int, ...]) -> bool:
    """Whether a box reaches a border of a picture."""
    x, y, width, height = box
    return x <= 0 or y <= 0 or x + width >= shape[1] or y + height >= shape[0]
