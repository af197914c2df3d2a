"""DoRA, LoHa, LoKr, LoCon, whole differences and biases: each adds what its formula says, live and row by row."""

import numpy as np
import pytest
import torch
import torch._dynamo.testing
from doubles.pages import growing_pages
from doubles.tiny_models import tiny_sd, tiny_sdxl
from peft import LoHaConfig, LoKrConfig, LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from test_lora import close, encode, far, run, run_rows

from inkstream.engines.units import Denoise, scale_loras
from inkstream.lora.lorafile import read_lora
from inkstream.lora.switch import LoraSet
from inkstream.stream import Stream
from inkstream.stream.base.errors import LoraError
from inkstream.stream.base.twin import twin

LINEAR = "mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj"  # (512, 64)
CONV = "down_blocks.0.resnets.0.conv1"  # (32, 32, 3, 3)
TEXT = "encoder.layers.0.self_attn.q_proj"  # (32, 32)
ALPHA = 3.0


def numbers(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape) + seed)) * 0.3


def loha(outputs, inputs, *kernel, rank=2, core=False):
    if core:
        parts = {
            f"hada_w{n}_{half}": numbers(rank, side, seed=n)
            for n in (1, 2)
            for half, side in (("a", outputs), ("b", inputs))
        }
        return parts | {f"hada_t{n}": numbers(rank, rank, *kernel, seed=n) for n in (1, 2)}
    wide = inputs * int(np.prod(kernel))
    return {f"hada_w{n}_a": numbers(outputs, rank, seed=n) for n in (1, 2)} | {
        f"hada_w{n}_b": numbers(rank, wide, seed=n) for n in (1, 2)
    }


def loha_by_hand(parts, shape):
    p = {name: value.numpy() for name, value in parts.items()}
    both = [
        np.einsum("ijkl,ip,jr->prkl", p[f"hada_t{n}"], p[f"hada_w{n}_a"], p[f"hada_w{n}_b"])
        if f"hada_t{n}" in p
        else p[f"hada_w{n}_a"] @ p[f"hada_w{n}_b"]
        for n in (1, 2)
    ]
    return (both[0] * both[1]).reshape(shape) * ALPHA / len(p["hada_w1_b"])


def lokr(outputs, inputs, *kernel, first="whole", second="pieces", rank=2):
    parts = {"lokr_w1": numbers(4, 4)} if first == "whole" else {"lokr_w1_a": numbers(4, 1), "lokr_w1_b": numbers(1, 4)}
    out, inner, wide = outputs // 4, inputs // 4, inputs // 4 * int(np.prod(kernel))
    more = {
        "whole": {"lokr_w2": numbers(out, inner, *kernel)},
        "pieces": {"lokr_w2_a": numbers(out, rank), "lokr_w2_b": numbers(rank, wide)},
        "core": {
            "lokr_w2_a": numbers(rank, out),
            "lokr_w2_b": numbers(rank, inner),
            "lokr_t2": numbers(rank, rank, *kernel),
        },
    }
    return parts | more[second]


def lokr_by_hand(parts, shape):
    p = {name: value.numpy() for name, value in parts.items()}
    rank = next((len(p[name]) for name in ("lokr_w1_b", "lokr_w2_b") if name in p), ALPHA)
    one = p["lokr_w1"] if "lokr_w1" in p else p["lokr_w1_a"] @ p["lokr_w1_b"]
    if "lokr_t2" in p:
        two = np.einsum("ijkl,ip,jr->prkl", p["lokr_t2"], p["lokr_w2_a"], p["lokr_w2_b"])
    else:
        two = p["lokr_w2"] if "lokr_w2" in p else p["lokr_w2_a"] @ p["lokr_w2_b"]
    whole = np.zeros((one.shape[0], two.shape[0], one.shape[1], int(np.prod(two.shape[1:]))))
    for i in range(one.shape[0]):
        for j in range(one.shape[1]):
            whole[i, :, j] = one[i, j] * two.reshape(len(two), -1)
    return whole.reshape(shape) * ALPHA / rank


