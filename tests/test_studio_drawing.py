"""A drawing on the disk: whatever is cut, killed or said twice, every operation is there once, in order."""

import json
import os
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkstream.stream.app.studio import drawing as module
from inkstream.stream.app.studio.document import OPS
from inkstream.stream.app.studio.drawing import FILE, Drawing, DrawingBusy, DrawingFull, put_together
from inkstream.stream.base.errors import DataError

A, B = "aaaaaaaa", "bbbbbbbb"


def op(number, what="clear", **fields):
    return OPS.validate_python({"op": what, "number": number, **fields})


def stroke(first, client=A, parts=3):
    """A stroke of several operations, the first with this number."""
    name = f"{client}.{first}"
    yield op(first, "begin", layer="ink", points=[16, 16, 512, 0])
    for number in range(first + 1, first + 1 + parts):
        yield op(number, "points", of=name, points=[number, 1, 0, 8, 1, 2, 0, 8])
    yield op(first + 1 + parts, "end", of=name)


def said(drawing):
    return [json.loads(line) for line in drawing.after(0)[1]]


def names(drawing):
    return [f"{each['client']}.{each['number']}" for each in said(drawing)]


@pytest.fixture
def made(tmp_path):
    drawing = Drawing(tmp_path / "one")
    yield drawing
    drawing.close()


def test_operations_are_kept_in_order_with_their_revisions(made):
    added = made.add(A, [op(1), op(2, "paper", width=640, height=480)])
    assert (added.number, added.missing, made.revision) == (2, False, 2)
    assert said(made)[1] == {"client": A, "revision": 2, "op": "paper", "number": 2, "width": 640, "height": 480}
    made.add(B, [op(1)])
    assert names(made) == ["aaaaaaaa.1", "aaaaaaaa.2", "bbbbbbbb.1"]
    assert [json.loads(line)["revision"] for line in made.after(2)[1]] == [3]


def test_what_comes_twice_counts_once_and_a_gap_is_told(made):
    made.add(A, [op(1), op(2)])
    again = made.add(A, [op(1), op(2), op(3)])
    assert (len(again.lines), again.number, made.revision) == (1, 3, 3)
    gap = made.add(A, [op(5)])
    assert (gap.lines, gap.number, gap.missing) == ([], 3, True)


def test_it_goes_on_where_it_was_closed(tmp_path):
    first = Drawing(tmp_path / "one")
    first.add(A, list(stroke(1)))
    before = said(first)
    first.close()
    second = Drawing(tmp_path / "one")
    assert said(second) == before and second.kept == {A: 5}
    second.add(A, [op(6)])
    second.close()
    third = Drawing(tmp_path / "one")
    assert third.revision == 6
    third.close()


def test_a_kill_in_the_middle_of_a_record_takes_that_one_alone(tmp_path):
    first = Drawing(tmp_path / "one")
    first.add(A, [op(1)])
    whole = os.path.getsize(tmp_path / "one" / FILE)
    first.add(A, [op(2), op(3)])
    first.close()
    for length in range(whole, os.path.getsize(tmp_path / "one" / FILE), 7):
        copy = shutil.copytree(tmp_path / "one", tmp_path / f"cut-{length}")
        os.truncate(copy / FILE, length)
        cut = Drawing(copy)
        assert names(cut) == ["aaaaaaaa.1"]
        cut.add(A, [op(2)])  # it can be gone on with
        cut.close()
        again = Drawing(copy)
        assert names(again) == ["aaaaaaaa.1", "aaaaaaaa.2"]
        again.close()


def test_two_servers_never_write_to_one_drawing(made, monkeypatch):
    monkeypatch.setattr(module, "OPEN_WITHIN", 0.0)
    with pytest.raises(DrawingBusy, match="open in another server"):
        Drawing(made.folder)


def test_a_file_of_another_kind_is_refused_and_left(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / FILE).write_bytes(b"something else, and longer than the first line")
    with pytest.raises(DataError, match="expected what inkstream recorded"):
        Drawing(tmp_path / "one")
    assert (tmp_path / "one" / FILE).read_bytes().startswith(b"something else")


