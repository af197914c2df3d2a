"""What a model's configurations may say: nothing that brings code, at any depth, and no absurd sizes."""

import json
import os
import time

import pytest
import torch
from doubles.fuzz import fuzz_examples
from doubles.tiny_models import tiny_sd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inkstream.lora.declared import refuse_code
from inkstream.lora.load import load_pipeline
from inkstream.lora.parts import load_part
from inkstream.models import embedded
from inkstream.stream import Stream
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.errors import InkstreamError, ModelError, UnsafeWeightsError

PLAIN = StreamConfig(device="cpu", dtype="float32", use_tiny_vae=False)
TEXT = "text_encoder/config.json"
TOKENS = "tokenizer/tokenizer_config.json"


def spoil(path, **changes):
    path.write_text(json.dumps({**(json.loads(path.read_text()) if path.exists() else {}), **changes}))


# --- code


@pytest.mark.parametrize(
    ("file", "change"),
    [
        (TEXT, {"text_config": {"attn_implementation": "someone/kernel"}}),
        (TEXT, {"text_config": {"a": [{"_attn_implementation": {"": "someone/kernel"}}]}}),
        (TEXT, {"text_config": {"quantization_config": {"quant_method": "awq"}}}),
        (TEXT, {"vision_config": {"auto_map": {"AutoModel": "evil.Model"}}}),
        (TEXT, {"transformers_weights": "adapter_model.bin"}),
        (TEXT, {"configuration_files": ["config.4.0.0.json"]}),
        (TEXT, {"trust_remote_code": True}),
        (TEXT, {"_experts_implementation_internal": "someone/kernel"}),
        ("unet/config.json", {"nested": {"deeper": {"quantization_config": {"quant_method": "gguf"}}}}),
        ("vae/config.json", {"x": [[{"auto_map": {"AutoModel": "evil.Model"}}]]}),
        ("scheduler/scheduler_config.json", {"x": {"auto_map": "evil"}}),
        ("model_index.json", {"_x": {"custom_pipelines": {"a": 1}}}),
        (TOKENS, {"x": {"auto_map": ["evil.Tokenizer", None]}}),
        (TOKENS, {"fast_tokenizer_files": ["tokenizer.evil.json"]}),
        (TOKENS, {"gguf_file": "x.gguf"}),
        ("tokenizer/special_tokens_map.json", {"pad_token": {"auto_map": "evil"}}),
        ("text_encoder/generation_config.json", {"custom_generate": "someone/code"}),
        ("safety_checker/config.json", {"text_config": {"quantization_config": {"a": 1}}}),
    ],
)
def test_t6_what_brings_code_is_found_at_every_depth_and_in_every_file(sd, file, change):
    (sd / file).parent.mkdir(exist_ok=True)
    spoil(sd / file, **change)
    with pytest.raises(UnsafeWeightsError, match="brings code"):
        load_pipeline(sd, PLAIN)


@settings(max_examples=fuzz_examples(40))
@given(
    way=st.lists(st.one_of(st.text(max_size=8), st.integers(0, 3)), max_size=30),
    key=st.sampled_from(["auto_map", "_attn_implementation", "quantization_config", "__kernel_config"]),
    value=st.sampled_from(["someone/kernel", {"": "someone/kernel"}, 1, True, [{}]]),
)
def test_t6_no_depth_hides_code(tmp_path_factory, way, key, value):
    config = {key: value}
    for step in way:
        config = {step: config} if isinstance(step, str) else [*[{}] * step, config]
    with pytest.raises(UnsafeWeightsError, match="brings code"):
        refuse_code({"x": config}, tmp_path_factory.getbasetemp() / "config.json")


def test_t6_nothing_but_what_decides_a_text_encoder_reaches_transformers(sd, monkeypatch):
    """Also what no list of keys knows of."""
    from transformers import CLIPTextModel

    seen = {}
    load = CLIPTextModel.from_pretrained
    monkeypatch.setattr(
        CLIPTextModel, "from_pretrained", lambda *args, **more: seen.update(more) or load(*args, **more)
    )
    spoil(sd / TEXT, key_of_tomorrow="someone/kernel", output_attentions=True, return_dict=False)
    pipe = load_pipeline(sd, PLAIN)
    assert seen["config"] is not None
    assert not hasattr(pipe.text_encoder.config, "key_of_tomorrow")
    assert not pipe.text_encoder.config.output_attentions


