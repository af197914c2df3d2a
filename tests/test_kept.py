"""Pictures that are kept say how they were made, and are made again from that, number for number."""

import json
import os
import struct
import zlib
from datetime import datetime

import numpy as np
import pytest
from doubles.tiny_models import tiny_sd
from PIL import Image
from test_cli import command, stream  # noqa: F401 - a fixture

from inkstream.bench.synthetic import FakeStream
from inkstream.stream import Frame, Output, Stream, StreamConfig, load_config, open_sink
from inkstream.stream.base.errors import ConfigError
from inkstream.stream.base.kept import name_of, png_with, read_making, read_recipe, recipe_of
from inkstream.stream.base.making import LONGEST, Making
from inkstream.stream.sinks import Status

SMALL = {"width": 64, "height": 64, "acceleration": "eager", "warmup": 0, "use_tiny_vae": False}
NOON = datetime(2031, 2, 3, 12)


def drawing(number, side=64):
    pixels = np.full((side, side, 3), 255, np.uint8)
    pixels[number * 3 % side : number * 3 % side + 6, side // 8 : -side // 8] = (20, 30, 10 * number % 250)
    return pixels


def drawn(live, count, side=64):
    """All outputs of a live stream that was given so many drawings."""
    given = (live(Frame(drawing(number, side), number, 0.0)) for number in range(count))
    return [*filter(None, given), *live.drain()]


def kept(output, path, **more):
    path.write_bytes(png_with(output.pixels, recipe_of(output, **more)))
    return path


def again(path, output):
    """What the recipe in a picture makes of the same input."""
    run = load_config(path)
    with Stream.from_pretrained(run.model, run.stream) as other:
        assert other.config == output.making.at(output.faded).stream
        (made,) = drawn_once(other, output.input)
    return made


def drawn_once(live, pixels):
    first = live(Frame(pixels, 0, 0.0))
    return [*filter(None, [first]), *live.drain()]


# --- the recipe makes the picture


def test_a_picture_is_made_again_from_its_recipe_bit_for_bit(folders, tmp_path):
    settings = {**SMALL, "t_index_list": [20, 32, 45], "prompt": "a red car", "seed": -1}
    with Stream.from_pretrained(folders / "sd", **settings) as live:
        live(Frame(drawing(0), 0, 0.0))
        live.update(prompt="a house by the sea", drawing_influence=30)
        output = drawn(live, 4)[-1]
        assert output.making is live._plan.making and output.revision == 1
    made = again(kept(output, tmp_path / "kept.png"), output)
    assert (made.pixels == output.pixels).all()
    assert not (made.pixels == output.input).all()


def test_a_picture_of_the_embedded_model_and_its_style_is_made_again(tmp_path):
    run = load_config("ink-tiny", {"acceleration": "eager", "warmup": 0, "lora_dict": {"night": 0.6}, "seed": 7})
    with Stream.from_pretrained(run.model, run.stream) as live:
        output = drawn(live, 3, side=256)[-1]
    recipe = recipe_of(output)
    assert recipe["model"] == "ink-tiny" and recipe["stream"]["lora_dict"] == {"night": 0.6}
    made = again(kept(output, tmp_path / "kept.png"), output)
    assert (made.pixels == output.pixels).all() and made.pixels.std() > 5


def test_a_picture_in_the_middle_of_a_fade_is_made_again(folders, tmp_path):
    with Stream.from_pretrained(folders / "sd", **SMALL, prompt="a red car", prompt_transition_frames=4) as live:
        live(Frame(drawing(0), 0, 0.0))
        live.update(prompt="a blue sea")
        outputs = drawn(live, 6)
    fading = {round(output.faded, 2): output for output in outputs}
    assert sorted(fading) == [0.25, 0.5, 0.75, 1.0]
    half = fading[0.5]
    assert half.making is fading[1.0].making  # one for all pictures of a revision
    assert half.making.at(0.5).stream.prompt == (("a red car", 0.5), ("a blue sea", 0.5))
    made = again(kept(half, tmp_path / "kept.png"), half)
    assert (made.pixels == half.pixels).all()
    assert not (drawn_once_with(folders, "a blue sea", half) == half.pixels).all()


def drawn_once_with(folders, prompt, output):
    with Stream.from_pretrained(folders / "sd", **SMALL, prompt=prompt) as live:
        return drawn_once(live, output.input)[0].pixels


def test_a_pipeline_that_a_program_made_has_no_name():
    with Stream(tiny_sd(), **SMALL) as live:
        output = drawn(live, 2)[0]
    assert output.making.model == "" and output.making.versions["torch"]
    assert output.making.engine


# --- what it says, and what it does not


def test_files_are_named_from_the_home_and_no_more_than_needed(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "ada"))
    monkeypatch.chdir(tmp_path)
    for name in ("ada/models/car", "elsewhere/vae"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "ada" / "brush.safetensors").write_text("")
    config = StreamConfig.build(
        vae_id="elsewhere/vae",
        lora_dict={str(tmp_path / "ada" / "brush.safetensors"): 0.5, "night": 0.25, "owner/name": 1.0},
        lora_folder=str(tmp_path / "ada"),
        engine_dir=str(tmp_path / "ada" / "engines"),
        controlnets=[{"model_id": "~/models/car"}, {}],
    )
    recipe = Making("ada/models/car", config).recipe()
    assert recipe["model"] == "~/models/car"
    said = recipe["stream"]
    assert said["vae_id"] == str(tmp_path / "elsewhere" / "vae")
    assert said["lora_dict"] == {"~/brush.safetensors": 0.5, "night": 0.25, "owner/name": 1.0}
    assert [net["model_id"] for net in said["controlnets"]] == ["~/models/car", None]
    assert not {"engine_dir", "lora_folder"} & said.keys()
    with_lora = config.changed(prompt="a car <lora:brush:0.5>")
    assert Making("x", with_lora).recipe()["stream"]["lora_folder"].startswith("~/")
    assert Making.of(recipe).stream.drawing_influence == config.drawing_influence


