"""LoRAs: scales of each row, switched live; merged; read from every format; and harmless when they do not fit."""

import copy
import json
import struct

import numpy as np
import pytest
import torch
import torch._dynamo.testing
from doubles.lora import tiny_kohya_lora, tiny_lora
from doubles.tiny_models import tiny_sd, tiny_sd21, tiny_sdxl
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel

from inkstream.engines.units import Denoise, scale_loras
from inkstream.lora import hub, switch
from inkstream.lora.loralayers import add
from inkstream.lora.switch import LoraSet
from inkstream.stream.base.errors import LoraError, ModelError, UnsafeWeightsError
from inkstream.stream.base.twin import twin

MODELS = {"sd1": tiny_sd, "sd2": tiny_sd21, "sdxl": tiny_sdxl}
ROWS = 3
WHOLE = {"conv": True, "time": True}


def inputs(pipe):
    """Three rows with different samples, timesteps and texts."""
    generator = torch.Generator().manual_seed(5)
    more = {}
    if pipe.unet.config.addition_embed_type == "text_time":
        pooled = torch.randn(ROWS, 32, generator=generator)
        more = {"text_embeds": pooled, "time_ids": torch.tensor([[64.0, 64, 0, 0, 64, 64]]).repeat(ROWS, 1)}
    sample = torch.randn(ROWS, 4, 8, 8, generator=generator)
    text = torch.randn(ROWS, 77, pipe.unet.config.cross_attention_dim, generator=generator)
    return sample, torch.tensor([100, 500, 900]), text, more


@torch.inference_mode()
def run(pipe, rows=slice(None)):
    sample, steps, text, more = inputs(pipe)
    added = {name: value[rows] for name, value in more.items()} or None
    dtype = pipe.unet.dtype
    return pipe.unet(sample[rows].to(dtype), steps[rows], text[rows].to(dtype), added_cond_kwargs=added).sample


@torch.inference_mode()
def run_rows(loras, scales):
    """One call of the network with a scale for each LoRA and row: ``scales`` (A, ROWS)."""
    sample, steps, text, more = inputs(loras.pipe)
    added = {"pooled": more["text_embeds"], "time_ids": more["time_ids"]} if more else {}
    denoise = Denoise(twin(loras.pipe.unet), [], loras.names)
    return denoise(sample, steps, text, lora=torch.as_tensor(scales).expand(len(loras.names), ROWS), **added)


@torch.inference_mode()
def encode(pipe):
    encoded = pipe.encode_prompt("a red car", device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False)
    return torch.cat([value.flatten() for value in encoded if value is not None])


def close(a, b, tolerance=2e-5):
    return torch.allclose(a, b, atol=tolerance, rtol=1e-4)


def far(a, b):
    return (a - b).abs().max() > 0.05


@pytest.mark.parametrize("family", MODELS)
def test_each_row_has_its_own_scales(family, tmp_path):
    pipe, alone = MODELS[family](), MODELS[family]()
    one, two = (tiny_lora(pipe, tmp_path / f"{seed}.safetensors", seed=seed, **WHOLE) for seed in (1, 2))
    loras = LoraSet(pipe)
    names = [loras.load(one), loras.load(two)]
    assert loras.names == tuple(names) == ("1", "2")
    wanted = torch.tensor([[0.0, 1.0, 0.3], [0.7, 0.0, -0.5]])
    together = run_rows(loras, wanted)
    alone.load_lora_weights(str(one), adapter_name="1")
    alone.load_lora_weights(str(two), adapter_name="2")
    for row in range(ROWS):
        alone.set_adapters(names, wanted[:, row].tolist())
        assert close(together[row : row + 1], run(alone, slice(row, row + 1)))
        assert far(together[row], run(MODELS[family]())[row])


