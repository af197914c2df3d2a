"""What steers beside plain ControlNets: T2I-Adapters and ControlNet-Unions, as diffusers has them, row by row."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, ControlNetUnionModel, T2IAdapter, UNet2DConditionModel
from doubles.pages import growing_pages, rendered, same
from doubles.tiny_models import tiny_sd, tiny_sdxl
from doubles.units import change_units
from torch import nn

from inkstream.engines import compile as compiled
from inkstream.engines import onnxruntime, openvino
from inkstream.stream import ConfigError, ModelError, Stream, StreamConfig
from inkstream.stream.base.measures import psnr

pytestmark = pytest.mark.usefixtures("one_thread")
BASE = {"width": 64, "height": 64, "warmup": 0, "acceleration": "eager", "similar_image_filter_threshold": None}
THREE = {**BASE, "t_index_list": (10, 25, 40), "cfg_type": "none", "prompt": "a red car"}
REAL = {"openvino": openvino, "onnxruntime": onnxruntime, "compile": compiled}


def random_weights(net, seed, std=1.0):
    """Numbers that make every part of a network count; zero convolutions would add nothing."""
    random = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        fan = parameter[0].numel() if parameter.ndim > 1 else 16
        parameter.data = torch.randn(parameter.shape, generator=random) * std * fan**-0.5
    return net.eval().requires_grad_(False)


def sdxl():
    """A pipeline whose UNet begins as SDXL's does, without attention."""
    pipe = tiny_sdxl()
    kinds = {
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    }
    torch.manual_seed(3)
    pipe.unet = UNet2DConditionModel.from_config({**pipe.unet.config, **kinds}).eval().requires_grad_(False)
    return pipe


PIPES = {"sd": tiny_sd, "sdxl": sdxl}
ADAPTERS = {
    "sd": {"adapter_type": "full_adapter", "downscale_factor": 8, "channels": [32, 64, 64]},
    "light": {"adapter_type": "light_adapter", "downscale_factor": 8, "channels": [32, 64]},
    "sdxl": {"adapter_type": "full_adapter_xl", "downscale_factor": 16, "channels": [32, 64]},
}


def adapter(folder, kind, seed=0, channels=3):
    net = random_weights(T2IAdapter(in_channels=channels, num_res_blocks=1, **ADAPTERS[kind]), seed)
    net.save_pretrained(folder)
    return str(folder)


def union(folder, pipe, seed=0):
    config = {
        name: value
        for name, value in pipe.unet.config.items()
        if name in ControlNetModel._get_init_keys(ControlNetModel)
    }
    sizes = {"num_control_type": 6, "num_trans_channel": 32, "num_trans_head": 4, "num_proj_channel": 32}
    shape = {"conditioning_embedding_out_channels": (8, 8, 16, 16), **sizes}
    net = random_weights(ControlNetUnionModel.from_config({**config, **shape}), seed)
    nn.init.normal_(net.task_embedding, generator=torch.Generator().manual_seed(seed))
    net.save_pretrained(folder)
    return str(folder)


@pytest.fixture
def calls(monkeypatch):
    """What goes into every call of ``denoise`` from now on, and ``out`` of it."""
    found = []

    def watched(units):
        def denoise(sample, timestep, text, features, scales, **added):
            given = {"sample": sample, "timestep": timestep, "text": text, "scales": scales, **added}
            out = units.denoise(sample, timestep, text, features, scales, **added)
            found.append({name: value.clone() for name, value in {**given, "out": out}.items()})
            return out

        return replace(units, denoise=denoise)

    change_units(monkeypatch, watched)
    return found


def of_row(call, row):
    """What one row of a call is given, as diffusers' networks take it."""
    added = None
    if "pooled" in call:
        added = {"text_embeds": call["pooled"][row : row + 1], "time_ids": call["time_ids"][row : row + 1]}
    given = call["sample"][row : row + 1], call["timestep"][row : row + 1], call["text"][row : row + 1]
    return given, added


def condition(page):
    return torch.from_numpy(page).permute(2, 0, 1)[None].float() / 255


PAGES = list(growing_pages(6))


def ran(stream, calls, scales):
    """Frames whose scales differ; ``calls`` then begin with that of the first frame."""
    for tick, page in enumerate(PAGES):
        stream.update(controlnets=[{"conditioning_scale": scale} for scale in scales(tick)])
        stream(page, gated=False)


