"""``inkstream config convert``: files of livepeer's StreamDiffusion become ours, and every key is accounted for."""

import subprocess
import sys

import pytest
from doubles.fuzz import fuzz_examples
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from inkstream.stream.app.cli import app
from inkstream.stream.base import safeyaml
from inkstream.stream.base.configfile import load_config, parse_config
from inkstream.stream.base.errors import ConfigError
from inkstream.stream.compat import livepeer

# After their documented keys; every kind of them is there.
FULL = """\
model_id: owner/some-sd15
t_index_list: [12, 30]
width: 576
height: 448
device: cuda
dtype: half
prompt: "a red car"
prompt_blending:
  prompt_list:
    - ["a red car", 0.75]
    - ["a blue house", 0.25]
  interpolation_method: linear
  enable_caching: true
negative_prompt: fog
guidance_scale: 1.3
num_inference_steps: 40
seed: 11
seed_blending:
  seed_list: [[11, 0.5], [12, 0.5]]
frame_buffer_size: 1
delta: 0.6
use_denoising_batch: true
use_lcm_lora: true
use_tiny_vae: true
acceleration: tensorrt
enable_pytorch_fallback: true
cfg_type: initialize
engine_dir: ./engines/sd15
use_controlnet: true
use_ipadapter: true
lora_dict: {styles/ink.safetensors: 0.4}
normalize_prompt_weights: false
enable_similar_image_filter: true
similar_image_filter_threshold: 0.95
similar_image_filter_max_skip_frame: 5
output_type: pt
warmup: 3
ipadapters:
  - ipadapter_model_path: owner/adapter
    image_encoder_path: owner/encoder
controlnets:
  - model_id: owner/canny
    conditioning_scale: 0.4
    preprocessor: canny
    preprocessor_params: {low_threshold: 80, high_threshold: 160}
    enabled: true
  - model_id: owner/depth
    conditioning_scale: 0.3
    preprocessor: depth_tensorrt
    preprocessor_params: {engine_path: 'C:\\depth.engine', detect_resolution: 518}
  - model_id: owner/edges
    control_guidance_end: 0.5
    preprocessor: soft_edge
    preprocessor_params: {multi_scale: true}
  - model_id: owner/tile
"""


def converted(text):
    return livepeer.convert(safeyaml.read(text, "theirs.yaml"))


def what(made, key):
    """(line, how, why) of the note about a key."""
    found = [note for note in made.notes if note.key == key]
    assert len(found) == 1, key
    return found[0].place.line, found[0].how, found[0].text


def test_a_file_with_every_kind_of_key_becomes_ours():
    made = converted(FULL)
    run = parse_config(made.yaml())
    config = run.stream
    assert run.model == "owner/some-sd15"
    assert (config.t_index_list, config.num_inference_steps) == ((12, 30), 40)
    assert (config.width, config.height, config.fit) == (576, 448, "stretch")
    assert (config.device, config.dtype, config.acceleration) == ("cuda", "float16", "auto")
    assert config.prompt == (("a red car", 0.75), ("a blue house", 0.25))
    assert (config.prompt_interpolation_method, config.normalize_prompt_weights) == ("linear", False)
    assert (config.seed, config.seed_interpolation_method) == (((11, 0.5), (12, 0.5)), "linear")
    assert (config.negative_prompt, config.guidance_scale, config.delta) == ("fog", 1.3, 0.6)
    assert (config.cfg_type, config.use_lcm_lora, config.use_tiny_vae) == ("initialize", True, True)
    assert config.lora_dict == {"styles/ink.safetensors": 0.4}
    assert (config.similar_image_filter_threshold, config.similar_image_filter_max_skip_frame) == (0.95, 6)
    canny, edges, tile = config.controlnets
    assert (canny.model_id, canny.conditioning_scale, canny.preprocessor) == ("owner/canny", 0.4, "canny")
    assert canny.preprocessor_params == {"low_threshold": 80, "high_threshold": 160}
    assert (edges.preprocessor, edges.control_guidance_end, edges.preprocessor_params) == ("softedge", 0.5, {})
    assert (tile.model_id, tile.preprocessor) == ("owner/tile", "none")


