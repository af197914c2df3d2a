"""What the networks are given of a prompt: weights, chunks, what is cut, and blends."""

import logging
import math

import numpy as np
import pytest
import torch
from doubles.pages import growing_pages
from doubles.tiny_models import tiny_sd, tiny_sd21, tiny_sdxl

from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.errors import ConfigError
from inkstream.stream.base.quiet import quiet
from inkstream.stream.loop.prompt import PromptEncoder
from inkstream.stream.loop.stream import Stream

PIPES = [tiny_sd, tiny_sd21, tiny_sdxl]
TEXTS = ["a red car", "", "  A car,\n12:30, at   night - dark! ", "naïve 車 🚗", "word " * 90]
LENGTH = 77


def diffusers_own(pipe, text):
    with torch.inference_mode():
        return pipe.encode_prompt(
            prompt=text, device=pipe.device, num_images_per_prompt=1, do_classifier_free_guidance=False
        )


def vectors(encoder, text, **settings):
    return encoder.prompt(StreamConfig.build(prompt=text, **settings)).text


@pytest.mark.parametrize("make", PIPES)
def test_text_without_weights_is_encoded_as_diffusers_does_bit_for_bit(make):
    pipe = make()
    encoder = PromptEncoder(pipe)
    for text in TEXTS:
        ours, theirs = encoder.encode(text), diffusers_own(pipe, text)
        assert torch.equal(ours.text, theirs[0])
        assert ours.pooled is None if len(theirs) == 2 else torch.equal(ours.pooled, theirs[2])


@pytest.mark.parametrize("make", PIPES)
def test_weights_move_vectors_away_from_the_empty_prompt(make):
    pipe = make()
    encoder = PromptEncoder(pipe)
    plain, empty = diffusers_own(pipe, "a red car"), diffusers_own(pipe, "")[0]
    given = pipe.tokenizer("a red car").input_ids
    of_red = [given.index(number) for number in pipe.tokenizer("red", add_special_tokens=False).input_ids]
    for written, weight in (
        ("(red:1.3)", 1.3),
        ("red++", 1.21),
        ("[red]", 1 / 1.1),
        ("(red:0)", 0.0),
        ("(red:-1)", -1),
    ):
        expected = plain[0].clone()
        for place in of_red:  # ComfyUI's formula
            expected[0, place] = (plain[0][0, place] - empty[0, place]) * weight + empty[0, place]
        found = encoder.encode(f"a {written} car")
        assert torch.allclose(found.text, expected, atol=1e-5)
        assert not torch.allclose(found.text, plain[0], atol=1e-2)
        assert found.pooled is None or torch.allclose(found.pooled, plain[2], atol=1e-5)


def test_weight_one_and_escapes_change_nothing():
    encoder = PromptEncoder(tiny_sd())
    assert torch.equal(encoder.encode("a (red:1.0) car").text, encoder.encode("a red car").text)
    assert torch.equal(encoder.encode(r"a \(red\) car").text, encoder.encode("a [(\\(red\\):1.1)] car").text)


def test_f14_a_weight_changes_the_picture_and_a_prompt_alone_is_updated():
    frame = next(growing_pages(1))
    stream = Stream(tiny_sd(), prompt="a red car", t_index_list=(20,), width=64, height=64, acceleration="eager")
    plain = stream(frame, gated=False).pixels
    stream.update(prompt="a (red:1.5) car")
    assert not np.array_equal(stream(frame, gated=False).pixels, plain)
    with pytest.raises(ConfigError, match=r"^prompt: got the weight 11"):
        stream.update(prompt="a (red:11) car")
    stream.update(prompt="a red car")
    assert np.array_equal(stream(frame, gated=False).pixels, plain)


def test_f14_a_long_prompt_is_cut_and_said_once_and_shortly(caplog):
    encoder = PromptEncoder(tiny_sdxl())
    text = " ".join(f"word{number}" for number in range(1600))
    with caplog.at_level(logging.INFO):
        encoder.encode(text)
        encoder.forget()
        encoder.encode(text)
        encoder.encode("a short one")
    (record,) = caplog.records
    said = record.getMessage()
    assert said.startswith("the prompt is too long: its last ") and "; prompt_chunks (now 1) makes room" in said
    assert len(said) < 200 and said.isprintable()


def test_what_is_cut_is_named_without_what_a_terminal_obeys(caplog):
    PromptEncoder(tiny_sd()).encode("a, " * 40 + "\x1b[31mred\x1b[0m")
    assert "\x1b" not in caplog.text and "cut" in caplog.text


def test_chunks_are_encoded_apart_and_joined():
    pipe = tiny_sdxl()
    encoder = PromptEncoder(pipe)
    two = encoder.prompt(StreamConfig.build(prompt="a red car BREAK at night", prompt_chunks=3))
    parts = [diffusers_own(pipe, text) for text in ("a red car", "at night", "")]
    assert torch.allclose(two.text, torch.cat([part[0] for part in parts], 1), atol=1e-5)
    assert torch.allclose(two.pooled, parts[0][2], atol=1e-5)
    assert vectors(encoder, "a car", prompt_chunks=2).shape[1] == 2 * LENGTH


