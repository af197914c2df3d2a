"""Loading models: what is refused, how it is named, and that what comes out of a folder is the model."""

import json
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from doubles.tiny_models import generated, tiny_sd, tiny_sdxl
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from inkstream.lora import load
from inkstream.lora.describe import unet_family
from inkstream.lora.load import load_pipeline
from inkstream.lora.safety import PICKLES, check_safetensors, find_weights, read_config
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.errors import ModelError, UnsafeWeightsError

PLAIN = StreamConfig(device="cpu", dtype="float32", use_tiny_vae=False)


def same(a, b):
    return np.allclose(a, b, atol=1e-5)  # convolutions differ in the last digit with where memory lies


def spoil(path, **changes):
    config = json.loads(path.read_text())
    config.update(changes)
    path.write_text(json.dumps(config))


def write_safetensors(path, header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


# --- headers


def test_a_sound_file_is_described(tmp_path):
    save_file(
        {"a": torch.zeros(2, 3), "b": torch.zeros(4, dtype=torch.float16)}, tmp_path / "x.safetensors", {"k": "v"}
    )
    header = check_safetensors(tmp_path / "x.safetensors")
    assert header.tensors == {"a": ("F32", (2, 3)), "b": ("F16", (4,))}
    assert header.metadata == {"k": "v"}


F32 = {"dtype": "F32", "shape": [2]}


@pytest.mark.parametrize(
    ("header", "data", "said"),
    [
        (b"[]", b"", "JSON table"),
        (b"{nope", b"", "cannot be read"),
        (b"[" * 100_000, b"", "cannot be read"),
        (b'{"a": {"dtype":"F32","shape":[0],"data_offsets":[0,0]}, "a": {}}', b"", "twice"),
        (b'{"a": {"dtype":"F32","shape":[NaN],"data_offsets":[0,0]}}', b"", "not a number"),
        ({"a": {**F32, "data_offsets": [0, 8]}}, b"1234", "truncated"),
        ({"a": {**F32, "data_offsets": [0, 4]}}, b"1234", "expected 8 bytes"),
        ({"a": {**F32, "data_offsets": [-8, 0]}}, b"1234", "damaged"),
        ({"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}}, b"12345678", "shape"),
        ({"a": {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 8]}}, b"12345678", "shape"),
        ({"a": {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}}, b"1234", "shape"),
        ({"a": {"dtype": "PICKLE", "shape": [1], "data_offsets": [0, 4]}}, b"1234", "dtype"),
        ({"a": {**F32, "data_offsets": [0, 8]}, "b": {**F32, "data_offsets": [4, 12]}}, b"1" * 12, "overlaps"),
        ({"a": {**F32, "data_offsets": [0, 8]}, "b": {**F32, "data_offsets": [9, 17]}}, b"1" * 17, "gap"),
        ({"a": {**F32, "data_offsets": [0, 8]}}, b"1" * 9, "accounts for"),
        ({"a": [1]}, b"", "no dtype"),
        ({"__metadata__": {"a": 1}}, b"", "__metadata__"),
    ],
)
def test_absurd_headers_are_refused(tmp_path, header, data, said):
    with pytest.raises(ModelError, match=said):
        check_safetensors(write_safetensors(tmp_path / "x.safetensors", header, data))


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 4265146304\n"


@pytest.mark.parametrize("name", ["x.safetensors", "config.json"])
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (POINTER, r'got the pointer to 4,265,146,304 bytes that Git LFS left there.*run "git lfs pull"'),
        (b"version https://git-lfs.github.com/spec/v2\nwhat", "got a pointer that Git LFS left there"),
        (b"\n<!DOCTYPE html><html>Sign in", "got a web page.*download it again"),
    ],
)
def test_f12_what_stands_for_a_file_is_named(tmp_path, name, data, said):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ModelError, match=said):
        (check_safetensors if name.endswith(".safetensors") else read_config)(tmp_path / name)


@pytest.mark.parametrize("start", [b"", b"\x05", struct.pack("<Q", 2**63), struct.pack("<Q", 200) + b"{}"])
def test_absurd_lengths_are_refused(tmp_path, start):
    (tmp_path / "x.safetensors").write_bytes(start)
    with pytest.raises(ModelError, match="not a safetensors file, or truncated"):
        check_safetensors(tmp_path / "x.safetensors")


@pytest.mark.parametrize("start", [b"PK\x03\x04torch archive", b"\x80\x02}q\x00(X\x01\x00"])
def test_a_renamed_pickle_is_named_as_one(tmp_path, start):
    (tmp_path / "x.safetensors").write_bytes(start)
    with pytest.raises(UnsafeWeightsError, match="pickle that was renamed"):
        check_safetensors(tmp_path / "x.safetensors")


