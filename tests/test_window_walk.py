"""Going through a 3D scene from the preview, with SDL's dummy driver."""

import numpy as np
import pytest
from doubles.preview import output, seen
from test_window_panel import Model, live, mouse

from inkstream.stream.sources.scene.camera import Camera
from inkstream.stream.sources.scene.geometry import Stage

STAGE = Stage(np.zeros(3), 10.0)


@pytest.fixture
def model(window) -> Model:
    window.controls = Model()
    window.controls.camera = Camera(STAGE, "orbit")
    return window.controls


@pytest.fixture
def use(press, model):
    def use(*names: str, shown=None) -> None:
        press(*names, shown=shown, status=live(model.config))

    return use


def key(pygame, kind: str, place: str, mod: int = 0) -> None:
    name = place.removeprefix("KSCAN_")
    letter = getattr(pygame, f"K_{name.lower() if len(name) == 1 else name}")
    event = pygame.event.Event(getattr(pygame, kind), key=letter, scancode=getattr(pygame, place), mod=mod, unicode="")
    pygame.event.post(event)


def test_a_drag_turns_the_eye_and_the_wheel_goes_nearer(use, model, pygame, window):
    before = model.camera.advance(0)
    use("w", shown=output())
    mouse(pygame, "MOUSEBUTTONDOWN", (50, 50), button=1)
    mouse(pygame, "MOUSEMOTION", (90, 60), rel=(40, 10), buttons=(1, 0, 0))
    mouse(pygame, "MOUSEBUTTONUP", (90, 60), button=1)
    mouse(pygame, "MOUSEMOTION", (190, 160), rel=(100, 100), buttons=(0, 0, 0))  # without a button nothing turns
    use()
    turned = model.camera.advance(0)
    step = 1.6 / pygame.display.get_surface().get_height()
    assert turned.yaw == pytest.approx(before.yaw + 40 * step)
    assert turned.pitch == pytest.approx(before.pitch - 10 * step)
    pygame.event.post(pygame.event.Event(pygame.MOUSEWHEEL, y=2, x=0))
    use()
    nearer = np.linalg.norm(model.camera.advance(0).eye) / np.linalg.norm(turned.eye)
    assert nearer == pytest.approx(0.81)
    assert "W A S D" in window.shown.tool.keys
    assert seen(pygame).std() > 0


def test_keys_move_the_eye_while_they_are_held_and_home_takes_it_back(use, model, pygame, monkeypatch):
    monkeypatch.setattr(pygame.key, "get_focused", lambda: True)
    model.camera = Camera(STAGE, "fly")
    start = model.camera.advance(0.1)
    use("w", shown=output())
    key(pygame, "KEYDOWN", "KSCAN_W")
    key(pygame, "KEYDOWN", "KSCAN_D")
    use()
    moved = model.camera.advance(0.1).eye - start.eye
    assert start.axes @ moved == pytest.approx([3.5 * 0.1, 0, -3.5 * 0.1])  # right and ahead, 0.35 reaches a second
    key(pygame, "KEYUP", "KSCAN_D")
    key(pygame, "KEYUP", "KSCAN_W")
    use()
    assert (model.camera.advance(0.1).eye == start.eye + moved).all()
    key(pygame, "KEYDOWN", "KSCAN_HOME")
    use()
    assert (model.camera.advance(0.1).eye == start.eye).all()


def test_a_window_that_loses_the_keys_or_the_tool_moves_nothing_on(use, model, pygame, monkeypatch, window):
    focused = [True]
    monkeypatch.setattr(pygame.key, "get_focused", lambda: focused[0])
    model.camera = Camera(STAGE, "fly")
    use("w", shown=output())
    key(pygame, "KEYDOWN", "KSCAN_E")
    use()
    focused[0] = False
    use()
    before = model.camera.advance(0.1).eye
    assert (model.camera.advance(0.1).eye == before).all()
    focused[0] = True
    key(pygame, "KEYDOWN", "KSCAN_E")
    key(pygame, "KEYDOWN", "KSCAN_ESCAPE")
    use()
    assert window.shown.tool is None
    before = model.camera.advance(0.1).eye
    assert (model.camera.advance(0.1).eye == before).all()


def test_space_stands_still_and_shortcuts_are_still_the_windows(use, model, pygame, window):
    use("w", shown=output())
    key(pygame, "KEYDOWN", "KSCAN_SPACE")
    use()
    assert model.camera.paused
    assert model.freezes == []
    key(pygame, "KEYDOWN", "KSCAN_C", pygame.KMOD_CTRL)
    use()
    before = model.camera.advance(0.1).eye
    assert (model.camera.advance(0.1).eye == before).all()


def test_without_a_scene_it_says_what_it_is_for(use, model, window):
    model.camera = None
    use("w", shown=output())
    assert window.shown.tool is None
    assert "--source scene:city" in window.shown.toast
