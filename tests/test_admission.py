"""Pipelines that are given ready: what the loop runs it runs as diffusers does, the rest is refused by name."""

import copy
from types import SimpleNamespace

import diffusers
import numpy as np
import pytest
import torch
from doubles.tiny_models import tiny_sd, tiny_sd21, tiny_sdxl

from inkstream.engines.units import Decode, Encode
from inkstream.lora.load import load_pipeline
from inkstream.stream import Stream, StreamConfig
from inkstream.stream.base.errors import ConfigError, ModelError
from inkstream.stream.loop.admission import admitted
from inkstream.stream.loop.schedule import scheduler_of

SMALL = {"width": 64, "height": 64, "acceleration": "eager", "warmup": 0}
FRAME = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)


def with_config(part, **changes):
    """A copy of a network whose configuration says something else."""
    part = copy.copy(part)
    part._internal_dict = diffusers.configuration_utils.FrozenDict({**part.config, **changes})
    return part


def with_part(pipe, **parts):
    for name, part in parts.items():
        setattr(pipe, name, part)
    return pipe


# --- pipelines of another kind


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"in_channels": 9}, r"takes 9 channels \(inpainting\), expected 4; use the base model that it was made from"),
        ({"in_channels": 8}, r"takes 8 channels \(InstructPix2Pix\), expected 4; use a base model in mode img2img"),
        ({"in_channels": 5}, r"\(depth2img\).* depth ControlNet"),
        ({"in_channels": 3}, r"\(DeepFloyd IF\)"),
        ({"in_channels": 16}, r"takes 16 channels, expected 4; use a base model"),
        ({"out_channels": 8}, "gives 8 channels, expected 4"),
        ({"encoder_hid_dim_type": "ip_image_proj"}, r"pipe\.unload_ip_adapter\(\)"),
        ({"num_class_embeds": 1000}, "num_class_embeds '1000'"),
        ({"addition_embed_type": "image"}, "addition_embed_type 'image'"),
        ({"attention_type": "gated"}, "GLIGEN"),
    ],
)
def test_l13_unets_of_another_kind_are_named(change, said):
    pipe = tiny_sd()
    with pytest.raises(ModelError, match=said):
        Stream(with_part(pipe, unet=with_config(pipe.unet, **change)), **SMALL)


def test_l13_pipelines_without_what_the_loop_needs_are_named():
    for kind in ("StableDiffusion3Pipeline", "FluxPipeline"):
        flux = type(kind, (), {"transformer": object(), "vae": object(), "scheduler": object()})()
        with pytest.raises(ModelError, match=f"{kind}, which has a transformer in place of a UNet"):
            Stream(flux)
    with pytest.raises(ModelError, match="without unet, expected a Stable Diffusion"):
        Stream(SimpleNamespace())
    with pytest.raises(ModelError, match=r"this is the SDXL refiner.* use stabilityai/stable-diffusion-xl-base-1\.0"):
        Stream(with_part(tiny_sdxl(), text_encoder=None, tokenizer=None))
    with pytest.raises(ModelError, match="without text_encoder, expected a whole pipeline"):
        Stream(with_part(tiny_sd(), text_encoder=None))


def test_l13_a_controlnet_of_another_kind_is_named(tmp_path):
    pipe = tiny_sd(controlnets=1)
    other = type("SparseControlNetModel", (), {})()
    with pytest.raises(
        ModelError, match=r"got .* with a SparseControlNetModel, expected a ControlNetModel, .*; use the Cont"
    ):
        Stream(with_part(pipe, controlnet=other))
    other = with_config(tiny_sd(controlnets=1, cross_attention_dim=48).controlnet)
    with pytest.raises(ModelError, match="ControlNet has cross_attention_dim 48, its UNet 32"):
        Stream(with_part(pipe, controlnet=other))


def test_l13_folders_of_another_kind_are_named(sd, tmp_path):
    import json

    path = sd / "unet" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "in_channels": 9}))
    with pytest.raises(ModelError, match=r"takes 9 channels \(inpainting\)"):
        load_pipeline(sd, StreamConfig(device="cpu", use_tiny_vae=False))


def test_l12_a_t2i_adapter_is_named():
    with pytest.raises(
        ModelError, match="with a T2I-Adapter of its own; give the plain pipeline, and name it under controlnets"
    ):
        Stream(with_part(tiny_sd(), adapter=object()))


