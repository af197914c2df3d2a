"""The demo's own parts: which frame shows what, the prompt that follows, the album and its page."""

import weakref

import numpy as np
import pytest

from inkstream.bench.soak import TimedStream
from inkstream.bench.synthetic import FakeStream
from inkstream.stream.app.contact_sheet import contact_sheet
from inkstream.stream.app.showcase import MOST_SHOTS, Album, Following, Moment, Narrated, Retimed, Shot
from inkstream.stream.base.errors import SourceEnded
from inkstream.stream.base.frame import Frame, Output, Size
from inkstream.stream.base.metrics import Metrics
from inkstream.stream.session.driver import StreamLike
from inkstream.stream.session.session import Session
from inkstream.stream.sinks import Status
from inkstream.stream.sinks.fake import FakeSink
from inkstream.stream.sources.fake import FakeSource

TITLE = "inkstream demo"


class Hand:
    """A source that draws in three pictures, twice."""

    live = False
    states = (("a", False), ("a", False), ("a", True), ("b", False), ("b", False), ("b", True))

    def __init__(self):
        self.at = 0
        self.prompt, self.finished = self.states[0]

    def read(self):
        if self.at == len(self.states):
            raise SourceEnded("done")
        self.prompt, self.finished = self.states[self.at]
        self.at += 1
        return np.full((8, 8, 3), self.at, np.uint8)

    def close(self):
        self.at = len(self.states)


def moments(*finished_at, count):
    drawing, found = 0, {}
    for number in range(count):
        found[number] = Moment(drawing, f"drawing {drawing}", number in finished_at)
        drawing += number in finished_at
    return found


def output(number, size=Size(8, 8)):  # noqa: B008 - a tuple, it cannot change
    pixels = np.full((size.height, size.width, 3), number % 256, np.uint8)
    return Output(pixels, number, float(number), 0, pixels, float(number))


def test_moments_are_those_of_the_frame_that_was_read():
    hand = Narrated(Hand())
    for _ in range(6):
        hand.read()
    assert [moment.drawing for moment in hand.moments.values()] == [0, 0, 0, 1, 1, 1]
    assert [number for number, moment in hand.moments.items() if moment.finished] == [2, 5]
    with pytest.raises(SourceEnded):
        hand.read()
    assert len(hand.moments) == 6


def test_moments_are_forgotten(monkeypatch):
    monkeypatch.setattr("inkstream.stream.app.showcase.REMEMBERED", 3)
    hand = Narrated(Hand())
    for _ in range(6):
        hand.read()
    assert list(hand.moments) == [3, 4, 5]


def test_following_changes_the_prompt_once_a_drawing_and_leaves_other_changes_alone():
    stream = FakeStream(steps=1)
    followed = Following(stream, moments(1, 3, count=6))
    for number in range(6):
        followed(output_frame(number))
        assert stream.config.prompt == f"drawing {min(2, number // 2)}"
    assert followed.revision == stream.revision == 3
    followed.update(prompt="mine")
    followed(output_frame(5))
    assert stream.config.prompt == "mine"


@pytest.mark.parametrize("make", [lambda stream: Following(stream, {}), TimedStream])
def test_l17_a_stream_in_front_of_another_has_all_that_a_session_asks_for(make):
    stream = FakeStream(steps=1, size=Size(512, 512), memory=300 * 300)
    front = make(stream)
    for name in (each for each in dir(StreamLike) if not each.startswith("_")):
        assert getattr(front, name) == getattr(stream, name), name
    front.metrics = Metrics()
    assert front.metrics is stream.metrics
    sink = FakeSink()
    Session(FakeSource(Size(64, 64), frames=3, live=False), front, [sink]).run()
    assert sink.count == 3 and min(stream.size) < 512, "it stepped down"
    with pytest.raises(AttributeError, match="nothing"):
        _ = front.nothing


def output_frame(number):
    return Frame(np.full((64, 64, 3), number * 20, np.uint8), number)


def test_retimed_plays_evenly_and_rests_after_each_drawing():
    inner = FakeSink()
    sink = Retimed(inner, moments(1, 3, count=6), fps=10, pause=2)
    for number in range(6):
        sink.write(output(number), Status())
    times = [round(item.origin.time, 6) for item in inner.outputs]
    assert times == [0.0, 0.1, 2.2, 2.3, 4.4, 4.5]
    sink.close()
    assert inner.closed


def album_of(finished_at, count):
    album = Album(moments(*finished_at, count=count))
    for number in range(count):
        album.write(output(number), Status())
    album.close()
    return album


@pytest.mark.parametrize(("drawings", "shape"), [(1, (1, 4)), (3, (3, 4)), (4, (4, 3)), (6, (6, 2)), (9, (6, 2))])
def test_the_album_shows_stages_of_several_finished_drawings(drawings, shape):
    shots = album_of([10 * n + 9 for n in range(drawings)], count=10 * drawings + 4).shots()
    assert (len(shots), len(shots[0])) == shape
    for drawing in shots:
        assert drawing[-1].done == 1.0
        assert len({shot.prompt for shot in drawing}) == 1
        values = [int(shot.render[0, 0, 0]) for shot in drawing]
        assert values[-1] % 10 == 9
        assert values == sorted(set(values))


def test_the_album_shows_the_drawing_under_way_when_nothing_is_finished():
    shots = album_of([], count=7).shots()
    assert [[shot.done for shot in drawing] for drawing in shots] == [[None]]
    assert int(shots[0][0].sketch[0, 0, 0]) == 6
    assert album_of([], count=0).shots() == []


def test_the_album_stays_small_however_long_a_drawing_takes():
    album, renders = Album(moments(4999, count=5000)), []
    for number in range(5000):
        picture = output(number)
        renders.append(weakref.ref(picture.pixels))
        album.write(picture, Status())
    del picture
    assert 30 < sum(render() is not None for render in renders) <= MOST_SHOTS
    album.close()
    assert [round(int(shot.render[0, 0, 0])) for shot in album.shots()[0]][-1] == 4999 % 256


def test_the_album_keeps_small_pictures_of_large_ones():
    album = Album(moments(0, count=1))
    album.write(output(0, Size(1024, 512)), Status())
    album.close()
    assert album.shots()[0][-1].render.shape == (128, 256, 3)


def test_the_contact_sheet_has_every_sketch_above_its_render():
    shots = [
        [
            Shot(np.full((64, 64, 3), 200, np.uint8), np.full((64, 64, 3), (250, 0, n), np.uint8), "words " * 40, done)
            for done in (0.5, 1.0)
        ]
        for n in range(6)
    ]
    page = contact_sheet(shots, TITLE)
    reds = (page[..., 0] == 250) & (page[..., 1] == 0)
    assert reds.sum() == 12 * 64 * 64
    assert {int(value) for value in np.unique(page[..., 2][reds])} == set(range(6))
    first = np.argwhere(reds)[0]
    assert tuple(page[first[0] - 64, first[1]]) == (200, 200, 200)  # the sketch is right above
    assert page.shape[1] < 7 * 80  # six columns


def test_the_contact_sheet_of_nothing_is_refused():
    with pytest.raises(ValueError, match="got no shots"):
        contact_sheet([], TITLE)