def test_a_scale_written_later_acts_on_the_next_call(tmp_path):
    pipe = tiny_sd()
    base = run(pipe)
    loras = LoraSet(pipe)
    loras.load(tiny_lora(pipe, tmp_path / "x.safetensors", **WHOLE))
    full = run_rows(loras, [[1.0, 1.0, 1.0]])
    mixed = run_rows(loras, [[1.0, 0.0, 1.0]])
    assert close(mixed[1], base[1], 1e-6)
    assert torch.equal(mixed[0], full[0])
    assert far(full[1], base[1])


def test_a_compiled_network_is_not_compiled_again_for_another_scale(tmp_path):
    pipe = tiny_sd()
    loras = LoraSet(pipe)
    loras.load(tiny_lora(pipe, tmp_path / "x.safetensors"))
    denoise = Denoise(twin(pipe.unet), [], loras.names)
    block = denoise.unet.mid_block.attentions[0].transformer_blocks[0]
    counter = torch._dynamo.testing.CompileCounter()
    compiled = torch.compile(block, backend=counter, fullgraph=True)
    hidden, text = torch.randn(ROWS, 16, 64), torch.randn(ROWS, 77, 32)
    outputs = []
    with torch.inference_mode():
        for row in ([0.0, 1.0, 0.3], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]):
            scale_loras(denoise.loras, torch.tensor([row]), torch.float32)
            outputs.append(compiled(hidden, encoder_hidden_states=text))
            assert close(outputs[-1], block(hidden, encoder_hidden_states=text))
    assert counter.frame_count == 1
    assert far(outputs[1], outputs[2])


def test_scale_zero_is_the_base_model(tmp_path):
    pipe = tiny_sdxl()
    base = run(pipe)
    loras = LoraSet(pipe)
    loras.load(tiny_lora(pipe, tmp_path / "x.safetensors", **WHOLE), scale=0.0)
    assert torch.equal(run(pipe), base)
    assert torch.equal(run_rows(loras, [[0.0]]), base)


def test_the_scale_given_to_load_acts_where_rows_bring_none(tmp_path):
    pipe = tiny_sd()
    loras = LoraSet(pipe)
    loras.load(tiny_lora(pipe, tmp_path / "x.safetensors"), scale=0.4)
    assert close(run(pipe), run_rows(loras, [[0.4]]), 1e-6)


def test_a_network_that_someone_holds_keeps_its_loras(tmp_path):
    pipe = tiny_sd()
    loras = LoraSet(pipe)
    plain = run(pipe)
    held = copy.copy(pipe)
    first = loras.load(tiny_lora(pipe, tmp_path / "x.safetensors", seed=1))
    assert torch.equal(run(held), plain)
    held, before = copy.copy(pipe), run(pipe)
    loras.load(tiny_lora(pipe, tmp_path / "y.safetensors", seed=2, **WHOLE))
    assert far(run(pipe), before)
    loras.remove(first)
    loras.fuse({})
    assert torch.equal(run(held), before)


def test_half_precision_stays_half_precision(tmp_path):
    pipe = tiny_sd()
    pipe.unet.to(torch.bfloat16)
    loras = LoraSet(pipe)
    loras.load(tiny_lora(pipe, tmp_path / "x.safetensors", **WHOLE))
    assert {value.dtype for value in pipe.unet.state_dict().values()} == {torch.bfloat16}
    assert run(pipe).dtype == torch.bfloat16
    rows = run_rows(loras, [[0.0, 0.5, 1.0]])
    assert rows.isfinite().all()
    assert torch.equal(rows[2], run(pipe)[2].float())


def test_text_encoders_have_their_own_scales(tmp_path):
    pipe = tiny_sdxl()
    base = encode(pipe)
    loras = LoraSet(pipe)
    name = loras.load(tiny_lora(pipe, tmp_path / "x.safetensors", text_encoder=True))
    full = encode(pipe)
    assert far(full, base)
    loras.set_text_scales({name: 0.0})
    assert torch.equal(encode(pipe), base)
    loras.set_text_scales({name: 1.0})
    assert torch.equal(encode(pipe), full)
    with pytest.raises(LoraError, match=r"got the LoRA 'other', loaded are: x"):
        loras.set_text_scales({"other": 1.0})