def test_every_key_is_accounted_for_with_its_line():
    made = converted(FULL)
    top = [key for key in safeyaml.read(FULL, "").value if key not in {note.key for note in made.notes}]
    assert top == []
    assert what(made, "t_index_list") == (2, "same", "")
    assert what(made, "dtype") == (6, "differently", "float16 here")
    assert what(made, "prompt") == (7, "not", "prompt_blending takes its place, there too")
    assert what(made, "prompt_blending")[:2] == (8, "differently")
    assert what(made, "prompt_blending.enable_caching")[:2] == (13, "not")
    assert what(made, "acceleration") == (25, "differently", "auto here")
    assert what(made, "engine_dir")[:2] == (28, "not")
    assert what(made, "controlnets.1") == (
        *(47, "not"),
        "its preprocessor, depth_tensorrt, is not here: the ControlNet is left out",
    )
    assert what(made, "controlnets.2.preprocessor")[1] == "differently"
    assert what(made, "controlnets.2.preprocessor_params.multi_scale")[1] == "not"
    assert str(made.notes[0]) == "theirs.yaml:1:1: model_id: differently: its name here is model"


def test_what_a_file_leaves_out_has_their_default():
    config = parse_config(converted("model_id: owner/sd15\n").yaml()).stream
    assert (config.t_index_list, config.fit, config.use_lcm_lora) == ((0, 16, 32, 45), "stretch", True)
    assert config.similar_image_filter_threshold is None
    filtered = parse_config(converted("model_id: a/b\nenable_similar_image_filter: true\n").yaml()).stream
    assert (filtered.similar_image_filter_threshold, filtered.similar_image_filter_max_skip_frame) == (0.98, 11)
    canny = "model_id: a/b\ncontrolnet_config: {model_id: c/d, preprocessor: canny}\n"
    net = parse_config(converted(canny).yaml()).stream.controlnets[0]
    assert net.preprocessor_params == {"low_threshold": 100, "high_threshold": 200}


