"""Sources and sinks written as text."""

import pytest
from doubles.fuzz import fuzz_examples
from hypothesis import given, settings
from hypothesis import strategies as st

from inkstream.stream.base.errors import ConfigError, SourceUnavailable
from inkstream.stream.base.frame import Rect
from inkstream.stream.base.spec import Spec, check_kind, flag, parse_spec
from inkstream.stream.sinks import open_sink
from inkstream.stream.sources import open_source

FILE = {"path": str, "loop": flag, "pace": flag, "start": float, "region": Rect.parse}


@pytest.mark.parametrize(
    ("text", "kind", "options"),
    [
        ("screen", "screen", {}),
        (" Screen ", "screen", {}),
        ("screen:", "screen", {}),
        ("camera:1", "camera", {"path": "1"}),
        ("screen:region=0,0,512,512", "screen", {"region": "0,0,512,512"}),
        ("screen:region=-200,-50,1e2,20,cursor", "screen", {"region": "-200,-50,1e2,20", "cursor": ""}),
        ("screen:region=0,0,9,9,fps=60", "screen", {"region": "0,0,9,9", "fps": "60"}),
        ("fake:size=64x64,mark,seed=3", "fake", {"size": "64x64", "mark": "", "seed": "3"}),
        ("fake:a=x,1", "fake", {"a": "x", "1": ""}),
        ("screen:window=a=b", "screen", {"window": "a=b"}),
        ("screen:window= Ink ,fps=9", "screen", {"window": " Ink ", "fps": "9"}),
        ("video:C:\\clips\\a.mp4,loop=1", "video", {"path": "C:\\clips\\a.mp4", "loop": "1"}),
        ("video:take 1, the end.mp4", "video", {"path": "take 1, the end.mp4"}),
        ("video:x-1=2.mp4", "video", {"path": "x-1=2.mp4"}),
        ("video:path=a=b.mp4", "video", {"path": "a=b.mp4"}),
    ],
)
def test_text_becomes_kind_and_options(text, kind, options):
    assert parse_spec(text) == Spec(kind, options, text)


@pytest.mark.parametrize("text", ["", "  ", ":", ":path=x"])
def test_a_kind_is_needed(text):
    with pytest.raises(ConfigError, match="expected KIND or KIND:OPTIONS"):
        parse_spec(text)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("video:clip.mp4,loop", {"path": "clip.mp4", "loop": True}),
        ("video:clip.mp4,loop,pace", {"path": "clip.mp4", "loop": True, "pace": True}),
        ("video:clip.mp4, loop ,start=2", {"path": "clip.mp4", "loop": True, "start": 2.0}),
        ("video:path=clip.mp4,loop", {"path": "clip.mp4", "loop": True}),
        ("video:clip.mp4,start=2,loop,pace=0", {"path": "clip.mp4", "start": 2.0, "loop": True, "pace": False}),
        ("video:one, two.mp4,loop", {"path": "one, two.mp4", "loop": True}),
        ("video:one, two.mp4", {"path": "one, two.mp4"}),
        ("video:a,loop,b.mp4", {"path": "a,loop,b.mp4"}),  # not at the end
        ("video:a.mp4,start", {"path": "a.mp4,start"}),  # no flag: it needs a value
        ("video:a.mp4,path", {"path": "a.mp4,path"}),
        ("video:a.mp4,loops", {"path": "a.mp4,loops"}),
        ("video:loop", {"path": "loop"}),
        ("video:shots,loop,loop=0", {"path": "shots,loop", "loop": False}),  # the way out
        ("video:a,loop,loop", {"path": "a,loop", "loop": True}),
    ],
)
def test_flags_after_a_path_are_flags_and_other_commas_belong_to_it(text, values):
    assert parse_spec(text).take(FILE) == values


def test_a_number_that_stands_alone_takes_flags_too():
    assert parse_spec("camera:1,mirror").take({"path": int, "mirror": flag}) == {"path": 1, "mirror": True}


def test_a_kind_without_a_path_takes_flags_only():
    window = {"top": flag, "full": flag, "scale": float}
    assert parse_spec("window:full").take(window) == {"full": True}
    assert parse_spec("window:top,full,scale=2").take(window) == {"top": True, "full": True, "scale": 2.0}
    with pytest.raises(ConfigError, match=r"window:big,full: got 'big' without a name; window takes: top, full, scale"):
        parse_spec("window:big,full").take(window)


def test_kinds_read_their_flags_so():
    sink = open_sink("fake:main,interval=0.5")
    assert (sink.on_main_thread, sink.interval) == (True, 0.5)
    with pytest.raises(SourceUnavailable, match=r"no file .*clip\.mp4$"):
        open_source("video:clip.mp4,loop")