@pytest.mark.parametrize("family", MODELS)
def test_fused_is_the_same_as_unfused(family, tmp_path):
    pipe = MODELS[family]()
    loras = LoraSet(pipe)
    for seed in (1, 2):
        loras.load(tiny_lora(pipe, tmp_path / f"{seed}.safetensors", seed=seed, text_encoder=True, **WHOLE), scale=0.6)
    loras.set_text_scales({"1": 0.3})
    expected, text = run_rows(loras, [[0.3], [0.6]]), encode(pipe)
    loras.fuse({"1": 0.3})
    assert close(run(pipe), expected, 1e-4)
    assert close(encode(pipe), text, 1e-4)
    assert loras.names == ()
    assert not any(isinstance(module, LoraLayer) for module in pipe.unet.modules())
    assert far(expected, run(MODELS[family]()))


def test_a_fuse_that_overflows_changes_nothing(tmp_path):
    pipe = tiny_sd()
    pipe.unet.to(torch.float16)
    loras = LoraSet(pipe)
    loras.load(tiny_lora(pipe, tmp_path / "x.safetensors"))
    before = copy.deepcopy(pipe.unet.state_dict())
    with pytest.raises(LoraError, match="too large"):
        loras.fuse({"x": 1e6})
    assert all(torch.equal(value, before[name]) for name, value in pipe.unet.state_dict().items())
    assert loras.names == ("x",)


@pytest.mark.parametrize("family", MODELS)
def test_kohya_files_act_with_alpha_over_rank(family, tmp_path):
    pipe, other = MODELS[family](), MODELS[family]()
    options = {"rank": 4, "text_encoder": True, "seed": 3, **WHOLE}
    LoraSet(pipe).load(tiny_kohya_lora(pipe, tmp_path / "kohya.safetensors", alpha=1.0, **options))
    LoraSet(other).load(tiny_lora(other, tmp_path / "plain.safetensors", **options), scale=0.25)
    assert close(run(pipe), run(other))
    assert close(encode(pipe), encode(other))
    assert far(run(pipe), run(MODELS[family]()))


def test_kohya_modules_with_different_alphas_and_ranks(tmp_path):
    pipe, other = tiny_sd(), tiny_sd()
    path = tiny_kohya_lora(pipe, tmp_path / "x.safetensors", alpha=4.0, rank=4)
    tensors = load_file(path)
    key = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    tensors[f"{key}.alpha"] = torch.tensor(1.0)
    for half, dim in (("down", 0), ("up", 1)):  # the same product with another rank
        zeros = torch.zeros_like(tensors[f"{key}.lora_{half}.weight"])
        tensors[f"{key}.lora_{half}.weight"] = torch.cat(
            [tensors[f"{key}.lora_{half}.weight"], zeros], dim
        ).contiguous()
    save_file(tensors, path)
    plain = load_file(tiny_lora(other, tmp_path / "plain.safetensors", rank=4))
    plain["unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q.lora_B.weight"] *= 1 / 8
    save_file(plain, tmp_path / "plain.safetensors")
    LoraSet(pipe).load(path)
    LoraSet(other).load(tmp_path / "plain.safetensors")
    assert close(run(pipe), run(other))


@pytest.mark.parametrize(("rslora", "ratio"), [(False, 2.0), (True, 4.0)])
def test_alpha_in_the_files_notes_is_used(tmp_path, rslora, ratio):
    pipe, other = tiny_sd(), tiny_sd()
    path = tiny_lora(pipe, tmp_path / "x.safetensors", rank=4, strength=0.1)
    notes = {"unet.r": 4, "unet.lora_alpha": 8, "unet.use_rslora": rslora, "unet.alpha_pattern": {"^attn1.to_q": 0}}
    save_file(load_file(path), path, {"lora_adapter_metadata": json.dumps(notes)})
    tensors = load_file(tiny_lora(other, tmp_path / "y.safetensors", rank=4, strength=0.1))
    for name, value in tensors.items():
        value *= 0.0 if "attn1.to_q" in name else ratio if "lora_B" in name else 1.0
    save_file(tensors, tmp_path / "y.safetensors")
    LoraSet(pipe).load(path)
    LoraSet(other).load(tmp_path / "y.safetensors")
    assert close(run(pipe), run(other))


