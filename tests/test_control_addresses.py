"""Parameters by their addresses: every one is found, read, said and written down."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkstream.stream.app.control import addresses
from inkstream.stream.app.control.addresses import at, at_fader, find, known, leaves, patch_of, spoken, value_of
from inkstream.stream.app.studio.settings import Refused, changes_of, values_of
from inkstream.stream.base.config import StreamConfig

CONFIG = StreamConfig.build(
    prompt="a fox", lora_dict={"/styles/night.safetensors": 0.5}, controlnets=[{}, {"conditioning_scale": 0.5}]
)
VALUES = values_of(CONFIG)


def test_the_page_has_every_address():
    page = Path(__file__).parent.parent / "docs" / "control.md"
    text = page.read_text("utf-8")
    assert addresses.written(text) == text, "run: python -m inkstream.stream.app.control.addresses docs/control.md"
    assert all(f"`/{path}`" in text for path in known())


def test_what_an_address_says_is_read_back_the_same():
    for path, value in leaves(VALUES):
        if value not in (None, []):
            said = value_of(find(path), spoken(value))
            assert changes_of(CONFIG, patch_of(VALUES, path, said)) == {}, path


@pytest.mark.parametrize(
    ("path", "said", "value"),
    [
        ("seed", [7.0], 7),
        ("seed", ["5000000000"], 5_000_000_000),
        ("seed", [3, 0.5, 4, 0.5], [[3, 0.5], [4, 0.5]]),
        ("prompt", ["a boat", 0.7, "a lighthouse", 0.3], [["a boat", 0.7], ["a lighthouse", 0.3]]),
        ("prompt", ['[["a boat", 1], ["a lighthouse", 2]]'], [["a boat", 1], ["a lighthouse", 2]]),
        ("prompt", ["[a boat] at night"], "[a boat] at night"),
        ("t_index_list", [0.0, 16.0, 32.0], [0, 16, 32]),
        ("do_add_noise", [0.0], False),
        ("controlnets/1/enabled", [1], True),
        ("drawing_influence", ["62.5"], 62.5),
        ("similar_image_filter_threshold", [None], None),
    ],
)
def test_messages_are_read_as_the_parameter_needs_it(path, said, value):
    assert value_of(find(path), said) == value


def test_a_part_is_changed_and_the_rest_stays():
    patch = patch_of(VALUES, "controlnets/1/conditioning_scale", 0.9)
    assert [each.conditioning_scale for each in changes_of(CONFIG, patch)["controlnets"]] == [1.0, 0.9]
    assert patch_of(VALUES, "lora_dict/night", 0.8) == {"lora_dict": {"/styles/night.safetensors": 0.8}}
    assert at(VALUES, "lora_dict/night") == 0.5 and at(VALUES, "controlnets/1/conditioning_scale") == 0.5
    assert dict(leaves(VALUES))["lora_dict/night"] == 0.5


@pytest.mark.parametrize(
    ("path", "said", "text"),
    [
        ("drawing_influense", [1], "unknown address; did you mean 'drawing_influence'?"),
        ("controlnets/0/conditioning", [1], "did you mean 'conditioning_scale'?"),
        ("controlnets/x/enabled", [1], "unknown address"),
        ("seed/7", [1], "seed has no parts"),
        ("seed", [1, 2, 3], "got 3 values, expected pairs"),
        ("guidance_scale", [1, 2], "got 2 values, expected one"),
        ("controlnets", ["[oops"], "expected JSON"),
        ("../../etc/passwd", ["x"], "unknown address"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(path, said, text):
    with pytest.raises(Refused) as refused:
        value_of(find(path), said)
    assert text in str(refused.value)


def test_a_fader_goes_from_one_end_of_the_parameter_to_the_other():
    assert at_fader(find("drawing_influence"), 0.25) == 25.0
    assert at_fader(find("guidance_scale"), 0.5, (1.0, 3.0)) == 2.0
    assert at_fader(find("prompt_chunks"), 1) == 8
    assert at_fader(find("lora_dict/night"), 0.5) == 0.5
    for path, place in (("prompt", 0.5), ("seed", 0.5), ("drawing_influence", 1.5), ("drawing_influence", "much")):
        with pytest.raises(Refused, match="fader"):
            at_fader(find(path), place)
    with pytest.raises(Refused, match="0 to 1"):
        patch_of(VALUES, "controlnets/7/enabled", True)


SAID = st.lists(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.just("[" * 5000) | st.binary(),
    max_size=5,
)
PATHS = st.text(max_size=40) | st.sampled_from(known()).flatmap(
    lambda path: st.sampled_from(["0", "7", "999", "x", "-1", "²", "a/b", ""]).map(
        lambda part: path.replace("/N/", f"/{part}/").replace("NAME", part)
    )
)


@settings(max_examples=300, deadline=None)
@given(PATHS, SAID)
def test_whatever_is_said_to_any_address_is_taken_or_refused(path, said):
    try:
        changes = changes_of(CONFIG, patch_of(VALUES, path, value_of(find(path), said)))
    except Refused:
        return
    assert CONFIG.changed(**changes)
    at(VALUES, path)