def test_a_stream_goes_back_to_settings_that_are_named_otherwise(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("brush.safetensors", "ink.safetensors"):
        (tmp_path / name).write_text("")
    (tmp_path / "net").mkdir()
    then = StreamConfig.build(
        mode="img2img",
        lora_dict={str(tmp_path / "brush.safetensors"): 0.5, "night": 0.25},
        controlnets=[{"model_id": str(tmp_path / "net"), "conditioning_scale": 0.5}],
        engine_dir="built",
        seed=4,
    )
    back = Making.of(Making("ink-tiny", then).recipe())
    assert back.stream.controlnets[0].model_id == "~/net"
    assert back.changes_from(then) == {}  # neither the names nor the folder of engines count
    now = then.changed(
        mode="txt2img",
        lora_dict={str(tmp_path / "brush.safetensors"): 1.0, str(tmp_path / "ink.safetensors"): 0.75, "night": 0.0},
        controlnets=[{"conditioning_scale": 0.1}, {"model_id": "owner/other"}],
        prompt=[("a", 1), ("b", 2)],
        seed=5,
    )
    changes = back.changes_from(now)
    assert set(changes) == {"mode", "t_index_list", "lora_dict", "controlnets", "prompt", "seed"}
    went = now.changed(**changes)
    ink = {str(tmp_path / "ink.safetensors"): 0.0}
    assert went == then.changed(lora_dict=ink)
    assert list(went.controlnets) == list(then.controlnets)


def output_of(prompt, number=7):
    making = Making("ink-tiny", StreamConfig.build(prompt=prompt))
    return Output(np.zeros((8, 8, 3), np.uint8), number, 0.0, 1, making=making)


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("A red sports car, (at night:1.3)", "20310203-120000-a-red-sports-car-at-night"),
        ("../../etc/passwd <lora:x:0.5> \0", "20310203-120000-etc-passwd"),
        ("Straße über Brücke 橋", "20310203-120000-strasse-über-brücke-橋"),
        ("", "20310203-120000-000007"),
        ([("a car", 1.0), ("a boat", 2.0)], "20310203-120000-a-car"),
        ("x" * 300, "20310203-120000-000007"),
        ("a red brick house with a gable roof", "20310203-120000-a-red-brick-house"),
        ("a house to look at", "20310203-120000-a-house-to-look-at"),
        ("of the in a at by for", "20310203-120000-000007"),
    ],
)
def test_a_name_says_when_and_what(prompt, name):
    assert name_of(NOON, output_of(prompt)) == name


def test_text_in_any_language_comes_back(tmp_path):
    making = read_making(kept(output_of('海辺の家 \U0001f3a8 \\ "'), tmp_path / "kept.png"))
    assert making.stream.prompt == '海辺の家 \U0001f3a8 \\ "'
    assert making.versions["inkstream"]


# --- sinks and commands


def test_the_images_sink_writes_recipes_and_inputs(tmp_path):
    live = FakeStream(1)
    sink = open_sink(f"images:{tmp_path / 'out'},input=1")
    for number in range(2):
        sink.write(live(Frame(drawing(number), number, 0.0)), Status())
    live.update(prompt="a boat")
    sink.write(live(Frame(drawing(2), 2, 0.0)), Status())
    folder = tmp_path / "out"
    ends = [end for number in range(3) for end in (f"0000000{number}-input.png", f"0000000{number}.png")]
    assert sorted(os.listdir(folder)) == sorted(ends)
    recipe = read_recipe(folder / "00000002.png")
    assert recipe["stream"]["prompt"] == "a boat" and recipe["model"] == "fake"
    assert recipe["picture"] == {"frame": 2, "revision": 1, "input": "00000002-input.png"}
    assert (np.asarray(Image.open(folder / "00000002-input.png")) == drawing(2)).all()