@torch.no_grad()
@pytest.mark.parametrize("model", PIPES)
def test_t2i_adapters_are_those_of_diffusers_in_every_row(tmp_path, calls, model):
    kinds = ("sd", "light") if model == "sd" else ("sdxl", "sdxl")
    nets = [adapter(tmp_path / str(seed), kind, seed, 3 - 2 * seed) for seed, kind in enumerate(kinds)]
    scales = lambda tick: (0.2 + 0.2 * (tick % 4), 0.9 - 0.15 * (tick % 5))
    entries = [{"model_id": net, "preprocessor": "none"} for net in nets]
    with Stream(PIPES[model](), controlnets=entries, **THREE) as stream:
        ran(stream, calls, scales)
    pipe, loaded = PIPES[model](), [T2IAdapter.from_pretrained(net) for net in nets]
    for tick in (2, 5):
        for row in range(3):
            picture, weights = condition(PAGES[tick - row]), scales(tick - row)
            maps = [
                [w * each for each in net(picture[:, : net.config.in_channels])]
                for net, w in zip(loaded, weights, strict=True)
            ]
            (sample, timestep, text), added = of_row(calls[tick], row)
            for count, near in ((2, True), (1, False)):
                total = [sum(each) for each in zip(*maps[:count], strict=True)]
                more = {"added_cond_kwargs": added, "down_intrablock_additional_residuals": total}
                expected = pipe.unet(sample, timestep, text, **more).sample[0]
                far = (calls[tick]["out"][row] - expected).abs().max()
                assert far < 1e-4 if near else far > 1e-2


@torch.no_grad()
@pytest.mark.parametrize("modes", [(3,), (1, 4, 3)])
def test_a_union_is_that_of_diffusers_in_every_row(tmp_path, calls, modes):
    pipe = sdxl()
    net = union(tmp_path / "union", pipe)
    scales = lambda tick: [0.2 + 0.2 * ((tick + place) % 4) for place in range(len(modes))]
    entries = [{"model_id": net, "preprocessor": "none", "control_mode": mode} for mode in modes]
    with Stream(sdxl(), controlnets=entries, **THREE) as stream:
        ran(stream, calls, scales)
    loaded = ControlNetUnionModel.from_pretrained(net)
    for tick in (2, 5):
        for row in range(3):
            (sample, timestep, text), added = of_row(calls[tick], row)
            for shift, near in ((0, True), (1, False)):
                pictures = [condition(PAGES[tick - row])] * len(modes)
                types = torch.zeros(1, 6)
                types[0, list(modes)] = 1
                down, mid = loaded(
                    sample,
                    timestep,
                    text,
                    pictures,
                    types,
                    list(modes),
                    scales(tick - row + shift),
                    added_cond_kwargs=added,
                    return_dict=False,
                )
                more = {"added_cond_kwargs": added, "down_block_additional_residuals": down}
                expected = pipe.unet(sample, timestep, text, mid_block_additional_residual=mid, **more).sample[0]
                far = (calls[tick]["out"][row] - expected).abs().max()
                assert far < 1e-4 if near else far > 1e-2


@pytest.fixture(scope="module")
def mixed(one_thread, tmp_path_factory):
    """A ControlNet, two conditions of a Union and a T2I-Adapter for one model, which has them in its configuration."""
    place, pipe = tmp_path_factory.mktemp("mixed"), sdxl()
    plain = ControlNetModel.from_unet(pipe.unet, conditioning_embedding_out_channels=(8, 8, 16, 16))
    random_weights(plain, 5).save_pretrained(place / "plain")
    both = union(place / "union", pipe, 6)
    entries = [{"model_id": str(place / "plain")}, {"model_id": both, "control_mode": 3}]
    entries += [{"model_id": adapter(place / "t2i", "sdxl", 7)}, {"model_id": both, "control_mode": 1}]
    return [{**each, "preprocessor": "none", "conditioning_scale": 0.5} for each in entries]


GUIDED = {**BASE, "t_index_list": (10, 30), "cfg_type": "full", "guidance_scale": 1.5, "prompt": "a red car"}


@pytest.mark.parametrize(
    "more", [{"use_denoising_batch": False}, pytest.param({"frame_buffer_size": 2}, marks=pytest.mark.slow)]
)
def test_all_kinds_together_are_the_same_however_frames_go(mixed, more):
    with Stream(sdxl(), **GUIDED, controlnets=mixed) as stream:
        expected = rendered(stream, count=6)
    with Stream(sdxl(), **GUIDED, **more, controlnets=mixed) as stream:
        assert same(expected, rendered(stream, count=6))


