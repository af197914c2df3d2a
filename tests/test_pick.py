"""Choosing a part of the screen again as the last time."""

import json

import numpy as np
import pytest

from inkstream.stream.base.errors import SourceUnavailable
from inkstream.stream.base.frame import Rect
from inkstream.stream.base.private import user_state
from inkstream.stream.sources.screen.pick import FILE, pick_region

SCREEN = np.full((400, 600, 3), 200, np.uint8)


@pytest.fixture
def keys(pygame, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    key = lambda name: pygame.event.Event(pygame.KEYDOWN, key=getattr(pygame, f"K_{name}"))
    return lambda *names: [key(name) for name in names]


def dragged(pygame, start, end):
    event = pygame.event.Event
    return [
        event(pygame.MOUSEBUTTONDOWN, button=1, pos=start),
        event(pygame.MOUSEMOTION, pos=end),
        event(pygame.MOUSEBUTTONUP, button=1, pos=end),
    ]


def test_l_takes_what_was_picked_the_last_time_on_such_a_screen(pygame, keys):
    with pytest.raises(SourceUnavailable, match="cancelled"):
        pick_region(SCREEN, events=keys("l", "ESCAPE"))  # there is no last time yet
    picked = pick_region(SCREEN, events=dragged(pygame, (100, 100), (500, 600)))
    assert pick_region(SCREEN, events=keys("l")) == picked
    other = np.full((300, 300, 3), 200, np.uint8)
    with pytest.raises(SourceUnavailable, match="cancelled"):
        pick_region(other, events=keys("l", "ESCAPE"))


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"600x400": 3}', '{"600x400": [0, 0, 601, 10]}', '{"600x400": [0, 0, 1e99, 1]}']
)
def test_a_spoilt_memory_of_it_is_as_good_as_none(pygame, keys, text):
    user_state().mkdir(parents=True)
    (user_state() / FILE).write_text(text)
    assert pick_region(SCREEN, events=keys("l", "RETURN")) == Rect(0, 0, 600, 400)
    assert json.loads((user_state() / FILE).read_text()) == {"600x400": [0, 0, 600, 400]}
