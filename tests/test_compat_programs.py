"""The thirteen programs of StreamDiffusion: the calls that each makes, on small models, with the import changed.

Ten stand in its ``examples``, three in its ``demo``. Each picture is held to the one that ``Stream`` makes.
"""

import queue

import numpy as np
import PIL.Image
import pytest
import torch
from doubles.compat import SIDE, apart, ours, pictures
from doubles.lora import tiny_lora
from doubles.tiny_models import tiny_sd, tiny_sd21

from inkstream.lora import registry
from inkstream.stream.compat import StreamDiffusionWrapper, pil2tensor, postprocess_image

SMALL = {"width": SIDE, "height": SIDE}
NEGATIVE = "low quality, bad quality"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with models ``sd``, and ``turbo`` that needs no LCM-LoRA; LoRAs ``lcm.safetensors`` and
    ``style.safetensors``; pictures ``0.png`` to ``2.png``."""
    place = tmp_path_factory.mktemp("compat")
    pipe = tiny_sd()
    pipe.save_pretrained(place / "sd")
    tiny_sd21("epsilon").save_pretrained(place / "turbo")
    tiny_lora(pipe, place / "lcm.safetensors", seed=1)
    tiny_lora(pipe, place / "style.safetensors", seed=2)
    for number, picture in enumerate(pictures(3)):
        PIL.Image.fromarray(picture).save(place / f"{number}.png")
    return place


@pytest.fixture(autouse=True)
def lcm(place, monkeypatch):
    """The LCM-LoRA of Stable Diffusion 1.x, which no program names."""
    monkeypatch.setitem(registry.LCM_LORA, "sd1", str(place / "lcm.safetensors"))


def same(place, frames, model="sd", styles=None, **settings):
    """The pictures of ``Stream`` under the wrapper's own settings."""
    more = {"fuse_lora": True, "use_lcm_lora": True} if model == "sd" else {"fuse_lora": bool(styles)}
    return ours(place / model, frames, lora_dict=styles, **{"guidance_scale": 1.2, **more, **settings})


def test_img2img_single(place, tmp_path):
    stream = StreamDiffusionWrapper(
        model_id_or_path=str(place / "sd"),
        lora_dict=None,
        t_index_list=[22, 32, 45],
        frame_buffer_size=1,
        warmup=2,
        acceleration="xformers",
        mode="img2img",
        use_denoising_batch=True,
        cfg_type="self",
        seed=2,
        **SMALL,
    )
    stream.prepare(prompt="a red car", negative_prompt=NEGATIVE, num_inference_steps=50, guidance_scale=1.2, delta=0.5)
    assert stream.batch_size == 3
    image_tensor = stream.preprocess_image(str(place / "0.png"))
    for _ in range(stream.batch_size - 1):
        stream(image=image_tensor)
    output = stream(image=image_tensor)
    output.save(tmp_path / "out.png")
    expected = same(place, pictures(1), t_index_list=(22, 32, 45), prompt="a red car", delta=0.5)
    assert apart(PIL.Image.open(tmp_path / "out.png"), expected[0]) <= 1


def test_img2img_multi(place):
    styles = {str(place / "style.safetensors"): 0.5}
    stream = StreamDiffusionWrapper(
        model_id_or_path=str(place / "sd"),
        lora_dict=styles,
        t_index_list=[32, 40, 45],
        frame_buffer_size=1,
        warmup=2,
        acceleration="xformers",
        mode="img2img",
        use_denoising_batch=True,
        cfg_type="self",
        seed=5,
        **SMALL,
    )
    stream.prepare(prompt="a red car", negative_prompt=NEGATIVE, num_inference_steps=50, guidance_scale=1.2, delta=0.5)
    images = [str(place / f"{number}.png") for number in range(3)]
    images = images + [images[-1]] * (stream.batch_size - 1)
    outputs, saved = [], {}
    for _ in range(stream.batch_size - 1):
        image = images.pop(0)
        outputs.append(image)
        stream(image=image)
    for image in images:
        outputs.append(image)
        saved[outputs.pop(0)] = stream(image=image)
    expected = same(place, pictures(3), styles=styles, t_index_list=(32, 40, 45), prompt="a red car", delta=0.5, seed=5)
    assert max(apart(saved[str(place / f"{number}.png")], expected[number]) for number in range(3)) <= 1