@pytest.mark.parametrize(
    "scheduler",
    [
        diffusers.EDMEulerScheduler(),
        diffusers.EDMDPMSolverMultistepScheduler(),
        diffusers.FlowMatchEulerDiscreteScheduler(),
        diffusers.DPMSolverMultistepScheduler(use_flow_sigmas=True, prediction_type="flow_prediction"),
    ],
)
def test_l12_schedulers_without_betas_are_named(scheduler):
    with pytest.raises(ModelError, match=r"whose noise has no betas \(EDM and flow matching"):
        Stream(with_part(tiny_sd(), scheduler=scheduler))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"beta_schedule": "sigmoid"}, "schedule 'sigmoid', .*; expected betas from 0 to 1, linear"),
        ({"beta_start": "much"}, "got betas from much"),
        ({"beta_start": 2.0, "beta_end": 3.0}, "no noise that grows"),
        ({"beta_start": -1.0}, "got betas from -1.0 to 0.012, .*; expected betas from 0 to 1"),
        ({"trained_betas": [0.1, "x"]}, r"trained_betas \[0.1, 'x'\]; expected betas"),
        ({"num_train_timesteps": 10**9}, "num_train_timesteps 1000000000"),
        ({"timestep_scaling": None}, "timestep_scaling: got None, expected 0 to 1e"),
        ({"timestep_scaling": 1e300}, "timestep_scaling: got 1e"),
        ({"num_train_timesteps": 20}, "original_inference_steps 50"),
    ],
)
def test_betas_that_make_no_schedule_are_named(change, said):
    with pytest.raises(ModelError, match=said):
        scheduler_of({**tiny_sd().scheduler.config, **change})


def test_betas_are_those_of_the_scheduler_also_where_they_are_its_defaults():
    """LCM has other defaults, and took its own."""
    own = diffusers.DDIMScheduler()
    assert torch.equal(scheduler_of(own.config).alphas_cumprod, own.alphas_cumprod)


def test_a_scheduler_that_predicts_pictures_is_named():
    pipe = tiny_sd()
    pipe.scheduler.register_to_config(prediction_type="sample")
    with pytest.raises(
        ModelError, match="got prediction type 'sample', expected epsilon or v_prediction; set prediction"
    ):
        Stream(pipe, **SMALL)
    Stream(pipe, prediction_type="epsilon", **SMALL)


def test_more_steps_than_a_turbo_model_has_are_named():
    pipe = tiny_sd21("epsilon")
    pipe.scheduler.register_to_config(num_train_timesteps=100)
    with pytest.raises(ConfigError, match="num_inference_steps: got 200, expected at most 100"):
        Stream(pipe, scheduler="turbo", num_inference_steps=200, t_index_list=[199], **SMALL)
    with pytest.raises(
        ConfigError, match=r"got 60, expected at most 50, the length of the schedule that LCM was dis.*on$"
    ):
        Stream(pipe, num_inference_steps=60, t_index_list=[59], **SMALL)


# --- what it predicts


def test_f11_prediction_type_overrides_the_scheduler():
    def picture(pipe, **settings):
        return Stream(pipe, t_index_list=[20], **SMALL, **settings)(FRAME).pixels

    assert np.array_equal(picture(tiny_sd(), prediction_type="v_prediction"), picture(tiny_sd("v_prediction")))
    assert not np.array_equal(picture(tiny_sd()), picture(tiny_sd("v_prediction")))
    stream = Stream(tiny_sd(), **SMALL)
    with pytest.raises(ConfigError, match="prediction_type: cannot change while running"):
        stream.update(prediction_type="v_prediction")


# --- the autoencoder


def test_l12_means_and_deviations_of_latents_are_applied_as_diffusers_does():
    pipe = tiny_sdxl(vae="kl")
    pipe.vae = with_config(pipe.vae, latents_mean=[0.1, -0.2, 0.3, 0.4], latents_std=[1.5, 0.5, 2.0, 1.0])
    image = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.inference_mode():
        latent = Encode(pipe.vae)(image)
        raw = pipe.vae.encode(image).latent_dist.mode()
        mean, std = (torch.tensor(pipe.vae.config[key]).view(1, 4, 1, 1) for key in ("latents_mean", "latents_std"))
        assert torch.allclose(latent, (raw - mean) * pipe.vae.config.scaling_factor / std, atol=1e-6)
        decoded = Decode(pipe.vae)(latent)
        theirs = pipe.vae.decode(latent * std / pipe.vae.config.scaling_factor + mean).sample
        assert torch.allclose(decoded, theirs, atol=1e-5)
    assert Stream(pipe, **SMALL)(FRAME) is None  # it runs


