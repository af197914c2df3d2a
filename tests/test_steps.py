"""Step lists that a model brings: read with care, shown, and taken wherever it is judged."""

import pytest
from typer.testing import CliRunner

from inkstream.lora.evaluate.rendering import Renderer, run_for
from inkstream.lora.load import load_pipeline
from inkstream.lora.steps import FILE, read_steps, steps_of, write_steps
from inkstream.models import embedded
from inkstream.stream.app.cli import app
from inkstream.stream.base.configfile import load_config
from inkstream.stream.base.errors import ModelError

INK = embedded()["ink-tiny"]


def test_lists_go_there_and_back_and_no_file_means_none(tmp_path):
    assert read_steps(tmp_path) == {}
    write_steps(tmp_path, {4: (0, 5, 10, 15), 1: [0]})
    assert read_steps(tmp_path) == {1: (0,), 4: (0, 5, 10, 15)}
    assert list(read_steps(tmp_path)) == [1, 4]


@pytest.mark.parametrize(
    "text",
    [
        '{"2": [0]}',
        '{"2": [14, 0]}',
        '{"1": [50]}',
        '{"1": [-1]}',
        '{"1": [true]}',
        '{"1": "0"}',
        '{"0": []}',
        "[1]",
        "{",
    ],
)
def test_a_wrong_list_is_named(text, tmp_path):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ModelError, match=FILE):
        read_steps(tmp_path)


def test_the_embedded_model_brings_its_lists_and_its_preset_has_that_of_two_steps():
    listed = read_steps(INK)
    assert list(listed) == [1, 2, 4]
    assert load_config("ink-tiny").stream.t_index_list == listed[2]
    shown = " ".join(CliRunner().invoke(app, ["models", "show", "ink-tiny"]).output.split())
    assert f"4: t_index_list={list(listed[4])}" in shown


def test_judged_renders_take_the_models_own_list():
    run = run_for("ink-tiny", {"device": "cpu"})
    renderer = Renderer(load_pipeline(run.model, run.stream), 64, run.stream)
    try:
        assert steps_of(renderer.pipe) == read_steps(INK) and steps_of(renderer.pipe, 25) == {}
        for count, expected in ((4, read_steps(INK)[4]), (3, (0, 16, 33))):
            list(renderer.sketches([], count))
            assert renderer.config.t_index_list == expected
    finally:
        renderer.close()