def test_notes_in_a_file_cannot_have_anything_imported_or_changed(tmp_path):
    pipe, other = tiny_sd(), tiny_sd()
    path = tiny_lora(pipe, tmp_path / "x.safetensors")
    notes = {"unet.r": 4, "unet.lora_alpha": 4, "unet.init_lora_weights": "gaussian", "unet.target_modules": "(a+)+$"}
    notes |= {"unet.megatron_config": {"a": 1}, "unet.megatron_core": "antigravity", "unet.layer_replication": [[0, 4]]}
    save_file(load_file(path), path, {"lora_adapter_metadata": json.dumps(notes)})
    LoraSet(pipe).load(path)
    LoraSet(other).load(tiny_lora(other, tmp_path / "y.safetensors"))
    assert torch.equal(run(pipe), run(other))
    assert pipe.unet.peft_config["x"].megatron_config is None


def test_what_is_removed_leaves_no_trace(tmp_path):
    pipe = tiny_sdxl()
    base, text, keys = run(pipe), encode(pipe), list(pipe.unet.state_dict())
    loras = LoraSet(pipe)
    first = loras.load(tiny_lora(pipe, tmp_path / "x.safetensors", seed=1, text_encoder=True, **WHOLE))
    second = loras.load(tiny_lora(pipe, tmp_path / "y.safetensors", seed=2))
    only_second = run_rows(loras, [[0.0], [1.0]])
    loras.remove(first)
    assert close(run(pipe), only_second, 1e-6)
    assert torch.equal(encode(pipe), text)
    assert loras.names == (second,)
    loras.remove(second)
    assert torch.equal(run(pipe), base)
    assert list(pipe.unet.state_dict()) == keys
    with pytest.raises(LoraError, match="loaded are: none"):
        loras.remove(second)
    loras.load(tmp_path / "x.safetensors")
    assert far(run(pipe), base)


def test_loras_that_the_pipeline_came_with_stay(tmp_path):
    pipe = tiny_sd()
    pipe.load_lora_weights(str(tiny_lora(pipe, tmp_path / "own.safetensors", seed=1)), adapter_name="own")
    before = run(pipe)
    loras = LoraSet(pipe)
    (tmp_path / "more").mkdir()
    name = loras.load(tiny_lora(pipe, tmp_path / "more" / "own.safetensors", seed=2))
    assert loras.names == ("own_2",)
    assert close(run_rows(loras, [[0.0]]), before, 1e-6)
    loras.remove(name)
    assert torch.equal(run(pipe), before)
    assert far(before, run(tiny_sd()))


def test_names_are_made_from_files_and_never_twice(tmp_path):
    pipe = tiny_sd()
    loras = LoraSet(pipe)
    path = tiny_lora(pipe, tmp_path / "Style v1.2 (best).safetensors")
    assert loras.load(path) == "Style_v1_2_best"
    assert loras.load(path) == "Style_v1_2_best_2"


# --- what does not fit


def state(pipe):
    """Everything of a pipeline that a failed load could have changed."""
    networks = [getattr(pipe, name, None) for name in ("unet", "text_encoder", "text_encoder_2")]
    return [
        (
            {name: type(module) for name, module in network.named_modules()},
            {name: value.clone() for name, value in network.state_dict().items()},
            dict(getattr(network, "peft_config", None) or {}),
            {name: list(m.active_adapters) for name, m in network.named_modules() if isinstance(m, LoraLayer)},
        )
        for network in networks
        if network is not None
    ]


def unchanged(before, after):
    return all(
        (a[0], a[2], a[3]) == (b[0], b[2], b[3]) and all(torch.equal(value, b[1][name]) for name, value in a[1].items())
        for a, b in zip(before, after, strict=True)
    )


def edit(path, change):
    tensors = load_file(path)
    change(tensors)
    save_file({name: value.contiguous() for name, value in tensors.items()}, path)


