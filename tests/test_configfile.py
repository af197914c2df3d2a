"""Configuration files and presets: layers, overrides, and what happens to files that are wrong or hostile."""

import os
import sys
import time
from importlib.resources import files

import pytest

from inkstream import configs
from inkstream.lora.train.config import read
from inkstream.lora.train.kinds import kind_of
from inkstream.stream.base import safeyaml
from inkstream.stream.base.config import ControlNetConfig, StreamConfig
from inkstream.stream.base.configfile import load_config, parse_config, parse_set, presets
from inkstream.stream.base.errors import ConfigError


def refused(text: str, **more) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "studio.yaml", **more)
    return str(caught.value)


# --- presets


def test_every_preset_loads_and_says_what_it_is_for():
    purposes = presets()
    assert set(purposes) >= {"ink-tiny", "sd15-lcm", "sd-turbo", "sdxl-turbo", "inference_lcm"}
    for name, purpose in purposes.items():
        assert load_config(name).model
        assert len(purpose) > 20
        assert purpose.endswith(".")


@pytest.mark.parametrize("name", list(presets()))
def test_a_preset_holds_no_value_that_code_also_holds(name):
    text = (files(configs) / f"{name}.yaml").read_text("utf-8")
    written = safeyaml.read(text, name).value["stream"]
    mode = written.get("mode", "img2img")
    defaults = StreamConfig.build(mode=mode).model_dump(mode="json") | {"mode": "img2img"}
    assert [key for key, value in written.items() if defaults[key] == value] == []
    for net in written.get("controlnets", []):
        defaults = ControlNetConfig().model_dump(mode="json")
        held = [key for key, value in net.items() if defaults[key] == value and key != "preprocessor"]
        assert held == []  # the preprocessor of each net is written out: a list entry must hold something


def test_the_embedded_preset_is_what_the_embedded_model_was_trained_for():
    run = load_config("ink-tiny")
    config = run.stream
    assert (run.model, config.mode, config.t_index_list, config.cfg_type) == ("ink-tiny", "sketch", (0, 13), "none")
    assert (config.width, config.height, config.guidance_scale, config.use_tiny_vae) == (256, 256, 1.0, True)
    assert config.controlnets == (ControlNetConfig(model_id=None, preprocessor="scribble"),)


# --- files


def test_a_file_starts_from_its_base_and_replaces_setting_by_setting(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("base: sd15-lcm\nstream:\n  seed: 9\n  controlnets: []\n", "utf-8")
    run = load_config(file)
    base = load_config("sd15-lcm")
    assert run.model == base.model
    assert run.stream == base.stream.changed(seed=9).model_copy(update={"controlnets": ()})
    assert run.stream.t_index_list == (0, 16, 32, 45)


def test_another_mode_than_the_bases_brings_its_own_steps():
    assert parse_config("base: sd15-lcm\nstream: {mode: img2img}").stream.t_index_list == (32, 45)
    assert parse_config("base: sd15-lcm\nstream: {mode: sketch}").stream.t_index_list == (0, 16, 32, 45)
    assert load_config("sd15-lcm", {"mode": "txt2img"}).stream.t_index_list == (0, 16, 32, 45)
    assert load_config("sd15-lcm", {"mode": "img2img", "t_index_list": [40]}).stream.t_index_list == (40,)


def test_overrides_and_model_come_on_top_of_the_file():
    run = load_config("ink-tiny", {"controlnets.0.conditioning_scale": 0.5, "seed": 7}, model="other/model")
    assert (run.model, run.stream.seed, run.stream.controlnets[0].conditioning_scale) == ("other/model", 7, 0.5)
    assert load_config("ink-tiny").stream.controlnets[0].conditioning_scale == 1.0
    assert parse_config("stream: {seed: 1}", model="m").model == "m"


def test_an_override_reaches_into_lists_and_mappings():
    run = load_config(
        "ink-tiny",
        {
            "lora_dict.loras/a.b.safetensors": 0.5,
            "textual_inversion.words/a.b.safetensors": "<cat>",
            "controlnets.1.preprocessor": "canny",
            "controlnets.1.preprocessor_params.low": 50,
            "t_index_list": [0],
        },
    )
    assert run.stream.lora_dict == {"loras/a.b.safetensors": 0.5}
    assert run.stream.textual_inversion == {"words/a.b.safetensors": "<cat>"}
    assert run.stream.controlnets[1] == ControlNetConfig(preprocessor="canny", preprocessor_params={"low": 50})
    assert run.stream.t_index_list == (0,)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("widht", 1, "--set widht: stream.widht: unknown setting; did you mean 'width'?"),
        ("width", "wide", "--set width: stream.width: got 'wide'"),
        (
            "controlnets.3.enabled",
            True,
            "--set controlnets.3.enabled: got '3' in controlnets, expected an index from 0",
        ),
        ("controlnets.first.enabled", True, "--set controlnets.first.enabled: got 'first' in controlnets"),
        ("controlnets.0.scale", 1, "--set controlnets.0.scale: stream.controlnets.0.scale: unknown setting"),
        ("prompt.0", "x", "--set prompt.0: prompt holds 'a glossy red"),
        ("seed.1", 30, "--set seed.1: seed is not set in the file"),
    ],
)
def test_a_wrong_override_is_named(path, value, message):
    with pytest.raises(ConfigError) as caught:
        load_config("ink-tiny", {path: value})
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seed=7", ("seed", 7)),
        ("guidance_scale=1e-1", ("guidance_scale", 0.1)),
        ("prompt=a car: red # not a comment", ("prompt", "a car: red # not a comment")),
        ("prompt=x=y", ("prompt", "x=y")),
        ("prompt='7'", ("prompt", "7")),
        ("prompt=[[day, 1], [night, 0.5]]", ("prompt", [["day", 1], ["night", 0.5]])),
        ("negative_prompt=", ("negative_prompt", "")),
        ("vae_id=null", ("vae_id", None)),
        ("use_tiny_vae=false", ("use_tiny_vae", False)),
        ("controlnets.0.conditioning_scale=0.5", ("controlnets.0.conditioning_scale", 0.5)),
    ],
)
def test_parse_set_reads_the_value_as_yaml(text, expected):
    assert parse_set(text) == expected