def test_a_file_above_the_limit_is_refused(tmp_path):
    save_file({"a": torch.zeros(100)}, tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match="expected at most 100"):
        check_safetensors(tmp_path / "x.safetensors", max_bytes=100)


@settings(max_examples=60, deadline=None)
@given(noise=st.binary(max_size=80), at=st.integers(0, 300))
def test_no_damage_escapes_the_named_errors(tmp_path_factory, noise, at):
    path = tmp_path_factory.mktemp("fuzz") / "x.safetensors"
    save_file({"a": torch.zeros(8), "bb": torch.ones(3, 2)}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + noise + whole[at + len(noise) :])
    try:
        header = check_safetensors(path)
    except ModelError:
        return
    tensors = load_file(path)  # what passes, the library reads to the same shapes
    assert {name: tuple(value.shape) for name, value in tensors.items()} == {
        n: s for n, (_, s) in header.tensors.items()
    }


@pytest.mark.parametrize("name", ["x.ckpt", "x.pt", "x.pth", "x.bin", "x.pkl", "x.PT"])
def test_pickles_are_refused_with_the_way_out(tmp_path, name):
    (tmp_path / name).write_bytes(b"cos\nsystem\n")
    for model in (str(tmp_path / name), name, f"owner/name:{name}"):
        with pytest.raises(UnsafeWeightsError, match="convert"):
            load_pipeline(model, PLAIN)


# --- folders


def test_a_folder_gives_the_same_pipeline(folders):
    pipe = load_pipeline(folders / "sd", PLAIN)
    assert same(generated(pipe), generated(tiny_sd(vae="kl")))
    assert not any(p.requires_grad for p in pipe.unet.parameters())
    assert not any(module.training for module in (pipe.unet, pipe.vae, pipe.text_encoder))


def test_all_families_load_and_are_told_apart(folders):
    pipes = {name: load_pipeline(folders / name, PLAIN) for name in ("sd", "control", "sdxl", "sd21")}
    assert {name: unet_family(pipe.unet.config) for name, pipe in pipes.items()} == {
        "sd": "sd1",
        "control": "sd1",
        "sdxl": "sdxl",
        "sd21": "sd2",
    }
    assert pipes["sd21"].scheduler.config.prediction_type == "v_prediction"
    assert [type(pipes[name].vae).__name__ for name in ("sd", "control")] == ["AutoencoderKL", "AutoencoderTiny"]
    assert len(pipes["control"].controlnet.nets) == 2


def test_sdxl_gives_the_same_picture(folders):
    assert same(generated(load_pipeline(folders / "sdxl", PLAIN)), generated(tiny_sdxl()))


def test_precision_is_that_of_the_configuration(folders):
    pipe = load_pipeline(folders / "sd21", PLAIN.changed(dtype="bfloat16"))
    assert {pipe.unet.dtype, pipe.vae.dtype, pipe.text_encoder.dtype} == {torch.bfloat16}


def test_fp16_files_are_taken_where_half_precision_runs(tmp_path):
    tiny_sd().unet.save_pretrained(tmp_path)
    tiny_sd(seed=1).unet.save_pretrained(tmp_path, variant="fp16")
    assert find_weights(tmp_path).variant is None
    assert find_weights(tmp_path, prefer_fp16=True).variant == "fp16"


def test_progress_names_each_part(folders):
    told = []
    load_pipeline(folders / "sd", PLAIN, lambda text, part: told.append((text, part)))
    assert [text.split()[-1] for text, _ in told] == ["tokenizer", "text_encoder", "unet", "vae", "device"]
    assert [part for _, part in told if part is not None] == sorted(part for _, part in told if part is not None)


def test_loading_is_silent(folders, capfd, recwarn, caplog):
    load_pipeline(folders / "control", PLAIN)
    assert capfd.readouterr() == ("", "")
    assert not [str(w.message) for w in recwarn if "diffusers" in w.filename or "transformers" in w.filename]
    assert not caplog.records


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_class_name", "EvilPipeline"),
        ("_class_name", ["evil", "EvilPipeline"]),
        ("_class_name", "FluxPipeline"),
        ("unet", ["evil_module", "UNet2DConditionModel"]),
        ("unet", ["diffusers", "../../evil"]),
        ("unet", ["os", "system"]),
        ("unet", ["diffusers", "FluxTransformer2DModel"]),
        ("scheduler", ["diffusers", "DiffusionPipeline"]),
        ("scheduler", ["subprocess", "LCMScheduler"]),
        ("text_encoder", ["transformers", "AutoModel"]),
        ("../evil", ["diffusers", "UNet2DConditionModel"]),
        ("watcher", ["diffusers", "ControlNetModel"]),
        ("vae", [None, None]),
        ("unet", {"a": 1}),
    ],
)
def test_an_index_names_known_classes_only(sd, name, value):
    spoil(sd / "model_index.json", **{name: value})
    with pytest.raises(ModelError, match="expected"):
        load_pipeline(sd, PLAIN)