def first(tensors, end):
    return next(name for name in tensors if name.endswith(end))


def make_nan(tensors):
    tensors[first(tensors, "lora_B.weight")][0, 0] = float("nan")


def make_infinite(tensors):
    tensors[first(tensors, "lora_A.weight")][0, 0] = float("inf")


def lose_a_half(tensors):
    del tensors[first(tensors, "lora_B.weight")]


def cut_the_rank(tensors):
    name = first(tensors, "lora_B.weight")
    tensors[name] = tensors[name][:, :2]


def rename_all(tensors):
    for name in list(tensors):
        tensors[f"somewhere.{name}"] = tensors.pop(name)


def rename_one(tensors):
    name = first(tensors, "attn1.to_q.lora_A.weight")
    for half in "AB":
        old = name.replace("lora_A", f"lora_{half}")
        tensors[old.replace("attentions", "attractions")] = tensors.pop(old)


def no_lora(tensors):
    for name in list(tensors):
        tensors[name.replace("lora_", "l_")] = tensors.pop(name)


def make_dora(tensors):
    tensors["unet.conv_in.dora_scale"] = torch.ones(4)


def make_loha(tensors):
    tensors["lora_unet_x.hada_w1_a"] = torch.ones(4)


def make_whole_numbers(tensors):
    name = first(tensors, "lora_A.weight")
    tensors[name] = tensors[name].long()


def make_mid(tensors):
    tensors["unet.conv_in.lora_mid.weight"] = torch.ones(4)


def make_oft(tensors):
    tensors["unet.x.oft_blocks"] = torch.ones(4)


def make_more(tensors):
    tensors["unet.conv_in.weight"] = torch.ones(4)


BROKEN = {
    make_nan: "holds NaN or infinity",
    make_infinite: "holds NaN or infinity",
    lose_a_half: "got down without up, expected pairs",
    cut_the_rank: r"text_encoder\.encoder.*: got LoRA down \[4, 32\], up \[32, 2\] for a weight of",
    rename_all: r"changes 'somewhere\.text_encoder.* Diffusion XL model has not \(\d+ of its \d+ layers\)",
    rename_one: r"attractions.* which this Stable Diffusion .* has not \(1 of its \d+ layers\)$",
    no_lora: "no LoRA keys",
    make_dora: "conv_in: got dora_scale, expected one whole change",
    make_loha: "changes 'lora_unet_x', which .* has not",
    make_mid: "conv_in: got mid, expected one whole change",
    make_oft: "got 'unet.x.oft_blocks', a key of OFT; expected a LoRA, DoRA, LoHa or LoKr",
    make_more: "got the key 'unet.conv_in.weight', expected only those",
    make_whole_numbers: "expected floating-point",
}


@pytest.fixture(scope="module")
def streaming(tmp_path_factory):
    """A pipeline whose rows are in flight with a LoRA; no test may leave a trace in it."""
    pipe = tiny_sdxl()
    loras = LoraSet(pipe)
    loras.load(tiny_lora(pipe, tmp_path_factory.mktemp("lora") / "good.safetensors", seed=1, text_encoder=True))
    return pipe, loras


@pytest.mark.parametrize("change", BROKEN, ids=lambda change: change.__name__)
def test_a_broken_lora_is_named_and_changes_nothing(streaming, tmp_path, change):
    pipe, loras = streaming
    before, output = state(pipe), run(pipe)
    path = tiny_lora(pipe, tmp_path / "bad.safetensors", text_encoder=True)
    edit(path, change)
    with pytest.raises(LoraError, match=BROKEN[change]):
        loras.load(path)
    assert unchanged(before, state(pipe))
    assert torch.equal(run(pipe), output)
    assert loras.names == ("good",)


