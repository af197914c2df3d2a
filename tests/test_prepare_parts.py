"""The parts of preparing pairs: reading strangers' files, finding lines, captions, and judging quality."""

import io
import zipfile
import zlib

import cv2
import numpy as np
import pytest
from doubles.pictures import COLOURS, save, thing
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inkstream.lora.data import captions, extract, quality
from inkstream.lora.data.captions import Grammar, Grammars
from inkstream.lora.data.reading import read_picture
from inkstream.stream.base.errors import ConfigError, DataError, ModelError
from inkstream.stream.sources.drawing import sketch

# --- reading


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "gif", "tif"])
def test_pictures_are_read_whatever_their_name_says(tmp_path, suffix):
    picture = thing()
    path = save(tmp_path / f"a.{suffix}", picture)
    renamed = path.rename(tmp_path / "a.png")
    read = read_picture(renamed)
    assert read.shape == picture.shape and read.dtype == np.uint8
    assert np.abs(read.astype(int) - picture).mean() < 4


@pytest.mark.parametrize(("files", "expected"), [((".caption",), ".caption"), ((".caption", ".txt"), ".txt")])
def test_f13_captions_of_kohyas_trainers_are_read(tmp_path, files, expected):
    for suffix in files:
        (tmp_path / f"a{suffix}").write_text(f"a barn {suffix}\n\na  red barn\n", "utf-8")
    assert captions.written_captions(tmp_path / "a.png") == (f"a barn {expected}", "a red barn")
    (tmp_path / f"a{expected}").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=rf"a\{expected}"):
        captions.written_captions(tmp_path / "a.png")


def test_pictures_come_out_upright_on_white_with_eight_bits(tmp_path):
    turned = Image.fromarray(thing())
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.jpg", exif=exif)
    assert read_picture(tmp_path / "turned.jpg").shape == (160, 120, 3)
    clear = np.zeros((32, 32, 4), np.uint8)
    Image.fromarray(clear).save(tmp_path / "clear.png")
    assert (read_picture(tmp_path / "clear.png") == 255).all()
    Image.fromarray(np.full((32, 32), 40000, np.uint16)).save(tmp_path / "deep.png")
    assert (read_picture(tmp_path / "deep.png") == 40000 >> 8).all()