@pytest.mark.parametrize("text", ["seed", "=1", "", ".=1", "a..b=1", "x=[1", "x={a: 1", "seed=" + "9" * 999])
def test_parse_set_refuses_what_it_cannot_read(text):
    with pytest.raises(ConfigError, match="--set"):
        parse_set(text)


# --- faults have a place

WRONG_FILES = [
    ("model: m\nstream:\n  width: abc\n", "studio.yaml:3:10: stream.width: got 'abc'"),
    ("model: m\nstream:\n  widht: 512\n", "studio.yaml:3:3: stream.widht: unknown setting; did you mean 'width'?"),
    ("modle: m\n", "studio.yaml:1:1: modle: unknown setting; did you mean 'model'?"),
    ("stream: {}\n", "studio.yaml:1:1: model: is missing"),
    ("model: ''\n", "studio.yaml:1:8: model: got ''"),
    ("model: m\nstream: 3\n", "studio.yaml:2:9: stream: got 3"),
    (
        "model: m\nstream:\n  controlnets:\n    - preprocessor: canny\n    - {scale: 2}\n",
        "studio.yaml:5:8: stream.controlnets.1.scale: unknown setting; known are: model_id",
    ),
    ("model: m\nstream:\n  seed: 1\n  t_index_list: [3, 2]\n", "studio.yaml:4:17: stream.t_index_list: got [3, 2]"),
    ("base: nowhere\n", "studio.yaml:1:7: base: got 'nowhere', expected a preset: "),
    ("base: [ink-tiny]\n", "studio.yaml:1:7: base: got ['ink-tiny'], expected a preset: "),
    ("", "studio.yaml:1:1: got nothing, expected settings such as: model, stream"),
    ("- a\n- b\n", "studio.yaml:1:1: got a list, expected settings such as"),
    ("model: m\nmodel: n\n", "studio.yaml:2:1: got the key 'model' twice"),
    ("model: m\n1: x\n", "studio.yaml:2:1: got the key 1, expected a name"),
    ("model: m\n? [a]\n: x\n", "studio.yaml:2:3: got the key (sequence), expected a name"),
    ("model: m\n---\nmodel: n\n", "studio.yaml:2:1: not YAML: expected a single document"),
    ("model: [m\n", "studio.yaml:2:1: not YAML: "),
    ("model: m\n\tstream: {}\n", "studio.yaml:2:1: not YAML: "),
    ("model: m\nstream: *nowhere\n", "studio.yaml:2:9: not YAML: found undefined alias"),
    ("model: m\x00\n", "studio.yaml:1:9: got the character '\\x00'"),
    ('model: "\\UFFFFFFFF"\n', "studio.yaml:1:11: not YAML: "),
    ("%YAML " + "9" * 5000 + ".1\n---\nmodel: m\n", "studio.yaml:1:7: not YAML: "),
    ("model: m\nstream: {seed: " + "9" * 5000 + "}\n", "studio.yaml:2:16: got a number of 5000 digits"),
]


