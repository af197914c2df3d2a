"""Checkpoints in one file: what they are, what they predict, and what is named when something is not right."""

import json
import logging
import struct

import numpy as np
import pytest
import torch
from doubles.checkpoint import checkpoint_of
from doubles.fuzz import fuzz_examples
from doubles.tiny_models import generated, tiny_sd, tiny_sdxl
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from inkstream.lora import hub, registry
from inkstream.lora.describe import file_family
from inkstream.lora.load import load_pipeline
from inkstream.lora.prediction import find_parameterisation
from inkstream.lora.safety import Header, check_safetensors
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.errors import InkstreamError, ModelError

PLAIN = StreamConfig(device="cpu", dtype="float32", use_tiny_vae=False)
UNET = "model.diffusion_model."
BIAS = UNET + "output_blocks.11.1.transformer_blocks.0.norm1.bias"


@pytest.fixture(autouse=True)
def base_configs(folders, monkeypatch):
    """The configurations of Stable Diffusion 1.x are on this computer; the hub cannot be reached."""

    def unreachable(repo_id):
        raise ModelError(f"{repo_id}: cannot be reached; run: inkstream models fetch {repo_id}")

    monkeypatch.setattr(hub, "_list", unreachable)
    monkeypatch.setattr(
        hub, "cached", lambda repo_id, file=None: folders / "sd" if repo_id == registry.CONFIGS["sd1"] else None
    )


@pytest.fixture
def single(tmp_path):
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


# --- what they predict


def said(path, family="sd1"):
    found = find_parameterisation(path, check_safetensors(path), family)
    return found.prediction, found.zero_snr


MARKS = [
    ({}, {}, ("epsilon", False)),
    ({"v_pred": torch.zeros(0)}, {}, ("v_prediction", False)),
    ({"v_pred": torch.zeros(1), "ztsnr": torch.zeros(1)}, {}, ("v_prediction", True)),
    ({"ztsnr": torch.zeros(0)}, {}, ("v_prediction", True)),
    ({}, {"modelspec.prediction_type": "v"}, ("v_prediction", False)),
    ({}, {"modelspec.predict_key": "epsilon"}, ("epsilon", False)),
    ({}, {"ss_v_parameterization": "True", "ss_zero_terminal_snr": "True"}, ("v_prediction", True)),
    ({}, {"modelspec.architecture": "stable-diffusion-v2-768-v"}, ("v_prediction", False)),
    ({}, {"modelspec.architecture": "stable-diffusion-v2-512"}, ("epsilon", False)),
    ({}, {"modelspec.prediction_type": "something"}, ("epsilon", False)),
]


@pytest.mark.parametrize(("keys", "metadata", "expected"), MARKS)
def test_f11_marks_in_a_file_say_what_it_predicts(tmp_path, keys, metadata, expected):
    save_file({"a": torch.zeros(1), **keys}, tmp_path / "x.safetensors", metadata or None)
    assert said(tmp_path / "x.safetensors") == expected


@pytest.mark.parametrize(("spread", "expected"), [(0.2, "v_prediction"), (0.03, "epsilon"), (None, "v_prediction")])
def test_f11_stable_diffusion_2_without_metadata_is_told_by_its_weights(tmp_path, spread, expected):
    bias = {} if spread is None else {BIAS: torch.tensor([spread, -spread] * 160)}
    save_file({"a": torch.zeros(1), **bias}, tmp_path / "x.safetensors")
    assert said(tmp_path / "x.safetensors", "sd2") == (expected, False)
    assert said(tmp_path / "x.safetensors", "sd1") == ("epsilon", False)


