"""LoRAs as a dozen programs name their tensors: each is read, and is the same LoRA."""

import json
import re

import pytest
import torch
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from doubles.lora import lora_factors, tiny_lora
from doubles.tiny_models import empty_part, tiny_sd, tiny_sd21, tiny_sdxl
from safetensors.torch import load_file, save_file
from torch import nn

from inkstream.lora.lorafile import read_lora
from inkstream.lora.lorakeys import Layers, _unet_names

ALPHA, RANK = 2.0, 4
HALF = {"A": "down", "B": "up"}
PROJECTIONS = ("to_q", "to_k", "to_v", "to_out")


def name_by_peft(component, module, half):
    """PEFT's ``model.state_dict()``, adapter name and all."""
    return f"base_model.model.{module}.lora_{half}.default.weight"


def name_by_peft_saved(component, module, half):
    return f"base_model.model.{module}.lora_{half}.weight"


def name_by_diffusers(component, module, half):
    return f"{component}.{module}.lora_{half}.weight"


def name_by_diffusers_and_peft(component, module, half):
    return f"{component}.base_model.model.{module}.lora_{half}.weight"


def name_as_diffusers_once(component, module, half):
    last = module.removesuffix(".0").rpartition(".")[2]
    if component == "unet" and last in PROJECTIONS:
        return f"unet.{module.removesuffix('.0').rpartition('.')[0]}.processor.{last}_lora.{HALF[half]}.weight"
    if component == "unet":
        return f"unet.{module}.lora.{HALF[half]}.weight"
    return f"{component}.text_model.{module.removeprefix('text_model.')}.lora_linear_layer.{HALF[half]}.weight"


def name_with_endings_of_kohya(component, module, half):
    return f"{component}.{module}.lora_{HALF[half]}.weight"


def name_by_kohya(component, module, half):
    begin = {"unet": "lora_unet", "text_encoder": "lora_te", "text_encoder_2": "lora_te2"}[component]
    text = module if component == "unet" else f"text_model.{module.removeprefix('text_model.')}"
    text = text.replace("text_model.text_projection", "text_projection")
    return f"{begin}_{text.replace('.', '_')}.lora_{HALF[half]}.weight"


def name_by_kohya_for_xl(component, module, half):
    return name_by_kohya(component, module, half).replace("lora_te_", "lora_te1_")


def name_by_lycoris(component, module, half):
    return name_by_kohya("unet", module, half).replace("lora_unet_", "lycoris_")


def name_mixed(component, module, half):
    """The UNet as kohya, text encoders as diffusers."""
    return (name_by_kohya if component == "unet" else name_by_diffusers)(component, module, half)


FORMS = [
    name_by_peft,
    name_by_peft_saved,
    name_by_diffusers,
    name_by_diffusers_and_peft,
    name_as_diffusers_once,
    name_with_endings_of_kohya,
    name_by_kohya,
    name_by_kohya_for_xl,
    name_by_lycoris,
    name_mixed,
]
ONLY_UNET = (name_by_peft, name_by_peft_saved, name_by_lycoris)


def factors(pipe, text_encoder=True):
    return list(lora_factors(pipe, RANK, 0, True, text_encoder, True, 0.5))


def differences(pipe, text_encoder=True, ratio=1.0):
    """What the LoRA of ``factors`` adds to each weight, by hand."""
    both, result = {}, {}
    for component, module, half, value in factors(pipe, text_encoder):
        both.setdefault((component, module), {})[half] = value
    for place, pair in both.items():
        shape = (*pair["B"].shape[:1], *pair["A"].shape[1:])
        result[place] = (ratio * pair["B"].flatten(1) @ pair["A"].flatten(1)).view(shape)
    return result


def is_read(path, pipe, expected, tolerance=1e-6):
    read = read_lora(path, pipe).changes
    got = {(component, module): change for component, changes in read.items() for module, change in changes.items()}
    assert got.keys() == expected.keys()
    for place, change in got.items():
        assert torch.allclose(change.difference(), expected[place], atol=tolerance, rtol=1e-4), place
    return got


