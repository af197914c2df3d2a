"""Drawings that nobody looks at, that nothing was drawn in, and that another server has."""

import asyncio
import os
import time

import pytest
from doubles.cluster import until
from doubles.studio import Talk, asking, fake_maker, plain, run_config, studio
from websockets.exceptions import ConnectionClosed

from inkstream.stream.app.studio import drawing as drawing_module
from inkstream.stream.app.studio import rooms as module
from inkstream.stream.app.studio.backend import Full
from inkstream.stream.app.studio.document import OPS
from inkstream.stream.app.studio.inprocess import InProcess
from inkstream.stream.app.studio.rooms import Rooms, Unknown


def with_rooms(folder, work, most=2):
    """Run ``work(rooms)`` on a loop of its own."""

    async def main():
        backend = InProcess(run_config(), fake_maker(), most=most, folder=folder / "kept")
        rooms = Rooms(backend, folder / "drawings")
        try:
            return await work(rooms)
        finally:
            await rooms.close()
            backend.close()

    return asyncio.run(main())


def clear(number):
    return OPS.validate_python({"op": "clear", "number": number})


def test_a_drawing_that_nobody_looks_at_is_closed_and_comes_back(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PARK", 0.0)
    monkeypatch.setattr(module, "TICK", 0.01)

    async def work(rooms):
        drawn = await rooms.make()
        drawn.add(None, "page00001", [clear(1)])
        await drawn.waken()
        looking = asyncio.create_task(rooms.run())
        while rooms.open:
            await asyncio.sleep(0.01)
        looking.cancel()
        again = await rooms.get(drawn.session)
        assert again is not drawn and again.drawing.revision == 1 and again.live is None
        assert (await rooms.seen(drawn.view)) is again

    with_rooms(tmp_path, work)


def test_many_who_ask_for_one_drawing_at_once_get_the_same(tmp_path):
    async def work(rooms):
        made = await rooms.make()
        rooms.open.clear()
        await made.close()
        found = await asyncio.gather(*(rooms.get(made.session) for _ in range(20)))
        assert len(set(map(id, found))) == 1
        for wrong in ("../" + made.session, made.session.upper() + "X", "", "0" * 31, "..", "a/b"):
            with pytest.raises(Unknown):
                await rooms.get(wrong)
            with pytest.raises(Unknown):
                await rooms.seen(wrong)

    with_rooms(tmp_path, work)


def test_new_drawings_are_not_made_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "NEW_AT_ONCE", 3)
    monkeypatch.setattr(module, "NEW_A_SECOND", 0.01)

    async def work(rooms):
        for _ in range(3):
            await rooms.make()
        with pytest.raises(Full, match="too many new drawings"):
            await rooms.make()

    with_rooms(tmp_path, work)


def test_what_nothing_was_drawn_in_goes_after_a_day_and_nothing_else(tmp_path):
    async def work(rooms):
        made = [await rooms.make() for _ in range(4)]
        made[0].add(None, "page00001", [clear(1)])
        for room in made[:3]:
            await room.close()
            del rooms.open[room.session]
        day = time.time() - module.DAY - 60
        for room in (made[0], made[1], made[3]):
            os.utime(room.drawing.folder / drawing_module.FILE, (day, day))
        rooms._sweep()
        there = {path.name for path in (tmp_path / "drawings").iterdir()}
        assert there == {made[0].session, made[2].session, made[3].session}  # drawn in, of today, open

    with_rooms(tmp_path, work)


def test_two_servers_of_one_user_never_write_to_one_drawing(tmp_path, monkeypatch):
    monkeypatch.setattr(drawing_module, "OPEN_WITHIN", 0.0)
    with studio(tmp_path) as first, studio(tmp_path) as second, Talk(first) as page:
        page.ops({"op": "clear"})
        page.hear("kept")
        with pytest.raises(ConnectionClosed) as closing:
            Talk(second, "page00002", page.session)
        assert closing.value.rcvd.code == 4503
        with asking(second) as rest:
            answer = rest.get(f"/sessions/{page.session}/document")
            assert answer.status_code == 503 and "open in another server" in answer.json()["text"]
        page.draw(plain(3))
        page.see()


def test_viewers_alone_take_no_place_and_see_the_first_stroke(tmp_path):
    with studio(tmp_path, most=1) as server, Talk(server) as page:
        view, session = page.welcome["view"], page.session
        page.ops({"op": "clear"})
        page.hear("kept")
    with studio(tmp_path, most=1) as server, Talk(server, "viewer001", view, "view") as viewer:
        assert viewer.hear("status")["state"] == "waiting"
        with Talk(server, "page00002", session) as page:
            page.draw(plain(9))
            assert int(viewer.see()[1].mean()) > 240


def test_a_stream_is_ready_for_the_next_drawing_where_that_is_wanted(tmp_path):
    made, closed, make = [], [], fake_maker()

    def counted(config, progress):
        stream = make(config, progress)
        made.append(stream._replace(close=lambda: closed.append(stream.stream)))
        return made[-1]

    backend = InProcess(run_config(), counted, most=2, folder=tmp_path, warm=True)
    try:
        first = backend.open(None, lambda news: None)
        until(lambda: len(made) == 2 and first._made is made[0])
        second = backend.open({"model": "ink-tiny", "stream": {"seed": 9}}, lambda news: None)
        until(lambda: second._made is made[1] and len(made) == 3)
        assert second.values().values["seed"] == 9
    finally:
        backend.close()
    until(lambda: len(closed) == 3)  # the one that nobody had, too