def locon(outputs, inputs, *kernel, rank=2):
    ones = [1] * len(kernel)
    return {
        "lora_up.weight": numbers(outputs, rank, *ones),
        "lora_mid.weight": numbers(rank, rank, *kernel),
        "lora_down.weight": numbers(rank, inputs, *ones),
    }


def locon_by_hand(parts, shape):
    up, mid, down = (parts[f"lora_{name}.weight"].numpy() for name in ("up", "mid", "down"))
    return np.einsum("oi,ijkl,jn->onkl", up[:, :, 0, 0], mid, down[:, :, 0, 0]) * ALPHA / len(down)


def lora(outputs, inputs, *kernel, rank=2):
    ones = [1] * len(kernel)
    return {"lora_up.weight": numbers(outputs, rank, *ones), "lora_down.weight": numbers(rank, inputs, *kernel)}


def lora_by_hand(parts, shape):
    up, down = parts["lora_up.weight"].numpy(), parts["lora_down.weight"].numpy()
    return (up.reshape(len(up), -1) @ down.reshape(len(down), -1)).reshape(shape) * ALPHA / len(down)


def difference(outputs, inputs, *kernel):
    return {"diff": numbers(outputs, inputs, *kernel)}


def difference_by_hand(parts, shape):
    return parts["diff"].numpy()


KINDS = {
    "lora": (lora, {}, lora_by_hand),
    "loha": (loha, {}, loha_by_hand),
    "loha of great rank": (loha, {"rank": 12}, loha_by_hand),
    "lokr": (lokr, {}, lokr_by_hand),
    "lokr, second whole": (lokr, {"second": "whole"}, lokr_by_hand),
    "lokr, first in pieces": (lokr, {"first": "pieces", "second": "whole"}, lokr_by_hand),
    "lokr, both in pieces": (lokr, {"first": "pieces", "rank": 1}, lokr_by_hand),
    "difference": (difference, {}, difference_by_hand),
}
OF_CONVOLUTIONS = {
    "locon with a core": (locon, {}, locon_by_hand),
    "loha with cores": (loha, {"core": True}, loha_by_hand),
    "lokr with a core": (lokr, {"second": "core"}, lokr_by_hand),
}
CASES = [(name, module) for name in KINDS for module in (LINEAR, CONV, TEXT)] + [
    (name, CONV) for name in OF_CONVOLUTIONS
]


def made(pipe, kind, module):
    """(component, weight, parts, what they add by hand)"""
    component = "text_encoder" if module == TEXT else "unet"
    make, options, by_hand = (KINDS | OF_CONVOLUTIONS)[kind]
    weight = getattr(pipe, component).get_submodule(module).weight.detach()
    parts = make(*weight.shape, **options)
    return component, weight, parts, torch.tensor(by_hand(parts, tuple(weight.shape))).float()


def write(path, component, module, parts):
    name = {"unet": f"lora_unet_{module}", "text_encoder": f"lora_te_text_model_{module}"}[component].replace(".", "_")
    alpha = {f"{name}.alpha": torch.tensor(ALPHA)}
    save_file({f"{name}.{part}": value.contiguous() for part, value in parts.items()} | alpha, path)
    return path


@pytest.mark.parametrize(("kind", "module"), CASES)
def test_f9_every_kind_adds_what_its_formula_says(tmp_path, kind, module):
    pipe = tiny_sd()
    component, _, parts, expected = made(pipe, kind, module)
    change = read_lora(write(tmp_path / "x.safetensors", component, module, parts), pipe).changes[component][module]
    assert torch.allclose(change.difference(), expected, atol=1e-5)
    assert expected.abs().max() > 0.02


