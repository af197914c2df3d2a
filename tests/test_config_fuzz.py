"""Any text is either a configuration or refused, and any configuration can be written and read back."""

from hypothesis import given, settings
from hypothesis import strategies as st

from inkstream.stream.base.config import ControlNetConfig, StreamConfig
from inkstream.stream.base.configfile import RunConfig, dump_yaml, load_config, parse_config, parse_set
from inkstream.stream.base.errors import ConfigError

YAML_PIECES = st.sampled_from(
    [
        *"[]{}:,-?&*!|>'\"#%@`~=<\n\t \\",
        "model: ",
        "stream:\n  ",
        "base: ink-tiny\n",
        "&a ",
        "*a",
        "!!str ",
        "<<: ",
        "---\n",
        "controlnets:\n    - ",
        "prompt: ",
        "1e999",
        ".nan",
        "0x1F",
        "null",
        "true",
        "\ufeff",
        "\x85",
        "\u2028",
        "%YAML 1.1\n",
    ]
)


@settings(max_examples=150, deadline=10_000)
@given(st.one_of(st.text(), st.lists(st.one_of(YAML_PIECES, st.text(max_size=5)), max_size=30).map("".join)))
def test_any_text_loads_or_is_refused(text):
    try:
        assert isinstance(parse_config(text), RunConfig)
    except ConfigError as error:
        assert str(error)


@settings(max_examples=75, deadline=10_000)
@given(st.one_of(st.text(), st.tuples(st.text(max_size=20), st.text()).map("=".join)))
def test_any_set_argument_loads_or_is_refused(text):
    try:
        path, value = parse_set(text)
        load_config("ink-tiny", {path: value})
    except ConfigError as error:
        assert str(error)


UNIT = st.floats(0, 1)
LOOSE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**12), 10**12), st.floats(-1e12, 1e12), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)
CONTROLNETS = st.builds(
    lambda span, **values: ControlNetConfig(control_guidance_start=min(span), control_guidance_end=max(span), **values),
    span=st.tuples(UNIT, UNIT),
    model_id=st.none() | st.text(),
    conditioning_scale=st.floats(0, 4),
    preprocessor=st.text(),
    preprocessor_params=st.dictionaries(st.text(max_size=8), LOOSE, max_size=3),
    enabled=st.booleans(),
)
CONFIGS = st.builds(
    StreamConfig,
    prompt=st.text() | st.lists(st.tuples(st.text(), st.floats(0.001, 10)), min_size=1, max_size=3).map(tuple),
    negative_prompt=st.text(),
    seed=st.integers(0, 2**63 - 1),
    mode=st.sampled_from(["img2img", "txt2img", "sketch"]),
    t_index_list=st.sets(st.integers(0, 49), max_size=5).map(sorted),
    cfg_type=st.sampled_from(["none", "full", "self", "initialize"]),
    guidance_scale=st.floats(0, 30),
    width=st.integers(64, 4096),
    controlnets=st.lists(CONTROLNETS, max_size=2),
    lora_dict=st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False), max_size=3),
    textual_inversion=st.dictionaries(st.text(), st.text(), max_size=3),
    engine_dir=st.none() | st.text(),
    similar_image_filter_threshold=st.none() | st.floats(0.001, 1),
)


@settings(max_examples=50, deadline=10_000)
@given(st.text(min_size=1), CONFIGS, st.booleans())
def test_what_is_written_reads_back_equal(model, config, descriptions):
    run = RunConfig(model=model, stream=config)
    assert parse_config(dump_yaml(run, descriptions)) == run


def test_descriptions_stand_above_every_setting():
    lines = dump_yaml(load_config("ink-tiny"), descriptions=True).splitlines()
    for name, info in StreamConfig.model_fields.items():
        at = next(number for number, line in enumerate(lines) if line.startswith(f"  {name}:"))
        assert lines[at - 1] == f"  # {info.description}"
