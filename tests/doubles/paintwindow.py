"""A picture of a paint program's window, made up: bars, a dock, rulers, scroll bars, a surround, and a sheet."""

import itertools

import cv2
import numpy as np

from inkstream.stream.base.frame import Rect
from inkstream.stream.sources.screen.area import Area
from inkstream.stream.sources.screen.steady import Steady
from inkstream.stream.sources.screen.window import Pointer, Window

VIEW = Rect(60, 70, 560, 460)
THEMES = {"dark": (75, 53, 128), "light": (230, 250, 180)}  # bars, lists, surround


def window(sheet, theme="dark", size=(820, 600), view=VIEW):
    """``(H, W, 3)`` uint8 RGB with ``sheet = (picture, x, y)`` in the view, as far as that shows it."""
    bar, inside, surround = THEMES[theme]
    ink = (20, 20, 20) if theme == "light" else (220, 220, 220)
    picture = np.full((size[1], size[0], 3), bar, np.uint8)
    for x, text in enumerate(("File", "Edit", "Image", "Layer", "Select", "Help")):
        cv2.putText(picture, text, (10 + 60 * x, 16), cv2.FONT_HERSHEY_PLAIN, 1, ink)
    cv2.putText(picture, "100 %   400 x 300", (10, size[1] - 6), cv2.FONT_HERSHEY_PLAIN, 1, ink)
    for row in range(8):
        cv2.rectangle(picture, (12, 80 + 40 * row), (36, 104 + 40 * row), ink, 1)
    right, bottom = view.x + view.width, view.y + view.height
    picture[view.y : bottom, right : right + 12] = inside  # scroll bars
    picture[bottom : bottom + 12, view.x : right] = inside
    picture[view.y - 14 : view.y, view.x : right : 10] = ink  # a ruler
    picture[view.y : view.y + 200, right + 30 : size[0] - 10] = inside  # a dock's list
    cv2.putText(picture, "Layer 1", (right + 40, view.y + 30), cv2.FONT_HERSHEY_PLAIN, 1, ink)
    pixels, x, y = sheet
    part = np.full((view.height, view.width, 3), surround, np.uint8)
    height, width = pixels.shape[:2]
    left, top = max(0, -x), max(0, -y)
    shown = pixels[top : max(top, min(height, view.height - y)), left : max(left, min(width, view.width - x))]
    part[y + top : y + top + shown.shape[0], x + left : x + left + shown.shape[1]] = shown
    picture[view.y : bottom, view.x : right] = part
    return picture


def paper(width=400, height=300, colour=(255, 255, 255)):
    """An empty sheet."""
    return np.full((height, width, 3), colour, np.uint8)


def drawing(width=400, height=300):
    """A sheet with strokes and areas, some of which touch its border."""
    sheet = paper(width, height)
    scale = width / 400
    place = lambda *points: np.array([[(round(x * scale), round(y * scale)) for x, y in points]], np.int32)
    cv2.fillPoly(sheet, place((0, 220), (400, 205), (400, 300), (0, 300)), (90, 140, 70))
    cv2.fillPoly(sheet, place((120, 120), (230, 118), (232, 235), (118, 232)), (170, 70, 50))
    cv2.circle(sheet, (round(380 * scale), round(40 * scale)), round(50 * scale), (240, 200, 60), -1, cv2.LINE_AA)
    lines = ((110, 122), (175, 60), (240, 121)), ((0, 90), (60, 70), (90, 140)), ((300, 300), (320, 180), (360, 160))
    for line in lines:
        cv2.polylines(sheet, place(*line), False, (20, 20, 20), max(1, round(3 * scale)), cv2.LINE_AA)
    return sheet


def outline(picture, x, y, radius=17):
    """The same with the outline of a brush around a place."""
    picture = picture.copy()
    cv2.circle(picture, (x, y), radius, (120, 160, 120), 1)
    return picture


class Hand:
    """Gives pictures of a sheet to ``Steady``, 30 a second, with the outline that a program paints."""

    def __init__(self, sheet, radius=17, outline=outline):
        self.steady = Steady()
        self.sheet = sheet
        self.radius = radius
        self.outline = outline
        self.now = 0.0
        self.given = self.steady.take(sheet.copy(), Pointer(-300, -300), 0.0)

    def at(self, x, y, pressed=False, lag=None, count=1):
        """Move there; the outline is at ``lag``, where the pointer was. How many pictures were new."""
        new = 0
        for _ in range(count):
            self.now += 1 / 30
            shown = self.outline(self.sheet, *(lag or (x, y)), self.radius)
            given = self.steady.take(shown, Pointer(x, y, pressed), self.now)
            new += given is not self.given
            self.given = given
        return new

    def along(self, points, pressed=False):
        new, last = 0, points[0]
        for start, end in itertools.pairwise(points):
            for step in range(10):
                place = tuple(round(a + (b - a) * step / 10) for a, b in zip(start, end, strict=True))
                new += self.at(*place, pressed, last)
                last = place
        return new


class Desk:
    """Gives pictures to an area, 30 a second."""

    def __init__(self, wanted="canvas"):
        self.area = Area(wanted)
        self.now = 0.0

    def show(self, picture, pointer=None, count=1):
        """What the area gives of the last of ``count`` equal pictures."""
        for _ in range(count):
            self.now += 1 / 30
            given = self.area.take(picture.copy(), pointer, self.now)
        return given


def a_window(id: int, program: str = "krita") -> Window:
    """One with a drawing."""
    return Window(id, "drawing", Rect(0, 0, 9, 9), Rect(0, 0, 9, 9), program=program)
