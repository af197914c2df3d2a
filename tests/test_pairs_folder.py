"""A folder of pairs: what it gives, and every way in which it can be wrong."""

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from inkstream.lora.data import palette
from inkstream.lora.data.folder import Pairs, Row, parse_row
from inkstream.stream.base.errors import ConfigError, DataError

ROW = {"file_name": "pictures/0.png", "sketch_file_name": "sketches/0.png", "text": "a red car"}


def picture(index=0, size=(48, 32)):
    return np.random.default_rng(index).integers(0, 255, (size[1], size[0], 3), np.uint8)


def lines(size=(48, 32)):
    drawn = np.zeros((size[1], size[0]), np.uint8)
    drawn[8, 4:-4] = drawn[8:-4, 8] = 255
    return drawn


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def listed(folder, *rows, name="metadata.jsonl"):
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)
    (folder / name).write_text(text, "utf-8")


@pytest.fixture
def folder(tmp_path):
    """Three pairs in training, one in validation."""
    for split, count in (("train", 3), ("validation", 1)):
        root = tmp_path / split
        rows = []
        for index in range(count):
            write(root / f"pictures/{index}.png", picture(index))
            write(root / f"sketches/{index}.png", lines())
            names = {"file_name": f"pictures/{index}.png", "sketch_file_name": f"sketches/{index}.png"}
            rows.append({**names, "text": "a red car", "texts": ["a car", "a red car"], "tags": {"color": "red"}})
        listed(root, *rows)
    return tmp_path


def wrong(folder, row, message, **options):
    """Opening the folder with this as its second row raises DataError with the file, the line and the message."""
    lines_ = (folder / "train" / "metadata.jsonl").read_text("utf-8").splitlines()
    lines_[1] = row if isinstance(row, str) else json.dumps(row)
    listed(folder / "train", *lines_)
    with pytest.raises(DataError) as caught:
        Pairs(folder, **options)
    assert f"metadata.jsonl:2: {message}" in str(caught.value)


def test_pairs_are_what_was_written(folder):
    pairs = Pairs(folder)
    assert len(pairs) == 3 and len(Pairs(folder, "validation")) == 1
    sample = pairs[1]
    assert (sample.picture == picture(1)).all() and (sample.sketch == lines()).all()
    assert sample.captions == ("a red car", "a car") and sample.tags == {"color": "red"}
    assert sample.labels is None and sample.clean is None
    assert (pairs[-1].picture == picture(2)).all()
    with pytest.raises(IndexError):
        pairs[3]
    assert sum(1 for _ in pairs) == 3


def test_a_size_makes_squares_and_dark_sketches_are_turned_around(folder):
    write(folder / "train" / "sketches" / "0.png", 255 - lines())
    sample = Pairs(folder, size=16)[0]
    assert sample.picture.shape == (16, 16, 3) and sample.sketch.shape == (16, 16)
    assert sample.sketch.mean() < 127 and sample.sketch.max() > 60


def test_labels_are_classes(folder):
    labels = np.full((32, 48), palette.NUMBER["roof"], np.uint8)
    write(folder / "train" / "labels" / "1.png", labels)
    rows = [json.loads(line) for line in (folder / "train" / "metadata.jsonl").read_text("utf-8").splitlines()]
    rows[1]["labels_file_name"] = "labels/1.png"
    listed(folder / "train", *rows)
    assert (Pairs(folder)[1].labels == labels).all()
    assert Pairs(folder, size=32)[1].labels.shape == (32, 32)
    write(folder / "train" / "labels" / "1.png", labels + 100)
    with pytest.raises(DataError, match=r"labels/1\.png: got uint8 \(32, 48\), up to 108, expected a grey PNG"):
        Pairs(folder)[1]


def test_a_folder_without_splits_is_all_training(folder):
    (folder / "train").rename(folder / "other")
    assert len(Pairs(folder / "other")) == 3
    with pytest.raises(DataError, match=r"has no validation/metadata\.jsonl; make it with: inkstream prepare"):
        Pairs(folder / "other", "validation")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1, 2]", "got a list, expected a table"),
        ("null", "got a nothing, expected a table"),
        ({**ROW, "file_name": None}, "file_name: got nothing, expected the name of a file"),
        ({**ROW, "file_name": 3}, "file_name: got number"),
        ({**ROW, "file_name": "../secret.png"}, "file_name: got '../secret.png', which leads out of the folder"),
        ({**ROW, "file_name": "pictures/../../x.png"}, "file_name: got 'pictures/../../x.png', which leads out"),
        ({**ROW, "file_name": "/etc/passwd"}, "file_name: got '/etc/passwd', which leads out"),
        ({**ROW, "file_name": "C:\\x.png"}, "file_name: got 'C:\\\\x.png', expected a plain path"),
        ({**ROW, "file_name": "C:x.png"}, "file_name: got 'C:x.png', expected a plain path"),
        ({**ROW, "file_name": "..\\x.png"}, "file_name: got '..\\\\x.png', expected a plain path"),
        ({**ROW, "file_name": "file://x.png"}, "file_name: got 'file://x.png', expected a plain path"),
        ({**ROW, "sketch_file_name": ""}, "sketch_file_name: got '', which leads out"),
        ({**ROW, "file_name": "a\x00.png"}, "file_name: got 'a\\x00.png', expected a plain path"),
        ({**ROW, "file_name": "pictures/9.png"}, "pictures/9.png: no such file"),
        ({**ROW, "file_name": "pictures"}, "pictures: is no file"),
        ({**ROW, "text": ""}, "text: got '', expected a text on one line"),
        ({**ROW, "text": "a\nb"}, "text: got 'a\\nb', expected a text on one line"),
        ({**ROW, "text": 1}, "text: got a number, expected a text"),
        ({**ROW, "texts": "a"}, "texts: got a text, expected a list"),
        ({**ROW, "texts": ["a", None]}, "texts[1]: got a nothing"),
        ({**ROW, "tags": ["a"]}, "tags: got a list, expected a table"),
        ({**ROW, "tags": {"color": 3}}, "tags.color: got a number"),
        ({**ROW, "labels_file_name": 3}, "labels_file_name: got number"),
    ],
)
def test_a_wrong_row_is_named_with_its_line(folder, row, message):
    wrong(folder, row, message)