def test_taking_does_not_change_the_specification():
    spec = parse_spec("video:clip.mp4,loop")
    assert spec.take(FILE) == spec.take(FILE)
    assert spec.options == {"path": "clip.mp4,loop"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video:a.mp4,speed=2", r"video:a\.mp4,speed=2: unknown option 'speed'; video takes: path, loop, pace, start"),
        ("video:start=soon", r"start: got 'soon', expected a number"),
        ("video:a.mp4,loop=maybe", r"loop: got 'maybe', expected 1 or 0"),
        ("video:region=1,2", r"region: got '1,2', expected x,y,width,height"),
    ],
)
def test_wrong_options_are_named(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_spec(text).take(FILE)


def test_a_kind_without_options_says_so():
    with pytest.raises(ConfigError, match="unknown option 'x'; null takes: none"):
        parse_spec("null:x=1").take({})


@pytest.mark.parametrize("text", ["1", "true", "Yes", "ON", ""])
def test_flag_on(text):
    assert flag(text) is True


@pytest.mark.parametrize("text", ["0", "False", "no", "off"])
def test_flag_off(text):
    assert flag(text) is False


WORDS = st.text("abcxyz .-_/\\0123456789", min_size=1, max_size=12)


@given(WORDS.filter(lambda word: word.strip()), st.lists(st.sampled_from(["loop", "pace"]), unique=True))
def test_any_path_comes_back_with_its_flags(path, flags):
    values = parse_spec(",".join([f"video:{path}", *flags])).take(FILE)
    assert values == {"path": path.rstrip() if not flags else path, **dict.fromkeys(flags, True)}


@given(st.text(max_size=60))
def test_any_text_gives_a_specification_or_a_named_error(text):
    try:
        spec = parse_spec(text)
        spec.take(FILE)
    except ConfigError as error:
        assert str(error)


# --- quotes


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('video:"a=b, c.mp4"', {"path": "a=b, c.mp4"}),
        ('video:"clip,loop",start=2', {"path": "clip,loop", "start": 2.0}),
        ('video:"clip,loop",loop', {"path": "clip,loop", "loop": True}),
        ('video:path="x,loop=0",loop', {"path": "x,loop=0", "loop": True}),
        ('video:loop=1,path="loop"', {"path": "loop", "loop": True}),
        ('video: "a ""quoted"" name.mp4" , loop', {"path": 'a "quoted" name.mp4', "loop": True}),
        ('video:take "1".mp4,loop', {"path": 'take "1".mp4', "loop": True}),
        ('video:"shots[1]:a.mp4"', {"path": "shots[1]:a.mp4"}),
        ('screen:region="0,0,9,9",loop', {"region": Rect(0, 0, 9, 9), "loop": True}),
    ],
)
def test_f6_a_value_in_quotes_is_taken_as_it_stands(text, values):
    assert parse_spec(text).take(FILE) == values


def test_f6_a_title_with_a_comma_goes_in_quotes():
    assert parse_spec('screen:window="Krita, a.kra",fps=9').options == {"window": "Krita, a.kra", "fps": "9"}
    with pytest.raises(ConfigError, match=r"unknown option 'a\.kra'.*goes in quotes: screen:\"a=b, c\""):
        parse_spec("screen:window=Krita, a.kra").take({"window": str, "fps": float})
    with pytest.raises(ConfigError, match=r"unknown option 'a'.*goes in quotes: video:"):
        open_source("video:a=b.mp4")


@pytest.mark.parametrize(
    "text", ['video:"clip.mp4', 'video:"a" b.mp4', 'video:"', 'screen:window="x,fps=9', 'video:a,"b"']
)
def test_f6_a_quote_that_does_not_end_is_named(text):
    with pytest.raises(ConfigError, match="quote"):
        parse_spec(text)


@settings(max_examples=fuzz_examples(100))
@given(st.text(), st.text(), st.booleans())
def test_f6_anything_in_quotes_comes_out_again(path, title, loop):
    quoted = ['"' + value.replace('"', '""') + '"' for value in (path, title)]
    spec = parse_spec(f"video:{quoted[0]},window={quoted[1]}{',loop' if loop else ''}")
    assert spec.take({"path": str, "window": str, "loop": flag}) == {
        "path": path,
        "window": title,
        **({"loop": True} if loop else {}),
    }


@settings(max_examples=fuzz_examples(300))
@given(st.text('ab1=,:"[] \n\0é', max_size=40))
def test_f6_any_text_is_read_or_refused_by_name(text):
    try:
        spec = parse_spec(text)
        spec.take(FILE)
    except ConfigError:
        return
    assert spec.kind and set(spec.options) >= spec.quoted


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("vdeo:clip.mp4", "; did you mean 'video'?"),
        ("clip.MP4", "; did you mean 'video:clip.MP4'?"),
        ("drawings", "; did you mean 'images:drawings'?"),
        ("C:\\films\\clip.mp4", "; did you mean 'video:C:\\\\films\\\\clip.mp4'?"),
        ("quite another", ""),
    ],
)
def test_a_kind_that_is_not_known_is_refused_and_a_plain_path_is_helped(tmp_path, monkeypatch, text, hint):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "drawings").mkdir()
    with pytest.raises(ConfigError) as caught:
        check_kind(text, ("video", "images"), {".mp4": "video", "": "images"}, "--source")
    assert str(caught.value) == f"--source: got {text!r}, expected one of: video, images{hint}"
