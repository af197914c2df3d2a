"""``<lora:name:0.8>`` in a prompt: how the name is found, and what its scale does."""

import logging

import numpy as np
import pytest
from doubles.lora import tiny_lora
from doubles.pages import growing_pages
from doubles.tiny_models import tiny_sd

from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.errors import ConfigError
from inkstream.stream.loop.stream import Stream
from inkstream.stream.loop.tags import PromptLoras

SMALL = {"t_index_list": (20,), "width": 64, "height": 64, "acceleration": "eager", "warmup": 0}
FRAME = next(growing_pages(1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """night and a clay in a folder of its own, inside a folder for LoRAs, and print beside that."""
    pipe, place = tiny_sd(), tmp_path_factory.mktemp("models")
    (place / "loras" / "sub").mkdir(parents=True)
    tiny_lora(pipe, place / "loras" / "night train.v1.safetensors", seed=1)
    tiny_lora(pipe, place / "loras" / "sub" / "Clay.safetensors", seed=2, text_encoder=True)
    tiny_lora(pipe, place / "print.safetensors", seed=3)
    return place


def shown(prompt, **settings):
    stream = Stream(tiny_sd(), prompt=prompt, **SMALL, **settings)
    return stream(FRAME, gated=False).pixels


def scales(prompt, **settings):
    return PromptLoras(tiny_sd()).scales(StreamConfig.build(prompt=prompt, **settings))


def test_names_are_files_of_lora_dict_and_of_the_folder(folder):
    night, clay = folder / "loras" / "night train.v1.safetensors", folder / "loras" / "sub" / "Clay.safetensors"
    own = str(folder / "print.safetensors")
    settings = {"lora_dict": {own: 0.5}, "lora_folder": folder / "loras"}
    assert scales("a car", **settings) == {own: 0.5}
    for name, path in (
        ("print", own),
        (own, own),
        (own.removesuffix(".safetensors"), own),
        ("night train.v1", str(night)),
        ("NIGHT train.v1", str(night)),
        ("clay", str(clay)),
        ("sub/Clay", str(clay)),
        (str(clay), str(clay)),
    ):
        assert scales(f"a car <lora:{name}:0.8>", **settings) == {own: 0.5, path: 0.8}
    assert scales("<lora:print:0.3><lora:print:0.4>", **settings) == {own: pytest.approx(0.7)}
    assert scales("<lora:b:1>", lora_dict={"someone/b": 0.2}) == {"someone/b": 1.0}
    assert scales("<lora:c:1>", lora_dict={"someone/b:c.safetensors": 0.2}) == {"someone/b:c.safetensors": 1.0}


def test_a_blend_has_the_scales_that_its_texts_have(folder):
    settings = {"lora_dict": {"a/print": 0.5, "a/ink": 0.1}}
    blend = [("x <lora:print:1>", 3), ("y", 1)]
    assert scales(blend, **settings) == {"a/print": pytest.approx(0.75 * 1 + 0.25 * 0.5), "a/ink": 0.1}


def test_a_name_that_is_not_there_is_named_with_what_is(folder):
    with pytest.raises(ConfigError) as caught:
        scales("<lora:nigth train.v1:1>", lora_folder=str(folder / "loras"))
    said = str(caught.value)
    assert said.startswith("prompt: got the LoRA 'nigth train.v1', expected one of lora_dict, ")
    assert said.endswith("did you mean 'night train.v1'?") and len(said) < 400
    with pytest.raises(ConfigError, match=r"got the LoRA 'x', expected one of lora_dict, .*; set lora_folder$"):
        scales("<lora:x:1>")
    with pytest.raises(ConfigError, match="lora_folder: got '/nowhere', expected a folder"):
        scales("<lora:x:1>", lora_folder="/nowhere")


def test_a_name_of_two_files_is_not_guessed(folder, tmp_path):
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "x.safetensors").touch()
    with pytest.raises(ConfigError, match="got the LoRA 'x', which is 'a/x', 'b/x'; name one of them by its path"):
        scales("<lora:x:1>", lora_folder=tmp_path)
    assert scales("<lora:b/x:1>", lora_folder=tmp_path) == {str(tmp_path / "b" / "x.safetensors"): 1.0}


def test_f14_a_lora_in_a_prompt_is_that_in_lora_dict(folder, caplog):
    night = str(folder / "loras" / "night train.v1.safetensors")
    settings = {"lora_folder": folder / "loras"}
    with caplog.at_level(logging.WARNING):
        named = shown("a car <lora:night train.v1:0.8>", **settings)
    assert not caplog.records
    assert np.array_equal(named, shown("a car", lora_dict={night: 0.8}))
    assert not np.array_equal(named, shown("a car"))
    assert np.array_equal(shown("a car <lora:night train.v1:0.8>", lora_dict={night: 0.2}, **settings), named)


def test_prompts_alone_load_switch_and_leave_loras(folder):
    clay = str(folder / "loras" / "sub" / "Clay.safetensors")
    stream = Stream(tiny_sd(), prompt="a car", lora_folder=folder / "loras", **SMALL)

    def picture(prompt):
        stream.update(prompt=prompt)
        return stream(FRAME, gated=False).pixels

    plain = stream(FRAME, gated=False).pixels
    one = picture("a car <lora:clay:1>")
    engine = stream.engine
    assert np.array_equal(one, shown("a car", lora_dict={clay: 1.0}))
    assert np.array_equal(picture("a car <lora:clay:0.4>"), shown("a car", lora_dict={clay: 0.4}))
    assert np.array_equal(picture("a car"), plain), "without it in the prompt it does nothing, in the text encoder too"
    assert np.array_equal(picture("<lora:clay:1>a car"), one)
    assert stream.engine is engine, "and nothing is built for a LoRA that was loaded before"
    assert stream.config.lora_dict == {}


def test_a_refused_name_changes_nothing(folder):
    stream = Stream(tiny_sd(), prompt="a car", lora_folder=folder / "loras", **SMALL)
    before = stream(FRAME, gated=False).pixels
    with pytest.raises(ConfigError, match="prompt: got the LoRA 'nigth'"):
        stream.update(prompt="a house <lora:nigth:1>", seed=5)
    assert (stream.config.prompt, stream.config.seed, stream.revision) == ("a car", 2, 0)
    assert np.array_equal(stream(FRAME, gated=False).pixels, before)


def test_frames_in_flight_keep_the_lora_they_entered_with(folder):
    settings = {**SMALL, "t_index_list": (10, 30), "lora_folder": folder / "loras"}
    stream = Stream(tiny_sd(), prompt="a car <lora:clay:1>", **settings)
    alone = stream(FRAME, gated=False), *stream.drain()
    stream(FRAME, gated=False)
    stream.update(prompt="a car <lora:clay:0>")
    (first, *_) = [output for output in (stream(FRAME, gated=False), *stream.drain()) if output]
    assert np.array_equal(first.pixels, next(output for output in alone if output).pixels)


def test_fused_loras_are_not_changed_by_a_prompt(folder):
    settings = {"lora_folder": folder / "loras", "fuse_lora": True}
    named = shown("a car <lora:clay:0.8>", **settings)
    assert not np.array_equal(named, shown("a car"))
    stream = Stream(tiny_sd(), prompt="a car <lora:clay:0.8>", **SMALL, **settings)
    stream.update(prompt="a red house <lora:clay:0.8>")
    with pytest.raises(ConfigError, match="the LoRAs are fused and cannot change, by a prompt neither"):
        stream.update(prompt="a car")


def test_a_style_of_the_model_is_named():
    stream = Stream.from_pretrained("ink-tiny", prompt="a red car <lora:night:1>", acceleration="eager", warmup=0)
    assert stream.config.prompt == "a red car <lora:night:1>"
    with pytest.raises(ConfigError, match=r"'nihgt'.*\('clay', 'night', 'print'\); did you mean 'night'\?"):
        stream.update(prompt="a red car <lora:nihgt:1>")
    stream.update(prompt="a red car <lora:clay:0.5>")