@pytest.mark.parametrize("use_denoising_batch", [False, True])
def test_txt2img_single(place, use_denoising_batch):
    stream = StreamDiffusionWrapper(
        model_id_or_path=str(place / "turbo"),
        lora_dict=None,
        t_index_list=[0, 16, 32, 45],
        frame_buffer_size=1,
        warmup=2,
        acceleration="xformers",
        mode="txt2img",
        use_denoising_batch=use_denoising_batch,
        cfg_type="none",
        seed=2,
        **SMALL,
    )
    stream.prepare(prompt="a red car", num_inference_steps=50)
    assert stream.batch_size == (4 if use_denoising_batch else 1)
    made = [stream() for _ in range(stream.batch_size)]
    settings = {"mode": "txt2img", "cfg_type": "none", "prompt": "a red car"}
    expected = same(place, pictures(4), "turbo", use_denoising_batch=use_denoising_batch, **settings)
    assert max(apart(picture, pixels) for picture, pixels in zip(made, expected, strict=False)) <= 1


def test_txt2img_multi(place):
    stream = StreamDiffusionWrapper(
        model_id_or_path=str(place / "turbo"),
        lora_dict=None,
        t_index_list=[0, 16, 32, 45],
        frame_buffer_size=3,
        warmup=2,
        acceleration="xformers",
        mode="txt2img",
        use_denoising_batch=False,
        cfg_type="none",
        seed=2,
        **SMALL,
    )
    stream.prepare(prompt="a red car", num_inference_steps=50)
    made = stream()
    settings = {"mode": "txt2img", "cfg_type": "none", "prompt": "a red car", "use_denoising_batch": False}
    expected = same(place, pictures(3), "turbo", frame_buffer_size=3, **settings)
    assert max(apart(picture, pixels) for picture, pixels in zip(made, expected, strict=True)) <= 1
    assert apart(made[0], np.asarray(made[1]).astype(int)) > 10


@pytest.mark.parametrize("batch_size", [1, 4], ids=["single", "multi"])
def test_optimal_performance(place, batch_size):
    """Both programs: they differ by the size of the batch."""
    images, fps_queue = queue.Queue(), queue.Queue()
    stream = StreamDiffusionWrapper(
        model_id_or_path=str(place / "turbo"),
        t_index_list=[0],
        frame_buffer_size=batch_size,
        warmup=2,
        acceleration="none",
        use_lcm_lora=False,
        mode="txt2img",
        cfg_type="none",
        use_denoising_batch=True,
        **SMALL,
    )
    stream.prepare(prompt="a cat", num_inference_steps=50)
    for _ in range(2):
        images.put(stream.stream.txt2img_sd_turbo(batch_size).cpu(), block=False)
        fps_queue.put(1.0)
    first = images.get(block=False)
    assert first.shape == (batch_size, 3, SIDE, SIDE)
    made = postprocess_image(first, output_type="pil") + postprocess_image(images.get(block=False), output_type="pil")
    settings = {"mode": "txt2img", "cfg_type": "none", "t_index_list": (0,), "scheduler": "turbo", "prompt": "a cat"}
    expected = same(place, pictures(2 * batch_size), "turbo", frame_buffer_size=batch_size, **settings)
    assert max(apart(picture, pixels) for picture, pixels in zip(made, expected, strict=True)) <= 1


def test_benchmark_single(place):
    stream = StreamDiffusionWrapper(
        model_id_or_path=str(place / "turbo"),
        t_index_list=[32, 45],
        lora_dict=None,
        mode="img2img",
        frame_buffer_size=1,
        warmup=2,
        acceleration="xformers",
        device_ids=None,
        use_lcm_lora=True,
        use_tiny_vae=True,
        enable_similar_image_filter=False,
        similar_image_filter_threshold=0.98,
        use_denoising_batch=True,
        cfg_type="initialize",
        seed=2,
        **SMALL,
    )
    stream.prepare(prompt="a red car", negative_prompt=NEGATIVE, num_inference_steps=50, guidance_scale=1.4, delta=0.5)
    image = PIL.Image.open(place / "1.png").resize((SIDE, SIDE))
    for _ in range(3):
        image_tensor = stream.preprocess_image(image)
        output = stream(image=image_tensor)
    settings = {"cfg_type": "initialize", "negative_prompt": NEGATIVE, "guidance_scale": 1.4, "delta": 0.5}
    expected = same(place, pictures(2)[1:], "turbo", t_index_list=(32, 45), prompt="a red car", **settings)
    assert apart(output, expected[0]) <= 1