@pytest.mark.parametrize(("text", "message"), WRONG_FILES)
def test_a_wrong_file_is_refused_with_file_line_and_column(text, message):
    assert refused(text).startswith(message)


def test_a_fault_inside_the_base_is_not_blamed_on_the_file_and_the_files_own_fault_is(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("base: ink-tiny\nstream:\n  width: abc\n", "utf-8")
    with pytest.raises(ConfigError, match=r"mine\.yaml:3:10: stream\.width"):
        load_config(file)
    with pytest.raises(ConfigError, match=r"^ink-tiny\.yaml:\d+:\d+: stream\.t_index_list"):
        load_config("ink-tiny", {"num_inference_steps": 5})


def test_all_faults_are_listed_but_not_thousands():
    message = refused("model: m\nstream:\n" + "".join(f"  x{n}: 1\n" for n in range(500)))
    assert message.count("\n") < 20
    assert "and 492 more" in message


# --- files that are hostile


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system", "!!python/name:os.system", "!custom", "!!binary", "!!timestamp", "!"]
)
def test_tags_are_refused_and_nothing_runs(tag, tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr("os.system", ran.append)
    assert refused(f"model: {tag} ['touch {tmp_path / 'ran'}']\n").startswith("studio.yaml:1:8: got the tag ")
    assert ran == []
    assert not list(tmp_path.iterdir())


BOMBS = [
    "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "a: &a [*a]\n",
    "a: &a {b: *a}\n",
    "[" * 200_000,
    "{a: " * 100_000,
    "- " * 200_000,
    "? " * 200_000,
    "- a\n" * 200_000,
    "a" * (1 << 21),
]


@pytest.mark.parametrize("text", BOMBS, ids=lambda text: text[:12])
def test_a_file_that_would_grow_is_refused_quickly(text):
    started = time.perf_counter()
    assert "expected" in refused(text) or "write the values out" in refused(text)
    assert time.perf_counter() - started < 5


def test_aliases_within_reason_are_read():
    run = parse_config("model: &m x\nstream:\n  prompt: *m\n  controlnets: [&c {preprocessor: canny}, *c]\n")
    assert run.stream.prompt == "x"
    assert [net.preprocessor for net in run.stream.controlnets] == ["canny", "canny"]


def test_a_file_that_is_too_large_or_not_text_is_refused(tmp_path):
    big = tmp_path / "big.yaml"
    big.write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(ConfigError, match=r"big\.yaml: got more than 1024 KiB"):
        load_config(big)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"model: m\nstream: \xff\xfe\n")
    with pytest.raises(ConfigError, match=r"binary\.yaml:2: got the byte 0xff, expected UTF-8"):
        load_config(binary)


def test_a_byte_order_mark_is_no_fault(tmp_path):
    file = tmp_path / "windows.yaml"
    file.write_bytes(b"\xef\xbb\xbfmodel: m\r\nstream:\r\n  seed: 5\r\n")
    assert load_config(file).stream.seed == 5


@pytest.mark.parametrize("name", ["ink-tinny", "", "no/such/file.yaml", "a\x00b", "x" * 10_000, "."])
def test_an_unknown_name_lists_the_presets(name):
    with pytest.raises(ConfigError, match="config: "):
        load_config(name)


def test_a_near_name_is_suggested():
    with pytest.raises(ConfigError, match="did you mean 'ink-tiny'"):
        load_config("ink-tinny")


def test_words_that_older_yaml_turned_into_something_else_stay_text():
    run = parse_config("model: no\nstream:\n  prompt: 12:30\n  negative_prompt: 2024-01-01\n  use_tiny_vae: no\n")
    assert (run.model, run.stream.prompt, run.stream.negative_prompt) == ("no", "12:30", "2024-01-01")
    assert run.stream.use_tiny_vae is False


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("load", [load_config, lambda path: read(path, kind_of("lora"))], ids=["run", "train"])
def test_t12_only_regular_files_are_read_as_a_configuration(tmp_path, load):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    (tmp_path / "folder.yaml").mkdir()
    for name, what in (("pipe", "a FIFO"), ("zero", "a device"), ("folder", "a folder")):
        with pytest.raises(ConfigError) as refused:
            load(tmp_path / f"{name}.yaml")
        assert f"{name}.yaml' cannot be read: got {what}, expected a regular file; name a" in str(refused.value)
