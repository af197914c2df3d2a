"""Many who draw at once: nobody sees another's picture, and who takes nothing costs nothing."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
from doubles.cluster import until
from doubles.studio import SIDE, Talk, plain, studio

from inkstream.bench.synthetic import FakeStream
from inkstream.stream.app.studio.frames import Kind
from inkstream.stream.app.studio.live import Made
from inkstream.stream.base.frame import Size

SESSIONS = 8


def coloured(number, frame):
    """A picture that says whose it is: a colour of the session, and a gray that moves."""
    pixels = plain(frame * 67 % 200)  # as different as a stroke is, so that each is rendered
    pixels[: SIDE // 2] = (30 * number, 240 - 30 * number, 128)
    return pixels


def drawing(server, number, frames, barrier):
    """Draw, and check every render; returns how many came."""
    with Talk(server, f"drawer{number:03}") as page:
        barrier.wait(30)
        for frame in range(frames):
            sequence = page.draw(coloured(number, frame))
            head, seen = page.see(of=sequence)
            want = 255 - coloured(number, frame).astype(int)
            assert head.tag == page.tag and np.abs(seen[4] - want[4]).max() < 12, (number, frame)
            assert abs(int(seen[-4].mean()) - want[-4].mean()) < 6
            page.heard.clear()
            page.frames.clear()
        return frames


@pytest.mark.parametrize("frames", [320, pytest.param(10_000, marks=pytest.mark.slow)])
def test_eight_who_draw_never_see_each_others_picture(tmp_path, frames):
    with studio(tmp_path) as server, ThreadPoolExecutor(SESSIONS) as pool:
        barrier = threading.Barrier(SESSIONS)
        each = [pool.submit(drawing, server, number, frames // SESSIONS, barrier) for number in range(SESSIONS)]
        assert sum(one.result() for one in each) == frames


def test_fifty_look_on_and_one_who_takes_nothing_costs_nothing(tmp_path):
    with studio(tmp_path) as server, Talk(server) as page:
        viewers = [Talk(server, f"viewer{number:03}", page.welcome["view"], "view") for number in range(50)]
        stalled = viewers[0]
        stalled.acknowledges = False
        random = np.random.default_rng(1)
        rounds = [random.integers(0, 255, (SIDE, SIDE, 3), np.uint8) for _ in range(20)]

        def around(frames):
            for frame in range(frames):
                sequence = page.draw(rounds[frame % len(rounds)])
                head, _ = page.see(of=sequence)
                for viewer in viewers[1:]:
                    while viewer.see()[0].sequence < head.sequence:
                        continue
                    viewer.frames.clear()
                page.frames.clear()

        around(5)
        gc.collect()
        before = psutil.Process().memory_info().rss
        around(20)
        gc.collect()
        assert psutil.Process().memory_info().rss - before < 10e6
        room = next(iter(server.site.rooms.open.values()))
        held = next(client for client in room.viewers if client.name == stalled.client)
        assert held._next is not None  # the newest picture alone waits for it
        until(lambda: not held._texts)
        while not stalled.frames:
            stalled.once()
        assert len(stalled.frames) == 1  # what was sent to it is one picture
        stalled.acknowledges = True
        stalled.say(type="shown", sequence=stalled.frames[0][0].sequence)
        head, _ = stalled.see(Kind.RENDER)
        assert head.sequence > stalled.frames[0][0].sequence + 5  # and then the newest
        for viewer in viewers:
            viewer.socket.close()


def test_coming_and_going_leaves_no_thread_and_no_descriptor(tmp_path):
    with studio(tmp_path) as server, Talk(server) as first:
        first.draw(plain(3))
        first.see()

        def come_and_go(times):
            for _ in range(times):
                with Talk(server, "page00002", first.session) as page:
                    page.see()
                with Talk(server, "viewer001", first.welcome["view"], "view") as viewer:
                    viewer.see()

        come_and_go(3)
        process = psutil.Process()
        threads, files = threading.active_count(), process.num_fds() if hasattr(process, "num_fds") else 0
        come_and_go(25)
        room = next(iter(server.site.rooms.open.values()))
        while len(room.everybody) > 1:
            first.once()
        assert threading.active_count() <= threads + 2
        assert not files or process.num_fds() <= files + 4


def test_a_stream_that_nobody_needs_is_gone_with_all_its_memory(tmp_path):
    made = []

    def make(config, progress):
        stream = FakeStream(steps=1, size=Size(config.width, config.height))
        stream.itself = stream  # as networks have it
        made.append(weakref.ref(stream))
        return Made(stream, None, stream.close)

    with studio(tmp_path, most=1, maker=make) as server:
        for number in range(4):
            with Talk(server, f"drawer{number:03}") as page:
                page.draw(plain(number))
                page.see()
            while any(room.everybody for room in server.site.rooms.open.values()):
                continue
        # The first one was made while the model was loaded, which is not looked through for garbage.
        assert len(made) == 4 and made[1]() is None
        while made[2]() is not None:  # a thread of it may have been at its end
            gc.collect()
