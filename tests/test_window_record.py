"""The key R: a video of the render, or of the stage as the clean output lays it out."""

import threading
from dataclasses import replace

import av
import cv2
import numpy as np
import pytest
from doubles.preview import BLUE, LIVE, RED, VALUES, Session, output, seen

from inkstream.stream.base.frame import Size
from inkstream.stream.sinks import Status
from inkstream.stream.sinks.window import WindowSink
from inkstream.stream.sinks.window.record import film_size


class Recording(Session):
    """Keeps what was asked to be recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list = []

    def record(self, opener) -> None:
        self.records.append(opener)


@pytest.fixture
def clean(pygame, tmp_path, clock):
    sink = WindowSink(
        size=Size(640, 360), clean=True, layout="stage", save_dir=tmp_path / "kept", clock=clock, state=tmp_path
    )
    sink.controls = Recording()
    yield sink
    sink.close()


def press(pygame, window, name: str, shown=None, status: Status = LIVE) -> None:
    key = getattr(pygame, f"K_{name}")
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key, mod=0, unicode=name))
    window.write(shown, status)


def frames(path) -> list[np.ndarray]:
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


def near(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two pictures are the same, as far as a video keeps that, which halves the colours' resolution."""
    away = np.abs(one.astype(int) - other)
    grey = np.abs(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY).astype(int) - cv2.cvtColor(other, cv2.COLOR_RGB2GRAY))
    return float(away.mean()) < 2.5 and float((grey > 40).mean()) < 0.0005


def test_r_records_the_stage_as_the_window_shows_it_with_even_sides(clean, pygame, tmp_path):
    press(pygame, clean, "r", output())
    assert "recording the stage, 640x360, to" in pygame.display.get_caption()[0]
    (opener,) = clean.controls.records
    film = opener()
    shown = []
    for number, colour in enumerate((RED, BLUE, RED), start=1):
        made = replace(output(colour, number), captured_at=number / 10)
        clean.write(made, LIVE)
        shown.append(seen(pygame))
        film.write(made, LIVE)
    film.close()
    recorded = frames(film.path)
    assert film.path.parent == tmp_path / "kept" and len(recorded) == 3
    assert all(map(near, recorded, shown))
    assert not near(recorded[0], recorded[1])


def test_the_caption_and_the_mirror_of_a_recorded_stage_follow_the_window(clean, pygame):
    made = output()
    made.pixels[:, :32] = BLUE
    press(pygame, clean, "r", made)
    film = clean.controls.records[0]()
    for number, (name, prompt) in enumerate((("m", "a fox"), ("m", "a bear in the snow, at night")), start=1):
        status = Status(state="live", values={**VALUES, "prompt": prompt})
        press(pygame, clean, name, status=status)
        film.write(replace(made, captured_at=number / 10), status)
        latest = seen(pygame)
    film.close()
    first, second = frames(film.path)
    assert near(second, latest)
    assert np.abs(first[180, 40].astype(int) - RED).max() < 30 and np.abs(second[180, 40].astype(int) - BLUE).max() < 30


def test_a_recorded_stage_stays_what_it_is_whatever_becomes_of_the_window(clean, pygame):
    press(pygame, clean, "r", output())
    film = clean.controls.records[0]()
    film.write(replace(output(), captured_at=0.1), LIVE)
    press(pygame, clean, "o")  # a usual preview again, which says what it records
    recording = replace(LIVE, recording=str(film.path))
    clean.write(None, recording)
    assert clean.shown.recording == "recording the stage"
    pygame.display.set_mode((300, 300))
    film.write(replace(output(), captured_at=0.2), LIVE)
    clean.close()
    assert not pygame.display.get_init()
    film.write(replace(output(), captured_at=0.3), Status(values={**VALUES, "prompt": "other words, larger ones, 画"}))
    film.close()
    first, second, third = frames(film.path)
    assert first.shape == third.shape == (360, 640, 3) and near(first, second) and near(first[:, :360], third[:, :360])


def test_the_clean_render_alone_is_recorded_as_it_is_and_the_title_says_so(clean, pygame, clock):
    press(pygame, clean, "l", output())
    press(pygame, clean, "r")
    assert "recording the render to" in pygame.display.get_caption()[0]
    film = clean.controls.records[0]()
    film.write(output(), LIVE)
    film.close()
    assert frames(film.path)[0].shape == (64, 64, 3)
    clock.now += 60
    clean.write(None, replace(LIVE, recording=str(film.path)))
    assert pygame.display.get_caption()[0] == "inkstream preview: recording the render"
    press(pygame, clean, "r", status=replace(LIVE, recording=str(film.path)))
    assert clean.controls.records[-1] is None
    clean.write(None, LIVE)
    assert pygame.display.get_caption()[0] == "inkstream preview"


def test_a_stage_is_recorded_on_a_thread_of_its_own_while_the_window_draws(clean, pygame):
    press(pygame, clean, "r", output())
    film = clean.controls.records[0]()
    words = [f"a fox {'画é世' * (number % 4)} {number}" for number in range(40)]
    failed: list[BaseException] = []

    def record() -> None:
        try:
            for number, said in enumerate(words):
                film.write(replace(output(), captured_at=number / 30), Status(values={**VALUES, "prompt": said}))
            film.close()
        except BaseException as error:  # noqa: BLE001 - it is raised where the test sees it
            failed.append(error)

    thread = threading.Thread(target=record)
    thread.start()
    number = 0
    while thread.is_alive():
        number += 1
        clean.write(output(number=number), Status(state="live", values={**VALUES, "prompt": words[-number % 40]}))
    assert failed == [] and len(frames(film.path)) == 40


@pytest.mark.parametrize(
    ("window", "size"),
    [
        ((1280, 720), (1280, 720)),
        ((1920, 1080), (1920, 1080)),
        ((3840, 2160), (1920, 1080)),
        ((1081, 1920), (1080, 1918)),
        ((1001, 801), (1000, 800)),
        ((40, 300), (64, 300)),
    ],
)
def test_sizes_of_a_recorded_stage(window, size):
    assert film_size(Size(*window)) == size
