"""StreamDiffusion's names: numbers held to its own, and what each method does and refuses."""

import copy
import inspect
import queue
import sys
import threading
from types import ModuleType

import numpy as np
import PIL.Image
import pytest
import torch
from doubles.compat import SIDE, apart, ours, pictures
from doubles.lora import tiny_lora
from doubles.tiny_models import tiny_sd

from inkstream.lora import registry
from inkstream.lora.load import load_pipeline
from inkstream.stream import Stream, StreamConfig
from inkstream.stream.base.errors import ConfigError, EngineError, FrameError, LoraError
from inkstream.stream.compat import (
    StreamDiffusion,
    StreamDiffusionWrapper,
    accelerate_with_stable_fast,
    accelerate_with_tensorrt,
    numpy_to_pil,
    pil2tensor,
    postprocess_image,
    process_image,
    receive_images,
    viewer,
)
from inkstream.stream.compat.safety import load_safety_checker

SMALL = {"width": SIDE, "height": SIDE}
PREPARED = {"prompt": "a red car", "negative_prompt": "fog", "guidance_scale": 1.7, "delta": 0.8, "seed": 5}


@pytest.fixture(scope="module")
def pipe():
    """A pipeline in float32, which streams leave as it is."""
    return tiny_sd()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model that the wrapper takes for one that needs no LCM-LoRA."""
    place = tmp_path_factory.mktemp("model") / "turbo"
    tiny_sd().save_pretrained(place)
    return place


def images(count):
    """(1, 3, 64, 64) each in [-1, 1], of levels that a file may hold."""
    return [torch.from_numpy(picture).permute(2, 0, 1)[None] / 127.5 - 1 for picture in pictures(count)]


def made(pipe, steps=(20, 40), **settings):
    return StreamDiffusion(pipe, steps, torch_dtype=torch.float32, **SMALL, **settings)


@pytest.mark.parametrize(
    ("cfg_type", "steps"),
    [("none", [32]), ("none", [20, 40]), ("full", [20, 40]), ("self", [0, 16, 32, 45]), ("initialize", [20, 40])],
)
def test_pictures_are_those_of_the_reference(reference, pipe, cfg_type, steps):
    theirs = reference.StreamDiffusion(pipe, steps, torch_dtype=torch.float32, cfg_type=cfg_type, **SMALL)
    theirs.prepare(generator=torch.Generator(), **PREPARED)
    stream = made(pipe, steps, cfg_type=cfg_type)
    stream.prepare(generator=torch.Generator(), **PREPARED)
    assert (stream.batch_size, stream.trt_unet_batch_size) == (theirs.batch_size, theirs.trt_unet_batch_size)
    lag, first = len(steps) - 1, None
    for number, image in enumerate(images(8)):
        with torch.inference_mode():
            expected = theirs.decode_image(theirs.predict_x0_batch(theirs.encode_image(image)))
        picture = stream(image)
        assert picture.shape == expected.shape
        if number >= lag:  # before, the reference shows what it made of zeros
            assert (picture - expected).abs().max() <= 1e-4, number
        first = picture if first is None else first
        if number <= lag:  # and here it is the first picture
            assert torch.equal(picture, first)


def test_the_helpers_are_those_of_the_reference(reference, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", ModuleType("torchvision"))  # it imports that, and needs it not
    import streamdiffusion.image_utils as theirs

    batch = torch.rand((2, 3, 8, 8), generator=torch.Generator().manual_seed(0)) * 3 - 1.5
    for form in ("pt", "np", "latent"):
        assert np.array_equal(postprocess_image(batch, form), theirs.postprocess_image(batch, form)), form
    for one, other in zip(postprocess_image(batch), theirs.postprocess_image(batch), strict=True):
        assert np.array_equal(one, other)
    assert torch.equal(
        postprocess_image(batch, "pt", [True, False]), theirs.postprocess_image(batch, "pt", [True, False])
    )
    gray = numpy_to_pil(np.linspace(0, 1, 64).reshape(8, 8, 1))
    assert np.array_equal(gray[0], theirs.numpy_to_pil(np.linspace(0, 1, 64).reshape(8, 8, 1))[0])
    assert gray[0].mode == "L"


def test_pil2tensor_and_process_image_give_the_levels_of_a_picture():
    picture = PIL.Image.fromarray(pictures(1)[0])
    tensor = pil2tensor(picture)
    assert (tensor.shape, tensor.dtype) == ((1, 3, SIDE, SIDE), torch.float16)
    assert apart(tensor[0], np.asarray(picture).astype(int)) == 0
    halves, same = process_image(picture, (0, 0.5))
    assert same is picture
    assert torch.allclose(halves[0] * 2, torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255)


def test_the_ways_to_give_a_picture_are_the_same_picture(pipe):
    stream = made(pipe, [32], cfg_type="none")
    stream.prepare("a red car")
    picture = pictures(1)[0]
    tensor = images(1)[0]
    expected = stream(tensor)
    ways = {
        "PIL": PIL.Image.fromarray(picture),
        "uint8 array": picture,
        "float array": picture / 255,
        "tensor": tensor[0],
        "tensor in [0, 1]": torch.from_numpy(picture).permute(2, 0, 1) / 255,
        "half": tensor.half(),
        "uint8 tensor": torch.from_numpy(picture).permute(2, 0, 1),
        "list": [picture],
        "batch": picture[None],
        "marked": pil2tensor(PIL.Image.fromarray(picture)),
    }
    for name, way in ways.items():
        assert torch.equal(stream(way), expected), name


def test_a_bright_picture_that_was_preprocessed_is_not_taken_for_one_in_0_to_1(folder):
    """Upstream reads [-1, 1] without a negative number as [0, 1]: a picture of nothing but light colours."""
    stream = StreamDiffusionWrapper(str(folder), [32], cfg_type="none", acceleration="none", warmup=0, **SMALL)
    stream.prepare("a red car")
    bright = [(picture // 4 + 160).astype(np.uint8) for picture in pictures(1)]
    shown = stream(stream.preprocess_image(PIL.Image.fromarray(bright[0])))
    settings = {"t_index_list": (32,), "cfg_type": "none", "prompt": "a red car"}
    assert apart(shown, ours(folder, bright, **settings)[0]) <= 1


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (torch.full((3, 64, 64), 255.0), "image: got numbers from 255 to 255, expected"),
        (torch.full((3, 64, 64), float("nan")), "frame: got NaN or infinity"),
        (torch.zeros(64, 64), r"image: got Tensor \(64, 64\), expected \(3, H, W\)"),
        (torch.zeros(2, 3, 64, 64), "image: got 2 pictures, expected frame_buffer_size = 1"),
        ("picture.png", "frame: got"),
    ],
)
def test_what_is_no_picture_is_refused(pipe, picture, message):
    stream = made(pipe, [32], cfg_type="none")
    stream.prepare("a red car")
    with pytest.raises(FrameError, match=message):
        stream(picture)


def test_pictures_of_another_size_are_stretched(pipe):
    stream = made(pipe, [32], cfg_type="none")
    stream.prepare("a red car")
    wide = np.zeros((64, 128, 3), np.uint8)
    wide[:, :64] = 255  # a crop would show the middle, half white; so does this, but the edges are there as well
    wide[:, :16] = (255, 0, 0)
    direct = Stream(pipe, t_index_list=(32,), cfg_type="none", prompt="a red car", acceleration="eager", fit="stretch")
    direct.update(**SMALL)
    assert apart(stream(wide)[0], direct(wide).pixels.astype(int)) <= 1


def test_similar_pictures_give_the_last_result_and_cost_nothing(pipe):
    stream = made(pipe, [32], cfg_type="none")
    stream.prepare("a red car")
    stream.enable_similar_image_filter(threshold=0.98, max_skip_frame=2)
    one, other = images(2)
    first = stream(one)
    assert all(stream(one) is first for _ in range(3))  # upstream skips max_skip_frame + 1, too
    again = stream(one)
    assert again is not first
    assert torch.equal(again, first)
    assert not torch.equal(stream(other), first)
    stream.disable_similar_image_filter()
    assert not stream.similar_image_filter
    assert stream(other) is not stream(other)
    stream.enable_similar_image_filter(threshold=1.0)
    assert stream(other) is not stream(other)


def test_update_prompt_keeps_the_negative_prompt_and_what_is_under_way(pipe):
    stream, fresh = made(pipe, cfg_type="full"), made(pipe, cfg_type="full")
    stream.prepare(**{**PREPARED, "prompt": "a blue house"})
    fresh.prepare(**PREPARED)
    frames = images(4)
    for frame in frames[:2]:
        stream(frame)
        fresh(frame)
    before = stream._stream.revision
    stream.update_prompt("a blue house")
    assert stream._stream.revision == before  # the same prompt again is no change
    stream.update_prompt("a red car")
    assert not torch.equal(stream(frames[2]), fresh(frames[2]))  # entered before
    assert torch.equal(stream(frames[3]), fresh(frames[3]))


def test_prepare_again_starts_anew_with_what_it_is_given(pipe):
    stream = made(pipe, cfg_type="none")
    stream.prepare("a blue house", seed=1)
    stream(images(1)[0])
    stream.prepare(**PREPARED)
    fresh = made(pipe, cfg_type="none")
    fresh.prepare(**PREPARED)
    for frame in images(3)[1:]:
        assert torch.equal(stream(frame), fresh(frame))


def test_no_steps_are_refused(pipe):
    with pytest.raises(ConfigError, match="t_index_list: got no steps, expected at least one"):
        made(pipe, [])


def test_nothing_works_before_prepare_and_that_is_said(pipe):
    stream = made(pipe)
    for call in (lambda: stream(images(1)[0]), stream.txt2img, lambda: stream.update_prompt("a")):
        with pytest.raises(ConfigError, match=r"call prepare\(prompt\) first"):
            call()


def test_txt2img_gives_as_many_pictures_as_are_asked_for(pipe):
    stream = made(pipe, [0, 25], cfg_type="none")
    stream.prepare("a red car")
    assert stream().shape == (1, 3, SIDE, SIDE)
    several = stream.txt2img(3)
    assert several.shape == (3, 3, SIDE, SIDE)
    assert (several[0] - several[1]).abs().max() > 0.01
    assert stream.txt2img_sd_turbo(2).shape == (2, 3, SIDE, SIDE)
    assert stream(images(1)[0]).shape == (1, 3, SIDE, SIDE)  # and pictures go in again
    assert stream.inference_time_ema > 0


def test_loras_are_loaded_and_fused_in_the_order_of_the_calls(tmp_path, monkeypatch):
    pipe = tiny_sd()
    lcm, style = tiny_lora(pipe, tmp_path / "lcm.safetensors", seed=1), tiny_lora(pipe, tmp_path / "s.safetensors")
    monkeypatch.setitem(registry.LCM_LORA, "sd1", str(lcm))
    stream = made(pipe, [32], cfg_type="none")
    stream.load_lcm_lora()
    stream.fuse_lora()
    stream.load_lora(tmp_path, weight_name="s.safetensors")
    stream.fuse_lora(lora_scale=0.5)
    stream.prepare("a red car")
    direct = Stream(
        tiny_sd(),
        t_index_list=(32,),
        cfg_type="none",
        prompt="a red car",
        acceleration="eager",
        warmup=0,
        lora_dict={lcm: 1.0, style: 0.5},
        **SMALL,
    )
    frame = pictures(1)[0]
    assert apart(stream(frame)[0], direct(frame).pixels.astype(int)) <= 1
    stream.load_lora(style)  # live, and the pipeline was given back before
    assert apart(stream(frame)[0], direct(frame, gated=False).pixels.astype(int)) > 1


def test_loras_that_cannot_be_meant_are_refused(pipe):
    stream = made(pipe)
    with pytest.raises(ConfigError, match="LoRA: got dict, expected a file, a folder or a hub id"):
        stream.load_lora({"a": torch.zeros(1)})
    with pytest.raises(ConfigError, match="LoRA: got revision, expected weight_name and subfolder at most"):
        stream.load_lora("owner/name", revision="main")
    with pytest.raises(ConfigError, match="expected it for both"):
        stream.fuse_lora(fuse_text_encoder=False, lora_scale=0.5)
    stream.load_lora("nowhere.safetensors")
    with pytest.raises(LoraError, match=r"nowhere\.safetensors"):
        stream.prepare("a red car")


def test_networks_can_be_replaced_and_the_users_pipeline_stays(pipe):
    other = copy.deepcopy(pipe.vae)
    with torch.no_grad():
        other.decoder.layers[-1].weight.mul_(0.5)
    own, stream = pipe.vae, made(pipe, [32], cfg_type="none")
    stream.prepare("a red car")
    before = stream(images(1)[0])
    stream.vae = other
    assert stream.vae is other
    assert pipe.vae is own
    assert not torch.equal(stream(images(1)[0]), before)
    with pytest.raises(ConfigError, match="unet: got DataParallel, expected a network on one device"):
        stream.unet = torch.nn.DataParallel(pipe.unet)


def test_a_pipeline_keeps_its_own_autoencoder():
    stream = made(tiny_sd(vae="kl"), [32], cfg_type="none")
    stream.prepare("a red car")
    direct = Stream(
        tiny_sd(vae="kl"),
        t_index_list=(32,),
        cfg_type="none",
        prompt="a red car",
        acceleration="eager",
        warmup=0,
        use_tiny_vae=False,
        **SMALL,
    )
    frame = pictures(1)[0]
    assert apart(stream(frame)[0], direct(frame).pixels.astype(int)) <= 1


def test_accelerations_are_asked_for_by_name(pipe, tmp_path, monkeypatch):
    stream = made(pipe, [32])
    assert accelerate_with_tensorrt(stream, tmp_path, max_batch_size=2) is stream
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(EngineError, match="tensorrt"):
        stream.prepare("a red car")
    assert accelerate_with_stable_fast(stream) is stream
    with pytest.raises(ConfigError, match="engine_build_options: got opt_batch_size, expected none"):
        accelerate_with_tensorrt(stream, tmp_path, engine_build_options={"opt_batch_size": 1})
    with pytest.raises(ConfigError, match="config: got object, expected none"):
        accelerate_with_stable_fast(stream, object())


# --- the wrapper


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "txt2img"}, "cfg_type: got 'self' with mode txt2img, expected 'none'"),
        ({"mode": "sketch"}, "mode: got 'sketch', expected 'img2img' or 'txt2img'"),
        ({"output_type": "jpg"}, "output_type: got 'jpg', expected one of: pil, pt, np, latent"),
        ({"device_ids": [0, 1]}, r"device_ids: got \[0, 1\], expected one"),
        ({"acceleration": "magic"}, "acceleration: got 'magic'"),
        ({"t_index_list": [40, 20]}, "t_index_list: got"),
    ],
)
def test_settings_of_the_wrapper_are_checked_before_a_model_is_loaded(settings, message):
    with pytest.raises(ConfigError, match=message):
        StreamDiffusionWrapper(**{"model_id_or_path": "owner/never-loaded", "t_index_list": [32], **SMALL, **settings})


def test_output_types_of_the_wrapper(folder):
    kept = {}
    for form in ("pil", "pt", "np", "latent"):
        stream = StreamDiffusionWrapper(
            folder, [32], output_type=form, cfg_type="none", dtype=torch.float32, acceleration="none", **SMALL
        )
        stream.prepare("a red car")
        kept[form] = stream(pictures(1)[0])
    levels = np.asarray(kept["pil"]).astype(int)
    assert kept["pt"].shape == kept["latent"].shape == (3, SIDE, SIDE)
    assert kept["np"].shape == (SIDE, SIDE, 3)
    assert np.abs(kept["np"] * 255 - levels).max() <= 0.5
    assert torch.allclose((kept["latent"] / 2 + 0.5).clamp(0, 1), kept["pt"])


def test_the_wrapper_keeps_its_seed_and_wants_a_picture(folder):
    shown = []
    for seed in (3, 4):
        stream = StreamDiffusionWrapper(
            folder, [32], seed=seed, cfg_type="none", acceleration="none", warmup=0, **SMALL
        )
        stream.prepare("a red car")  # upstream's own forgets the seed here
        shown.append(np.asarray(stream(pictures(1)[0])).astype(int))
    assert np.abs(shown[0] - shown[1]).max() > 1
    with pytest.raises(FrameError, match="image: got None, expected a picture: mode is img2img"):
        stream()


def test_a_safety_checker_makes_refused_pictures_black(folder, tmp_path, monkeypatch):
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig

    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    network = StableDiffusionSafetyChecker(
        CLIPConfig(vision_config={**small, "image_size": 224, "patch_size": 112}, projection_dim=8, text_config=small)
    )
    network.save_pretrained(tmp_path / "checker")
    network.concept_embeds_weights.data.fill_(-2.0)  # every cosine is above
    network.save_pretrained(tmp_path / "strict")
    network.concept_embeds_weights.data.fill_(2.0)
    network.special_care_embeds_weights.data.fill_(2.0)
    network.save_pretrained(tmp_path / "lenient")
    black = {}
    for kind in ("strict", "lenient"):
        monkeypatch.setattr(
            "inkstream.stream.compat.wrapper.load_safety_checker",
            lambda device, kind=kind: load_safety_checker(device, tmp_path / kind),
        )
        stream = StreamDiffusionWrapper(
            folder, [32], cfg_type="none", acceleration="none", warmup=0, use_safety_checker=True, **SMALL
        )
        stream.prepare("a red car")
        black[kind] = not np.asarray(stream(pictures(1)[0])).any()
    assert black == {"strict": True, "lenient": False}


def test_signatures_are_upstreams(reference):
    ours, theirs = StreamDiffusion, reference.StreamDiffusion
    for name in ("__init__", "prepare", "update_prompt", "__call__", "txt2img", "txt2img_sd_turbo", "load_lora"):
        mine, other = (inspect.signature(getattr(each, name)).parameters for each in (ours, theirs))
        assert list(mine) == list(other), name


# --- the window


def test_receive_images_shows_the_newest_until_the_window_is_closed(monkeypatch):
    from inkstream.stream.base.errors import SinkClosed

    written, images_queue, fps_queue = [], queue.Queue(), queue.Queue()

    class Window:
        interval = 0.01

        def write(self, output, status):
            written.append((output, status))
            if output is not None:
                raise SinkClosed("enough")

        def close(self):
            written.append("closed")

    monkeypatch.setattr("inkstream.stream.sinks.window.sink.WindowSink", Window)
    for picture in images(2):
        images_queue.put(picture)
    fps_queue.put(12.5)
    watching = threading.Thread(target=receive_images, args=(images_queue, fps_queue))
    watching.start()
    watching.join(10)
    assert written.pop() == "closed"
    output, status = written[-1]
    assert np.array_equal(output.pixels, pictures(2)[1])
    assert (status.fps, status.size, status.state) == (12.5, (SIDE, SIDE), "live")
    assert viewer.receive_images is receive_images


def test_what_of_upstream_is_not_there_is_said():
    stream = StreamDiffusion(tiny_sd(), [32], width=64, height=64)
    with pytest.raises(AttributeError, match=r"StreamDiffusion\.unet_step: got a part of upstream's class"):
        stream.unet_step(None, None)
    assert not hasattr(stream, "prompt_embeds")
    assert copy.copy(stream).t_list == [32]


def test_an_embedded_model_takes_no_lcm_lora():
    pipe = load_pipeline("ink-tiny", StreamConfig.build(device="cpu"))
    stream = StreamDiffusion(pipe, [32], torch.float32, width=64, height=64)
    stream.load_lcm_lora()
    stream.fuse_lora()
    stream.prepare("a red car")
    assert stream(torch.zeros(3, 64, 64)).shape == (1, 3, 64, 64)
    wrapper = StreamDiffusionWrapper("ink-tiny", [32, 45], width=64, height=64, acceleration="none", warmup=0)
    wrapper.prepare("a red car")
    assert wrapper(PIL.Image.new("RGB", (64, 64), "white")).size == (64, 64)