def test_a_turbo_model_gets_no_lora_as_there():
    made = converted("model_id: owner/sd-turbo\nuse_lcm_lora: true\nlora_dict: {a.safetensors: 1}\n")
    assert parse_config(made.yaml()).stream.use_lcm_lora is False
    assert "lora_dict" not in made.stream
    assert (what(made, "use_lcm_lora")[1], what(made, "lora_dict")[1]) == ("not", "not")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_id: a/b\nwidht: 5\n", "theirs.yaml:2:1: widht: unknown key; did you mean 'width'?"),
        ("model_id: a/b\nxyzzy: 5\n", "theirs.yaml:2:1: xyzzy: unknown key; it is none of livepeer's"),
        ("width: 512\n", "theirs.yaml:1:1: model_id: got None, expected the name of a model"),
        ("model_id: a/b\nwidth: wide\n", "theirs.yaml:2:8: stream.width: got 'wide', expected a whole number"),
        ("model_id: a/b\nt_index_list: [0, 60]\n", "theirs.yaml:2:15: stream.t_index_list: got [0, 60], expected"),
        ("model_id: a/b\ndtype: int4\n", "theirs.yaml:2:8: dtype: got 'int4', expected one of: float16, half"),
        ("model_id: a/b\ndevice_ids: [0, 1]\n", "theirs.yaml:2:13: device_ids: got [0, 1], expected one number"),
        ("model_id: a/b\nprompt_blending: cat\n", "theirs.yaml:2:18: prompt_blending: got 'cat', expected a mapping"),
        ("model_id: a/b\nprompt_blending: {prompts: []}\n", "theirs.yaml:2:19: prompt_blending.prompts: unknown key"),
        (
            "model_id: a/b\nprompt_blending: {prompt_list: [[a, -1]]}\n",
            "theirs.yaml:2:32: stream.prompt: got",
        ),
        ("model_id: a/b\ncontrolnets: 5\n", "theirs.yaml:2:14: controlnets: got 5, expected a list of ControlNets"),
        ("model_id: a/b\ncontrolnets: [{scale: 1}]\n", "theirs.yaml:2:16: controlnets.0.scale: unknown key"),
        ("model_id: a/b\ncontrolnets: [{model_id: 3}]\n", "theirs.yaml:2:26: controlnets.0.model_id: got 3, expected"),
        (
            "model_id: a/b\ncontrolnets: [{model_id: c, preprocessor: magic}]\n",
            "theirs.yaml:2:43: controlnets.0.preprocessor: got 'magic', expected one of: canny, passthrough",
        ),
        (
            "model_id: a/b\ncontrolnets: [{model_id: c, conditioning_scale: 9}]\n",
            "theirs.yaml:2:49: stream.controlnets.0.conditioning_scale: got 9",
        ),
        ("- a\n", "theirs.yaml:1:1: got no settings, expected a file of livepeer's StreamDiffusion"),
        ("model_id: a/b\nenable_similar_image_filter: 3\n", "theirs.yaml:2:30: enable_similar_image_filter: got 3"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place_in_their_file(text, message):
    with pytest.raises(ConfigError) as caught:
        converted(text)
    assert str(caught.value).startswith(message)


def test_the_command_writes_a_new_file_and_says_what_became_of_each_key(tmp_path):
    theirs, ours = tmp_path / "theirs.yaml", tmp_path / "ours.yaml"
    theirs.write_text(FULL)
    done = CliRunner().invoke(app, ["config", "convert", str(theirs), str(ours)])
    assert (done.exit_code, done.stdout) == (0, "")
    assert f"{theirs}:28:1: engine_dir: not: " in done.stderr
    assert load_config(ours).model == "owner/some-sd15"
    before = ours.read_text()
    again = CliRunner().invoke(app, ["config", "convert", str(theirs), str(ours)])
    assert again.exit_code == 2
    assert "is there already, expected a new file" in again.stderr
    assert ours.read_text() == before
    shown = CliRunner().invoke(app, ["config", "convert", str(theirs)])
    assert (shown.exit_code, shown.stdout) == (0, before)


@pytest.mark.parametrize(
    ("name", "message"),
    [("nowhere.yaml", "cannot be read: No such file or directory"), (".", "cannot be read: ")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, message):
    done = CliRunner().invoke(app, ["config", "convert", str(tmp_path / name)])
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_keys_that_would_drive_a_terminal_are_shown_in_quotes(tmp_path):
    theirs = tmp_path / "theirs.yaml"
    for text in (
        'model_id: a/b\n"\\e[2J": 1\n',
        'model_id: a/b\ncontrolnets: [{model_id: c, preprocessor_params: {"\\e[2J": 1}}]\n',
    ):
        theirs.write_text(text)
        done = CliRunner().invoke(app, ["config", "convert", str(theirs)])
        assert "\\x1b[2J" in done.stderr
        assert "\x1b" not in done.stderr


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    theirs = tmp_path / "theirs.yaml"
    theirs.write_text("model_id: a/b\n")
    done = CliRunner().invoke(app, ["config", "convert", str(theirs), str(tmp_path / "nowhere" / "ours.yaml")])
    assert done.exit_code == 2
    assert "ours.yaml: cannot be written: No such file or directory; name another place" in done.stderr


def test_converting_loads_no_torch():
    script = "import sys, inkstream.stream.compat.livepeer; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", script], timeout=60, check=False).returncode == 0


KEYS = [*livepeer.SAME, *livepeer.NOT, *livepeer.RULES]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 600) | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["model_id", "preprocessor", "preprocessor_params", "prompt_list"]), inner)
    ),
    max_leaves=6,
)


@settings(max_examples=fuzz_examples(60))
@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6))
def test_any_file_becomes_ours_or_is_refused_by_name(values):
    text = safeyaml.write({"model_id": "a/b", **{key: value for key, value in values.items() if key != "model_id"}})
    try:
        made = converted(text)
    except ConfigError as error:
        assert str(error).startswith("theirs.yaml:")
        assert len(str(error)) < 3000
        return
    parse_config(made.yaml())
    assert {note.key for note in made.notes} >= set(values)
