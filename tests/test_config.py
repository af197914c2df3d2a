"""Settings: what StreamConfig takes, what it refuses and with which words, and how it changes."""

import pytest

from inkstream.stream.base.config import ControlNetConfig, StreamConfig
from inkstream.stream.base.errors import ConfigError

WRONG_SETTINGS = [
    ({"width": "abc"}, "width: got 'abc', expected a whole number"),
    ({"widht": 512}, "widht: unknown setting; did you mean 'width'?"),
    ({"xyzzy": 1}, "xyzzy: unknown setting; known are: prompt, "),
    ({"mode": "sketc"}, "mode: got 'sketc', expected 'img2img', 'txt2img', 'sketch' or 'paint'"),
    ({"mode": ["sketch"]}, "mode: got ['sketch'], expected 'img2img'"),
    ({"prompt": 5}, "prompt: got 5, expected text, or a blend"),
    ({"prompt": [5]}, "prompt: got [5], expected text, or a blend"),
    ({"prompt": [["a", "x"]]}, "prompt: got [['a', 'x']], expected text, or a blend"),
    ({"prompt": [["a", float("nan")]]}, "prompt: got [['a', nan]], expected text, or a blend"),
    ({"prompt": []}, "prompt: got [], expected text, or a blend of texts"),
    ({"prompt": [["a", 1], ["b", -1]]}, "prompt: got the weights [1.0, -1.0], expected none below 0"),
    ({"controlnets": 5}, "controlnets: got 5, expected a list"),
    ({"controlnets": [5]}, "controlnets.0: got 5, expected a mapping"),
    ({"controlnets": [{}, {"scale": 1}]}, "controlnets.1.scale: unknown setting; known are: model_id"),
    (
        {"controlnets": [{"control_guidance_start": 0.5, "control_guidance_end": 0.2}]},
        "controlnets.0.control_guidance_start: got 0.5, expected at most control_guidance_end = 0.2",
    ),
    ({"lora_dict": {"a": "loud"}}, "lora_dict.a: got 'loud', expected a number"),
    ({"t_index_list": [0, 50]}, "t_index_list: got [0, 50], expected indices from 0 to num_inference_steps - 1 = 49"),
    ({"t_index_list": [25, 0]}, "t_index_list: got [25, 0], expected strictly increasing"),
    ({"t_index_list": 0}, "t_index_list: got 0, expected a list"),
    ({"guidance_scale": float("nan")}, "guidance_scale: got nan, expected a finite number"),
    ({"seed": -2}, "seed: got -2"),
]


@pytest.mark.parametrize(("values", "message"), WRONG_SETTINGS)
def test_a_wrong_setting_is_named_with_what_was_got_and_expected(values, message):
    with pytest.raises(ConfigError) as caught:
        StreamConfig.build(**values)
    assert str(caught.value).startswith(message)


def test_a_huge_value_does_not_flood_the_message():
    with pytest.raises(ConfigError) as caught:
        StreamConfig.build(width="9" * 100_000, mode="x" * 100_000)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(("mode", "steps"), [("img2img", (32, 45)), ("txt2img", (0, 16, 32, 45)), ("sketch", (0, 25))])
def test_an_empty_t_index_list_is_the_modes_own(mode, steps):
    assert StreamConfig.build(mode=mode).t_index_list == steps
    assert StreamConfig.build(mode=mode, t_index_list=[]).t_index_list == steps
    assert StreamConfig.build(mode=mode, t_index_list=[7]).t_index_list == (7,)


def test_a_configuration_cannot_be_changed_in_place():
    config = StreamConfig.build()
    with pytest.raises(ValueError, match="frozen"):
        config.prompt = "other"


def test_changed_makes_a_new_configuration_and_none_leaves_a_setting():
    old = StreamConfig.build(
        prompt="a",
        seed=3,
        controlnets=[{"preprocessor": "canny"}, {}],
        lora_dict={"x": 1, "y": 2},
        textual_inversion={"a": "b"},
    )
    new = old.changed(
        prompt=None,
        seed=4,
        controlnets=[None, {"conditioning_scale": 0.25, "enabled": None}],
        lora_dict={"x": 0.5},
        textual_inversion={"c": ""},
    )
    assert (old.seed, new.seed, new.prompt) == (3, 4, "a")
    assert new.controlnets == (ControlNetConfig(preprocessor="canny"), ControlNetConfig(conditioning_scale=0.25))
    assert new.lora_dict == {"x": 0.5, "y": 2.0}
    assert new.textual_inversion == {"a": "b", "c": ""}


def test_changed_mode_takes_its_own_steps_unless_they_are_given():
    config = StreamConfig.build(mode="sketch", t_index_list=[0, 10])
    assert config.changed(mode="img2img").t_index_list == (32, 45)
    assert config.changed(mode="img2img", t_index_list=[20]).t_index_list == (20,)
    assert config.changed(mode="sketch").t_index_list == (0, 10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nope": None}, "nope: unknown setting"),
        ({"controlnets": 5}, "controlnets: got 5"),
        ({"controlnets": [{"scale": 1}]}, "controlnets.0.scale: unknown setting"),
        ({"lora_dict": {"x": "loud"}}, "lora_dict.x: got 'loud'"),
        ({"mode": [1]}, "mode: got [1]"),
    ],
)
def test_changed_refuses_what_is_wrong(change, message):
    config = StreamConfig.build()
    with pytest.raises(ConfigError) as caught:
        config.changed(**change)
    assert str(caught.value).startswith(message)
    assert config == StreamConfig.build()
