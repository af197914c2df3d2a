"""Whatever a weights file holds: it is read, or refused in few words by an error of ours. Nothing else ever comes."""

import json
import re
import struct

import pytest
import torch
from doubles.fuzz import fuzz_examples
from doubles.tiny_models import tiny_sd, tiny_sdxl
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from inkstream.lora.describe import file_family
from inkstream.lora.inversion import read_embedding
from inkstream.lora.lorafile import read_lora
from inkstream.lora.lorakeys import Layers
from inkstream.lora.safety import check_safetensors
from inkstream.stream.base.errors import InkstreamError

PIPES = [tiny_sd(), tiny_sdxl()]
MOST = 400  # characters of a message, without the path
QUICK = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}


def family(path, pipe):
    return file_family(path, check_safetensors(path))


READERS = {"lora": read_lora, "embedding": read_embedding, "checkpoint": family}


def is_read_or_refused(path, readers, pipe):
    """Returns what was read."""
    result = []
    for read in readers:
        try:
            result.append(read(path, pipe))
        except InkstreamError as error:
            said = str(error).replace(str(path), "FILE")
            assert 10 < len(said) <= MOST, said
            assert said.isprintable(), ascii(said)
            named = re.sub(r"'[^']*'|\"[^\"]*\"", "", said)  # without what the file itself is called and holds
            assert "FILE" in said and not re.search(r"Traceback|Error:", named)
    return result


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.safetensors"


@settings(max_examples=fuzz_examples(60), **QUICK)
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"PK\x03\x04", b"version https://git-lfs.github.com/spec/v1\n", b"<html>"]),
)
def test_any_bytes(path, data, start):
    path.write_bytes(start + data)
    is_read_or_refused(path, READERS.values(), PIPES[0])


NUMBERS = st.integers(-2, 40) | st.integers() | st.floats() | st.none() | st.booleans() | st.text(max_size=4)
SHAPES = st.lists(NUMBERS, max_size=4)
ENTRIES = st.fixed_dictionaries(
    {"dtype": st.sampled_from(["F32", "F16", "I64", "F8_E4M3", "F4", 3, None, []]), "shape": SHAPES | NUMBERS},
    optional={"data_offsets": st.lists(NUMBERS, max_size=3) | NUMBERS, "more": NUMBERS},
)
NAMES = st.text(max_size=20) | st.sampled_from(
    ["__metadata__", "unet.conv_in.lora_A.weight", "emb_params", "model.diffusion_model.input_blocks.0.0.weight"]
)


@settings(max_examples=fuzz_examples(100), **QUICK)
@given(
    st.dictionaries(NAMES, ENTRIES | NUMBERS | st.dictionaries(NAMES, st.text(max_size=5)), max_size=4),
    st.binary(max_size=64),
)
@example({"x": {"dtype": "F32", "shape": "\n", "data_offsets": [0, 4]}}, bytes(4))
def test_any_header(path, header, data):
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    is_read_or_refused(path, READERS.values(), PIPES[0])


LAYERS = [
    *("down_blocks.0.attentions.0.proj_in", "down_blocks.0.resnets.0.conv1", "conv_in", "conv_norm_out"),
    *("mid_block.attentions.0.transformer_blocks.0.attn2.to_k", "mid_block.attentions.0.transformer_blocks.0.ff.net.2"),
    *(
        "encoder.layers.0.self_attn.q_proj",
        "text_model.encoder.layers.0.mlp.fc1",
        "embeddings.token_embedding",
        "nowhere",
    ),
]
BEGINNINGS = [
    *(
        "unet.",
        "lora_unet_",
        "base_model.model.",
        "",
        "lora_te_",
        "lora_te1_",
        "lora_te2_",
        "text_encoder.",
        "lycoris_",
    ),
    *("text_encoder_2.", "transformer.", "unet.base_model.model."),
]
PARTS = [
    *(
        "lora_A.weight",
        "lora_B.weight",
        "lora_down.weight",
        "lora_up.weight",
        "lora_mid.weight",
        "lora_A.default.weight",
    ),
    *(
        "lora_B.bias",
        "alpha",
        "dora_scale",
        "lora_magnitude_vector",
        "hada_w1_a",
        "hada_w1_b",
        "hada_w2_a",
        "hada_w2_b",
    ),
    *(
        "hada_t1",
        "hada_t2",
        "lokr_w1",
        "lokr_w2",
        "lokr_w1_a",
        "lokr_w1_b",
        "lokr_w2_a",
        "lokr_w2_b",
        "lokr_t2",
        "diff",
    ),
    *("diff_b", "weight", "lora_E", "oft_blocks", "w_norm", "emb_params"),
]
SETS = [
    ["lora_A.weight", "lora_B.weight", "alpha", "lora_B.bias"],
    ["lora_down.weight", "lora_up.weight", "lora_mid.weight", "dora_scale"],
    ["hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2", "alpha"],
    ["lokr_w1", "lokr_w2", "lokr_w1_a", "lokr_w1_b", "lokr_w2_a", "lokr_w2_b", "lokr_t2", "alpha"],
    ["diff", "diff_b", "lora_magnitude_vector"],
]
DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.float8_e4m3fn]
SIDES = st.sampled_from([1, 2, 3, 4, 8, 16, 32, 64, 256, 0])


