"""What an output says about itself is true, whatever happened to its stream before."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
import torch
from doubles.fuzz import fuzz_examples
from doubles.sequences import Life, Untrue, World, plain_config
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from inkstream.stream.base.errors import InkstreamError
from inkstream.stream.loop import networks
from inkstream.stream.loop.batch import StreamBatch
from inkstream.stream.loop.networks import Networks
from inkstream.stream.loop.outputs import Outputs
from inkstream.stream.loop.sequential import SequentialSteps
from inkstream.stream.loop.stream import Stream

SEEDS = st.integers(0, 2**60)
# A seed that is smaller is no simpler life, so nothing is gained by looking for one.
# Every run lives the same lives, a long one others.
RANDOM = {
    "derandomize": fuzz_examples(1) == 1,
    "phases": [Phase.explicit, Phase.reuse, Phase.generate],
    "suppress_health_check": list(HealthCheck),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def guided(tmp_path_factory):
    return World(tmp_path_factory.mktemp("guided"), guided=True)


@pytest.mark.parametrize("half", [1, pytest.param(2, marks=pytest.mark.slow)])
@given(seed=SEEDS)
@settings(max_examples=fuzz_examples(50), **RANDOM)
def test_every_output_equals_a_fresh_render_of_its_frame_under_its_revision(world, half, seed):
    world.life(seed).run()


@given(seed=SEEDS)
@settings(max_examples=fuzz_examples(12), **RANDOM)
def test_l7_a_model_that_takes_guidance_as_an_input_is_not_guided_twice(guided, seed):
    guided.life(seed).run()


def test_l1_streams_on_one_pipeline_render_at_once_each_with_its_own_lora(world):
    streams = [Stream(world.pipe(), plain_config(lora_dict={lora: 0.7})) for lora in world.loras]
    with ThreadPoolExecutor(2) as pool:
        turns = [pool.submit(lambda s: [s(world.frames[n % 4], gated=False) for n in range(12)], s) for s in streams]
        for stream, turn in zip(streams, turns, strict=True):
            for number, output in enumerate(turn.result()):
                world.compare(output.pixels, stream.config, number % 4, f"picture {number}")


def test_l3_l4_changes_of_shape_and_loras_from_another_thread_meet_no_frame(world):
    ink, paint = world.loras
    stream = Stream(world.pipe(), plain_config(use_denoising_batch=True))
    configs, outputs = {0: stream.config}, []
    changes = [{"lora_dict": {ink: 0.7}}, {"use_denoising_batch": False}, {"lora_dict": {paint: 0.7}}]
    changes += [{"t_index_list": (5, 20, 35)}, {"use_denoising_batch": True}, {"lora_dict": {ink: 0.0}}] * 2

    def change():
        for each in changes:
            revision = stream.update(**each)
            configs[revision] = stream.config

    with ThreadPoolExecutor(1) as pool:
        changing = pool.submit(change)
        while not changing.done() or len(outputs) < 20:
            outputs.append(stream(world.frames[stream.pending % 4], gated=False))
        changing.result()
    outputs += stream.drain()
    for output in filter(None, outputs):
        frame = next(n for n, picture in enumerate(world.frames) if (picture == output.input).all())
        world.compare(output.pixels, configs[output.revision], frame, f"revision {output.revision}")


def test_what_waits_and_fails_when_it_is_pushed_through_is_counted(world):
    steps = [("frame", 0), ("fail", "denoise"), ("update", {"prompt": "a blue boat"})]
    steps += [("frame", number) for number in (1, 2, 3)]
    Life(world, {"use_denoising_batch": False, "frame_buffer_size": 2}, steps).run()


# --- faults that were there once: the lives find each of them


def pipeline_changed(patch):
    patch.setattr(networks, "admitted", lambda pipe: pipe)


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
                    with torch.inference_mode():
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


def lives_of(world):
    """For each fault a life that it spoils."""
    ink, steps = world.loras[0], (5, 20, 35)
    frames = [("frame", index) for index in range(4)]
    other_net = [{"model_id": str(world.other_net)}]
    return {
        "l1": (pipeline_changed, {"lora_dict": {ink: 0.7}}, frames),
        "l2": (
            scales_of_the_first_recipe,
            {"use_denoising_batch": False, "lora_dict": {ink: 0.0}},
            [frames[0], ("update", {"lora_dict": {ink: 0.7}}), frames[1]],
        ),
        "l3": (
            lora_lost_in_flight,
            {"lora_dict": {ink: 0.7}, "t_index_list": steps},
            [*frames[:2], ("update", {"use_denoising_batch": False}), frames[2]],
        ),
        "l4": (
            networks_of_the_shape_before,
            {},
            [frames[0], ("update", {"frame_buffer_size": 2}), ("update", {"lora_dict": {ink: 0.7}}), *frames[1:]],
        ),
        "l5": (
            frames_that_wait_are_rendered_anew,
            {"frame_buffer_size": 2},
            [frames[0], ("update", {"prompt": "a blue house"}), *frames[1:]],
        ),
        "l6": (
            half_a_change,
            {},
            [
                frames[0],
                ("refused", {"controlnets": other_net, "lora_dict": {"missing.safetensors": 1.0}}),
                ("update", {"prompt": "a blue house"}),
                *frames[1:],
            ],
        ),
        "l7": (guided_twice, {"cfg_type": "self", "guidance_scale": 2.0}, frames),
        "l8": (
            rows_move_though_the_network_failed,
            {"t_index_list": steps},
            [*frames[:2], ("fail", "denoise"), *frames[2:], ("fail", "decode"), *frames],
        ),
        "l9": (
            finished_pictures_dropped,
            {"t_index_list": steps},
            [*frames[:3], ("update", {"t_index_list": (20,), "frame_buffer_size": 1}), frames[3]],
        ),
    }


FAULTS = [f"l{number}" for number in range(1, 10)]


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_was_there_once_is_not(world, guided, name):
    where = guided if name == "l7" else world
    _, start, steps = lives_of(where)[name]
    Life(where, start, steps).run()


@pytest.mark.parametrize("name", FAULTS)
def test_a_life_that_a_fault_spoils_shows_it(world, guided, name, monkeypatch):
    where = guided if name == "l7" else world
    plant, start, steps = lives_of(where)[name]
    plant(monkeypatch)
    with pytest.raises((Untrue, RuntimeError, InkstreamError)):
        Life(where, start, steps).run()
    where.spoilt()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", FAULTS)
def test_random_lives_find_every_fault(world, guided, name, monkeypatch):
    where = guided if name == "l7" else world
    lives_of(where)[name][0](monkeypatch)
    for seed in range(1000):
        life = where.life(seed)
        try:
            life.run()
        except (Untrue, RuntimeError, InkstreamError) as error:
            print(f"{name}: found by life {seed + 1}: {error}\n{life}")
            break
    else:
        pytest.fail("no life found it")
    where.spoilt()