def test_links_that_lead_out_are_refused_and_others_are_not(folder, tmp_path_factory):
    secret = tmp_path_factory.mktemp("outside") / "secret.png"
    write(secret, picture(9))
    inside = folder / "train" / "pictures" / "link.png"
    inside.symlink_to(folder / "train" / "pictures" / "2.png")
    listed(folder / "train", {**ROW, "file_name": "pictures/link.png"})
    assert (Pairs(folder)[0].picture == picture(2)).all()
    inside.unlink()
    inside.symlink_to(secret)
    with pytest.raises(DataError, match=r"metadata\.jsonl:1: pictures/link\.png is a link that leads out"):
        Pairs(folder)
    (folder / "train" / "away").symlink_to(secret.parent)
    listed(folder / "train", {**ROW, "file_name": "away/secret.png"})
    with pytest.raises(DataError, match="is a link that leads out"):
        Pairs(folder)


def test_sizes_are_checked_by_their_headers(folder):
    write(folder / "train" / "sketches" / "1.png", lines((40, 32)))
    with pytest.raises(DataError, match=r"metadata\.jsonl:2: got pictures of different sizes \(pictures/1\.png 48x32"):
        Pairs(folder)
    (folder / "train" / "sketches" / "1.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"metadata\.jsonl:2: .*1\.png: is a text, expected PNG"):
        Pairs(folder)


def test_a_picture_that_breaks_when_decoded_is_named(folder):
    path = folder / "train" / "pictures" / "1.png"
    path.write_bytes(path.read_bytes()[:-200])
    pairs = Pairs(folder)
    with pytest.raises(DataError, match=r"pictures/1\.png: is a PNG that is cut off"):
        pairs[1]
    assert (pairs[2].picture == picture(2)).all()


def test_a_count_that_does_not_fit_is_an_error(folder):
    listed(folder, json.dumps({"counts": {"train": 4, "validation": 1}}), name="prepare.json")
    with pytest.raises(DataError, match=r"got 3 pairs, expected 4 as prepare\.json says"):
        Pairs(folder)
    assert len(Pairs(folder, "validation")) == 1
    listed(folder, "{}", name="prepare.json")
    with pytest.raises(DataError, match=r"prepare\.json: is damaged"):
        Pairs(folder)


def test_bytes_that_are_no_text_and_nothing_at_all(folder):
    (folder / "train" / "metadata.jsonl").write_bytes(b'{"file_name": "\xff.png"}\n')
    with pytest.raises(DataError, match=r"metadata\.jsonl:1: got bytes that are no UTF-8"):
        Pairs(folder)
    listed(folder / "train", "", "")
    with pytest.raises(DataError, match="got no pairs"):
        Pairs(folder)
    with pytest.raises(DataError, match=r"has no train/metadata\.jsonl"):
        Pairs(folder / "nowhere")


@pytest.mark.parametrize("values", [{"split": "../train"}, {"size": 8}])
def test_settings_that_cannot_be_are_named(folder, values):
    with pytest.raises(ConfigError, match=f"{next(iter(values))}: got"):
        Pairs(folder, **values)


PLAIN = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))
TEXT = st.text(PLAIN, min_size=1).filter(lambda text: bool(text.strip()))


@given(TEXT, st.lists(TEXT, max_size=3), st.dictionaries(st.text(PLAIN), TEXT, max_size=3))
@settings(max_examples=80)
def test_what_is_written_is_read_back(text, texts, tags):
    row = Row("pictures/a b.png", "sketches/ü.png", text, tuple(texts), "labels/1.png", tags)
    assert parse_row(row.to_json(), "here:1") == row


SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = SCALAR | st.lists(SCALAR, max_size=4) | st.dictionaries(st.text(max_size=12), SCALAR, max_size=4)
ROWS = st.fixed_dictionaries(
    {},
    optional={
        "file_name": JSON | st.text(alphabet="./\\a:\x00", max_size=8),
        "sketch_file_name": JSON | st.just("sketches/0.png"),
        "labels_file_name": JSON,
        "text": JSON,
        "texts": JSON,
        "tags": JSON,
    },
)


@given(ROWS | JSON | st.builds(lambda changes: {**ROW, **changes}, ROWS))
@example({**ROW, "file_name": "..", "text": "\ud800"})
@settings(max_examples=300)
def test_any_json_is_a_row_or_a_named_error(value):
    _row_or_error(json.dumps(value))


@given(st.text(max_size=80) | st.binary(max_size=80))
@settings(max_examples=150)
def test_any_line_is_a_row_or_a_named_error(line):
    _row_or_error(line)


def _row_or_error(line):
    try:
        row = parse_row(line, "here:1")
    except DataError as error:
        assert str(error).startswith("here:1: ")
        return
    for name in row.files:
        assert not name.startswith("/") and ".." not in name.split("/") and "\\" not in name and "\x00" not in name
    assert all(caption.strip() and "\n" not in caption for caption in row.captions)
    assert parse_row(row.to_json(), "here:2") == row