def test_benchmark_multi(place):
    images = queue.Queue()
    stream = StreamDiffusionWrapper(
        model_id_or_path=str(place / "turbo"),
        t_index_list=[32, 45],
        lora_dict=None,
        mode="img2img",
        frame_buffer_size=1,
        warmup=0,
        acceleration="none",
        device_ids=None,
        use_lcm_lora=True,
        use_tiny_vae=True,
        enable_similar_image_filter=False,
        similar_image_filter_threshold=0.98,
        use_denoising_batch=True,
        cfg_type="self",
        seed=2,
        **SMALL,
    )
    stream.prepare(prompt="a red car", negative_prompt=NEGATIVE, num_inference_steps=50, guidance_scale=1.2, delta=0.5)
    image_tensor = stream.preprocess_image(PIL.Image.open(place / "1.png").resize((SIDE, SIDE)))
    for _ in range(2):
        stream.stream(image_tensor)
    for _ in range(2):
        images.put(stream.stream(image_tensor).cpu())
    output = postprocess_image(images.get(block=False), output_type="pil")[0]
    expected = same(place, pictures(2)[1:], "turbo", t_index_list=(32, 45), prompt="a red car", delta=0.5)
    assert apart(output, expected[0]) <= 1


@pytest.mark.parametrize("frame_buffer_size", [1, 2])
def test_screen(place, frame_buffer_size):
    stream = StreamDiffusionWrapper(
        model_id_or_path=str(place / "turbo"),
        lora_dict=None,
        t_index_list=[32, 45],
        frame_buffer_size=frame_buffer_size,
        warmup=2,
        acceleration="xformers",
        do_add_noise=False,
        enable_similar_image_filter=True,
        similar_image_filter_threshold=0.99,
        similar_image_filter_max_skip_frame=10.0,
        mode="img2img",
        use_denoising_batch=True,
        cfg_type="self",
        seed=2,
        **SMALL,
    )
    stream.prepare(prompt="a red car", negative_prompt=NEGATIVE, num_inference_steps=50, guidance_scale=1.4, delta=0.5)
    frames, shown = pictures(3 * frame_buffer_size), []
    for start in range(0, len(frames), frame_buffer_size):
        inputs = [pil2tensor(PIL.Image.fromarray(frame)) for frame in frames[start : start + frame_buffer_size]]
        batch = torch.cat(inputs)
        shown.append(stream.stream(batch.to(device=stream.device, dtype=stream.dtype)).cpu())
    settings = {"do_add_noise": False, "guidance_scale": 1.4, "delta": 0.5, "t_index_list": (32, 45)}
    expected = same(place, frames, "turbo", prompt="a red car", frame_buffer_size=frame_buffer_size, **settings)
    late = [picture for batch in shown[1:] for picture in batch]  # two steps: a picture comes with the call after
    assert max(apart(picture, pixels) for picture, pixels in zip(late, expected, strict=False)) <= 1


def video_of(frames):
    """(N, H, W, 3) float in [0, 1], as torchvision reads one."""
    return torch.from_numpy(np.stack(frames)) / 255