def test_a_full_chunk_ends_at_a_comma_that_is_near():
    pipe = tiny_sd()
    encoder = PromptEncoder(pipe)
    room = LENGTH - 2
    start, end = "x" * 8 + " " + "z " * (room - 8 - 6), ", ab cd ef gh"
    tokens = len(pipe.tokenizer(start, add_special_tokens=False).input_ids)
    assert room - 20 < tokens < room < tokens + 10
    found = vectors(encoder, start + end, prompt_chunks=2)
    expected = torch.cat([diffusers_own(pipe, text)[0] for text in (start + ",", "ab cd ef gh")], 1)
    assert torch.allclose(found, expected, atol=1e-5)
    far = "a, " + "z " * 100
    assert torch.allclose(vectors(encoder, far, prompt_chunks=2)[:, :LENGTH], diffusers_own(pipe, far)[0], atol=1e-5)


def test_more_chunks_are_another_shape_and_frames_go_on():
    frames = list(growing_pages(6))
    settings = {"width": 64, "height": 64, "acceleration": "eager", "prompt_transition_frames": 3}
    stream = Stream(tiny_sd(), prompt="a car", t_index_list=(10, 30), **settings)
    outputs = [stream(frame) for frame in frames[:3]]
    with pytest.raises(ConfigError, match="prompt: got BREAK"):
        stream.update(prompt="a car BREAK at night")
    stream.update(prompt="a car BREAK at night", prompt_chunks=2)
    outputs += [stream(frame) for frame in frames[3:]] + stream.drain()
    assert [output.source_id for output in outputs if output] == list(range(6))


def test_the_negative_prompt_has_weights_too_and_none_is_zeros_where_the_model_wants_it():
    pipe = tiny_sdxl()
    encoder = PromptEncoder(pipe)
    plain = encoder.negative(StreamConfig.build(negative_prompt="blurry"))
    assert not torch.equal(encoder.negative(StreamConfig.build(negative_prompt="(blurry:1.4)")).text, plain.text)
    assert pipe.config.force_zeros_for_empty_prompt
    theirs = pipe.encode_prompt("a car", device="cpu", do_classifier_free_guidance=True)
    none = encoder.negative(StreamConfig.build())
    assert torch.equal(none.text, theirs[1]) and torch.equal(none.pooled, theirs[3])
    pipe.register_to_config(force_zeros_for_empty_prompt=False)
    theirs = pipe.encode_prompt("a car", device="cpu", do_classifier_free_guidance=True)
    none = PromptEncoder(pipe).negative(StreamConfig.build())
    assert torch.equal(none.text, theirs[1]) and torch.equal(none.pooled, theirs[3])


@pytest.mark.parametrize("how", ["linear", "slerp"])
def test_weights_of_a_blend_that_are_not_shares_make_it_longer(how):
    encoder = PromptEncoder(tiny_sdxl())
    blend = [("a car", 0.6), ("a house", 0.9)]
    settings = {"prompt_interpolation_method": how}
    shares = encoder.prompt(StreamConfig.build(prompt=blend, **settings))
    free = encoder.prompt(StreamConfig.build(prompt=blend, normalize_prompt_weights=False, **settings))
    assert torch.allclose(free.text, shares.text * 1.5) and torch.allclose(free.pooled, shares.pooled * 1.5)
    if how == "linear":
        expected = 0.6 * encoder.encode("a car").text + 0.9 * encoder.encode("a house").text
        assert torch.allclose(free.text, expected, atol=1e-5)


def test_one_weight_of_a_blend_is_changed_without_encoding_anew(monkeypatch):
    pipe = tiny_sd()
    stream = Stream(pipe, prompt=[("a car", 1), ("a house", 1)], width=64, height=64, acceleration="eager")
    before = stream(next(growing_pages(1)), gated=False)
    monkeypatch.setattr(type(pipe.text_encoder), "forward", lambda *_, **__: pytest.fail("encoded anew"))
    stream.update(prompt=[("a car", 1), ("a house", 0.2)])
    assert before is None or stream.revision == 1
    assert math.isclose(dict(stream.config.prompt)["a house"], 0.2)


def test_an_embedding_of_several_vectors_is_as_many_tokens():
    pipe = tiny_sd()
    width = pipe.text_encoder.config.hidden_size
    with quiet():
        pipe.load_textual_inversion({"<toy>": torch.randn(3, width, generator=torch.Generator().manual_seed(1))})
    encoder = PromptEncoder(pipe)
    assert torch.equal(encoder.encode("a <toy> car").text, diffusers_own(pipe, "a <toy> car")[0])
    assert not torch.equal(encoder.encode("a (<toy>:1.2) car").text, encoder.encode("a <toy> car").text)


def test_a_setting_is_no_attribute_of_a_stream():
    stream = Stream(tiny_sd(), prompt="a car", width=64, height=64, acceleration="eager", warmup=0)
    for name in StreamConfig.model_fields:
        with pytest.raises(AttributeError, match=rf"^{name}: settings are changed by update\({name}=\.\.\.\)"):
            setattr(stream, name, "a house")
        assert not hasattr(stream, name)
    assert stream.config.prompt == "a car"