def test_a_lora_of_another_base_is_named_with_both_shapes(tmp_path):
    pipe, xl = tiny_sd(), tiny_sdxl()
    before, output = state(pipe), run(pipe)
    path = tiny_lora(xl, tmp_path / "xl.safetensors")
    with pytest.raises(LoraError, match=r"made for another base model, which takes texts of width 64, not 32$"):
        LoraSet(pipe).load(path)
    with pytest.raises(LoraError, match=r"changes a text_encoder_2, which this Stable Diffusion 1\.x model has not"):
        LoraSet(pipe).load(only_text(tiny_lora(xl, tmp_path / "te.safetensors", text_encoder=True)))
    wide = tiny_lora(tiny_sd(cross_attention_dim=768), tmp_path / "wide.safetensors")
    with pytest.raises(
        LoraError, match=r"down \[4, 768\], up .* for a weight of \[32, 32\].*768 \(Stable Diffusion 1\.x\)"
    ):
        LoraSet(pipe).load(wide)
    assert unchanged(before, state(pipe))
    assert torch.equal(run(pipe), output)


def only_text(path):
    edit(path, lambda tensors: [tensors.pop(name) for name in list(tensors) if not name.startswith("text_encoder_2")])
    return path


FAULTS = [RuntimeError("out of luck"), torch.OutOfMemoryError("full"), KeyboardInterrupt()]


def fail_half_way(pipe, loras, path, fault, monkeypatch):
    """Load a LoRA; when the UNet and an encoder have taken it, the fault comes. Nothing of it may be left."""
    before, output, text, names = state(pipe), run(pipe), encode(pipe), loras.names

    def fail(network, *args):
        add(network, *args)
        if isinstance(network, CLIPTextModel):
            raise fault

    monkeypatch.setattr(switch, "add", fail)
    with pytest.raises(LoraError if type(fault) is RuntimeError else type(fault)):
        loras.load(path)
    assert unchanged(before, state(pipe))
    assert torch.equal(run(pipe), output)
    assert torch.equal(encode(pipe), text)
    assert loras.names == names
    monkeypatch.undo()
    assert loras.load(path) == "x"  # and the same LoRA can be had afterwards
    assert far(encode(pipe), text)
    loras.remove("x")
    assert unchanged(before, state(pipe))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_fault_half_way_through_is_taken_back(streaming, tmp_path, monkeypatch, fault):
    pipe, loras = streaming
    path = tiny_lora(pipe, tmp_path / "x.safetensors", seed=2, text_encoder=True, **WHOLE)
    fail_half_way(pipe, loras, path, fault, monkeypatch)


def test_a_fault_in_the_very_first_lora_is_taken_back(tmp_path, monkeypatch):
    pipe = tiny_sd()
    path = tiny_lora(pipe, tmp_path / "x.safetensors", text_encoder=True, **WHOLE)
    fail_half_way(pipe, LoraSet(pipe), path, FAULTS[0], monkeypatch)


@pytest.mark.parametrize("name", ["x.pt", "x.ckpt", "x.bin", "owner/name:x.pt"])
def test_pickled_loras_are_refused(tmp_path, name):
    with pytest.raises(UnsafeWeightsError, match="convert"):
        LoraSet(tiny_sd()).load(name if "/" in name else tmp_path / name)


@pytest.mark.parametrize(
    "data",
    [b"", struct.pack("<Q", 2**60) + b"{}", struct.pack("<Q", 2) + b"{}", b"\x00" * 64],
    ids=["empty", "absurd", "no tensors", "zeros"],
)
def test_damaged_files_are_lora_errors(tmp_path, data):
    (tmp_path / "x.safetensors").write_bytes(data)
    with pytest.raises(LoraError):
        LoraSet(tiny_sd()).load(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        ("{", "damaged lora_adapter_metadata"),
        ("[" * 10_000, "damaged lora_adapter_metadata"),
        ("[]", "got a list"),
        ('{"unet.lora_alpha": "8"}', "expected a number"),
        ('{"unet.lora_alpha": 1e999}', "expected a number"),
        ('{"unet.alpha_pattern": [1]}', "not a table"),
        ('{"unet.use_dora": true}', "this is a DoRA"),
        ('{"unet.init_lora_weights": "pissa_niter_4"}', "starts from changed weights .'pissa_niter_4'"),
    ],
)
def test_damaged_notes_are_lora_errors(tmp_path, notes, said):
    path = tiny_lora(tiny_sd(), tmp_path / "x.safetensors")
    save_file(load_file(path), path, {"lora_adapter_metadata": notes})
    with pytest.raises(LoraError, match=said):
        LoraSet(tiny_sd()).load(path)


