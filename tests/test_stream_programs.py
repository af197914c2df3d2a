"""What programs give a stream beside frames, and take from it: torch types, paths, tensors, a safety checker."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from doubles.lora import tiny_lora
from doubles.pages import growing_pages
from doubles.tiny_models import tiny_sd
from doubles.units import change_units
from PIL import Image

from inkstream.stream import Stream, StreamConfig
from inkstream.stream.base.errors import ConfigError, FrameError

BASE = {"width": 64, "height": 64, "cfg_type": "none", "warmup": 0, "acceleration": "eager", "prompt": "a red car"}


@pytest.fixture(scope="module")
def pipe():
    return tiny_sd()


@pytest.fixture(scope="module")
def page():
    return next(iter(growing_pages(1)))


def test_torch_types_and_paths_are_values_of_settings():
    config = StreamConfig.build(
        dtype=torch.float16,
        device=torch.device("cuda", 1),
        lora_dict={Path("styles") / "ink.safetensors": 0.5},
        vae_id=Path("vae"),
        lcm_lora_id=Path("lcm.safetensors"),
        engine_dir=Path("built"),
        controlnets=[{"model_id": Path("lines")}],
    )
    assert (config.dtype, config.device, config.vae_id) == ("float16", "cuda:1", "vae")
    assert (config.lcm_lora_id, config.engine_dir) == ("lcm.safetensors", "built")
    assert config.lora_dict == {str(Path("styles/ink.safetensors")): 0.5}
    assert config.controlnets[0].model_id == "lines"
    assert StreamConfig.build(device=torch.device("cpu")).device == "cpu"
    assert StreamConfig.build(lora_dict=None).lora_dict == {}
    again = config.changed(lora_dict={Path("styles") / "ink.safetensors": 0.25})
    assert list(again.lora_dict.values()) == [0.25]


def test_a_torch_type_that_is_no_precision_is_refused_by_name():
    with pytest.raises(ConfigError, match="dtype: got 'int64', expected 'auto', 'float32'"):
        StreamConfig.build(dtype=torch.int64)


def test_a_lora_by_path_object_is_loaded(pipe, page, tmp_path):
    path = tiny_lora(pipe, tmp_path / "ink.safetensors")
    with Stream(tiny_sd(), t_index_list=(32,), lora_dict={path: 1.0}, **BASE) as stream:
        styled = stream(page).pixels
    plain = Stream(tiny_sd(), t_index_list=(32,), **BASE)(page).pixels
    assert not np.array_equal(styled, plain)


def test_a_stream_closes_at_the_end_of_with(pipe, page):
    with Stream(pipe, **BASE) as stream:
        stream(page)
        assert stream.pending == 1
    assert stream.pending == 0


def test_txt2img_gives_a_picture_for_every_call(pipe):
    with Stream(pipe, mode="txt2img", t_index_list=(0, 16, 32, 45), **BASE) as stream:
        pictures = [stream.txt2img().pixels for _ in range(4)]
        assert stream.pending == 3
        stream.update(mode="img2img")
        with pytest.raises(ConfigError, match="txt2img: got mode img2img, expected mode txt2img"):
            stream.txt2img()
    assert all(not np.array_equal(one, other) for one, other in pairwise(pictures))
    again = Stream(pipe, mode="txt2img", t_index_list=(0, 16, 32, 45), **BASE)
    assert np.array_equal(again.txt2img().pixels, pictures[0])


@pytest.mark.parametrize("settings", [{"frame_buffer_size": 3}, {"frame_buffer_size": 3, "use_denoising_batch": False}])
def test_txt2img_of_a_buffer_gives_its_pictures_one_by_one(pipe, settings):
    with Stream(pipe, mode="txt2img", t_index_list=(0, 30), **settings, **BASE) as stream:
        pictures = [stream.txt2img() for _ in range(7)]
    assert [picture.source_id for picture in pictures] == list(range(7))


def test_l10_txt2img_is_never_gated(pipe, page):
    with Stream(pipe, mode="txt2img", t_index_list=(0,), similar_image_filter_threshold=0.9, **BASE) as stream:
        pictures = [stream(page) for _ in range(3)]
    assert all(picture is not None for picture in pictures)
    assert not np.array_equal(pictures[1].pixels, pictures[2].pixels)


def test_l10_none_switches_the_gate_off_live(pipe, page):
    with Stream(pipe, t_index_list=(32,), **BASE) as stream:
        assert [stream(page) is None for _ in range(2)] == [False, True]
        stream.update(similar_image_filter_threshold=None)
        assert [stream(page) is None for _ in range(3)] == [False, False, False]
        stream.update(similar_image_filter_threshold=0.998)
        assert [stream(page) is None for _ in range(2)] == [False, True]


def test_l10_none_is_set_where_a_setting_may_be_none_and_nowhere_else():
    config = StreamConfig.build(
        prompt="car",
        similar_image_filter_threshold=0.5,
        similar_image_filter_max_skip_frame=3,
        controlnets=[{"model_id": "a", "conditioning_scale": 0.5}],
    )
    none = config.changed(
        prompt=None,
        width=None,
        lora_dict=None,
        similar_image_filter_threshold=None,
        similar_image_filter_max_skip_frame=None,
        controlnets=[{"model_id": None, "conditioning_scale": None}],
    )
    assert (none.prompt, none.width, none.lora_dict) == ("car", 512, {})
    assert none.similar_image_filter_threshold is None
    assert none.similar_image_filter_max_skip_frame is None
    assert (none.controlnets[0].model_id, none.controlnets[0].conditioning_scale) == (None, 0.5)


@pytest.mark.parametrize("record", [False, True], ids=["batch", "recorded"])
@pytest.mark.parametrize("settings", [{}, {"frame_buffer_size": 2}, {"use_denoising_batch": False}])
def test_output_type_pt_gives_the_picture_before_rounding(pipe, monkeypatch, settings, record):
    if record:
        results = {}

        def recorder(run):
            def play():
                for name, value in enumerate(run()):
                    results.setdefault(name, torch.empty_like(value)).copy_(value)  # the same place each time
                return tuple(results.values())

            return play

        change_units(monkeypatch, lambda units: replace(units, record=recorder))
    frames = list(growing_pages(5))
    with Stream(pipe, t_index_list=(20, 40), output_type="pt", **settings, **BASE) as stream:
        outputs = [stream(frame) for frame in frames] + stream.drain()
    outputs = [output for output in outputs if output is not None]
    assert [output.source_id for output in outputs] == list(range(5))
    for output in outputs:
        assert output.tensor.shape == (3, 64, 64)
        assert output.tensor.dtype == torch.float32
        levels = (output.tensor * 127.5 + 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
        assert np.abs(levels.astype(int) - output.pixels).max() <= 1
    assert (outputs[0].tensor - outputs[1].tensor).abs().max() > 0.01


def test_output_type_np_keeps_no_tensor_and_another_is_refused(pipe, page):
    assert Stream(pipe, t_index_list=(32,), **BASE)(page).tensor is None
    with pytest.raises(ConfigError, match="output_type: got 'latent', expected 'np' or 'pt'"):
        Stream(pipe, output_type="latent", **BASE)


def test_a_safety_checker_sees_every_picture_and_replaces_what_it_refuses(pipe):
    frames, seen, verdicts = list(growing_pages(6)), [], [False, True, False, None, np.False_, True]

    def checker(picture):
        assert picture.shape == (64, 64, 3)
        assert picture.dtype == np.uint8
        seen.append(picture.copy())
        picture[:] = 0  # it may write into what it is given
        return verdicts[len(seen) - 1]

    with Stream(pipe, t_index_list=(32,), safety_checker=checker, output_type="pt", **BASE) as stream:
        outputs = [stream(frame) for frame in frames]
    assert not outputs[0].pixels.any()  # nothing safe was seen yet: black
    for number in (1, 5):
        assert np.array_equal(outputs[number].pixels, seen[number])
    for number in (2, 3, 4):
        assert np.array_equal(outputs[number].pixels, seen[1])
        assert torch.allclose(outputs[number].tensor, torch.from_numpy(seen[1]).permute(2, 0, 1) / 127.5 - 1, atol=1e-6)
    assert [output.unsafe for output in outputs] == [True, False, True, True, True, False]
    assert [output.source_id for output in outputs] == list(range(6))
    assert stream.metrics.summary()["outputs_unsafe"] == 4


def test_a_safety_checker_may_give_another_picture_of_the_same_size(pipe, page):
    with Stream(pipe, t_index_list=(32,), safety_checker=lambda picture: picture // 2, **BASE) as stream:
        output = stream(page)
    assert output.unsafe
    assert np.array_equal(output.pixels, Stream(pipe, t_index_list=(32,), **BASE)(page).pixels // 2)
    with (
        Stream(pipe, t_index_list=(32,), safety_checker=lambda picture: picture[:32], **BASE) as stream,
        pytest.raises(FrameError, match="safety_checker: got 64x32 pixels, expected 64x64"),
    ):
        stream(page)


def test_a_safety_checker_may_give_a_pil_image_and_what_is_no_picture_is_named(pipe, page):
    with Stream(
        pipe, t_index_list=(32,), safety_checker=lambda picture: Image.new("RGB", (64, 64), "red"), **BASE
    ) as s:
        assert (s(page).pixels == (255, 0, 0)).all()
    with (
        Stream(pipe, t_index_list=(32,), safety_checker=lambda picture: (picture, [False]), **BASE) as stream,
        pytest.raises(FrameError, match=r"safety_checker: expected True, False or a picture; .*tuple"),
    ):
        stream(page)


def test_names_that_others_have_for_a_precision_are_known_and_torch_dtype_is_explained(pipe):
    assert [StreamConfig.build(dtype=name).dtype for name in ("half", "fp16", "BF16", "fp32")] == [
        *("float16", "float16", "bfloat16", "float32")
    ]
    with pytest.raises(ConfigError, match=r"torch_dtype: unknown setting; did you mean 'dtype'\?"):
        Stream(pipe, torch_dtype=torch.float16)
    with pytest.raises(
        ConfigError, match=r'config: got "?\'ink-tiny\'"?, expected a StreamConfig; settings are given by'
    ):
        Stream(pipe, "ink-tiny")


def test_what_a_safety_checker_raises_comes_out_and_no_picture_does(pipe, page):
    def checker(picture):
        raise RuntimeError("the checker is broken")

    with (
        Stream(pipe, t_index_list=(32,), safety_checker=checker, **BASE) as stream,
        pytest.raises(RuntimeError, match="the checker is broken"),
    ):
        stream(page)
