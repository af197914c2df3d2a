"""The last picture in the next frame."""

import numpy as np
import pytest

from inkstream.bench.synthetic import FakeStream
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.frame import Frame, Output, Size
from inkstream.stream.session.feedback import Feedback
from inkstream.stream.session.session import Session
from inkstream.stream.sinks.fake import FakeSink

OVER, LINES = StreamConfig.build(mode="img2img"), StreamConfig.build(mode="sketch", controlnets=[{}])
SIZE = Size(64, 48)
GREY = np.full((48, 64, 3), 100, np.uint8)


def shown(pixels) -> Output:
    return Output(pixels, 0, 0.0, 0)


def test_it_is_off_at_first_and_without_a_last_picture():
    feedback = Feedback()
    feedback.keep(shown(GREY))
    frame = Frame(GREY, 3, 1.0)
    assert feedback.mix(frame, SIZE, OVER) is frame
    feedback.amount = 0.5
    assert feedback.mix(frame, SIZE, OVER) is frame


def test_the_last_picture_is_mixed_in_larger():
    feedback, dot = Feedback(), np.zeros((48, 64, 3), np.uint8)
    dot[20:28, 40:48] = 200
    feedback.amount, feedback.zoom = 0.5, 1.1
    feedback.keep(shown(dot))
    mixed = feedback.mix(Frame(GREY, 3, 1.0), SIZE, OVER)
    assert (mixed.id, mixed.captured_at) == (3, 1.0) and mixed.pixels.shape == GREY.shape
    assert abs(int(mixed.pixels[24, 46, 0]) - 150) <= 2 and abs(int(mixed.pixels[4, 4, 0]) - 50) <= 1
    _, columns = np.nonzero(mixed.pixels[..., 0] > 100)
    assert columns.mean() > 44.5  # away from the middle
    feedback.amount = 7.0
    assert feedback.mix(Frame(GREY, 3, 1.0), SIZE, OVER).pixels[24, 46, 0] >= 190  # at most 0.95 of it
    feedback.amount, feedback.zoom, feedback.right, feedback.down = 0.5, 1.0, -9.0, 0.05  # at most 0.05: 3 of 64 pixels
    rows, columns = np.nonzero(feedback.mix(Frame(GREY, 3, 1.0), SIZE, OVER).pixels[..., 0] > 100)
    assert (columns.min(), rows.min()) == (37, 22) and (columns.max(), rows.max()) in ((44, 29), (44, 30))


def test_a_frame_of_any_size_is_fitted_and_lines_stay_as_they_are():
    feedback = Feedback()
    feedback.amount = 0.5
    feedback.keep(shown(GREY))
    large = Frame(np.full((480, 640, 3), 200, np.uint8), 1, 0.0)
    assert feedback.mix(large, SIZE, OVER).pixels.shape == GREY.shape
    assert feedback.mix(large, SIZE, LINES) is large
    feedback.keep(shown(np.zeros((9, 9, 3), np.uint8)))  # the size has just changed
    assert feedback.mix(large, SIZE, OVER) is large


@pytest.mark.parametrize("amount", [0.0, 0.5])
def test_a_picture_that_rests_goes_on_moving_only_with_feedback(amount):
    class Still:
        live = True

        def read(self):
            return GREY

        def close(self):
            pass

    stream, sink = FakeStream(1, size=Size(64, 64)), FakeSink(keep=1000)
    stream.update(similar_image_filter_threshold=0.9)
    with Session(Still(), stream, [sink]) as session:
        session.feedback.amount, session.feedback.zoom = amount, 1.05
        session.start()
        for _ in range(2000):
            if len(sink.outputs) >= 3 or (not amount and session.metrics.counter("frames_skipped") > 20):
                break
            session.wait(0.01)
        outputs = sink.outputs
    assert len(outputs) == 1 if not amount else len(outputs) >= 3
    if amount:
        assert not np.array_equal(outputs[0].pixels, outputs[1].pixels)
        assert all(np.array_equal(each.pixels, 255 - each.input) for each in outputs)  # of what was mixed
