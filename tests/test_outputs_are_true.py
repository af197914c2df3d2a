"""What an output says about itself is true, whatever happened to its stream before."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from doubles.fuzz import fuzz_examples
from doubles.sequences import World
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from inkstream.stream.loop import networks
from inkstream.stream.loop.batch import StreamBatch
from inkstream.stream.loop.networks import Networks
from inkstream.stream.loop.outputs import Outputs
from inkstream.stream.loop.sequential import SequentialSteps
from inkstream.stream.loop.stream import Stream


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def guided(tmp_path_factory):
    return World(tmp_path_factory.mktemp("guided"), guided=True)


@pytest.mark.parametrize("half", [1, 2])
@given(data=st.data())
@settings(max_examples=fuzz_examples(90), suppress_health_check=list(HealthCheck))
def test_every_output_equals_a_fresh_render_of_its_frame_under_its_revision(world, half, data):
    data.draw(world.lives()).run()


@given(data=st.data())
@settings(max_examples=fuzz_examples(20), suppress_health_check=list(HealthCheck))
def test_l7_a_model_that_takes_guidance_as_an_input_is_not_guided_twice(guided, data):
    data.draw(guided.lives()).run()


# --- faults that were there once: the lives find each of them


def pipeline_changed(patch):
    patch.setattr(networks, "copy", SimpleNamespace(copy=lambda pipe: pipe))


def scales_of_the_first_recipe(patch):
    of_step = SequentialSteps._of_step

    def stale(self, *args):
        inputs = of_step(self, *args)
        if "lora" in inputs:
            self.first = vars(self).get("first", inputs["lora"])
            inputs["lora"] = self.first
        return inputs

    patch.setattr(SequentialSteps, "_of_step", stale)


def lora_lost_in_flight(patch):
    update = Stream.update

    def losing(self, **changes):
        running = self._running
        revision = update(self, **changes)
        if not self.config.use_denoising_batch and running and hasattr(running.steps, "_inputs"):
            for name, value in running.steps._inputs.items() if isinstance(running.steps._inputs, dict) else ():
                if name == "lora":
                    value.zero_()
        return revision

    patch.setattr(Stream, "update", losing)


def networks_of_the_shape_before(patch):
    units = Networks.units

    def stale(self, config):
        shapes, nets, _ = self._units_key(config)
        for (known, other_nets, _), built in self._built:
            if (known.rows, known.controlnets, other_nets) == (shapes.rows, shapes.controlnets, nets):
                return built
        return units(self, config)

    patch.setattr(Networks, "units", stale)


def frames_that_wait_are_rendered_anew(patch):
    take = Stream._take_plan

    def forgetting(self):
        waiting, self._waiting = self._waiting, []
        plan = take(self)
        self._waiting = waiting
        return plan

    patch.setattr(Stream, "_take_plan", forgetting)


def half_a_change(patch):
    patch.setattr(Networks, "all_or_nothing", lambda self: nullcontext())


def guided_twice(patch):
    patch.setattr(Networks, "_guided_once", lambda self, config: config)


def rows_move_though_the_network_failed(patch):
    def seated(self, entry):
        self._sit([entry, *self._in_row[:-1]])
        return nullcontext()

    patch.setattr(StreamBatch, "seated", seated)


def finished_pictures_dropped(patch):
    hand_out = Outputs.hand_out

    def dropping(self):
        while len(self) > 1:
            self._ready.popleft()
        return hand_out(self)

    patch.setattr(Outputs, "hand_out", dropping)


FAULTS = [
    pipeline_changed,
    scales_of_the_first_recipe,
    lora_lost_in_flight,
    networks_of_the_shape_before,
    frames_that_wait_are_rendered_anew,
    half_a_change,
    guided_twice,
    rows_move_though_the_network_failed,
    finished_pictures_dropped,
]


@pytest.mark.parametrize("number", range(1, 10), ids=lambda number: f"l{number}_{FAULTS[number - 1].__name__}")
def test_the_lives_find_what_was_wrong_once(world, guided, number, monkeypatch):
    FAULTS[number - 1](monkeypatch)
    lives = (guided if number == 7 else world).lives()
    tried = []

    @given(lives)
    @settings(max_examples=1000, phases=[Phase.generate], derandomize=True, suppress_health_check=list(HealthCheck))
    def live(life):
        tried.append(life)
        life.run()

    with pytest.raises(Exception) as found:
        live()
    world.spoilt()
    guided.spoilt()
    print(len(tried), repr(found.value))