@pytest.mark.parametrize("change", [{"attn_implementation": "sdpa"}, {"auto_map": {}}, {"quantization_config": None}])
def test_t6_what_asks_for_nothing_is_no_fault(sd, change):
    spoil(sd / TEXT, **change)
    load_pipeline(sd, PLAIN)


def test_t6_a_whole_clip_gives_its_text_encoder(sd):
    inner = json.loads((sd / TEXT).read_text())
    (sd / TEXT).write_text(json.dumps({"model_type": "clip", "architectures": ["CLIPTextModel"], "text_config": inner}))
    assert load_pipeline(sd, PLAIN).text_encoder.config.hidden_size == inner["hidden_size"]


def test_files_that_a_tokenizer_names_are_not_opened(sd, tmp_path):
    before = load_pipeline(sd, PLAIN).tokenizer("a red car").input_ids
    os.mkfifo(tmp_path / "fifo")
    spoil(sd / TOKENS, vocab_file=str(tmp_path / "fifo"), tokenizer_file=str(tmp_path / "fifo"))
    assert load_pipeline(sd, PLAIN).tokenizer("a red car").input_ids == before


def test_a_fifo_is_named_and_not_waited_for(sd):
    for file in ("tokenizer/tokenizer.json", TEXT):
        (sd / file).unlink(missing_ok=True)
        os.mkfifo(sd / file)
        with pytest.raises(ModelError, match="got a FIFO, expected a regular file"):
            load_pipeline(sd, PLAIN)


# --- sizes


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        (TEXT, {"num_hidden_layers": 10**6}, r"num_hidden_layers: got 1,000,000 layers in all, .* hold \d+ tensors"),
        (TEXT, {"max_position_embeddings": 10**12}, "max_position_embeddings: got 1,000,000,000,000, expected at most"),
        (TEXT, {"vocab_size": 10**30}, "vocab_size: got a number of 31 digits"),
        ("unet/config.json", {"layers_per_block": 10**6}, "layers_per_block: got 2,000,000 layers"),
        ("unet/config.json", {"layers_per_block": [10**6, 1]}, "layers_per_block: got 1,000,001 layers"),
        (
            "unet/config.json",
            {"transformer_layers_per_block": [[1, 10**6], 1]},
            "layers_per_block: got 2,000,000 layers",
        ),
        ("unet/config.json", {"block_out_channels": [32] * 100_000}, "block_out_channels: got 100,000 entries"),
        ("unet/config.json", {"block_out_channels": [2**40, 64]}, "block_out_channels.0: got 1,099,511,627,776"),
        ("vae/config.json", {"layers_per_block": 10**6}, "layers_per_block: got 4,000,000 layers"),
        (
            "scheduler/scheduler_config.json",
            {"num_train_timesteps": 10**12},
            "num_train_timesteps: got 1,000,000,000,000",
        ),
        ("scheduler/scheduler_config.json", {"num_train_timesteps": "many"}, "num_train_timesteps: got 'many'"),
        ("scheduler/scheduler_config.json", {"trained_betas": [0.1]}, "trained_betas: got 1 numbers, expected 1,000"),
    ],
)
def test_t12_absurd_sizes_are_named_before_anything_is_built(sd, file, change, said):
    spoil(sd / file, **change)
    began = time.perf_counter()
    with pytest.raises(ModelError, match=said):
        load_pipeline(sd, PLAIN)
    assert time.perf_counter() - began < 5


# --- tokenizers