def test_f11_the_yaml_of_web_uis_is_heeded(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors")
    (tmp_path / "x.yaml").write_text(
        "model:\n  target: ldm.x\n  params:\n    parameterization: v\n    timesteps: 1000\n"
    )
    assert said(tmp_path / "x.safetensors") == ("v_prediction", False)
    (tmp_path / "x.yaml").write_text("model:\n  params: {}\n")
    assert said(tmp_path / "x.safetensors") == ("epsilon", False)
    (tmp_path / "x.yaml").write_text("model: !!python/object:os.system x\n")
    with pytest.raises(ModelError, match=r"x\.yaml:1:8: .*; mend it or remove it"):
        said(tmp_path / "x.safetensors")


def test_f11_a_model_with_zero_terminal_snr_gets_that_schedule(single):
    checkpoint_of(tiny_sd(vae="kl"), single, keys={"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)})
    scheduler = load_pipeline(single, PLAIN).scheduler
    assert (scheduler.config.prediction_type, scheduler.config.rescale_betas_zero_snr) == ("v_prediction", True)
    assert scheduler.alphas_cumprod[-1] < 1e-6


def test_f11_what_a_file_predicts_is_said_and_can_be_set(single, caplog):
    told = []
    with caplog.at_level(logging.INFO):
        load_pipeline(single, PLAIN, lambda text, part: told.append(text))
    assert "loading model.safetensors, Stable Diffusion 1.x, epsilon" in told
    assert [r.getMessage() for r in caplog.records if "set prediction_type" in r.getMessage()] == [
        "model.safetensors: taken to predict epsilon, as nothing in it says otherwise; "
        "if its colours are wrong, set prediction_type"
    ]
    pipe = load_pipeline(single, PLAIN.changed(prediction_type="v_prediction"))
    assert pipe.scheduler.config.prediction_type == "v_prediction"


@pytest.mark.parametrize("key", ["edm_mean", "edm_vpred.sigma_max"])
def test_l12_a_file_that_is_trained_on_edm_is_named(tmp_path, key):
    save_file({"a": torch.zeros(1), key: torch.zeros(4)}, tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match="trained on EDM's noise"):
        said(tmp_path / "x.safetensors", "sdxl")


# --- what they lack


def test_f10_a_file_without_autoencoder_loads_where_another_takes_its_place(single, tmp_path):
    checkpoint_of(tiny_sd(vae="kl"), single, vae=False)
    with pytest.raises(
        ModelError, match=r"it holds no autoencoder \(VAE\), .* set use_tiny_vae: true, or name one as vae_id"
    ):
        load_pipeline(single, PLAIN)
    for vae in ("tiny", "kl"):
        tiny_sd(vae=vae, seed=3).vae.save_pretrained(tmp_path / vae)
        pipe = load_pipeline(single, PLAIN.changed(vae_id=str(tmp_path / vae)))
        assert type(pipe.vae) is type(tiny_sd(vae=vae).vae)
        assert np.isfinite(generated(pipe)).all()


def test_f10_a_folder_without_autoencoder_loads_as_well(sd, tmp_path):
    tiny_sd(seed=3).vae.save_pretrained(tmp_path / "taesd")
    index = json.loads((sd / "model_index.json").read_text())
    (sd / "model_index.json").write_text(json.dumps({**index, "vae": [None, None]}))
    with pytest.raises(ModelError, match="it holds no autoencoder"):
        load_pipeline(sd, PLAIN)
    assert load_pipeline(sd, PLAIN.changed(vae_id=str(tmp_path / "taesd"))).vae is not None


@pytest.mark.parametrize("use_tiny_vae", [False, True])
def test_vae_id_names_any_autoencoder(folders, tmp_path, use_tiny_vae):
    """It counted only beside use_tiny_vae, and only for a tiny one."""
    other = tiny_sd(vae="kl", seed=3).vae
    other.save_pretrained(tmp_path / "kl")
    for name in (tmp_path / "kl", folders / "sdxl"):
        pipe = load_pipeline(folders / "control", PLAIN.changed(vae_id=str(name), use_tiny_vae=use_tiny_vae))
        assert type(pipe.vae) is type(other if name.name == "kl" else tiny_sdxl().vae)


def test_vae_id_of_something_else_is_named(folders):
    with pytest.raises(
        ModelError, match=r"got a UNet2DConditionModel, expected an AutoencoderTiny .*; or leave vae_id out"
    ):
        load_pipeline(folders / "sd", PLAIN.changed(vae_id=str(folders / "sd" / "unet")))
    file = folders / "sd" / "vae" / "diffusion_pytorch_model.safetensors"
    with pytest.raises(ModelError, match="got a file, expected the folder or hub id"):
        load_pipeline(folders / "sd", PLAIN.changed(vae_id=str(file)))


def test_f12_a_longer_clip_in_a_file_is_named(single):
    tensors = load_file(single)
    name = "cond_stage_model.transformer.text_model.embeddings.position_embedding.weight"
    tensors[name] = torch.zeros(248, tensors[name].shape[1])
    save_file(tensors, single)
    with pytest.raises(
        ModelError, match=r"its text encoder has 248x32 positions \(LongCLIP has 248\), expected CLIP's 77"
    ):
        load_pipeline(single, PLAIN)


# --- damage


@settings(max_examples=fuzz_examples(15))
@given(data=st.data())
def test_damaged_files_give_named_errors_only(tmp_path_factory, whole, data):
    """Keys renamed, taken out or put in; shapes, types and free text changed; bytes of the header overwritten."""
    header, body = whole
    entries = {name: dict(entry) for name, entry in header.items()}
    names = sorted(entries)
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(names))
        entry = entries.get(name, {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]})
        change = data.draw(st.sampled_from(["drop", "rename", "shape", "dtype", "mark", "metadata"]))
        if change == "drop":
            entries.pop(name, None)
        elif change == "rename":
            entries[data.draw(st.text(max_size=20)) or "x"] = entries.pop(name, entry)
        elif change == "shape":
            shape = list(entry.get("shape", []))
            entry["shape"] = data.draw(st.permutations([*shape, 1])) if data.draw(st.booleans()) else shape[::-1]
        elif change == "dtype":
            entry["dtype"] = data.draw(st.sampled_from(["I32", "F32", "U32", "BOOL"]))
        elif change == "mark":
            entries[data.draw(st.sampled_from(["v_pred", "ztsnr", "edm_mean"]))] = {
                "dtype": "F32",
                "shape": [0],
                "data_offsets": [len(body), len(body)],
            }
        else:
            entries["__metadata__"] = {"modelspec.prediction_type": data.draw(st.text(max_size=10))}
    text = bytearray(json.dumps(entries).encode())
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + 4] = data.draw(st.binary(max_size=8))
    path = tmp_path_factory.getbasetemp() / "fuzzed.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + bytes(text) + body)
    try:
        load_pipeline(path, PLAIN)
    except InkstreamError as error:
        assert "Traceback" not in str(error)
        assert len(str(error)) < 1500


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The header and the tensors of a checkpoint."""
    path = checkpoint_of(tiny_sd(vae="kl"), tmp_path_factory.mktemp("whole") / "x.safetensors")
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


@settings(max_examples=fuzz_examples(20))
@given(names=st.dictionaries(st.text(max_size=12), st.lists(st.integers(0, 9), max_size=5), max_size=6))
def test_any_header_is_of_a_family_or_named(tmp_path_factory, names):
    header = Header(
        {UNET + "input_blocks.0.0.weight": ("F32", (4, 4))} | {n: ("F32", tuple(s)) for n, s in names.items()}, {}
    )
    with pytest.raises(ModelError):
        file_family(tmp_path_factory.getbasetemp() / "x.safetensors", header)