@st.composite
def tensors(draw):
    """Some layers with some parts of one kind, in shapes that may fit, and now and then anything."""
    result = {}
    for _ in range(draw(st.integers(1, 3))):
        begin, layer = draw(st.sampled_from(BEGINNINGS)), draw(st.sampled_from(LAYERS) | st.text(max_size=20))
        layer = layer.replace(".", "_") if begin.endswith("_") else layer
        parts = draw(st.sampled_from(SETS))
        for part in draw(st.lists(st.sampled_from(parts), min_size=1, unique=True)) + draw(
            st.lists(st.sampled_from(PARTS), max_size=1)
        ):
            shape = draw(st.lists(SIDES, max_size=4))
            shape = shape[:2] if len(shape) == 4 and max(shape) > 8 else shape
            value = torch.ones(shape) * draw(st.sampled_from([0.1, 0.0, 1e30, -1e5, float("nan"), float("inf")]))
            result[f"{begin}{layer}.{part}"] = value.to(draw(st.sampled_from(DTYPES)))
    return result


@settings(max_examples=fuzz_examples(200), **QUICK)
@given(
    tensors(),
    st.integers(0, 1),
    st.dictionaries(st.sampled_from(["lora_adapter_metadata", "ss_base_model_version"]), st.text(), max_size=2),
)
def test_any_keys_and_shapes(path, given, which, notes):
    path.write_bytes(save({name: value.contiguous() for name, value in given.items()}, notes or None))
    for lora in is_read_or_refused(path, [read_lora], PIPES[which]):
        for component, changes in lora.changes.items():
            for module, change in changes.items():
                weight = getattr(PIPES[which], component).get_submodule(module).weight
                assert change.difference().shape == weight.shape
                assert torch.isfinite(change.difference()).all()


@settings(max_examples=fuzz_examples(100), **QUICK)
@given(
    st.dictionaries(
        st.sampled_from(["emb_params", "clip_l", "clip_g", "string_to_param.*", "<word>"]) | st.text(max_size=8),
        st.tuples(st.lists(SIDES, max_size=3), st.sampled_from([0.1, 1e30, float("nan")]), st.sampled_from(DTYPES)),
        min_size=1,
        max_size=3,
    ),
    st.text(max_size=8),
    st.integers(0, 1),
)
def test_any_embedding(path, given, word, which):
    values = {name: (torch.ones(shape) * value).to(dtype) for name, (shape, value, dtype) in given.items()}
    path.write_bytes(save(values))
    for each in is_read_or_refused(path, [lambda path, pipe: read_embedding(path, pipe, word)], PIPES[which]):
        assert each.word and not each.word.isspace()
        assert {len(value) for value in each.vectors.values()} <= set(range(1, 76))


@settings(max_examples=fuzz_examples(200), **QUICK)
@given(st.text(alphabet="abunetlorx_.0123456789\x1b ", max_size=60))
def test_any_name_of_a_layer(name):
    place = Layers(PIPES[0]).find(name) if len(name) % 7 == 0 else LAYERS_OF_SD.find(name)
    assert place is None or getattr(PIPES[0], place[0]).get_submodule(place[1]) is not None


LAYERS_OF_SD = Layers(PIPES[0])