@pytest.mark.parametrize("length", ["missing", None, 10**6, 10**12, 1e30, 77.0, 78, 77])
def test_t13_no_text_is_longer_than_the_encoder_can_read(sd, length):
    config = json.loads((sd / TOKENS).read_text())
    config["model_max_length"] = length
    if length == "missing":
        del config["model_max_length"]
    (sd / TOKENS).write_text(json.dumps(config))
    pipe = load_pipeline(sd, PLAIN)
    assert pipe.tokenizer.model_max_length == pipe.text_encoder.config.max_position_embeddings == 77
    with torch.inference_mode():
        assert pipe.encode_prompt("a red car", "cpu", 1, False)[0].shape[1] == 77


@pytest.mark.parametrize("length", [0, -1, "77", [77], True, {}])
def test_t13_a_length_that_is_none_is_named(sd, length):
    spoil(sd / TOKENS, model_max_length=length)
    with pytest.raises(ModelError, match=r"model_max_length: got .*, expected a number of tokens"):
        load_pipeline(sd, PLAIN)


def test_f12_a_longer_clip_beside_a_short_one_reads_what_both_can(tmp_path, folders):
    """LongCLIP has 248 positions; SDXL's second encoder has 77, and both read one text."""
    from doubles.tiny_models import tiny_sdxl

    pipe = tiny_sdxl()
    config = pipe.text_encoder.config
    config.max_position_embeddings = 248
    pipe.text_encoder = type(pipe.text_encoder)(config)
    pipe.tokenizer.model_max_length = 248
    pipe.save_pretrained(tmp_path / "long")
    loaded = load_pipeline(tmp_path / "long", PLAIN)
    assert loaded.tokenizer.model_max_length == loaded.tokenizer_2.model_max_length == 77
    with torch.inference_mode():
        assert loaded.encode_prompt("a red car", device="cpu", num_images_per_prompt=1)[0].shape[1] == 77


def test_words_that_the_encoder_does_not_know_are_named(sd):
    weights = tiny_sd(seed=0).text_encoder
    assert weights.config.vocab_size == 514
    words = json.loads((sd / "tokenizer" / "tokenizer.json").read_text())
    words["model"]["vocab"]["beyond</w>"] = 99_999
    (sd / "tokenizer" / "tokenizer.json").write_text(json.dumps(words))
    with pytest.raises(ModelError, match="its words count up to 99,999, the text encoder knows 514"):
        load_pipeline(sd, PLAIN)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"model": 1}', '{"added_tokens": {}}', "\x00"])
def test_damaged_words_are_named(sd, text):
    (sd / "tokenizer" / "tokenizer.json").write_text(text)
    with pytest.raises(ModelError, match="cannot make a tokenizer of it"):
        load_pipeline(sd, PLAIN)


def test_a_folder_without_words_is_named(sd):
    for path in (sd / "tokenizer").glob("*"):
        if path.name != "tokenizer_config.json":
            path.unlink()
    with pytest.raises(ModelError, match="no words there"):
        load_pipeline(sd, PLAIN)


def test_a_part_is_loaded_from_its_own_folder(sd):
    from diffusers import UNet2DConditionModel

    assert load_part(UNet2DConditionModel, sd / "unet", torch.float32).config.in_channels == 4


# --- anything


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=10),
    st.lists(st.integers(0, 10**7), max_size=4),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)
FILES = {
    file: sorted(json.loads((embedded()["ink-tiny"] / file).read_text()))
    for file in (TEXT, TOKENS, "unet/config.json", "vae/config.json", "scheduler/scheduler_config.json")
}


@settings(max_examples=fuzz_examples(8), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_configurations_give_named_errors_only(sd, data):
    """Values of any kind under keys that the libraries know; what passes renders a picture, or is refused by name."""
    file = data.draw(st.sampled_from(sorted(FILES)))
    whole = (sd / file).read_bytes()
    try:
        keys = data.draw(st.lists(st.sampled_from(FILES[file]), min_size=1, max_size=3))
        spoil(sd / file, **{key: data.draw(VALUES) for key in keys})
        Stream(load_pipeline(sd, PLAIN), prompt="a red car", width=64, height=64, acceleration="eager").close()
    except InkstreamError as error:
        assert "Traceback" not in str(error)
        assert len(str(error)) < 1500
    finally:
        (sd / file).write_bytes(whole)
