"""The parts that a pipeline is put together from: ControlNets, autoencoders, devices."""

import numpy as np
import pytest
import torch
from doubles.tiny_models import generated, tiny_sd, tiny_sd21, tiny_sdxl
from safetensors.torch import load_file

from inkstream.lora import devices, hub, registry
from inkstream.lora.describe import is_turbo
from inkstream.lora.load import load_controlnet, load_pipeline
from inkstream.stream.base.config import ControlNetConfig, StreamConfig
from inkstream.stream.base.errors import ConfigError, LoraError, ModelError

PLAIN = StreamConfig(device="cpu", dtype="float32", use_tiny_vae=False)


@pytest.fixture(autouse=True)
def no_hub(monkeypatch):
    """Nothing in the cache, and a hub that cannot be reached."""

    def unreachable(repo_id):
        raise ModelError(f"{repo_id}: cannot be reached; run: inkstream models fetch {repo_id}")

    monkeypatch.setattr(hub, "cached", lambda repo_id, file=None: None)
    monkeypatch.setattr(hub, "_list", unreachable)


def same(a, b):
    return np.allclose(a, b, atol=1e-5)  # convolutions differ in the last digit with where memory lies


# --- ControlNets and the tiny autoencoder


def test_own_controlnets_come_in_order(folders):
    image = torch.zeros(1, 3, 64, 64)
    image[..., 20:40] = 1
    whole = load_pipeline(folders / "control", PLAIN)
    one = load_pipeline(folders / "control", PLAIN.changed(controlnets=[{}]))
    assert same(
        generated(whole, image=[image, image], controlnet_conditioning_scale=[1.0, 0.0]),
        generated(one, image=image, controlnet_conditioning_scale=1.0),
    )
    with pytest.raises(ModelError, match=r"controlnets\.2\.model_id: not set"):
        load_pipeline(folders / "control", PLAIN.changed(controlnets=[{}, {}, {}]))


def test_controlnets_are_loaded_from_folders_and_files(folders):
    place = folders / "control" / "controlnet_1"
    nets = [ControlNetConfig(model_id=str(place)), ControlNetConfig(model_id=str(place)), ControlNetConfig()]
    pipe = load_pipeline(folders / "control", PLAIN.changed(controlnets=nets))
    first, second, own = pipe.controlnet.nets
    assert first is second
    weights = load_file(place / "diffusion_pytorch_model.safetensors")
    assert all(torch.equal(value, weights[name]) for name, value in first.state_dict().items())
    assert not torch.equal(first.conv_in.weight, own.conv_in.weight)


def test_a_controlnet_in_one_file_takes_its_shape_from_the_model(folders, tmp_path):
    path = tmp_path / "scribble.safetensors"
    path.hardlink_to(folders / "control" / "controlnet" / "diffusion_pytorch_model.safetensors")
    pipe = load_pipeline(folders / "sd", PLAIN)
    net = load_controlnet(path, pipe)
    weights = load_file(path)
    assert all(torch.equal(value, weights[name]) for name, value in net.state_dict().items())
    assert not net.training


@pytest.mark.parametrize("single", [False, True])
def test_a_controlnet_of_another_base_is_named_with_both_values(folders, tmp_path, single):
    other = tiny_sd(controlnets=1, cross_attention_dim=48).controlnet
    other.save_pretrained(tmp_path / "other")
    place = tmp_path / "other"
    if single:
        (tmp_path / "other" / "diffusion_pytorch_model.safetensors").rename(tmp_path / "other.safetensors")
        place = tmp_path / "other.safetensors"
    pipe = load_pipeline(folders / "sd", PLAIN)
    with pytest.raises(ModelError, match=r"cross_attention_dim 48, the model has 32"):
        load_controlnet(place, pipe)
    with pytest.raises(ModelError, match=r"cross_attention_dim 48, the model has 32"):
        load_pipeline(folders / "sd", PLAIN.changed(controlnets=[{"model_id": str(place)}]))


def test_a_file_that_is_no_controlnet_is_named(folders):
    pipe = load_pipeline(folders / "sd", PLAIN)
    with pytest.raises(ModelError, match="no ControlNet"):
        load_controlnet(folders / "sd" / "unet" / "diffusion_pytorch_model.safetensors", pipe)


def test_taesd_replaces_a_large_autoencoder_only(folders, tmp_path):
    taesd = tiny_sd(seed=3).vae
    taesd.save_pretrained(tmp_path / "taesd")
    asked = PLAIN.changed(use_tiny_vae=True, vae_id=str(tmp_path / "taesd"))
    assert torch.equal(
        load_pipeline(folders / "sd", asked).vae.decoder.layers[0].weight, taesd.decoder.layers[0].weight
    )
    own = load_pipeline(folders / "sdxl", PLAIN.changed(use_tiny_vae=True)).vae
    assert torch.equal(own.decoder.layers[0].weight, tiny_sdxl().vae.decoder.layers[0].weight)


def test_taesd_out_of_reach_says_what_to_do(folders):
    with pytest.raises(ModelError, match=r"models fetch madebyollin/taesd; or set use_tiny_vae: false"):
        load_pipeline(folders / "sd", PLAIN.changed(use_tiny_vae=True))


# --- device and precision


def test_device_and_dtype_are_resolved(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert devices.resolve_device(StreamConfig()) == torch.device("cpu")
    for name in ("cuda", "cuda:1", "mps", "tpu", "cuda:x", "cpu:0:1", ""):
        with pytest.raises(ConfigError, match="device"):
            devices.resolve_device(StreamConfig(device=name))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices.resolve_device(StreamConfig()) == torch.device("cuda")
    assert devices.resolve_device(StreamConfig(device="cuda:1")) == torch.device("cuda:1")
    with pytest.raises(ConfigError, match="cuda:0 to cuda:1"):
        devices.resolve_device(StreamConfig(device="cuda:2"))
    for capability, dtype in (((9, 0), torch.float16), ((6, 1), torch.float32)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device, value=capability: value)
        assert devices.resolve_dtype(StreamConfig(), torch.device("cuda")) == dtype
    for fast, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(devices, "_cpu_has_bfloat16", lambda value=fast: value)
        assert devices.resolve_dtype(StreamConfig(), torch.device("cpu")) == dtype
    assert devices.resolve_dtype(StreamConfig(dtype="float16"), torch.device("cpu")) == torch.float16


def test_turbo_is_recognised():
    from diffusers import EulerAncestralDiscreteScheduler

    assert not is_turbo(tiny_sdxl().scheduler)
    assert is_turbo(EulerAncestralDiscreteScheduler(timestep_spacing="trailing"))


def test_the_lcm_lora_belongs_to_the_base():
    assert registry.lcm_lora_id(tiny_sd()) == "latent-consistency/lcm-lora-sdv1-5"
    assert registry.lcm_lora_id(tiny_sdxl()) == "latent-consistency/lcm-lora-sdxl"
    with pytest.raises(LoraError, match=r"Stable Diffusion 2\.x"):
        registry.lcm_lora_id(tiny_sd21())
