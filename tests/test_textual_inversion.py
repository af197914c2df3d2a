"""Textual inversion: files that teach a text encoder a word; as diffusers reads them, and gone with the stream."""

import logging

import pytest
import torch
from doubles.lora import tiny_lora
from doubles.pages import growing_pages
from doubles.tiny_models import tiny_sd, tiny_sd21, tiny_sdxl
from safetensors.torch import load_file, save_file

from inkstream.lora.inversion import read_embedding
from inkstream.lora.lorafile import read_lora
from inkstream.lora.taught import TaughtWords
from inkstream.stream import Stream
from inkstream.stream.base.errors import InkstreamError, ModelError, UnsafeWeightsError

PROMPT = "a <cat-toy> on grass, badge"


def vectors(count, width=32, seed=0):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed + count))


def saved(path, **tensors):
    save_file({name.replace("STAR", "*"): value for name, value in tensors.items()}, path)
    return path


@torch.inference_mode()
def encode(pipe, prompt=PROMPT):
    encoded = pipe.encode_prompt(prompt, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False)
    return torch.cat([value.flatten() for value in encoded if value is not None])


def taught(pipe, path, word="<cat-toy>"):
    TaughtWords(pipe).learn({str(path): word})
    return pipe


FORMS = {
    "a1111": lambda count: {"emb_params": vectors(count)},
    "diffusers": lambda count: {"<cat-toy>": vectors(count)},
    "a1111, older": lambda count: {"string_to_param.*": vectors(count)},
}


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_what_diffusers_gives(tmp_path, form, count):
    path = tmp_path / "<cat-toy>.safetensors"
    save_file(FORMS[form](count), path)
    theirs = tiny_sd()
    theirs.load_textual_inversion({"<cat-toy>": vectors(count)}, token="<cat-toy>")
    assert torch.equal(encode(taught(tiny_sd(), path)), encode(theirs))
    assert torch.equal(encode(taught(tiny_sd(), path, "")), encode(theirs))
    assert not torch.allclose(encode(theirs), encode(tiny_sd()), atol=0.1)


@pytest.mark.parametrize("count", [1, 3])
def test_both_encoders_of_sdxl_learn(tmp_path, count):
    path = saved(tmp_path / "x.safetensors", clip_l=vectors(count), clip_g=vectors(count, seed=5))
    theirs = tiny_sdxl()
    tensors = load_file(path)
    for part, suffix in (("clip_l", ""), ("clip_g", "_2")):
        encoder, tokenizer = getattr(theirs, f"text_encoder{suffix}"), getattr(theirs, f"tokenizer{suffix}")
        theirs.load_textual_inversion(tensors[part], token="<cat-toy>", text_encoder=encoder, tokenizer=tokenizer)
    assert torch.equal(encode(taught(tiny_sdxl(), path)), encode(theirs))


def test_the_pooled_vector_is_that_of_the_end_in_models_that_number_it_wrongly(tmp_path):
    """Configurations of old say eos_token_id 2; then the token with the highest number was taken, which is the word."""
    path = saved(tmp_path / "x.safetensors", clip_l=vectors(2), clip_g=vectors(2))
    right, old = tiny_sdxl(), tiny_sdxl()
    old.text_encoder_2.text_model.eos_token_id = old.text_encoder_2.config.eos_token_id = 2
    assert torch.equal(encode(old), encode(right))
    before = old.text_encoder_2
    assert torch.equal(encode(taught(old, path)), encode(taught(right, path)))
    assert before.text_model.eos_token_id == 2


def test_a_word_is_a_whole_word_and_capitals_make_no_difference(tmp_path):
    pipe, plain = tiny_sd(), tiny_sd()
    words = TaughtWords(pipe)
    words.learn({str(saved(tmp_path / "Bad.safetensors", emb_params=vectors(2))): ""})
    assert words.convert("a bad badge, BAD", pipe.tokenizer) == "a bad_1 bad_2 badge, bad_1 bad_2"
    assert torch.equal(encode(pipe, "a badge"), encode(plain, "a badge"))
    assert torch.equal(encode(pipe, "a Bad car"), encode(pipe, "a bad car"))
    assert not torch.allclose(encode(pipe, "a bad car"), encode(plain, "a bad car"), atol=0.1)