def bad_files(folder):
    """Files that are no use, each with what is said of it."""
    good = io.BytesIO()
    Image.fromarray(thing()).save(good, "PNG")
    data = good.getvalue()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("run.sh", "echo hello")
    huge = bytearray(data)
    huge[16:24] = (30_000).to_bytes(4, "big") * 2
    huge[29:33] = zlib.crc32(huge[12:29]).to_bytes(4, "big")
    large = bytearray(data)
    large[16:24] = (9_000).to_bytes(4, "big") * 2
    large[29:33] = zlib.crc32(large[12:29]).to_bytes(4, "big")
    contents = {
        "truncated.png": (data[: len(data) // 2], "is a PNG that is cut off"),
        "empty.png": (b"", "is empty"),
        "text.jpg": (b"not a picture at all", "is a text, expected PNG, JPEG"),
        "huge.png": (bytes(huge), "expected at most 64 megapixels"),
        "large.png": (bytes(large), "9000x9000 pixels, expected at most 64 megapixels"),
        "zip.png": (data + archive.getvalue(), "is a picture and a ZIP archive at once"),
        "page.png": (data + b"<html><script >alert(1)</script>", "is a picture and a script or web page at once"),
        "paper.png": (data[:33] + b"%PDF-1.7" + data[33:], "is a picture and a PDF at once"),
        "rar.png": (data + b"Rar!\x1a\x07\x01\x00", "is a picture and a RAR archive at once"),
        "eps.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 90 90\n", "is a text, expected PNG"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, (content, _) in contents.items():
        (folder / name).write_bytes(content)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(folder / "tiny.png")
    return {**{name: text for name, (_, text) in contents.items()}, "tiny.png": "4x4 pixels, expected at least 16"}


def test_damaged_huge_and_double_files_are_named(tmp_path):
    for name, text in bad_files(tmp_path).items():
        with pytest.raises(DataError, match=name) as caught:
            read_picture(tmp_path / name)
        assert text in str(caught.value)


@given(st.binary(max_size=300), st.integers(0, 400))
@settings(max_examples=60)
def test_garbage_is_an_error_with_a_name(tmp_path_factory, junk, at):
    good = io.BytesIO()
    Image.fromarray(thing()).save(good, "PNG")
    data = bytearray(good.getvalue())
    data[at : at + len(junk)] = junk
    path = tmp_path_factory.mktemp("junk") / "junk.png"
    path.write_bytes(data)
    try:
        picture = read_picture(path)
    except DataError as error:
        assert "junk.png" in str(error)
    else:
        assert picture.dtype == np.uint8 and picture.ndim == 3


# --- lines


@pytest.mark.parametrize("method", extract.METHODS)
def test_lines_follow_the_borders_of_things(method):
    picture = cv2.resize(thing(), (256, 192))
    lines = extract.METHODS[method](picture)
    assert lines.shape == (192, 256) and lines.dtype == np.uint8
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    edges = cv2.dilate(cv2.Canny(grey, 40, 100), np.ones((9, 9), np.uint8)) > 0
    seen = lines > 96
    assert 0.005 < seen.mean() < 0.25
    assert (seen & edges).sum() / seen.sum() > 0.85


def photographed(page, rng):
    """A page in the light of one lamp, on yellowish paper, with a camera's noise."""
    y, x = np.mgrid[0 : 1 : page.shape[0] * 1j, 0 : 1 : page.shape[1] * 1j]
    lit = page * (0.95 - 0.4 * x - 0.15 * y)[..., None] * np.array([1.0, 0.96, 0.87])
    return np.clip(lit + rng.normal(0, 4, page.shape), 0, 255).astype(np.uint8)


def test_a_photographed_sketch_comes_off_its_paper():
    page = sketch("house", 400, 3)
    lines = 255 - page[..., 0]
    cleaned = extract.clean_sketch(photographed(page, np.random.default_rng(0)))
    ink, paper = cleaned[lines > 200], cleaned[cv2.dilate(lines, np.ones((7, 7), np.uint8)) == 0]
    assert (ink > 128).mean() > 0.97
    assert (paper > 40).mean() < 0.005


def test_chalk_on_a_board_is_a_sketch_as_well():
    board = 255 - sketch("house", 400, 3) // 2
    board = (board - 100).clip(20, 255).astype(np.uint8)
    cleaned = extract.clean_sketch(board)
    assert 0.02 < (cleaned > 128).mean() < 0.2


@pytest.mark.parametrize("size", [(160, 120), (120, 160), (300, 100)])
def test_what_stands_free_comes_to_the_middle(size):
    picture = np.full((size[1], size[0], 3), (240, 238, 230), np.uint8)
    cv2.circle(picture, (30, 50), 15, (180, 30, 30), -1)
    made = extract.centred(picture).of_picture(picture, 128)
    red = np.argwhere(made[..., 1] < 100)
    low, high = red.min(0), red.max(0)
    assert np.abs((low + high) / 2 - 63.5).max() < 16, "nearer the middle, as far as the picture reaches"
    assert (high - low).min() > 30
    assert np.abs(made[:4].astype(int) - (240, 238, 230)).max() < 3, "no frame around it"


def test_a_scene_is_cut_where_there_is_most_in_it():
    rng = np.random.default_rng(0)
    picture = cv2.resize(rng.integers(0, 255, (3, 9, 3), np.uint8), (300, 100), interpolation=cv2.INTER_CUBIC)
    picture[20:80, 210:280] = rng.integers(0, 255, (60, 70, 3))
    square = extract.centred(picture)
    assert square.side == 100 and square.top == 0 and 170 <= square.left <= 200


# --- captions


def test_grammars_are_filled_with_what_is_known():
    rng = np.random.default_rng(0)
    grammar = Grammar.parse("{structure}[ of {color}][ made of {material}]")
    assert grammar.needs == {"structure"}
    assert grammar.filled({"structure": ("house",), "material": ("brick",)}, rng) == "house made of brick"
    assert grammar.filled({"structure": ("house",), "color": ("red",)}, rng) == "house of red"
    assert grammar.filled({"color": ("red",)}, rng) is None
    assert Grammar.parse("a {color} door").filled({"color": ("orange",)}, rng) == "an orange door"


def test_several_prompts_are_different_and_all_true():
    grammars = Grammars.of(["a {color} {structure}", "{structure} of {material}"])
    tags = {"structure": ("house",), "colour": ("red",), "material": ("brick", "stone")}
    made = grammars.captions(tags, 3, np.random.default_rng(0))
    assert len(set(made)) == 3
    assert set(made) <= {"a red house", "house of brick", "house of stone"}
    assert grammars.captions({}, 3, np.random.default_rng(0)) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got 0 characters"),
        ("a {color", "expected every {name} and"),
        ("a {Color} car", "got {Color}, expected a name of lower-case letters"),
        ("a {color.__class__} car", "got {color.__class__}"),
        ("a [b [c] {d}]", "no part in a part"),
        ("a [red] car", r"got the part [red], expected a {name} in it"),
    ],
)
def test_grammars_that_are_wrong_are_named(text, message):
    with pytest.raises(ConfigError) as caught:
        Grammar.parse(text)
    assert message in str(caught.value)


def test_a_grammar_file_brings_its_own_words(tmp_path):
    path = tmp_path / "words.yaml"
    path.write_text("captions:\n  - a {mood} {structure}\nwords:\n  mood: [gloomy, cheerful]\n", "utf-8")
    grammars = Grammars.of((), path)
    tags = captions.named_tags(["houses", "GloomyCastle_3"], grammars.words)
    assert tags["structure"] == ("castle",) and tags["mood"] == ("gloomy",)
    assert grammars.captions(tags, 2, np.random.default_rng(0)) == ("a gloomy castle",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("captions: []\n", "words.yaml:1:11: captions"),
        ("captions:\n  - a {x\n", "words.yaml:2:5"),
        ("captions: [a b]\nwords:\n  Mood: [x]\n", "words.yaml:3:3: got 'Mood'"),
        ("caption: [a]\n", "words.yaml:1:1: caption: unknown setting"),
        ("captions: !!python/object:os.system [a]\n", "tags are not read"),
    ],
)
def test_a_grammar_file_that_is_wrong_is_named_with_its_line(tmp_path, text, message):
    path = tmp_path / "words.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        Grammars.of((), path)
    assert message in str(caught.value)