def test_l12_a_shift_of_latents_is_applied():
    vae = with_config(tiny_sd(vae="kl").vae, shift_factor=0.5, scaling_factor=2.0)
    latent = torch.randn(1, 4, 8, 8)
    with torch.inference_mode():
        assert torch.allclose(Decode(vae)(latent), vae.decode(latent / 2 + 0.5).sample, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"latents_mean": [0.0] * 4}, "only one of latents_mean and latents_std"),
        ({"latents_mean": [0.0] * 4, "latents_std": [1.0, 1.0, 0.0, 1.0]}, "a scale above 0"),
        ({"latents_mean": [0.0] * 3, "latents_std": [1.0] * 3}, "4 means and deviations"),
        ({"scaling_factor": 0.0}, "a scale above 0"),
        ({"scaling_factor": float("nan")}, "expected finite numbers"),
        ({"scaling_factor": "1"}, "expected finite numbers"),
        ({"latent_channels": 16}, "16 latent channels, its UNet takes 4"),
        ({"block_out_channels": [8, 8]}, "scales by 2, expected 8"),
    ],
)
def test_l12_latents_that_cannot_be_scaled_are_named(change, said):
    pipe = tiny_sd(vae="kl")
    with pytest.raises(ModelError, match=said):
        Stream(with_part(pipe, vae=with_config(pipe.vae, **change)), **SMALL)


def test_l15_an_autoencoder_that_wants_float32_gets_it_and_the_pipeline_keeps_its_own():
    """Its first activations grow beyond what float16 holds, as those of SDXL's do."""
    pipe = tiny_sdxl(vae="kl")
    with torch.no_grad():
        pipe.vae.decoder.conv_in.weight.mul_(1e5)
        pipe.vae.decoder.conv_in.bias.mul_(1e5)
    latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    pipe.vae.to(torch.float16)
    own, asked = admitted(pipe), pipe.vae.config.force_upcast
    with torch.inference_mode():
        expected = copy.deepcopy(pipe.vae).float().decode(latent / pipe.vae.config.scaling_factor).sample
        assert asked
        assert not torch.isfinite(Decode(pipe.vae)(latent)).all()
        assert torch.allclose(Decode(own.vae)(latent), expected, atol=1e-4)
    assert (own.vae.dtype, pipe.vae.dtype) == (torch.float32, torch.float16)
    pipe.vae = with_config(pipe.vae, force_upcast=False)
    assert admitted(pipe).vae.dtype == torch.float16
    sd1 = tiny_sd(vae="kl")
    sd1.vae.to(torch.float16)
    assert admitted(sd1).vae.dtype == torch.float16  # diffusers runs that of Stable Diffusion 1.x in float16, too


def test_l15_a_float16_model_from_a_folder_runs_its_large_autoencoder_in_float32(tmp_path):
    tiny_sdxl(vae="kl").save_pretrained(tmp_path / "xl")
    settings = {"device": "cpu", "dtype": "float16", "use_tiny_vae": False, **SMALL}
    stream = Stream.from_pretrained(tmp_path / "xl", **settings)
    assert (stream.pipe.unet.dtype, stream.pipe.vae.dtype) == (torch.float16, torch.float32)
    assert (stream.config.dtype, stream.config.use_tiny_vae) == ("float16", False)


@pytest.mark.slow
def test_l15_openvino_follows(engine_dir, capfd):
    pytest.importorskip("openvino", reason="needs openvino")
    pipe = tiny_sdxl(vae="kl")
    pipe.unet.to(torch.float16)
    pipe.vae.to(torch.float16)
    settings = {**SMALL, "t_index_list": [20], "cfg_type": "none"}
    capfd.readouterr()
    eager = Stream(pipe, **settings)(FRAME).pixels.astype(int)
    assert capfd.readouterr() == ("", "")
    pixels = Stream(pipe, **{**settings, "acceleration": "openvino"}, engine_dir=engine_dir)(FRAME).pixels
    assert np.abs(pixels - eager).mean() < 0.5


# --- settings of a pipeline that is given ready


def test_l16_settings_that_a_ready_pipeline_does_not_have_are_refused():
    pipe = tiny_sd()
    with pytest.raises(
        ConfigError, match=r"dtype: got bfloat16, and the pipeline is in float32; .*pipe.to\(torch.bfloat16"
    ):
        Stream(pipe, dtype="bfloat16", **SMALL)
    with pytest.raises(ConfigError, match="device: got cuda:1, and the pipeline is on cpu; move it first"):
        Stream(pipe, device="cuda:1", **SMALL)
    stream = Stream(pipe, dtype=torch.float32, device=torch.device("cpu"), **SMALL)
    assert (stream.config.dtype, stream.config.device) == ("float32", "cpu")