def dora_by_hand(weight, add, magnitude, axis):
    changed = weight.numpy() + add.numpy()
    others = tuple(a for a in range(changed.ndim) if a != axis)
    shape = [1] * changed.ndim
    shape[axis] = -1
    return (
        torch.tensor(changed / np.sqrt((changed**2).sum(others, keepdims=True)) * magnitude.numpy().reshape(shape))
        - weight
    )


@pytest.mark.parametrize("kind", ["lora", "loha", "lokr"])
@pytest.mark.parametrize("module", [LINEAR, CONV])
@pytest.mark.parametrize(
    ("key", "axis", "shape"),
    [
        ("dora_scale", 0, (-1, 1)),
        ("dora_scale", 1, (1, -1)),
        ("lora_magnitude_vector", 0, (-1,)),
        ("lora_magnitude_vector.weight", 0, (1, -1)),
        ("lora_magnitude_vector.default.weight", 0, (-1,)),
    ],
)
def test_f9_dora_of_every_kind_and_either_axis(tmp_path, kind, module, key, axis, shape):
    pipe = tiny_sd()
    component, weight, parts, add = made(pipe, kind, module)
    magnitude = numbers(weight.shape[axis]).abs() + 0.5
    shape = (*shape, *[1] * (weight.ndim - 2)) if len(shape) > 1 else shape
    path = write(tmp_path / "x.safetensors", component, module, {**parts, key: magnitude.reshape(shape)})
    change = read_lora(path, pipe).changes[component][module]
    assert torch.allclose(change.difference(), dora_by_hand(weight, add, magnitude, axis), atol=1e-5)


CONFIGS = {
    "dora": LoraConfig(r=4, lora_alpha=6, use_dora=True, target_modules=["to_q", "ff.net.2", "conv1"], lora_bias=False),
    "loha": LoHaConfig(r=4, alpha=6, target_modules=["to_q", "ff.net.2", "conv1"]),
    "loha with cores": LoHaConfig(r=4, alpha=4, target_modules=["to_q", "conv1"], use_effective_conv2d=True),
    "lokr": LoKrConfig(r=4, alpha=6, target_modules=["to_q", "ff.net.2", "conv1"]),
    "lokr with cores": LoKrConfig(
        r=2, alpha=6, target_modules=["to_q", "conv1"], use_effective_conv2d=True, decompose_both=True
    ),
    "bias": LoraConfig(r=4, lora_alpha=6, target_modules=["to_q", "conv1"], lora_bias=True),
}


@pytest.mark.filterwarnings("ignore:.*lora_bias")
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_f9_what_peft_trains_gives_the_picture_that_peft_gives(tmp_path, config):
    pipe, theirs = tiny_sd(), tiny_sd()
    base = run(pipe)
    model = get_peft_model(theirs.unet, config)
    with torch.no_grad():
        for number, (name, value) in enumerate(model.named_parameters()):
            if value.requires_grad:
                value.copy_(value + numbers(*value.shape, seed=number) * (0.3 if "magnitude" in name else 0.6))
    model.eval()
    save_file(get_peft_model_state_dict(model), tmp_path / "adapter_model.safetensors")
    model.peft_config["default"].save_pretrained(tmp_path)
    theirs.unet = model.get_base_model()
    expected = run(theirs)
    loras = LoraSet(pipe)
    loras.load(tmp_path)
    assert close(run(pipe), expected, 2e-4)
    assert far(expected, base)
    half = run_rows(loras, [[0.0, 1.0, 0.5]])
    assert close(half[0], base[0], 1e-6) and close(half[1], expected[1], 2e-4)
    assert far(half[2], base[2]) and far(half[2], expected[2])