def test_words_that_a_pipeline_came_with_stay_known(tmp_path):
    theirs, both = tiny_sd(), tiny_sd()
    for pipe in (theirs, both):
        pipe.load_textual_inversion({"<own>": vectors(3, seed=7)}, token="<own>")
    path = saved(tmp_path / "x.safetensors", emb_params=vectors(2))
    taught(both, path)
    assert torch.equal(encode(both, "an <own> car"), encode(theirs, "an <own> car"))
    theirs.load_textual_inversion({"<cat-toy>": vectors(2)}, token="<cat-toy>")
    assert torch.equal(encode(both, "an <own> <cat-toy>"), encode(theirs, "an <own> <cat-toy>"))
    with pytest.raises(ModelError, match="the tokenizer has the word '<own>' already; choose another"):
        taught(both, path, "<own>")


def everything(pipe):
    encoders = [getattr(pipe, name) for name in ("text_encoder", "text_encoder_2") if hasattr(pipe, name)]
    tokenizers = [getattr(pipe, name) for name in ("tokenizer", "tokenizer_2") if hasattr(pipe, name)]
    return (
        [id(part) for part in (*encoders, *tokenizers)],
        [len(tokenizer) for tokenizer in tokenizers],
        [tuple(encoder.get_input_embeddings().weight.shape) for encoder in encoders],
        [float(value.sum()) for encoder in encoders for value in encoder.parameters()],
        pipe.maybe_convert_prompt(PROMPT, pipe.tokenizer),
    )


def picture(stream):
    with stream:
        page = next(iter(growing_pages(1)))
        return next(output for output in [stream(page), *stream.drain()] if output is not None).pixels


SETTINGS = {"width": 64, "height": 64, "prompt": PROMPT, "warmup": 0, "acceleration": "none", "dtype": "float32"}


@pytest.mark.parametrize("family", [tiny_sd, tiny_sdxl])
def test_a_stream_learns_words_and_leaves_its_pipe_as_it_was(tmp_path, family):
    pipe = family()
    both = {"clip_l": vectors(2), "clip_g": vectors(2)} if family is tiny_sdxl else {"emb_params": vectors(2)}
    path = saved(tmp_path / "x.safetensors", **both)
    before = everything(pipe)
    plain = picture(Stream(pipe, **SETTINGS))
    stream = Stream(pipe, **SETTINGS, textual_inversion={path: "<cat-toy>"})
    assert stream.config.textual_inversion == {str(path): "<cat-toy>"}
    known = picture(stream)
    assert everything(pipe) == before
    assert abs(known.astype(int) - plain).max() > 8
    later = Stream(pipe, **SETTINGS)
    later.update(textual_inversion={path: "<cat-toy>"})
    assert (picture(later) == known).all()
    assert everything(pipe) == before
    assert (picture(Stream(pipe, **SETTINGS)) == plain).all()


def test_words_and_loras_come_and_are_refused_together(tmp_path):
    pipe = tiny_sd()
    path = saved(tmp_path / "x.safetensors", emb_params=vectors(2))
    wide = saved(tmp_path / "wide.safetensors", emb_params=vectors(2, width=48))
    lora = tiny_lora(pipe, tmp_path / "lora.safetensors", text_encoder=True)
    stream = Stream(pipe, **SETTINGS, textual_inversion={path: "<cat-toy>"})
    state = stream.pipe.text_encoder, stream.pipe.tokenizer, stream.revision
    with pytest.raises(ModelError, match=r"vectors of \[2, 48\], text_encoder of this .* takes vectors of 32"):
        stream.update(textual_inversion={wide: "wide"}, lora_dict={lora: 0.5})
    with pytest.raises(InkstreamError):
        stream.update(textual_inversion={wide: 3})
    assert (stream.pipe.text_encoder, stream.pipe.tokenizer, stream.revision) == state
    stream.update(lora_dict={lora: 0.7})
    one = picture(stream)
    other = Stream(tiny_sd(), **SETTINGS, lora_dict={lora: 0.7}, textual_inversion={path: "<cat-toy>"})
    assert (picture(other) == one).all()