def test_run_like_a_picture_takes_its_settings_and_options_win(stream, tmp_path):  # noqa: F811
    config = StreamConfig.build(prompt="a red car", seed=11, guidance_scale=1.7)
    output = Output(drawing(1), 1, 0.0, 0, making=Making("ink-tiny", config))
    path = kept(output, tmp_path / "kept.png")
    run = ("run", "-s", "fake:frames=2,live=0,size=64", "-t", "null", "--like", path)
    command(*run, "--seed", 5)
    model, asked = stream.asked[-1]
    assert model == "ink-tiny" and (asked.prompt, asked.seed, asked.guidance_scale) == ("a red car", 5, 1.7)
    result = command(*run, "-c", "sd15-lcm", code=2)
    assert "--like: got it beside --config sd15-lcm" in result.stderr
    shown = command("config", "show", path, "--set", "delta=0.5").stdout
    assert "guidance_scale: 1.7" in shown and "delta: 0.5" in shown and "prompt: a red car" in shown
    result = command("run", "--like", tmp_path / "none.png", "-t", "null", code=2)
    assert "none.png: cannot be read: No such file or directory" in result.stderr


# --- pictures of strangers


def chunk(kind, data, wrong=0):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ wrong)


def told(text, packed=False):
    return b"inkstream\0" + bytes([packed, 0]) + b"\0\0" + (zlib.compress(text) if packed else text)


def picture(*chunks):
    whole = png_with(drawing(0), None)
    return whole[:33] + b"".join(chunks) + whole[33:]  # behind the header


GOOD = json.dumps({"inkstream": 1, "model": "m", "stream": {"prompt": "x"}}).encode()
HOSTILE = {
    "none inside": (picture(), "without a recipe"),
    "of another program": (picture(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>")), "without a recipe"),
    "cut in the chunk": (picture(chunk(b"iTXt", told(GOOD)))[:60], "cut off"),
    "cut behind the chunk": (picture()[:50], "cut off"),
    "cut in the picture": (picture(chunk(b"iTXt", told(GOOD)))[:-40], "cut off, expected a whole one: copy it again"),
    "cut at its end": (picture(chunk(b"iTXt", told(GOOD)))[:-1], "cut off"),
    "checksum": (picture(chunk(b"iTXt", told(GOOD), wrong=1)), "checksum"),
    "says 2 GB": (picture(struct.pack(">I", 2**31 - 1) + b"iTXt" + told(GOOD)), "expected at most"),
    "no text": (picture(chunk(b"iTXt", b"inkstream\0\0")), "damaged"),
    "a bomb": (picture(chunk(b"iTXt", told(b"[" * 50_000_000, packed=True))), "expected at most"),
    "packed badly": (picture(chunk(b"iTXt", b"inkstream\0\1\0\0\0no zlib")), "cannot be unpacked"),
    "deep": (picture(chunk(b"iTXt", told(b"[" * (LONGEST - 100)))), "damaged recipe"),
    "no JSON": (picture(chunk(b"iTXt", told(b"\xff\xfe{"))), "damaged recipe"),
    "a long number": (picture(chunk(b"iTXt", told(b'{"inkstream": ' + b"9" * 9000 + b"}"))), "damaged recipe"),
    "a list": (picture(chunk(b"iTXt", told(b"[1]"))), "expected a mapping"),
    "no recipe": (picture(chunk(b"iTXt", told(b'{"inkstream": true}'))), "expected a recipe"),
    "later": (picture(chunk(b"iTXt", told(GOOD.replace(b": 1", b": 99")))), "a newer inkstream"),
    "unknown setting": (picture(chunk(b"iTXt", told(GOOD.replace(b"prompt", b"promt")))), "did you mean 'prompt'"),
    "wrong type": (picture(chunk(b"iTXt", told(GOOD.replace(b'"x"', b'{"a": 1}')))), "prompt"),
    "many parts": (picture(chunk(b"tEXt", b"") * 70_000), "parts"),
    "no picture": (b"GIF89a", "control"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_picture_of_a_stranger_is_refused_by_name(name, tmp_path):
    data, why = HOSTILE[name]
    path = tmp_path / "theirs.png"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"theirs\.png") as refused:
        load_config(path)
    assert name == "no picture" or why in str(refused.value)
    assert len(str(refused.value)) < 600


def test_a_recipe_that_another_program_packed_or_moved_is_read(tmp_path):
    whole = png_with(drawing(0), None)
    path = tmp_path / "theirs.png"
    path.write_bytes(whole[:-12] + chunk(b"iTXt", told(GOOD, packed=True)) + whole[-12:])
    assert read_making(path).stream.prompt == "x"
    assert load_config(path).model == "m"


def test_a_recipe_names_no_folder_of_engines(tmp_path):
    recipe = json.loads(GOOD)
    recipe["stream"]["engine_dir"] = "/somewhere/of/theirs"
    path = tmp_path / "theirs.png"
    path.write_bytes(picture(chunk(b"iTXt", told(json.dumps(recipe).encode()))))
    assert load_config(path).stream.engine_dir is None