def of_all_kinds(pipe, path):
    """One file with every kind, DoRA and biases in it."""
    tensors = {}
    layers = [
        ("unet", name) for name, part in pipe.unet.named_modules() if name.endswith((".to_k", ".ff.net.2", ".conv1"))
    ]
    layers += [
        ("text_encoder", name) for name, _ in pipe.text_encoder.named_modules() if name.endswith(("fc1", "q_proj"))
    ]
    for number, (component, module) in enumerate(layers):
        kinds = list(KINDS)
        _, weight, parts, _ = made_of(pipe, kinds[number % len(kinds)], component, module)
        name = f"{component}.{module}"
        tensors |= {f"{name}.{part}": value.contiguous() for part, value in parts.items()}
        tensors[f"{name}.alpha"] = torch.tensor(1.0)
        if number % 3 == 0:
            tensors[f"{name}.dora_scale"] = torch.rand(len(weight), *[1] * (weight.ndim - 1)) + 0.5
        if number % 3 == 1:
            tensors[f"{name}.diff_b"] = numbers(len(weight))
    save_file(tensors, path)
    return path


def made_of(pipe, kind, component, module):
    make, options, _ = KINDS[kind]
    weight = getattr(pipe, component).get_submodule(module).weight.detach()
    return component, weight, make(*weight.shape, **options), None


@pytest.mark.parametrize("family", [tiny_sd, tiny_sdxl])
def test_all_kinds_act_row_by_row_in_text_and_fused(tmp_path, family):
    path = of_all_kinds(family(), tmp_path / "all.safetensors")
    base, words = run(family()), encode(family())
    merged = {}
    for scale in (0.3, 1.0):
        pipe = family()
        for component, changes in read_lora(path, pipe).changes.items():
            for module, change in changes.items():
                layer = getattr(pipe, component).get_submodule(module)
                layer.weight.add_(scale * change.difference())
                if change.bias is not None:
                    layer.bias = torch.nn.Parameter((0 if layer.bias is None else layer.bias) + scale * change.bias)
        merged[scale] = run(pipe).clone(), encode(pipe).clone()
    pipe = family()
    loras = LoraSet(pipe)
    name = loras.load(path)
    rows = run_rows(loras, [[0.0, 0.3, 1.0]])
    for row, expected in enumerate((base, merged[0.3][0], merged[1.0][0])):
        assert close(rows[row], expected[row], 1e-4)
        assert row == 0 or far(expected[row], base[row])
    loras.set_text_scales({name: 0.3})
    assert close(encode(pipe), merged[0.3][1], 1e-4)
    loras.fuse({name: 0.3})
    assert close(run(pipe), merged[0.3][0], 1e-4)
    assert close(encode(pipe), merged[0.3][1], 1e-4) and far(encode(pipe), words)
    assert not hasattr(pipe.unet.get_submodule(LINEAR), "lora_A")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_every_engine_switches_all_kinds_live(tmp_path, engine):
    path = of_all_kinds(tiny_sd(), tmp_path / "all.safetensors")
    pages = list(growing_pages(6))
    settings = {"width": 64, "height": 64, "prompt": "a car", "warmup": 0, "dtype": "float32", "t_index_list": (20, 35)}

    def pictures(acceleration):
        options = {**settings, "acceleration": acceleration, "engine_dir": tmp_path / "engines"}
        with Stream(tiny_sd(), **options, lora_dict={path: 0.6}) as stream:
            outputs = [stream(page, gated=False) for page in pages[:3]]
            stream.update(lora_dict={path: 0.2})
            outputs += [stream(page, gated=False) for page in pages[3:]] + stream.drain()
        return {output.source_id: output.pixels.astype(int) for output in outputs if output is not None}

    ours, eager = pictures(engine), pictures("none")
    assert ours.keys() == eager.keys() == set(range(6))
    for number, pixels in ours.items():
        assert np.abs(pixels - eager[number]).max() <= 1