def test_vid2vid(place):
    video = video_of(pictures(5))
    stream = StreamDiffusionWrapper(
        model_id_or_path=str(place / "turbo"),
        lora_dict=None,
        t_index_list=[35, 45],
        frame_buffer_size=1,
        width=int(video.shape[2] * 1.0),
        height=int(video.shape[1] * 1.0),
        warmup=2,
        acceleration="xformers",
        do_add_noise=False,
        mode="img2img",
        output_type="pt",
        enable_similar_image_filter=True,
        similar_image_filter_threshold=0.98,
        use_denoising_batch=True,
        seed=2,
    )
    stream.prepare(prompt="a red car", num_inference_steps=50)
    result = torch.zeros(video.shape[0], SIDE, SIDE, 3)
    for _ in range(stream.batch_size):
        stream(image=video[0].permute(2, 0, 1))
    for number in range(video.shape[0]):
        result[number] = stream(video[number].permute(2, 0, 1)).permute(1, 2, 0)
    expected = same(place, pictures(5), "turbo", do_add_noise=False, t_index_list=(35, 45), prompt="a red car")
    # The first frame is there already, so that its call changes nothing; from then on a frame comes one call later.
    shown = [(picture * 255).round().int().numpy() for picture in result]
    assert max(np.abs(shown[number] - expected[max(0, number - 1)]).max() for number in range(5)) <= 1


def test_demo_vid2vid(place):
    """As ``vid2vid``, but the first call's picture says how large they are."""
    video = video_of(pictures(3))
    stream = StreamDiffusionWrapper(
        model_id_or_path=str(place / "turbo"),
        lora_dict=None,
        t_index_list=[35, 45],
        frame_buffer_size=1,
        width=70,
        height=70,
        warmup=2,
        acceleration="xformers",
        do_add_noise=False,
        mode="img2img",
        output_type="pt",
        enable_similar_image_filter=True,
        similar_image_filter_threshold=0.98,
        use_denoising_batch=True,
        seed=2,
    )
    stream.prepare(prompt="a red car", num_inference_steps=50)
    first = stream(video[0].permute(2, 0, 1))
    assert first.shape == (3, 64, 64)  # upstream cuts to a multiple of 8 as well
    expected = same(place, pictures(1), "turbo", do_add_noise=False, t_index_list=(35, 45), prompt="a red car")
    assert apart(first * 2 - 1, expected[0]) <= 1


def test_demo_realtime_img2img(place, tmp_path):
    stream = StreamDiffusionWrapper(
        model_id_or_path=str(place / "turbo"),
        use_tiny_vae=True,
        device=torch.device("cpu"),
        dtype=torch.float32,
        t_index_list=[35, 45],
        frame_buffer_size=1,
        use_lcm_lora=False,
        output_type="pil",
        warmup=2,
        vae_id=None,
        acceleration="none",
        mode="img2img",
        use_denoising_batch=True,
        cfg_type="none",
        use_safety_checker=False,
        engine_dir=str(tmp_path / "engines"),
        **SMALL,
    )
    stream.prepare(prompt="first", negative_prompt=NEGATIVE, num_inference_steps=50, guidance_scale=1.2)
    frames, shown = pictures(4), []
    for number, frame in enumerate(frames):
        image_tensor = stream.preprocess_image(PIL.Image.fromarray(frame))
        shown.append(stream(image=image_tensor, prompt="a cat" if number < 2 else "a dog"))
    settings = {"cfg_type": "none", "t_index_list": (35, 45), "dtype": "float32"}
    cats = same(place, frames, "turbo", prompt="a cat", **settings)
    dogs = same(place, frames, "turbo", prompt="a dog", **settings)
    assert [picture.size for picture in shown] == [(SIDE, SIDE)] * 4
    expected = [cats[0], cats[0], cats[1], dogs[2]]
    assert max(apart(picture, pixels) for picture, pixels in zip(shown, expected, strict=True)) <= 1


def test_demo_realtime_txt2img(place):
    """It never prepares anything; the prompt comes with the call, and t_index_list leaves three pictures on the way."""
    stream = StreamDiffusionWrapper(
        mode="txt2img",
        model_id_or_path=str(place / "sd"),
        lora_dict=None,
        lcm_lora_id=str(place / "lcm.safetensors"),
        vae_id=str(place / "sd" / "vae"),
        device=torch.device("cpu"),
        dtype=torch.float32,
        acceleration="xformers",
        t_index_list=[0, 16, 32, 45],
        warmup=2,
        use_safety_checker=False,
        cfg_type="none",
        **SMALL,
    )
    made = stream(prompt="a red car")
    settings = {"mode": "txt2img", "cfg_type": "none", "prompt": "a red car", "dtype": "float32"}
    assert apart(made, same(place, pictures(4), **settings)[0]) <= 1