def always_another(stream, count):
    """Pictures of a stream whose scales change before every frame, by their frame."""
    outputs = []
    for number in range(count):
        scales = [(number * step % 11) / 10 for step in (1, 3, 5, 7)]
        stream.update(controlnets=[{"conditioning_scale": scale} for scale in scales])
        outputs.append(stream(PAGES[number % len(PAGES)], gated=False))
    return {output.source_id: output.pixels for output in [*outputs, *stream.drain()] if output}


@pytest.mark.parametrize("count", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_changes_of_scales_build_nothing(mixed, built, count):
    with Stream(sdxl(), **{**BASE, "t_index_list": (30,)}, controlnets=mixed) as stream:
        assert len(always_another(stream, count)) == count
        stream.update(controlnets=[None, {"control_mode": 4}])
    assert built == ["eager", "eager"], "a kind of condition is a part of the network"


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_every_engine_shows_what_eager_shows(mixed, name, built, tmp_path, monkeypatch):
    lacking = REAL[name].available()
    if lacking:
        pytest.skip(f"needs {'g++' if name == 'compile' else name}: {lacking}")
    monkeypatch.setattr(compiled, "BACKEND", "eager")  # Inductor takes minutes
    for nets in (mixed, mixed[2:3]):
        with Stream(sdxl(), **GUIDED, controlnets=nets) as stream:
            expected = always_another(stream, 8) if nets is mixed else rendered(stream)
        built.clear()
        settings = {**GUIDED, "acceleration": name, "engine_dir": str(tmp_path)}
        with Stream(sdxl(), **settings, controlnets=nets) as stream:
            found = always_another(stream, 8) if nets is mixed else rendered(stream)
        assert built == [name] and sorted(found) == sorted(expected)
        assert min(psnr(found[number].astype(np.uint8), expected[number].astype(np.uint8)) for number in found) >= 40


def test_what_is_named_twice_is_loaded_once_and_a_whole_model_brings_all_kinds(mixed, tmp_path):
    sdxl().save_pretrained(tmp_path / "model")
    settings = {**BASE, "t_index_list": (30,), "device": "cpu", "dtype": "float32", "controlnets": mixed}
    with Stream.from_pretrained(tmp_path / "model", StreamConfig.build(**settings)) as stream:
        nets = stream.pipe.controlnet.nets
        assert nets[1] is nets[3] and type(nets[2]).__name__ == "T2IAdapter"
        expected = stream(PAGES[0], gated=False).pixels
    with Stream(sdxl(), **{**BASE, "t_index_list": (30,)}) as stream:
        plain = stream(PAGES[0], gated=False).pixels
        stream.update(controlnets=mixed)
        found = stream(PAGES[0], gated=False).pixels
        assert np.abs(found.astype(int) - expected).max() <= 1 and np.abs(found.astype(int) - plain).max() > 1
        stream.update(controlnets=[{"enabled": False}] * 4)
        assert np.array_equal(stream(PAGES[0], gated=False).pixels, plain)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ([None, {"control_mode": None}], r"controlnets\.1\.control_mode: got none, a ControlNet-Union wants .* 0 to 5"),
        ([None, {"control_mode": 6}], r"controlnets\.1\.control_mode: got 6, a ControlNet-Union wants"),
        ([{"control_mode": 2}], r"controlnets\.0\.control_mode: got 2, and this is no ControlNet-Union; leave it out"),
        ([{"model_id": "OTHER"}], "a T2I-Adapter whose maps are .* made for another base model: choose one for Stable"),
    ],
)
def test_what_does_not_fit_is_refused_and_the_picture_goes_on(mixed, change, said, tmp_path):
    if change[0] == {"model_id": "OTHER"}:
        change = [{"model_id": adapter(tmp_path / "other", "sd"), "enabled": True}]
    with Stream(sdxl(), **{**BASE, "t_index_list": (30,)}, controlnets=mixed) as stream:
        before = stream(PAGES[0], gated=False).pixels
        with pytest.raises((ConfigError, ModelError), match=said):
            stream.update(controlnets=change)
        assert np.array_equal(stream(PAGES[0], gated=False).pixels, before)


def test_a_size_that_an_adapter_cannot_take_is_refused(mixed):
    with Stream(sdxl(), **BASE, controlnets=mixed[2:3]) as stream:
        with pytest.raises(ConfigError, match=r"width: got 72, controlnets\.0 takes multiples of 16; set width=64"):
            stream.update(width=72)
        stream.update(width=80)
        assert stream.config.width == 80