@pytest.mark.parametrize("alpha", [False, True], ids=["plain", "alpha"])
@pytest.mark.parametrize("family", [tiny_sd, tiny_sdxl])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__.removeprefix("name_"))
def test_f9_every_form_of_keys_is_read(tmp_path, form, family, alpha):
    pipe, text = family(), form not in ONLY_UNET
    tensors = {form(component, module, half): value for component, module, half, value in factors(pipe, text)}
    if alpha:
        layers = {re.split(r"[._]lora(?:_linear_layer)?[._](?:A|B|up|down)\.", key)[0] for key in tensors}
        tensors |= {f"{layer}.alpha": torch.tensor(ALPHA) for layer in layers}
    save_file(tensors, tmp_path / "x.safetensors")
    is_read(tmp_path / "x.safetensors", pipe, differences(pipe, text, ALPHA / RANK if alpha else 1.0))


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.bfloat16, torch.float64])
def test_f9_every_precision_is_read(tmp_path, dtype):
    pipe = tiny_sd()
    tensors, expected, both = {}, {}, {}
    for component, module, half, value in factors(pipe):
        rounded = value.to(dtype)
        tensors[name_by_kohya(component, module, half)] = rounded
        tensors[name_by_kohya(component, module, "A").replace("lora_down.weight", "alpha")] = torch.tensor(2.0).to(
            dtype
        )
        both.setdefault((component, module), {})[half] = rounded.float()
    for place, pair in both.items():
        shape = (*pair["B"].shape[:1], *pair["A"].shape[1:])
        expected[place] = (0.5 * pair["B"].flatten(1) @ pair["A"].flatten(1)).view(shape)
    save_file(tensors, tmp_path / "x.safetensors")
    is_read(tmp_path / "x.safetensors", pipe, expected)


@pytest.mark.parametrize(("writer", "reader"), [(tiny_sd, tiny_sd21), (tiny_sd21, tiny_sd)], ids=["conv", "linear"])
def test_f9_a_convolution_of_one_pixel_is_a_linear_layer(tmp_path, writer, reader):
    options = {"cross_attention_dim": 32}
    theirs, ours = writer(**options), reader(**options)
    path = tiny_lora(theirs, tmp_path / "x.safetensors", rank=RANK)
    got = read_lora(path, ours).changes["unet"]
    for (_, module), value in differences(theirs, text_encoder=False).items():
        if module in got:
            weight = ours.unet.get_submodule(module).weight
            assert torch.allclose(got[module].difference(), value.view(weight.shape), atol=1e-6)
    shapes = {got[module].down.ndim for module in got if "proj_in" in module}
    assert shapes == {4 if isinstance(ours.unet.down_blocks[0].attentions[0].proj_in, nn.Conv2d) else 2}


def test_f9_biases_are_scaled_as_weights_are(tmp_path):
    pipe = tiny_sd()
    path = tiny_lora(pipe, tmp_path / "x.safetensors", rank=RANK)
    tensors = load_file(path)
    layer = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    bias = torch.randn(64)
    tensors |= {f"unet.{layer}.lora_B.bias": bias, f"unet.{layer}.alpha": torch.tensor(2.0)}
    save_file(tensors, path)
    assert torch.allclose(read_lora(path, pipe).changes["unet"][layer].bias, bias * 2.0 / RANK)


def test_f9_alpha_of_peft_lies_beside_its_file(tmp_path, caplog):
    pipe = tiny_sd()
    tensors = {name_by_peft_saved(*place): value for *place, value in factors(pipe, text_encoder=False)}
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": RANK, "lora_alpha": 12}))
    is_read(tmp_path, pipe, differences(pipe, text_encoder=False, ratio=3.0))
    assert not caplog.records
    (tmp_path / "adapter_config.json").unlink()
    is_read(tmp_path, pipe, differences(pipe, text_encoder=False))
    assert "no adapter_config.json beside it, which says alpha" in caplog.text


@pytest.mark.parametrize("shape", ["sd15", "sdxl"])
def test_names_by_the_original_layout_are_those_that_diffusers_converts(shape):
    """Of every layer of the real models; the reference is what diffusers makes of a checkpoint with such names."""
    unet = empty_part(shape, "unet")
    names = _unet_names(unet.config)
    wanted = [
        path for path, module in unet.named_modules() if isinstance(getattr(module, "weight", None), torch.Tensor)
    ]
    original = {path: next(name for name in list(names(path))[1:] if not name.endswith("to_out")) for path in wanted}
    layers = Layers(type("Pipe", (), {"unet": unet})())
    assert all(layers.find(f"lora_unet_{name.replace('.', '_')}") == ("unet", path) for path, name in original.items())
    numbered = {
        f"model.diffusion_model.{name}.{part}": torch.tensor(float(number))
        for number, name in enumerate(original.values())
        for part in ("weight", "bias")
    }
    converted = convert_ldm_unet_checkpoint(numbered, dict(unet.config))
    for number, path in enumerate(wanted):
        assert converted[f"{path}.weight"] == number
