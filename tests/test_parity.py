"""The loop held to the published implementation, and to diffusers, number for number."""

import inspect
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from diffusers import (
    EulerDiscreteScheduler,
    LCMScheduler,
    StableDiffusionControlNetImg2ImgPipeline,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionXLControlNetImg2ImgPipeline,
    StableDiffusionXLImg2ImgPipeline,
)
from doubles.tiny_models import tiny_sd, tiny_sd21, tiny_sdxl
from doubles.units import change_units

from inkstream.stream import Stream, StreamConfig
from inkstream.stream.loop.batch import Entry, Shared, StreamBatch
from inkstream.stream.loop.guidance import make_guidance
from inkstream.stream.loop.networks import Networks
from inkstream.stream.loop.sequential import SequentialSteps

SIDE = 64
TOLERANCE = 1e-4
STEP_LISTS = [(32,), (20, 40), (0, 16, 32, 45)]
GUIDANCES = ["none", "full", "self", "initialize"]
# With one step the reference's self guidance is wrong: see test_one_step_self_guidance_does_not_leak.
CASES = [(cfg_type, steps) for cfg_type in GUIDANCES for steps in STEP_LISTS if (cfg_type, len(steps)) != ("self", 1)]


def pictures(count: int) -> torch.Tensor:
    """(count, 3, 64, 64) in [-1, 1], every one another."""
    return torch.rand((count, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(7)) * 2 - 1


def run_ours(pipe, images, cls=StreamBatch, **settings):
    """Latents and images of our loop, by frame."""
    networks = Networks(pipe)
    config = networks.admit(StreamConfig(width=SIDE, height=SIDE, acceleration="eager", **settings))
    loop = Shared(
        units=networks.units(config),
        guidance=make_guidance(config.cfg_type, config.guidance_scale),
        prediction=networks.prediction,
        mode=config.mode,
        do_add_noise=config.do_add_noise,
    )
    steps, recipe, results = cls(loop), networks.recipe(config, 0), {}
    with torch.inference_mode():
        number = 0
        while number < len(images) or steps.pending:
            tag = number if number < len(images) else None
            image = images[min(number, len(images) - 1)][None]
            finished = steps.step(Entry(image, torch.zeros(0, 1), recipe, [tag]))
            if finished is not None:
                results[finished.tags[0]] = (finished.latent, loop.units.decode(finished.latent))
            number += 1
    return results


def run_reference(reference, pipe, images, *, cfg_type, t_index_list, do_add_noise=True, **prepare):
    """Latents and images of streamdiffusion 0.1.1, by the frame they belong to; its junk start is left out."""
    stream = reference.StreamDiffusion(
        pipe,
        list(t_index_list),
        torch_dtype=torch.float32,
        width=SIDE,
        height=SIDE,
        do_add_noise=do_add_noise,
        cfg_type=cfg_type,
    )
    stream.prepare(generator=torch.Generator(), **prepare)
    lag, results = len(t_index_list) - 1, {}
    with torch.inference_mode():
        for number in range(len(images) + lag):
            entered = stream.encode_image(images[min(number, len(images) - 1)][None])
            latent = stream.predict_x0_batch(entered)
            if number >= lag:
                results[number - lag] = (latent.clone(), stream.decode_image(latent))
    return results


def assert_equal(ours, theirs):
    assert ours.keys() == theirs.keys()
    for frame in ours:
        for mine, other in zip(ours[frame], theirs[frame], strict=True):
            assert mine.shape == other.shape
            assert (mine - other).abs().max().item() <= TOLERANCE, f"frame {frame}"


@pytest.mark.parametrize(("cfg_type", "t_index_list"), CASES)
@pytest.mark.parametrize("do_add_noise", [True, False])
@pytest.mark.parametrize("build", [tiny_sd, partial(tiny_sd21, "epsilon")], ids=["sd1", "sd2"])
def test_equals_the_reference(reference, build, cfg_type, t_index_list, do_add_noise):
    images, pipe = pictures(10), build()
    prompt = {"prompt": "a red car", "negative_prompt": "fog", "guidance_scale": 1.7, "delta": 0.8, "seed": 5}
    settings = {"cfg_type": cfg_type, "t_index_list": t_index_list, "do_add_noise": do_add_noise}
    assert_equal(
        run_ours(pipe, images, **settings, **prompt), run_reference(reference, pipe, images, **settings, **prompt)
    )


def test_comparison_is_not_vacuous(reference):
    """A small change of any knob moves the result by far more than the tolerance."""
    images, pipe = pictures(3), tiny_sd()
    base = {"prompt": "a red car", "negative_prompt": "fog", "guidance_scale": 1.7, "delta": 0.8, "seed": 5}
    base |= {"cfg_type": "initialize", "t_index_list": (20, 40)}
    expected = run_ours(pipe, images, **base)
    for change in (
        {"prompt": "a blue car"},
        {"negative_prompt": "rain"},
        {"guidance_scale": 1.8},
        {"delta": 0.9},
        {"seed": 6},
        {"t_index_list": (20, 41)},
        {"cfg_type": "self"},
        {"do_add_noise": False},
    ):
        other = run_ours(pipe, images, **(base | change))
        assert max((other[i][0] - expected[i][0]).abs().max().item() for i in expected) > 10 * TOLERANCE, change


def test_one_step_self_guidance_does_not_leak(reference):
    """The reference never resets its residual noise when there is one step: a frame depends on those before it."""
    images, pipe = pictures(4), tiny_sd()
    settings = {"cfg_type": "self", "t_index_list": (32,), "prompt": "a red car", "guidance_scale": 1.7, "seed": 5}
    theirs = run_reference(reference, pipe, images, **settings)
    theirs_alone = run_reference(reference, pipe, images[3:], **settings)
    assert (theirs[3][0] - theirs_alone[0][0]).abs().max() > 0.01
    ours, ours_alone = run_ours(pipe, images, **settings), run_ours(pipe, images[3:], **settings)
    assert torch.equal(ours[3][0], ours_alone[0][0])


def test_first_pictures_are_not_junk(reference):
    """The reference shows rows that were zeros; here nothing comes out that did not go through every step."""
    images, pipe = pictures(6), tiny_sd()
    settings = {"t_index_list": (0, 16, 32, 45), "cfg_type": "none", "prompt": "a red car"}
    stream = reference.StreamDiffusion(
        pipe, [0, 16, 32, 45], torch_dtype=torch.float32, width=SIDE, height=SIDE, cfg_type="none"
    )
    stream.prepare(prompt="a red car", generator=torch.Generator(), seed=2)
    with torch.inference_mode():
        junk = stream.predict_x0_batch(stream.encode_image(images[:1]))
    assert list(run_ours(pipe, images, **settings)) == list(range(6))
    first = run_ours(pipe, images, **settings)[0][0]
    assert (junk - first).abs().max() > 0.01


def test_changed_prompt_keeps_the_negative_prompt(reference):
    """The reference drops the negative embeddings on update_prompt under full guidance and then cannot run."""
    pipe = tiny_sd()
    theirs = reference.StreamDiffusion(pipe, [32], torch_dtype=torch.float32, width=SIDE, height=SIDE, cfg_type="full")
    theirs.prepare(prompt="a", negative_prompt="fog", guidance_scale=2.0, generator=torch.Generator())
    theirs.update_prompt("b")
    with torch.inference_mode(), pytest.raises(RuntimeError):
        theirs.predict_x0_batch(theirs.encode_image(pictures(1)))
    settings = {"t_index_list": (32,), "cfg_type": "full", "guidance_scale": 2.0, "width": SIDE, "height": SIDE}
    settings["acceleration"] = "eager"
    frame = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    changed = Stream(pipe, prompt="a", negative_prompt="fog", **settings)
    changed.update(prompt="b")
    fresh = Stream(pipe, prompt="b", negative_prompt="fog", **settings)
    without = Stream(pipe, prompt="b", negative_prompt="", **settings)
    assert np.array_equal(changed(frame).pixels, fresh(frame).pixels)
    assert not np.array_equal(changed(frame, gated=False).pixels, without(frame).pixels)


def test_frame_buffer_with_several_steps(reference):
    """The reference cannot broadcast here; ours gives every frame what it gets alone."""
    images, pipe = pictures(6), tiny_sd()
    settings = {"t_index_list": (20, 40), "prompt": "a red car", "width": SIDE, "height": SIDE, "acceleration": "eager"}
    theirs = reference.StreamDiffusion(
        pipe, [20, 40], torch_dtype=torch.float32, width=SIDE, height=SIDE, frame_buffer_size=2, cfg_type="none"
    )
    theirs.prepare(prompt="a red car", generator=torch.Generator())
    with torch.inference_mode(), pytest.raises(RuntimeError):
        theirs.predict_x0_batch(theirs.encode_image(images[:2]))
    frames = [((image.permute(1, 2, 0).numpy() + 1) * 127.5).astype(np.uint8) for image in images]
    for cfg_type in GUIDANCES:
        one = Stream(pipe, cfg_type=cfg_type, guidance_scale=1.5, **settings)
        two = Stream(pipe, cfg_type=cfg_type, guidance_scale=1.5, frame_buffer_size=2, **settings)
        results = []
        for stream in (one, two):
            outputs = [stream(frame, gated=False) for frame in frames] + stream.drain()
            results.append({output.source_id: output.pixels for output in outputs if output})
        assert sorted(results[0]) == sorted(results[1]) == list(range(6))
        for number in range(6):
            difference = results[0][number].astype(int) - results[1][number]
            assert np.abs(difference).max() <= 1, (cfg_type, number)


@pytest.mark.parametrize("build", [tiny_sd, tiny_sd21, tiny_sdxl])
@pytest.mark.parametrize("cfg_type", GUIDANCES)
def test_sequential_equals_batch(build, cfg_type):
    """One frame at a time, or all steps of successive frames together: the same pictures, for every family."""
    images = pictures(5)
    settings = {"cfg_type": cfg_type, "t_index_list": (25, 35, 45), "guidance_scale": 1.6, "prompt": "a house"}
    pipe = build()
    together, alone = run_ours(pipe, images, **settings), run_ours(pipe, images, SequentialSteps, **settings)
    assert_equal(together, alone)


@pytest.fixture
def decoded(monkeypatch):
    """What streams made from now on decode: each (1, 3, H, W), about [-1, 1]."""
    images = []

    def keeping(units):
        return replace(units, decode=lambda latent: images.append(units.decode(latent)) or images[-1])

    change_units(monkeypatch, keeping)
    return images


@pytest.mark.parametrize("start", [0, 25, 40])
@pytest.mark.parametrize(
    ("build", "pipeline"),
    [
        (tiny_sd, StableDiffusionControlNetImg2ImgPipeline),
        (tiny_sd21, StableDiffusionControlNetImg2ImgPipeline),
        (tiny_sdxl, StableDiffusionXLControlNetImg2ImgPipeline),
    ],
)
def test_single_step_equals_diffusers_controlnet_img2img(build, pipeline, start, decoded, monkeypatch):
    """One ControlNet, one step: the picture of diffusers' own pipeline with LCMScheduler and the same noise."""
    pipe = build(controlnets=1)
    frame = np.random.default_rng(3).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    stream = Stream(
        pipe,
        acceleration="eager",
        prompt="a red car",
        t_index_list=(start,),
        cfg_type="none",
        width=SIDE,
        height=SIDE,
        seed=11,
        controlnets=[{"preprocessor": "none", "conditioning_scale": 0.7}],
    )
    scheduler = LCMScheduler.from_config(pipe.scheduler.config)
    set_timesteps = scheduler.set_timesteps
    monkeypatch.setattr(
        scheduler, "set_timesteps", lambda steps, device: set_timesteps(device=device, timesteps=[999 - 20 * start])
    )
    image = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255
    theirs = run_diffusers(
        pipeline,
        pipe,
        scheduler,
        image=image,
        control_image=image,
        num_inference_steps=1,
        strength=1.0,
        controlnet_conditioning_scale=0.7,
    )
    stream(frame)
    assert (picture_of(decoded) - theirs).abs().max() <= TOLERANCE


@pytest.mark.parametrize("zeros", [True, False])
@pytest.mark.parametrize("negative", ["", "fog"])
def test_l14_full_guidance_of_sdxl_equals_diffusers_without_a_negative_prompt(zeros, negative, decoded, monkeypatch):
    """SDXL's negative prompt is zeros where there is none, unless the pipeline says otherwise."""
    pipe = tiny_sdxl()
    pipe.register_to_config(force_zeros_for_empty_prompt=zeros)
    frame = np.random.default_rng(3).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    settings = {"t_index_list": (25,), "cfg_type": "full", "guidance_scale": 3.0, "width": SIDE, "height": SIDE}
    stream = Stream(pipe, acceleration="eager", prompt="a red car", negative_prompt=negative, seed=11, **settings)
    scheduler = LCMScheduler.from_config(pipe.scheduler.config)
    set_timesteps = scheduler.set_timesteps
    monkeypatch.setattr(
        scheduler, "set_timesteps", lambda steps, device: set_timesteps(device=device, timesteps=[999 - 20 * 25])
    )
    theirs = run_diffusers(
        StableDiffusionXLImg2ImgPipeline,
        pipe,
        scheduler,
        image=torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255,
        num_inference_steps=1,
        strength=1.0,
        guidance_scale=3.0,
        negative_prompt=negative or None,
        force_zeros_for_empty_prompt=zeros,
    )
    stream(frame)
    assert (picture_of(decoded) - theirs).abs().max() <= TOLERANCE


@pytest.mark.parametrize("steps", [2, 4])
def test_turbo_step_equals_diffusers_euler_img2img(steps, decoded):
    """SD-Turbo as diffusers runs it: Euler on trailing timesteps, the last of them, no guidance."""
    pipe = tiny_sd21("epsilon")
    frame = np.random.default_rng(4).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    stream = Stream(
        pipe,
        acceleration="eager",
        prompt="a red car",
        scheduler="turbo",
        num_inference_steps=steps,
        t_index_list=(steps - 1,),
        cfg_type="none",
        width=SIDE,
        height=SIDE,
        seed=11,
    )
    scheduler = EulerDiscreteScheduler.from_config(pipe.scheduler.config, timestep_spacing="trailing")
    image = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255
    theirs = run_diffusers(
        StableDiffusionImg2ImgPipeline, pipe, scheduler, image=image, num_inference_steps=steps, strength=1 / steps
    )
    stream(frame)
    assert (picture_of(decoded) - theirs).abs().max() <= TOLERANCE


def run_diffusers(pipeline, pipe, scheduler, guidance_scale=1.0, force_zeros_for_empty_prompt=True, **arguments):
    """The picture that a pipeline of diffusers gives with the parts of another: (1, 3, H, W) in [0, 1]."""
    wanted = inspect.signature(pipeline).parameters
    parts = {name: part for name, part in pipe.components.items() if name in wanted}
    parts |= {"scheduler": scheduler} | ({"requires_safety_checker": False} if "safety_checker" in wanted else {})
    if "force_zeros_for_empty_prompt" in wanted:
        parts |= {"force_zeros_for_empty_prompt": force_zeros_for_empty_prompt}
    theirs = pipeline(**parts)
    theirs.set_progress_bar_config(disable=True)
    size = {"width": SIDE, "height": SIDE} if "control_image" in arguments else {}
    return theirs(
        prompt="a red car",
        guidance_scale=guidance_scale,
        generator=torch.Generator().manual_seed(11),
        output_type="pt",
        **size,
        **arguments,
    ).images


def picture_of(decoded):
    """The float picture that a stream decoded last, before it becomes uint8: (1, 3, H, W) in [0, 1]."""
    return (decoded[-1] / 2 + 0.5).clamp(0, 1)