def test_names_are_read_innermost_last_and_plurals_count():
    words = captions.WORDS
    assert captions.named_tags(["houses", "red_brick_cottage-02"], words) == {
        "structure": ("cottage",),
        "material": ("brick",),
        "color": ("red",),
    }
    assert captions.named_tags(["apartment-blocks", "IMG_1"], words)["structure"] == ("apartment block",)
    assert captions.named_tags(["scarf", "IMG_1"], words) == {}, "no car in a scarf"


@pytest.mark.parametrize("colour", COLOURS)
def test_the_main_colour_is_measured(colour):
    assert captions.dominant_colour(thing(colour, 2)) == colour


@pytest.mark.parametrize("colour", COLOURS)
def test_the_colour_is_that_of_the_thing_and_not_of_its_surroundings(colour):
    scene = np.linspace((150, 190, 240), (90, 120, 70), 120)[:, None] + np.zeros((120, 160, 1))
    scene = scene.astype(np.uint8)
    cv2.rectangle(scene, (50, 40), (110, 90), COLOURS[colour], -1)
    assert captions.dominant_colour(scene) == colour


def test_a_colour_that_is_not_clear_is_not_said():
    assert captions.dominant_colour(np.full((64, 64, 3), 128, np.uint8)) is None
    patches = np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8)
    assert captions.dominant_colour(cv2.resize(patches, (96, 96), interpolation=cv2.INTER_NEAREST)) is None