def test_a_compiled_network_takes_every_kind_and_another_scale_as_it_is(tmp_path):
    pipe = tiny_sd()
    loras = LoraSet(pipe)
    loras.load(of_all_kinds(pipe, tmp_path / "all.safetensors"))
    denoise = Denoise(twin(pipe.unet), [], loras.names)
    block = denoise.unet.mid_block.attentions[0].transformer_blocks[0]
    counter = torch._dynamo.testing.CompileCounter()
    compiled = torch.compile(block, backend=counter, fullgraph=True)
    hidden, text = torch.randn(2, 16, 64), torch.randn(2, 77, 32)
    with torch.inference_mode():
        for row in ([0.0, 1.0], [0.4, -1.0]):
            scale_loras(denoise.loras, torch.tensor([row]), torch.float32)
            assert close(compiled(hidden, encoder_hidden_states=text), block(hidden, encoder_hidden_states=text))
    assert counter.frame_count == 1


def test_kinds_stand_beside_each_other_and_leave_no_trace(tmp_path):
    pipe = tiny_sd()
    base = run(pipe)
    loras = LoraSet(pipe)
    names = [loras.load(of_all_kinds(pipe, tmp_path / "all.safetensors"), 0.5)]
    alone = run(pipe)
    component, _, parts, _ = made(tiny_sd(), "lokr", LINEAR)
    names.append(loras.load(write(tmp_path / "one.safetensors", component, LINEAR, parts)))
    assert far(run(pipe), alone)
    loras.remove(names[1])
    assert torch.equal(run(pipe), alone)
    loras.remove(names[0])
    assert torch.equal(run(pipe), base)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p.pop("hada_w2_b"), "got a LoHa without hada_w2_b"),
        (
            lambda p: p.update(hada_w2_b=p["hada_w2_b"][:1]),
            r"got LoHa .*hada_w2_b \[1, 64\].* for a weight of \[512, 64\]",
        ),
        (lambda p: p.update(hada_w1_a=p["hada_w1_a"][:1]), r"got LoHa hada_w1_a \[1, 2\]"),
        (lambda p: p.update(lokr_w1=torch.ones(2, 2)), "got LoHa and LoKr, expected one whole change"),
        (lambda p: p.update({"lora_magnitude_vector": torch.ones(3)}), r"magnitude \[3\]"),
        (lambda p: p.update({"diff_b": torch.ones(3)}), r"diff_b \[3\]"),
        (lambda p: p.update({"hada_t1": torch.ones(2, 2)}), r"hada_t1 \[2, 2\]"),
    ],
)
def test_f9_what_is_no_whole_is_named(tmp_path, change, said):
    pipe = tiny_sd()
    parts = loha(512, 64)
    change(parts)
    path = write(tmp_path / "x.safetensors", "unet", LINEAR, parts)
    with pytest.raises(LoraError, match=said):
        read_lora(path, pipe)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda t: t.update({k: v * 1e30 for k, v in t.items() if "up" in k}),
            "got changes of up to .*expected at most 65,504",
        ),
        (lambda t: t.update({k: v.double() * 1e200 for k, v in t.items() if "up" in k}), "got changes of up to inf"),
        (
            lambda t: t.update({k: torch.tensor(1e308).double() for k in t if "alpha" in k}),
            "got changes of up to|infinity",
        ),
        (lambda t: t.update({k: torch.tensor(1e30) for k in t if "alpha" in k}), "alpha included, expected at most"),
        (lambda t: t.update({k: torch.tensor(float("nan")) for k in t if "alpha" in k}), "holds NaN or infinity"),
        (
            lambda t: t.update(
                {k.replace("alpha", "diff_b"): torch.full((512,), 1e30) for k in list(t) if "alpha" in k}
            ),
            "up to 1e",
        ),
    ],
)
def test_t8_numbers_that_no_picture_would_survive_are_refused_before_they_run(tmp_path, dtype, change, said):
    pipe = tiny_sd().to(dtype)
    path = write(tmp_path / "x.safetensors", "unet", LINEAR, lora(512, 64))
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    with pytest.raises(LoraError, match=said):
        read_lora(path, pipe)
