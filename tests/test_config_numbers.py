"""Configurations are checked at every depth: no number that is none, and none without bounds, gets in anywhere."""

import copy
import math

import pytest
from pydantic import BaseModel

from inkstream.lora.train.config import read
from inkstream.lora.train.course import CourseConfig
from inkstream.lora.train.kinds import KINDS, kind_of
from inkstream.lora.train.lcm_proof import ProofConfig
from inkstream.stream.base import safeyaml
from inkstream.stream.base.configfile import build, load_config, parse_config, presets
from inkstream.stream.base.errors import ConfigError

NO_NUMBERS = [math.nan, math.inf, -math.inf, 10**300, -(10**300)]


def numbers(tree, path=()):
    """Paths of all numbers in a configuration as plain data."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from numbers(value, (*path, name))
    elif isinstance(tree, list | tuple):
        for index, value in enumerate(tree):
            yield from numbers(value, (*path, index))
    elif isinstance(tree, int | float) and not isinstance(tree, bool):
        yield path


def with_number(tree, path, number):
    tree = copy.deepcopy(tree)
    place = tree
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = number
    return tree


def configurations():
    for name in presets():
        yield f"{name}", load_config(name)
    for kind in KINDS:
        given = {} if kind in ("autoencoder", "base") else {"data.path": "x"}
        yield f"train_{kind}", read(f"train_{kind}", kind_of(kind), given)
    yield "train_ink-tiny_cpu", read("train_ink-tiny_cpu", CourseConfig)
    yield "train_lcm-proof", read("train_lcm-proof", ProofConfig)


@pytest.mark.parametrize(("name", "config"), [pytest.param(*pair, id=pair[0]) for pair in configurations()])
def test_no_number_without_bounds_gets_in(name, config: BaseModel):
    tree = config.model_dump(mode="json")
    paths = list(numbers(tree))
    assert len(paths) >= 5
    for path in paths:
        for number in NO_NUMBERS if name in ("ink-tiny", *(f"train_{kind}" for kind in KINDS)) else NO_NUMBERS[::3]:
            with pytest.raises(ConfigError) as refused:
                build(safeyaml.Document(with_number(tree, path, number)), type(config))
            text = str(refused.value)
            assert len(text) < 400 and "\n" not in text, text
            assert "finite" in text or "expected" in text, text


@pytest.mark.parametrize("text", [".nan", ".NaN", ".inf", "-.INF", "1e400", "-1e400", "9" * 400, "9" * 5000, "1" * 401])
def test_no_number_without_bounds_gets_in_as_text(text):
    with pytest.raises(ConfigError, match="configuration:4:10: "):
        parse_config(f"model: ink-tiny\nbase: ink-tiny\nstream:\n  delta: {text}\n")


def test_a_fault_within_a_course_is_named_where_it_stands(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("budget: mine\nautoencoder:\n  gan_weight: .nan\n  max_train_minutes: 1\n")
    with pytest.raises(ConfigError, match=r"autoencoder gan_weight: .*got nan, expected a finite number"):
        read(file, CourseConfig)


@pytest.mark.parametrize(
    "text",
    [
        "stream: {delta: 1, delta: 1}",
        "stream: &a {delta: 1}\nmodel: *a",
        "stream:\n  <<: {delta: 1}",
        "stream: [[[1]]]",
        "stream: {delta: [1]}",
        "stream: {delta: {a: 1}}",
        "stream: {controlnets: [[1]]}",
        "stream: {controlnets: {0: {}}}",
        "stream: {t_index_list: [[32]]}",
        "stream: {t_index_list: [1e400]}",
        "stream: {lora_dict: {a: [1]}}",
        "stream: {lora_dict: {a: .nan}}",
        "stream: {lora_dict: {a: 1e400}}",
        "model: [a]",
        "? [a]\n: b",
        "stream: !!python/object/apply:os.getcwd []",
    ],
)
def test_what_has_another_form_is_refused_with_its_place(text):
    with pytest.raises(ConfigError, match=r"^configuration:\d+:\d+: "):
        parse_config(f"base: ink-tiny\n{text}\n")
