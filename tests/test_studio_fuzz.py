"""Whatever comes by the studio's socket is read as what it is, or refused with a reason: never anything else."""

import io
import json
import zlib

import numpy as np
import pytest
from doubles.studio import plain
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from inkstream.stream.app.studio.backend import Mark, Sketch
from inkstream.stream.app.studio.document import OPS
from inkstream.stream.app.studio.drawing import put_together
from inkstream.stream.app.studio.frames import HEAD, MAGIC, Format, Head, Kind, unpack
from inkstream.stream.app.studio.messages import FROM_PAGE
from inkstream.stream.app.studio.settings import Refused, changes_of, merged, values_of
from inkstream.stream.app.studio.sketches import pixels_of, under
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.errors import FrameError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)
kinds = st.sampled_from(["hello", "ops", "set", "shown", "freeze", "keep", "rewind", "seed", "vary", "finish", "read"])
numbers32 = st.integers(0, 2**32 - 1)


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda rest: MAGIC + rest))
def test_bytes_are_a_picture_or_refused(data):
    try:
        head, picture = unpack(data)
    except FrameError as error:
        assert "expected" in str(error)
    else:
        assert len(picture) == len(data) - HEAD.size and 1 <= head.width <= 4096


@given(
    kind=st.sampled_from(list(Kind)),
    form=st.sampled_from(list(Format)),
    tag=st.integers(0, 2**64 - 1),
    numbers=st.tuples(numbers32, numbers32, numbers32, numbers32, numbers32),
    sides=st.tuples(st.integers(1, 4096), st.integers(1, 4096)),
)
def test_a_head_comes_back_as_it_was(kind, form, tag, numbers, sides):
    head = Head(kind, form, 3, tag, *numbers[:4], *sides, numbers[4])
    assert unpack(head.pack() + b"x") == (head, b"x")


@settings(max_examples=100)
@given(message=st.dictionaries(st.text(max_size=6), json_values, max_size=4), kind=kinds, more=json_values)
def test_a_mapping_is_a_message_or_refused(message, kind, more):
    told = {**message, "type": kind, "request": more, "changes": more, "ops": more}
    for each in (told, {"type": kind, "request": more}, more):
        try:
            read = FROM_PAGE.validate_json(json.dumps(each))
        except ValidationError:
            continue
        assert read.type == kind


@settings(max_examples=100)
@given(patch=st.dictionaries(st.sampled_from(sorted(StreamConfig.model_fields)) | st.text(max_size=4), json_values))
def test_a_patch_of_settings_is_made_whole_or_refused_with_its_field(patch):
    config = StreamConfig.build()
    try:
        changes = changes_of(config, patch)
    except Refused as error:
        assert error.field and str(error)
        return
    changed = config.changed(**changes)
    assert set(changes) <= {*patch, "t_index_list"}
    for name, value in values_of(changed).items():
        if name not in patch and name != "t_index_list":
            assert value == values_of(config)[name]


@given(target=json_values, patch=json_values)
def test_a_merge_patch_is_what_its_standard_says(target, patch):
    made = merged(target, patch)
    if not isinstance(patch, dict):
        assert made == patch
    else:
        before = target if isinstance(target, dict) else {}
        assert set(made) == {name for name in {*before, *patch} if patch.get(name, 0) is not None}
        assert all(made[name] == value for name, value in before.items() if name not in patch)


steps = st.lists(st.tuples(*[st.integers(-50, 50)] * 4), max_size=4).map(
    lambda points: [n for each in points for n in each]
)


@settings(max_examples=100)
@given(data=st.data())
def test_strokes_that_are_put_together_have_all_their_points_in_order(data):
    ops, open_strokes = [], []
    for revision in range(1, data.draw(st.integers(1, 25)) + 1):
        client = data.draw(st.sampled_from(["aaaaaaaa", "bbbbbbbb"]))
        what = data.draw(st.sampled_from(["begin", "points", "end", "clear"]))
        op = {"client": client, "revision": revision, "number": revision, "op": what}
        if what == "begin":
            op |= {"layer": "ink", "points": data.draw(steps)}
            open_strokes.append(f"{client}.{revision}")
        elif what in ("points", "end"):
            op["of"] = data.draw(st.sampled_from([*open_strokes, "cccccccc.1"]))
            op |= {"points": data.draw(steps)} if what == "points" else {}
        ops.append(op)

    def strokes(listed):
        found = {}
        for each in listed:
            name = each.get("of", f"{each['client']}.{each['number']}")
            if each["op"] in ("begin", "points"):
                found.setdefault(name, []).extend(each.get("points", []))
        return {name: points for name, points in found.items() if name in open_strokes}

    made = put_together(ops)
    assert strokes(made) == strokes(ops)
    assert [each["revision"] for each in made] == sorted(each["revision"] for each in made)
    assert [each for each in made if each["op"] == "clear"] == [each for each in ops if each["op"] == "clear"]
    for each in made:
        OPS.validate_python({name: value for name, value in each.items() if name not in ("client", "revision")})


def sketch(picture, labels=b"", width=64, instances=b""):
    return Sketch(Mark(), width, 64, picture, labels, instances)


def packed(pixels, form="PNG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: sketch(packed(plain(side=4096))), "got 4096x4096, expected 64x64"),
        (lambda: sketch(packed(plain(), "GIF")), "no whole JPEG or PNG"),
        (lambda: sketch(packed(plain())[:80]), "no whole JPEG or PNG"),
        (lambda: sketch(b""), "no whole JPEG or PNG"),
        (lambda: sketch(packed(plain()), zlib.compress(bytes(200_000_000))), "labels: got more bytes, expected 4,096"),
        (lambda: sketch(packed(plain()), zlib.compress(bytes(4096))[:-9]), "labels: got"),
        (lambda: sketch(packed(plain()), b"nonsense"), "cannot be unpacked"),
        (
            lambda: sketch(packed(plain()), zlib.compress(bytes(4096)), instances=zlib.compress(bytes(4096))),
            "instances: got 4,096 bytes, expected 8,192",
        ),
    ],
)
def test_bombs_and_halves_are_refused(made, why):
    with pytest.raises(FrameError, match=why):
        pixels_of(made())


def test_classes_lie_exactly_under_lines_and_undecided_paper_stays():
    drawing = plain()
    drawing[30:33] = 0
    labels = np.full((64, 64), 255, np.uint8)
    labels[:, :20] = 13  # the sea
    seen = under(drawing, labels)
    assert (seen[5, 5] == (0, 60, 180)).all() and (seen[5, 40] == 255).all() and (seen[31] == 0).all()
    transparent = np.zeros((64, 64, 4), np.uint8)
    assert (pixels_of(sketch(packed(transparent))) == 255).all()  # white paper
