"""The parts that a pipeline is put together from: ControlNets, autoencoders, single files, devices."""

import numpy as np
import pytest
import torch
from doubles.tiny_models import generated, tiny_sd, tiny_sd21, tiny_sdxl
from safetensors.torch import load_file, save_file

from inkstream.lora import devices, hub, registry
from inkstream.lora.describe import file_family, is_turbo
from inkstream.lora.load import load_controlnet, load_pipeline
from inkstream.lora.safety import check_safetensors
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


# --- single files


VAE_NAMES = {
    ".down_blocks.": ".down.",
    ".resnets.": ".block.",
    ".downsamplers.0.": ".downsample.",
    ".upsamplers.0.": ".upsample.",
    ".mid_block.block.0": ".mid.block_1",
    ".mid_block.block.1": ".mid.block_2",
    ".mid_block.attentions.0.group_norm": ".mid.attn_1.norm",
    ".mid_block.attentions.0.to_out.0": ".mid.attn_1.proj_out",
    ".mid_block.attentions.0.to_": ".mid.attn_1.",
    "conv_shortcut": "nin_shortcut",
    "conv_norm_out": "norm_out",
}


def checkpoint_of(pipe, path, **extra):
    """Write a pipeline the way the original code names its weights."""
    resnet = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0"}
    resnet |= {"conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
    places = {"conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2"}
    places |= {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2"}
    places |= {
        f"mid_block.{old}": f"middle_block.{new}" for new, old in enumerate(("resnets.0", "attentions.0", "resnets.1"))
    }
    number = 1
    for level, block in enumerate(pipe.unet.down_blocks):
        for layer in range(len(block.resnets)):
            places[f"down_blocks.{level}.resnets.{layer}"] = f"input_blocks.{number}.0"
            places[f"down_blocks.{level}.attentions.{layer}"] = f"input_blocks.{number}.1"
            number += 1
        places[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{number}.0.op"
        number += 1
    number = 0
    for level, block in enumerate(pipe.unet.up_blocks):
        for layer in range(len(block.resnets)):
            places[f"up_blocks.{level}.resnets.{layer}"] = f"output_blocks.{number}.0"
            places[f"up_blocks.{level}.attentions.{layer}"] = f"output_blocks.{number}.1"
            number += 1
        places[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{number - 1}.2.conv"
    tensors = {}
    for name, value in pipe.unet.state_dict().items():
        place = max((place for place in places if name.startswith(f"{place}.")), key=len)
        rest = name.removeprefix(f"{place}.")
        if ".resnets." in place:
            rest = resnet[rest.partition(".")[0]] + "." + rest.partition(".")[2]
        tensors[f"model.diffusion_model.{places[place]}.{rest}"] = value
    for name, value in pipe.vae.state_dict().items():
        for old, new in VAE_NAMES.items():
            name = name.replace(old, new)
        for level in range(4):
            name = name.replace(f".up_blocks.{level}.", f".up.{3 - level}.")
        if ".attn_1." in name and value.ndim == 2:
            value = value[..., None, None]
        tensors[f"first_stage_model.{name}"] = value
    for name, value in pipe.text_encoder.state_dict().items():
        tensors[f"cond_stage_model.transformer.text_model.{name.removeprefix('text_model.')}"] = value
    save_file({name: value.contiguous() for name, value in tensors.items()}, path, extra or None)
    return path


@pytest.fixture
def single(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(
        hub, "cached", lambda repo_id, file=None: folders / "sd" if repo_id == registry.CONFIGS["sd1"] else None
    )
    return checkpoint_of(tiny_sd(vae="kl"), tmp_path / "model.safetensors")


def test_a_single_file_gives_the_same_pipeline(single):
    assert np.allclose(generated(load_pipeline(single, PLAIN)), generated(tiny_sd(vae="kl")), atol=1e-5)


def test_a_single_file_may_say_what_it_predicts(single):
    checkpoint_of(tiny_sd(vae="kl"), single, **{"modelspec.prediction_type": "v"})
    assert load_pipeline(single, PLAIN).scheduler.config.prediction_type == "v_prediction"


def test_a_single_file_without_some_weights_is_refused(single):
    tensors = load_file(single)
    del tensors["model.diffusion_model.middle_block.1.proj_in.weight"]
    save_file(tensors, single)
    with pytest.raises(ModelError, match="weights are missing"):
        load_pipeline(single, PLAIN)


def test_a_single_file_without_the_configurations_says_what_to_fetch(single, monkeypatch):
    monkeypatch.setattr(hub, "cached", lambda *args: None)
    with pytest.raises(ModelError, match=f"inkstream models fetch {registry.CONFIGS['sd1']}"):
        load_pipeline(single, PLAIN)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["conditioner.embedders.1.model.x"], "sdxl"),
        (["cond_stage_model.model.x"], "sd2"),
        (["cond_stage_model.transformer.x"], "sd1"),
        (["conditioner.embedders.0.model.x"], "refiner"),
        ([], "no text encoder"),
    ],
)
def test_families_of_single_files_are_told_apart(tmp_path, keys, said):
    names = {"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(8, 4, 3, 3)}
    names |= {key: torch.zeros(1) for key in keys}
    save_file(names, tmp_path / "x.safetensors")
    header = check_safetensors(tmp_path / "x.safetensors")
    if said.startswith("sd"):
        assert file_family(tmp_path / "x.safetensors", header) == said
    else:
        with pytest.raises(ModelError, match=said):
            file_family(tmp_path / "x.safetensors", header)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"unet.a.lora_A.weight": (1,)}, "looks like a LoRA"),
        ({"control_model.input_blocks.0.0.weight": (1,)}, "looks like a ControlNet"),
        ({"double_blocks.0.img_attn.proj.weight": (1,)}, "Flux"),
        ({"model.diffusion_model.input_blocks.0.0.weight": (8, 9, 3, 3)}, "inpainting"),
        ({"a": (1,)}, "expected a full checkpoint"),
    ],
)
def test_single_files_of_another_kind_are_named(tmp_path, keys, said):
    save_file({name: torch.zeros(shape) for name, shape in keys.items()}, tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match=said):
        load_pipeline(tmp_path / "x.safetensors", PLAIN)


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