@pytest.mark.parametrize("file", ["pipeline.py", "unet/unet.py", "unet/diffusers.py", "text_encoder/x.so"])
def test_a_folder_with_code_is_refused_and_nothing_of_it_runs(sd, file, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(sd), str(sd / "unet")])
    (sd / file).write_text("raise SystemExit('ran')")
    with pytest.raises(UnsafeWeightsError, match="must not hold code"):
        load_pipeline(sd, PLAIN)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("unet/config.json", {"auto_map": {"AutoModel": "evil.Model"}}),
        ("unet/config.json", {"quantization_config": {"quant_method": "custom"}}),
        ("text_encoder/config.json", {"attn_implementation": "someone/kernel"}),
        ("text_encoder/config.json", {"_attn_implementation": "someone/kernel"}),
        ("tokenizer/tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil.Tokenizer", None]}}),
        ("scheduler/scheduler_config.json", {"auto_map": {"AutoModel": "evil.Model"}}),
    ],
)
def test_configurations_that_bring_code_are_refused(sd, file, change):
    spoil(sd / file, **change)
    with pytest.raises(UnsafeWeightsError, match="brings code"):
        load_pipeline(sd, PLAIN)


def test_an_adapter_that_would_load_in_silence_is_refused(sd):
    (sd / "text_encoder" / "adapter_config.json").write_text('{"base_model_name_or_path": "someone/else"}')
    with pytest.raises(UnsafeWeightsError, match="in silence"):
        load_pipeline(sd, PLAIN)


def test_a_folder_of_pickles_is_refused(sd):
    (sd / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    (sd / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"cos\nsystem\n")
    with pytest.raises(UnsafeWeightsError, match=r"only diffusion_pytorch_model\.bin"):
        load_pipeline(sd, PLAIN)


def test_pieces_outside_the_folder_are_refused(sd):
    index = {"weight_map": {"a": "../../other/model.safetensors"}}
    (sd / "unet" / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UnsafeWeightsError, match="outside"):
        load_pipeline(sd, PLAIN)


def test_weights_that_are_missing_are_not_made_up(sd):
    path = sd / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    del tensors["conv_out.weight"]
    path.unlink()
    save_file(tensors, path)
    with pytest.raises(ModelError, match=r"weights are missing"):
        load_pipeline(sd, PLAIN)


def test_weights_that_are_nan_are_refused(sd):
    path = sd / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    tensors["conv_out.weight"][0, 0, 0, 0] = float("nan")
    path.unlink()
    save_file(tensors, path)
    with pytest.raises(ModelError, match=r"conv_out\.weight holds NaN"):
        load_pipeline(sd, PLAIN)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("model_index.json", None, "no model_index.json"),
        ("unet/config.json", None, "incomplete"),
        ("unet/config.json", "{", "cannot be read"),
        ("unet/config.json", '{"_class_name": "ControlNetModel"}', "expected a UNet2DConditionModel"),
        (
            "unet/config.json",
            '{"_class_name": "UNet2DConditionModel", "block_out_channels": "many"}',
            "cannot be loaded",
        ),
        ("vae/diffusion_pytorch_model.safetensors", None, "no weights there"),
        ("tokenizer/tokenizer_config.json", "[]", "expected a JSON table"),
    ],
)
def test_damaged_folders_are_named(sd, file, text, said):
    (sd / file).unlink()
    if text is not None:
        (sd / file).write_text(text)
    with pytest.raises(ModelError, match=said):
        load_pipeline(sd, PLAIN)


def test_configurations_have_a_size_limit(tmp_path):
    (tmp_path / "config.json").write_bytes(b" " * (3 * 2**20))
    with pytest.raises(ModelError, match="expected at most"):
        read_config(tmp_path / "config.json")


def test_memory_that_does_not_suffice_is_named(folders, monkeypatch):
    def full(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(load, "_settle", full)
    with pytest.raises(ModelError, match="does not fit into the device's memory"):
        load_pipeline(folders / "sd", PLAIN)


def test_nothing_of_the_package_is_a_pickle():
    root = Path(load.__file__).parent.parent
    shipped = [path for name in ("models", "lora", "configs") for path in (root / name).rglob("*")]
    assert not [path for path in shipped if path.suffix in PICKLES]