def test_f9_words_that_a_lora_brings_along_are_known_as_long_as_it_is(tmp_path):
    pipe = tiny_sd()
    lora = tiny_lora(pipe, tmp_path / "lora.safetensors", text_encoder=True)
    plain = load_file(lora)
    words = {"<cat-toy>": vectors(2), "grass": vectors(1, seed=9)}
    save_file(plain | {f"bundle_emb.{word}.string_to_param.*": value for word, value in words.items()}, lora)
    assert [each.word for each in read_lora(lora, pipe).embeddings] == ["<cat-toy>", "grass"]
    with_words = picture(Stream(pipe, **SETTINGS, lora_dict={lora: 0.7}))
    apart = tmp_path / "apart"
    apart.mkdir()
    save_file(plain, apart / "lora.safetensors")
    files = {saved(apart / f"{i}.safetensors", emb_params=value): word for i, (word, value) in enumerate(words.items())}
    together = Stream(pipe, **SETTINGS, lora_dict={apart / "lora.safetensors": 0.7}, textual_inversion=files)
    assert (picture(together) == with_words).all()


@pytest.mark.parametrize(
    ("tensors", "word", "said"),
    [
        (
            {"emb_params": vectors(1, 768)},
            "x",
            r"'x' has vectors of \[1, 768\], text_encoder of this",
        ),
        (
            {"clip_l": vectors(1), "clip_g": vectors(1)},
            "x",
            r"for text_encoder and text_encoder_2, this .* has text_encoder;",
        ),
        ({"emb_params": vectors(76)}, "x", "76 vectors long, expected 1 to 75"),
        ({"emb_params": vectors(1)[:0]}, "x", r"0 vectors long"),
        ({"emb_params": vectors(1) * 1e20}, "x", r"numbers up to .*, expected at most 65,504"),
        ({"emb_params": vectors(1) * float("nan")}, "x", "holds NaN or infinity"),
        ({"emb_params": vectors(1)[None]}, "x", r"vectors of \[1, 1, 32\]"),
        ({"emb_params": vectors(1).long()}, "x", "expected floating-point numbers"),
        ({"a": vectors(1), "b": vectors(1)}, "x", "got the keys 'a', 'b', expected emb_params, or clip_l and clip_g"),
        ({"emb_params": vectors(1)}, "two words", "got the word 'two words', expected one of 1 to 64 characters"),
        ({"emb_params": vectors(1)}, "x" * 65, "got the word 'x+', expected one of 1 to 64"),
        ({"emb_params": vectors(1)}, "\x1b[31m", r"got the word '\\x1b\[31m', expected"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, tensors, word, said):
    path = saved(tmp_path / "e.safetensors", **tensors)
    with pytest.raises(ModelError, match=said):
        read_embedding(path, tiny_sd(), word)


def test_sdxl_wants_vectors_for_both_encoders(tmp_path):
    path = saved(tmp_path / "e.safetensors", emb_params=vectors(1))
    with pytest.raises(
        ModelError, match=r"'e' has vectors for text_encoder, this .*XL model has text_encoder and text"
    ):
        read_embedding(path, tiny_sdxl())
    path = saved(tmp_path / "e.safetensors", clip_l=vectors(1), clip_g=vectors(2))
    with pytest.raises(ModelError, match="more vectors for one text encoder"):
        read_embedding(path, tiny_sdxl())
    path = saved(tmp_path / "e.safetensors", emb_params=vectors(1, 32))
    with pytest.raises(ModelError, match="takes vectors of 48"):
        read_embedding(path, tiny_sd21())


def test_formats_that_can_carry_code_and_files_that_are_not_there(tmp_path):
    with pytest.raises(UnsafeWeightsError, match="can run code"):
        read_embedding(tmp_path / "learned_embeds.bin", tiny_sd())
    with pytest.raises(ModelError, match="no such file"):
        read_embedding(tmp_path / "learned_embeds.safetensors", tiny_sd())


def test_two_files_cannot_teach_one_word(tmp_path):
    files = {str(saved(tmp_path / f"{name}.safetensors", emb_params=vectors(1))): "same" for name in "ab"}
    pipe = tiny_sd()
    before = everything(pipe)
    with pytest.raises(ModelError, match="got the word 'same' twice"):
        Stream(pipe, **SETTINGS, textual_inversion=files)
    assert everything(pipe) == before


def test_a_taught_word_is_not_told_as_unknown(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        stream = Stream.from_pretrained("ink-tiny", acceleration="none", device="cpu", warmup=0)
        width = stream.pipe.text_encoder.get_input_embeddings().weight.shape[1]
        path = saved(tmp_path / "zebrafish.safetensors", emb_params=vectors(2, width))
        stream.update(textual_inversion={path: ""})
        stream.update(prompt="a red zebrafish, a quagga")
        stream.close()
    assert "quagga" in caplog.text and "zebrafish" not in caplog.text