def test_l16_vae_id_is_applied_to_a_ready_pipeline_and_leaves_it_alone(tmp_path):
    tiny_sd(seed=3).vae.save_pretrained(tmp_path / "taesd")
    pipe = tiny_sd(vae="kl")
    before = pipe.vae
    stream = Stream(pipe, vae_id=tmp_path / "taesd", t_index_list=[32], **SMALL)
    other = with_part(tiny_sd(vae="kl"), vae=tiny_sd(seed=3).vae)
    assert np.array_equal(stream(FRAME).pixels, Stream(other, t_index_list=[32], **SMALL)(FRAME).pixels)
    assert pipe.vae is before
    assert stream.config.vae_id == str(tmp_path / "taesd")
    with pytest.raises(ModelError, match="no such folder"):
        Stream(pipe, vae_id=str(tmp_path / "nothing"), **SMALL)


def test_l16_use_tiny_vae_is_applied_where_it_is_asked_for(tmp_path, monkeypatch):
    from inkstream.lora import load

    tiny_sd(seed=3).vae.save_pretrained(tmp_path / "taesd")
    monkeypatch.setitem(load.TINY_VAE, "sd1", str(tmp_path / "taesd"))
    for settings in ({"use_tiny_vae": True}, {"config": StreamConfig(use_tiny_vae=True)}):
        stream = Stream(tiny_sd(vae="kl"), **settings, **SMALL)
        assert type(stream.pipe.vae).__name__ == "AutoencoderTiny"
        assert stream.config.use_tiny_vae
    stream = Stream(tiny_sd(vae="kl"), **SMALL)  # nobody asked, and nothing is loaded
    assert type(stream.pipe.vae).__name__ == "AutoencoderKL"
    assert not stream.config.use_tiny_vae


def test_t13_a_tokenizer_without_a_length_ends_where_the_encoder_does():
    pipe = tiny_sd()
    pipe.tokenizer.model_max_length = 10**30
    stream = Stream(pipe, prompt="a red car", **SMALL)
    assert stream.pipe.tokenizer.model_max_length == 77
    assert pipe.tokenizer.model_max_length == 10**30


# --- sizes


def test_a_stream_has_the_size_that_its_model_was_trained_on_where_none_is_given():
    pipe = tiny_sd()
    pipe.unet = with_config(pipe.unet, sample_size=[16, 24])
    factor = pipe.vae_scale_factor
    assert Stream(pipe, acceleration="eager", warmup=0).size == (24 * factor, 16 * factor)
    assert Stream(pipe, StreamConfig.build(width=128), acceleration="eager", warmup=0).size == (128, 512)
    pipe.unet = with_config(pipe.unet, sample_size=None)
    assert Stream(pipe, acceleration="eager", warmup=0).size == (512, 512)
    settings = {"acceleration": "eager", "warmup": 0, "device": "cpu"}
    assert Stream.from_pretrained("ink-tiny", **settings).size == (256, 256)


def test_a_size_far_above_that_is_said_once_with_one_that_fits(caplog):
    pipe = tiny_sd()
    pipe.unet = with_config(pipe.unet, sample_size=32)
    stream = Stream(pipe, width=640, height=320, acceleration="eager", warmup=0)
    stream.update(prompt="a red car")
    told = [record.message for record in caplog.records if "pixels are" in record.message]
    assert told == [
        "640x320 pixels are 3.1 times as many as this model was trained on (256x256), and it may draw badly there: "
        "set width=384 and height=192"
    ]
    stream.update(width=320)
    assert len([record for record in caplog.records if "pixels are" in record.message]) == 1


def test_a_negative_prompt_that_changes_nothing_is_said_once(caplog):
    stream = Stream(tiny_sd(), cfg_type="self", negative_prompt="fog", **SMALL)
    stream.update(negative_prompt="mist")
    said = "negative_prompt has no effect with cfg_type self and guidance_scale 1.2; set cfg_type to full or initialize"
    assert caplog.text.count(said) == 1
    caplog.clear()
    Stream(tiny_sd(), cfg_type="full", negative_prompt="fog", **SMALL)
    assert "negative_prompt" not in caplog.text
