"""The preview's question "is this your canvas?", with SDL's dummy driver."""

import numpy as np
import pytest
from doubles.preview import BLUE, RED, output, seen
from test_window_panel import Model, live, mouse

from inkstream.stream.base.frame import Rect

PAGE = np.full((300, 400, 3), RED, np.uint8)


class Sheet:
    """What the source's window looks like, and what was said of it."""

    def __init__(self) -> None:
        self.seen = (PAGE, Rect(100, 50, 200, 150))
        self.marks = []

    def view(self):
        return self.seen

    def mark(self, rect) -> None:
        self.marks.append(rect)


@pytest.fixture
def model(window) -> Model:
    window.controls = Model()
    window.controls.canvas = Sheet()
    return window.controls


@pytest.fixture
def use(press, model):
    def use(*names: str, shown=None) -> None:
        press(*names, shown=shown, status=live(model.config))

    return use


def drag(pygame, start, end) -> None:
    mouse(pygame, "MOUSEBUTTONDOWN", start, button=1)
    mouse(pygame, "MOUSEMOTION", end, rel=(1, 1), buttons=(1, 0, 0))
    mouse(pygame, "MOUSEBUTTONUP", end, button=1)


def corner(rect: Rect) -> tuple[int, int]:
    return rect.x + rect.width, rect.y + rect.height


def test_what_is_taken_is_light_and_the_rest_dark(window, use, pygame):
    use("k", shown=output(BLUE))
    view = window.shown.tool
    pixels = seen(pygame)
    x, y = view.rect.x + view.rect.width // 4, view.rect.y + view.rect.height // 4
    assert (pixels[y, x] == RED).all()
    assert pixels[view.area.y + 4, view.area.x + 4].sum() < 0.6 * sum(RED)
    assert view.size == (200, 150)
    use("k")
    assert window.shown.tool is None


def test_corners_sides_and_the_whole_are_dragged_and_stay_inside(window, use, pygame, model):
    use("k", shown=output())
    view = window.shown.tool
    scale = view.area.width / 400
    far = corner(view.rect)
    drag(pygame, far, (far[0] + round(40 * scale), far[1] - round(50 * scale)))
    use()
    assert np.abs(np.subtract(window.shown.tool.size, (240, 100))).max() <= 2
    left = (view.rect.x, view.rect.y + 30)
    drag(pygame, left, (0, left[1]))  # out of the picture
    use("RETURN")
    (said,) = model.canvas.marks
    assert said.x == 0 and said.y == 50 and abs(said.width - 340) <= 2 and abs(said.height - 100) <= 2
    assert window.shown.tool is None and "this is your canvas" in window.shown.toast


def test_from_inside_all_of_it_moves_and_from_outside_nothing(window, use, pygame, model):
    use("k", shown=output())
    view = window.shown.tool
    middle = (view.rect.x + view.rect.width // 2, view.rect.y + view.rect.height // 2)
    drag(pygame, middle, (middle[0] + 500, middle[1] + 10))
    drag(pygame, (1, 1), (50, 50))
    use("RETURN")
    (said,) = model.canvas.marks
    assert said.size == (200, 150) and said.x == 200 and said.y > 50


def test_it_never_becomes_nothing_and_backspace_has_it_found(window, use, pygame, model):
    use("k", shown=output())
    far = corner(window.shown.tool.rect)
    drag(pygame, far, (0, 0))
    use()
    assert window.shown.tool.size == (16, 16)
    use("BACKSPACE")
    assert model.canvas.marks == [None] and window.shown.tool is None


def test_without_a_window_it_is_said(window, use, model):
    model.canvas.seen = None
    use("k", shown=output())
    assert "only of a window" in window.shown.toast and window.shown.tool is None
    model.canvas = None
    use("k")
    assert window.shown.tool is None
