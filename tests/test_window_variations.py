"""The preview's variations and two settings side by side, with SDL's dummy driver."""

import dataclasses

import numpy as np
import pytest
from doubles.preview import BLUE, RED, Session, output, seen, toast_with
from test_window_panel import Model, live, mouse

from inkstream.stream.base.frame import Size
from inkstream.stream.base.reading import Brings
from inkstream.stream.sinks.window.variations import columns_of, grid


class Trying(Model):
    """A session that remembers what it is to try; ``answer`` renders one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.tried = []
        self.tell = None

    def try_out(self, changes, tell) -> None:
        self.tried.append(changes)
        self.tell = tell

    def brings(self) -> Brings:
        tags = {"ground": ("sand", "snow", "grass"), "time": ("day", "sunset", "night")}
        return dataclasses.replace(super().brings(), tags=tags)

    def answer(self, number: int, colour=BLUE, why: str = "") -> None:
        self.tell(number, None if why else output(colour, number=50 + number), why)


@pytest.fixture
def model(window) -> Trying:
    window.controls = Trying()
    return window.controls


@pytest.fixture
def use(press, model):
    def use(*names: str, shown=None) -> None:
        press(*names, shown=shown, status=live(model.config))

    return use


def test_six_variations_come_one_after_the_other_and_one_is_gone_on_with(window, use, model, pygame):
    use("v", shown=output(RED))
    view = window.shown.tool
    assert len(view.tiles) == len(view.places) == len(model.tried[0]) == 6
    assert view.hint.startswith("rendering 1 of 6")
    assert len({tile.label for tile in view.tiles}) == 6
    for number in range(6):
        model.answer(number, (40, 200, 10 * number))
    use(shown=output(RED, number=2))  # the stream goes on behind them
    assert "rendering" not in window.shown.tool.hint
    spot = window.shown.tool.places[4]
    assert (seen(pygame)[spot.y + spot.width // 2, spot.x + spot.width // 2] == (40, 200, 40)).all()
    use("RIGHT", "DOWN")
    assert window.shown.tool.chosen == 1 + columns_of(window.shown.tool.places)
    use("RETURN")
    assert model.updates == [model.tried[0][1 + columns_of(view.places)]]
    assert window.shown.tool is None and "on with: " in window.shown.toast


def test_the_mouse_chooses_and_a_click_goes_on(window, use, model, pygame):
    use("v", shown=output())
    model.answer(2)
    spot = window.shown.tool.places[2]
    mouse(pygame, "MOUSEMOTION", (spot.x + 3, spot.y + 3), rel=(1, 0), buttons=(0, 0, 0))
    use()
    assert window.shown.tool.chosen == 2
    mouse(pygame, "MOUSEBUTTONDOWN", (1, 299), button=1)  # beside them
    mouse(pygame, "MOUSEBUTTONDOWN", (spot.x + 3, spot.y + 3), button=1)
    use()
    assert model.updates == [model.tried[0][2]]


def test_what_is_not_there_is_not_gone_on_with_and_its_reason_is_read(window, use, model, pygame):
    use("v", "RETURN", shown=output())
    assert window.shown.toast == "this one is not rendered yet" and window.shown.tool is not None
    model.answer(0, why="lora_dict: got nothing")
    use("RETURN")
    assert window.shown.toast == "lora_dict: got nothing" and model.updates == []
    use("ESCAPE")
    assert window.shown.tool is None


def test_six_others_come_with_v_and_pictures_of_the_first_six_are_left(window, use, model):
    use("v", shown=output())
    late = model.tell
    use("v")
    late(0, output(BLUE), "")
    use()
    assert len(model.tried) == 2 and window.shown.tool.tiles[0].output is None
    model.answer(0)
    use()
    assert window.shown.tool.tiles[0].output is not None


def test_the_chosen_one_is_kept_with_its_own_recipe(window, use, model, tmp_path):
    use("v", shown=output(RED))
    model.answer(0, BLUE)
    use("CTRL+s")
    assert "saved" in toast_with(window, "saved")
    (kept,) = (tmp_path / "kept").glob("*red-car.png")
    import cv2

    assert (cv2.imread(str(kept))[0, 0] == BLUE[::-1]).all()


def test_without_a_picture_or_a_session_that_tries_it_says_so(window, use, model, press):
    use("v")
    assert window.shown.toast == "there is no picture yet to vary" and window.shown.tool is None
    window.controls = Session()
    press("v", shown=output(), status=live(model.config))
    assert window.shown.toast == "nothing can be tried here"


def test_a_remembers_and_then_shows_both_and_goes_back(window, use, model):
    use("a", shown=output())
    assert "remembered as A" in window.shown.toast and window.shown.tool is None
    before = model.config
    model.update(prompt="a blue boat", lora_dict={"clay": 0.7})
    use("a")
    changes, nothing = model.tried[0]
    assert changes == {"prompt": "a red car", "lora_dict": {"clay": 0.0}} and nothing == {}
    model.answer(0, RED)
    model.answer(1, BLUE)
    use("LEFT", "RETURN")
    assert model.config.prompt == before.prompt and model.config.lora_dict == {"clay": 0.0}
    assert window.shown.tool is None
    model.update(seed=77)
    use("a", "RIGHT", "LEFT", "RETURN")  # B stays
    assert model.config.seed == 77
    use("a", "a")  # B is remembered as A
    model.update(seed=78)
    use("a")
    assert model.tried[-1][0] == {"seed": 77}


@pytest.mark.parametrize("size", [(400, 300), (300, 400), (1280, 720), (160, 120), (1920, 400)])
def test_tiles_are_square_inside_the_window_and_do_not_overlap(size):
    unit = 11
    places = grid(Size(*size), 6, unit)
    covered = np.zeros(size[::-1], int)
    for spot in places:
        assert spot.x >= 0 and spot.y >= 0 and spot.x + spot.width <= size[0] and spot.y + spot.height <= size[1]
        covered[spot.y : spot.y + spot.height, spot.x : spot.x + spot.width] += 1
    assert (covered.max() == 1 and covered.mean() > 0.3) or min(size) < 150


def test_a_picture_that_was_behind_a_tool_is_no_measure_of_capture_to_screen(window, use, model, clock):
    behind = output(number=9)
    clock.now = 8.25
    use("s", "v", shown=output(number=8))
    for number in range(6):
        model.answer(number)
    use(shown=behind)
    assert window.shown.tool is not None
    clock.now += 90
    use("ESCAPE", shown=behind)
    assert window.shown.tool is None
    clock.now += 1
    use(shown=behind)
    assert dict(window.shown.statistics)["capture to screen"] == "250 ms"