@pytest.mark.parametrize(
    "text", ["[1]", "{", '{"a": {"b": 1}}', '{"a": []}', '{"a": true}', '{"color": "a\\u0000b"}', "[" * 5000]
)
def test_tags_that_are_none_are_named(tmp_path, text):
    (tmp_path / "a.json").write_text(text, "utf-8")
    with pytest.raises(DataError, match=r"a\.json"):
        captions.written_tags(tmp_path / "a.png")


# --- quality


def test_near_duplicates_are_found_and_others_are_not():
    pictures = [thing("red", 1), thing("red", 2), thing("blue", 1)]
    again = cv2.imdecode(cv2.imencode(".jpg", pictures[0], [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)
    smaller = cv2.resize(pictures[1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    twins = quality.near_duplicates([quality.looks(each) for each in [*pictures, again, smaller]])
    assert twins == {3: 0, 4: 1}, "the same house in another colour is another picture"


def test_near_duplicates_against_every_pair():
    rng = np.random.default_rng(0)
    values = [int(value) for value in rng.integers(0, 2**63, 200)]
    for index in range(100, 200):  # some bits of an earlier one changed
        bits = rng.choice(64, rng.integers(0, 12), replace=False)
        values[index] = values[index - 100] ^ sum(1 << int(bit) for bit in bits)
    found = quality.near_duplicates([(value, (0.0,) * 48) for value in values])
    slow = {}
    for index, value in enumerate(values):
        earlier = (other for other in range(index) if other not in slow)
        same = [other for other in earlier if (value ^ values[other]).bit_count() <= quality.NEAR_BITS]
        if same:
            slow[index] = same[0]
    assert found == slow and found


def test_the_best_of_each_class_stay():
    scores, classes = [1.0, 2.0, 3.0, 4.0, 9.0, 8.0], ["a"] * 4 + ["b"] * 2
    kept, thresholds = quality.best(scores, classes, 0.5)
    assert kept == [False, False, True, True, True, False]
    assert thresholds == {"a": 3.0, "b": 9.0}
    assert quality.best([1.0], ["a"], 0.01)[0] == [True], "one of a class stays"
    with pytest.raises(ConfigError, match="keep: got 0"):
        quality.best(scores, classes, 0.0)


def test_a_sharp_picture_scores_above_a_blurred_one():
    sharp = cv2.resize(thing(), (256, 256))
    blurred = cv2.GaussianBlur(sharp, (0, 0), 6)
    found = [quality.figures(each, extract.canny(sharp)) for each in (blurred, sharp)]
    low, high = quality.plain_scores(found, ["a", "a"])
    assert low < high
    assert quality.plain_scores([found[0], found[0]], ["a", "a"]) == [0.0, 0.0]


def test_pickscore_runs_on_a_clip_model(tmp_path):
    import torch
    from transformers import CLIPConfig, CLIPModel

    from inkstream.bench.shapes import byte_tokenizer as tiny_tokenizer

    torch.manual_seed(0)
    text = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision = {**text, "image_size": 32, "patch_size": 8}
    words = {**text, "vocab_size": 514, "bos_token_id": 512, "eos_token_id": 513, "pad_token_id": 513}
    CLIPModel(CLIPConfig(text_config=words, vision_config=vision, projection_dim=8)).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    score = quality.PickScore(tmp_path, tmp_path)
    one, same, other = score(thing(), "a house"), score(thing(), "a house"), score(thing("blue", 3), "a barn" * 40)
    assert one == same != other and abs(one) < 100
    with pytest.raises(ModelError, match="PickScore cannot be loaded"):
        quality.PickScore(tmp_path / "nothing", tmp_path)