# --- where it comes from


def test_a_folder_and_a_hub_id(tmp_path, monkeypatch):
    pipe = tiny_sd()
    path = tiny_lora(pipe, tmp_path / hub.LORA_FILE)
    assert LoraSet(tiny_sd()).load(tmp_path) == tmp_path.name.replace("[", "_").replace("]", "_").strip("_")
    asked = []

    def fetch(repo_id, file=None, progress=None):
        asked.append((repo_id, file))
        return path

    monkeypatch.setattr(hub, "fetch_file", fetch)
    assert LoraSet(tiny_sd()).load("latent-consistency/lcm-lora-sdv1-5") == "lcm_lora_sdv1_5"
    assert LoraSet(tiny_sd()).load("owner/loras:styles/ink.safetensors") == "ink"
    assert asked == [("latent-consistency/lcm-lora-sdv1-5", None), ("owner/loras", "styles/ink.safetensors")]


@pytest.mark.parametrize(
    ("source", "said"),
    [("missing.safetensors", "no such file"), ("styles/missing.safetensors", "no such file"), ("what", "no such file")],
)
def test_a_lora_that_is_not_there(source, said):
    with pytest.raises(LoraError, match=said):
        LoraSet(tiny_sd()).load(source)


def test_a_hub_out_of_reach_is_a_lora_error(monkeypatch):
    def unreachable(*args):
        raise ModelError("owner/name: not on this computer, and the hub cannot be reached")

    monkeypatch.setattr(hub, "fetch_file", unreachable)
    with pytest.raises(LoraError, match="cannot be reached"):
        LoraSet(tiny_sd()).load("owner/name")


def test_a_folder_with_several_files_asks_which(tmp_path):
    for name in ("a", "b"):
        save_file({"x": torch.zeros(1)}, tmp_path / f"{name}.safetensors")
    with pytest.raises(LoraError, match=r"2 \.safetensors files"):
        LoraSet(tiny_sd()).load(tmp_path)


def test_a_network_with_a_lora_shares_its_weights_with_the_one_before(tmp_path):
    pipe = tiny_sd()
    loras = LoraSet(pipe)
    weights = dict(pipe.unet.named_parameters())
    loras.load(tiny_lora(pipe, tmp_path / "x.safetensors", **WHOLE))
    after = {name.replace(".base_layer", ""): value for name, value in pipe.unet.named_parameters()}
    assert all(after[name] is value for name, value in weights.items())  # no second copy of the model


def test_the_test_models_are_no_straw_men():
    """Weights are the same for a seed, outputs are of order one, and every input shows in them."""
    for make in MODELS.values():
        pipe = make()
        output = run(pipe)
        assert torch.equal(output, run(make()))
        assert not torch.equal(output, run(make(seed=1)))
        assert 0.5 < output.std() < 2.0
    image = torch.zeros(1, 3, 64, 64)
    image[..., 30:32] = 1.0
    pipe = tiny_sd(controlnets=1, vae="kl")
    pipe.set_progress_bar_config(disable=True)

    def draw(**more):
        told = {"prompt": "a red car", "image": image, "controlnet_conditioning_scale": 1.0, **more}
        generator = torch.Generator().manual_seed(0)
        size = {"height": 64, "width": 64, "num_inference_steps": 2, "guidance_scale": 1.0, "output_type": "np"}
        return pipe(**told, **size, generator=generator).images

    first = draw()
    others = [draw(prompt="a blue house"), draw(image=1 - image), draw(controlnet_conditioning_scale=0.0)]
    assert all(np.abs(first - other).mean() > 0.01 for other in others)
    assert first.std() > 0.1