def test_a_full_drawing_and_a_full_disk_change_nothing(made, monkeypatch):
    made.add(A, [op(1)])
    monkeypatch.setattr(module, "MOST_BYTES", made.size + 10)
    with pytest.raises(DrawingFull, match="begin a new one"):
        made.add(A, [op(2)])
    monkeypatch.undo()

    def full(handle, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        made.add(A, [op(2)])
    monkeypatch.undo()
    assert made.revision == 1
    assert made.add(A, [op(2)]).number == 2 and names(made) == ["aaaaaaaa.1", "aaaaaaaa.2"]


def test_undo_and_redo_go_back_and_forth_without_end(made):
    made.add(A, [op(1), op(2), op(3, "undo", of=f"{A}.2")])
    assert (made.to_undo(), made.to_redo()) == (f"{A}.1", f"{A}.2")
    made.add(A, [op(4, "undo", of=f"{A}.1")])
    assert (made.to_undo(), made.to_redo()) == (None, f"{A}.1")
    made.add(A, [op(5, "redo", of=f"{A}.1")])
    assert (made.to_undo(), made.to_redo()) == (f"{A}.1", f"{A}.2")
    made.add(A, [op(6)])  # something new: what was undone is left
    assert (made.to_undo(), made.to_redo()) == (f"{A}.6", None)
    made.add(A, [op(7, "undo", of="cccccccc.1"), op(8, "redo", of=f"{A}.2")])  # of nothing: no harm
    assert made.to_undo() == f"{A}.6"


def test_strokes_are_put_together_and_nothing_of_them_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TIDY", 10)
    first = Drawing(tmp_path / "one")
    first.add(A, [each for start in (1, 6, 11) for each in stroke(start)])
    first.add(B, [op(1, "begin", layer="ink", points=[1, 1, 1, 1]), op(2, "points", of=f"{B}.1", points=[5, 5, 5, 5])])
    assert first.after(3)[0] is False
    before, size = said(first), first.size
    first.close()
    second = Drawing(tmp_path / "one")
    assert second.size < size and second.revision == 17 and second.kept == {A: 15, B: 2}
    assert names(second) == [f"{A}.1", f"{A}.6", f"{A}.11", f"{B}.1", f"{B}.2"]  # what goes on is not touched
    for each in said(second)[:3]:
        parts = [old.get("points", []) for old in before if old.get("of") == f"{A}.{each['number']}"]
        assert each["points"] == [16, 16, 512, 0, *(number for part in parts for number in part)]
    assert second.after(3)[0] is True and second.after(17) == (False, [])
    assert second.add(A, [op(15), op(16)]).number == 16  # its client goes on counting
    second.close()


def test_where_the_disk_is_full_strokes_stay_apart(tmp_path, monkeypatch):
    first = Drawing(tmp_path / "one")
    first.add(A, [each for start in (1, 6, 11) for each in stroke(start)])
    before = said(first)
    first.close()
    monkeypatch.setattr(module, "TIDY", 10)

    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "replacing", full)
    second = Drawing(tmp_path / "one")
    assert said(second) == before and second.add(A, [op(16)]).number == 16
    second.close()


def test_tilt_is_put_together_with_its_points():
    begin = {"client": A, "number": 1, "op": "begin", "points": [0, 0, 0, 0]}
    leans = {"client": A, "number": 2, "op": "points", "of": f"{A}.1", "points": [1, 1, 1, 1], "tilt": [3, 4]}
    (one,) = put_together([begin, leans, {"client": A, "number": 3, "op": "end", "of": f"{A}.1"}])
    assert one["points"] == [0, 0, 0, 0, 1, 1, 1, 1] and one["tilt"] == [0, 0, 3, 4]


def test_a_stroke_costs_ten_bytes_a_point(made):
    name, number, points = f"{A}.1", 2, 0
    made.add(A, [op(1, "begin", layer="ink", points=[1600, 1600, 512, 0])])
    before = made.size
    for _ in range(200):  # as a page sends it: ten times a second what a pen gives at 120 Hz
        part = [value for index in range(12) for value in (17 + index % 5, -23 + index % 7, index % 9 - 4, 8)]
        made.add(A, [op(number, "points", of=name, points=part)])
        number, points = number + 1, points + 12
    half_an_hour = (made.size - before) / points * 120 * 60 * 30 * 0.6  # the pen is down for so much of it
    assert half_an_hour < 5e6


@settings(max_examples=200)
@given(data=st.data())
def test_cuts_restarts_and_kills_lose_no_operation_and_double_none(tmp_path_factory, data):
    """Two pages draw; each message may be lost on its way, or its answer, and the server may be killed in a write."""
    folder = tmp_path_factory.mktemp("cuts") / "one"
    drawing = Drawing(folder)
    drawn, known = {A: 0, B: 0}, {A: 0, B: 0}  # what each page has drawn, and knows to be kept
    order = []
    for _ in range(data.draw(st.integers(1, 12), "turns")):
        page = data.draw(st.sampled_from([A, B]), "page")
        drawn[page] += data.draw(st.integers(0, 3), "strokes")
        waiting = list(range(known[page] + 1, drawn[page] + 1))
        sent = waiting[: data.draw(st.integers(0, len(waiting)), "sent")]
        fate = data.draw(st.sampled_from(["kept", "answer lost", "message lost", "killed", "restarted"]), "fate")
        if fate == "message lost" or not sent:
            continue
        before = drawing.size
        number = drawing.add(page, [op(each) for each in sent]).number
        if fate == "kept":
            known[page] = number
        elif fate == "killed":  # somewhere in the record, or behind it
            drawing.close()
            os.truncate(folder / FILE, data.draw(st.integers(before, os.path.getsize(folder / FILE)), "length"))
            drawing = Drawing(folder)
        elif fate == "restarted":
            drawing.close()
            drawing = Drawing(folder)
        assert names(drawing)[: len(order)] == order  # what was there before is there, in its order
        order = names(drawing)
        assert drawing.kept.get(page, 0) >= known[page]
    for page in (A, B):
        drawing.add(page, [op(each) for each in range(known[page] + 1, drawn[page] + 1)])
    there = names(drawing)
    assert len(there) == len(set(there)) == drawn[A] + drawn[B]
    for page in (A, B):
        assert [name for name in there if name.startswith(page)] == [f"{page}.{n}" for n in range(1, drawn[page] + 1)]
    drawing.close()
