"""The public stream: pairing, live change, the gate, drain, and what happens when the network fails."""

import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from doubles.lora import tiny_lora
from doubles.pages import growing_pages
from doubles.tiny_models import tiny_sd, tiny_sdxl
from doubles.units import change_units

from inkstream import engines
from inkstream.stream import Frame, Stream, StreamConfig
from inkstream.stream.base.errors import (
    ConfigError,
    EngineError,
    FrameError,
    LoraError,
    ModelError,
    StreamClosed,
    UnsafeWeightsError,
)
from inkstream.stream.loop import networks, planner
from inkstream.stream.loop.prompt import PromptEncoder, slerp
from inkstream.stream.loop.schedule import influenced

SIDE = 64
BASE = {"width": SIDE, "height": SIDE, "cfg_type": "none", "warmup": 0, "acceleration": "eager"}
SKETCH = {**BASE, "mode": "sketch", "t_index_list": (0, 25)}


@pytest.fixture(scope="module")
def pipe():
    return tiny_sd()


@pytest.fixture(scope="module")
def control_pipe():
    return tiny_sd(controlnets=2)


def drawings(count):
    return list(growing_pages(count))


def play(stream, frames, **changes):
    """All outputs, by source id; the changes are made before the fourth frame."""
    outputs = [stream(frame) for frame in frames[:3]]
    if changes:
        stream.update(**changes)
    outputs += [stream(frame) for frame in frames[3:]] + stream.drain()
    return {output.source_id: output for output in outputs if output is not None}


def apart(one, other):
    """The largest difference of the pictures of two outputs, in levels of 255."""
    return np.abs(one.pixels.astype(int) - other.pixels).max()


def assert_changed_halfway(outputs, old, new):
    """Six frames, of which three entered before the change: they finish as they began."""
    for number in range(6):
        expected, other = (old, new) if number < 3 else (new, old)
        assert apart(outputs[number], expected[number]) <= 1, number
        assert apart(outputs[number], other[number]) > 3, number


@pytest.mark.parametrize("steps", [(32,), (20, 40), (0, 16, 32, 45)])
def test_every_output_knows_its_input(pipe, steps):
    stream = Stream(pipe, t_index_list=steps, **BASE)
    frames = [Frame(pixels, id=100 + 3 * i, captured_at=float(i)) for i, pixels in enumerate(drawings(6))]
    first = [stream(frame) for frame in frames[: len(steps)]]
    assert [output is not None for output in first] == [False] * (len(steps) - 1) + [True]
    outputs = {first[-1].source_id: first[-1], **play(stream, frames[len(steps) :])}
    assert sorted(outputs) == [frame.id for frame in frames]
    for frame in frames:
        output = outputs[frame.id]
        assert output.captured_at == frame.captured_at
        assert np.array_equal(output.input, frame.pixels)
        assert output.pixels.shape == (SIDE, SIDE, 3)
        assert output.pixels.dtype == np.uint8
        assert output.pixels.flags.c_contiguous
        with Stream(pipe, t_index_list=steps, **BASE) as alone:
            assert apart(play(alone, [frame])[frame.id], output) <= 1


def test_a_closed_stream_says_that_it_is_closed_and_renders_nothing(pipe):
    stream = Stream(pipe, t_index_list=(20, 40), **BASE)
    page = drawings(1)[0]
    assert stream(page) is None and stream.pending == 1
    steps = stream.metrics.summary()["stages"]["denoise"]["count"]
    stream.close()
    calls = [
        lambda: stream(page),
        stream.advance,
        stream.settle,
        lambda: stream.update(prompt="a car"),
        stream.take_back,
        stream.step_down,
    ]
    for call in calls:
        with pytest.raises(StreamClosed, match=r"after close\(\), expected an open stream; make another one"):
            call()
    assert stream.pending == 0 and stream.drain() == [] and stream.revision == 0 and stream.config.prompt == ""
    assert stream.metrics.summary()["stages"]["denoise"]["count"] == steps
    stream.close()
    with Stream(pipe, mode="txt2img", t_index_list=(0,), **BASE) as other:
        assert other.txt2img() is not None
    with pytest.raises(StreamClosed):
        other.txt2img()


def test_closing_waits_for_the_picture_that_another_thread_renders(pipe):
    inside, go, closed = threading.Event(), threading.Event(), threading.Event()

    def checker(picture):
        inside.set()
        return go.wait(20)

    stream = Stream(pipe, t_index_list=(20,), safety_checker=checker, **BASE)
    rendered = []
    renders = threading.Thread(target=lambda: rendered.append(stream(drawings(1)[0])))
    closes = threading.Thread(target=lambda: (stream.close(), closed.set()))
    renders.start()
    assert inside.wait(20)
    closes.start()
    assert not closed.wait(0.05)
    go.set()
    renders.join(20)
    closes.join(20)
    assert rendered[0] is not None and closed.is_set()
    with pytest.raises(StreamClosed):
        stream.advance()


def test_static_input_drains_and_then_costs_nothing(pipe):
    stream = Stream(pipe, t_index_list=(0, 16, 32, 45), **BASE)
    page = drawings(1)[0]
    outputs = [stream(page) for _ in range(4)]
    assert [output is not None for output in outputs] == [False, False, False, True]
    assert stream.pending == 0
    before = stream.metrics.summary()["stages"]["denoise"]["count"]
    assert [stream(page) for _ in range(20)] == [None] * 20
    assert stream.metrics.summary()["stages"]["denoise"]["count"] == before
    changed = page.copy()
    changed[:3, :16] = 0
    assert [stream(frame) is not None for frame in (changed, changed, changed, changed)] == [False] * 3 + [True]


def test_gate_off_renders_every_frame(pipe):
    stream = Stream(pipe, t_index_list=(32,), similar_image_filter_threshold=None, **BASE)
    page = drawings(1)[0]
    assert all(stream(page) is not None for _ in range(5))


def test_strokes_on_white_paper_are_all_rendered(pipe, monkeypatch):
    """A 100 x 3 px stroke on white 512 x 512 paper: the reference's filter skips nine in ten."""
    encode, decode = lambda image: torch.zeros(1, 4, 64, 64), lambda latent: torch.ones(1, 3, 512, 512)
    denoise = lambda sample, *rest, **more: sample
    change_units(monkeypatch, lambda units: replace(units, encode=encode, denoise=denoise, decode=decode))
    stream = Stream(pipe, t_index_list=(32,), **{**BASE, "width": 512, "height": 512})
    rng, page = np.random.default_rng(0), np.full((512, 512, 3), 255, np.uint8)
    assert stream(page) is not None
    for _ in range(50):
        angle, reach = rng.uniform(0, np.pi), 50
        x, y = rng.uniform(60, 452, 2)
        dx, dy = reach * np.cos(angle), reach * np.sin(angle)
        ink = tuple(int(value) for value in rng.integers(0, 240, 3))
        stroke = cv2.line(page.copy(), (int(x - dx), int(y - dy)), (int(x + dx), int(y + dy)), ink, 3, cv2.LINE_AA)
        assert stream(stroke) is not None and stream(page) is not None


def test_rows_keep_the_parameters_they_entered_with(pipe):
    """Frames in flight finish as they began, for everything that changes live."""
    frames = drawings(6)
    settings = {**BASE, "t_index_list": (10, 20, 40), "cfg_type": "initialize", "guidance_scale": 1.5}
    before = {"prompt": "a red car", "negative_prompt": "fog", "seed": 3, "delta": 0.9}
    changes = {"prompt": "a house", "negative_prompt": "rain", "seed": 4, "delta": 0.5, "t_index_list": (12, 22, 41)}
    changes |= {"guidance_scale": 2.5}
    outputs = play(Stream(pipe, **settings, **before), frames, **changes)
    assert [outputs[i].revision for i in range(6)] == [0, 0, 0, 1, 1, 1]
    old = play(Stream(pipe, **settings, **before), frames)
    new = play(Stream(pipe, **{**settings, **before, **changes}), frames)
    assert_changed_halfway(outputs, old, new)


def test_control_scales_belong_to_rows(control_pipe):
    frames = drawings(6)
    changes = {"controlnets": [{"conditioning_scale": 0.2}, None]}
    outputs = play(Stream(control_pipe, prompt="a car", **SKETCH), frames, **changes)
    old = play(Stream(control_pipe, prompt="a car", **SKETCH), frames)
    new = play(Stream(control_pipe, prompt="a car", controlnets=[{"conditioning_scale": 0.2}, {}], **SKETCH), frames)
    assert_changed_halfway(outputs, old, new)


@pytest.mark.parametrize(
    ("window", "active"),
    [((0.0, 1.0), [1, 1, 1, 1]), ((0.0, 0.5), [1, 1, 0, 0]), ((0.5, 1.0), [0, 0, 1, 1]), ((0.3, 0.6), [0, 0, 0, 0])],
)
def test_control_guidance_start_and_end(window, active, caplog):
    net = {"control_guidance_start": window[0], "control_guidance_end": window[1], "conditioning_scale": 0.6}
    scales = networks.control_scales(StreamConfig(controlnets=[net, {}]), 4)
    assert scales[0].tolist() == pytest.approx([0.6 * step for step in active]) and scales[1].tolist() == [1.0] * 4
    assert ("never active" in caplog.text) == (not any(active))


def test_the_fit_of_a_sheet_of_another_shape_is_changed_live(control_pipe):
    stream = Stream(control_pipe, prompt="a car", **SKETCH)
    page = np.full((SIDE, 2 * SIDE, 3), 255, np.uint8)
    page[:, :20] = 0  # left of the middle
    seen = [output.input for output in play(stream, [page, page.copy(), page.copy()]).values()]
    assert all(each.min() == 255 for each in seen)
    stream.update(fit="letterbox")
    outputs = [stream(page) for _ in range(4)] + stream.drain()
    assert [each.input.min() for each in outputs if each is not None][-1] == 0


def test_disabled_controlnet_is_not_run_and_comes_back(control_pipe, monkeypatch):
    ran, build = [], engines.build
    monkeypatch.setattr(engines, "build", lambda *given: ran.append(len(given[2])) or build(*given))
    stream = Stream(control_pipe, prompt="a car", **SKETCH)
    frames = drawings(3)
    (both,) = play(stream, frames[:1]).values()
    stream.update(controlnets=[{"enabled": False}, None])
    (one,) = play(stream, frames[:1]).values()
    assert apart(one, both) > 3
    stream.update(controlnets=[{"enabled": True}, None])
    (again,) = play(stream, frames[:1]).values()
    assert np.array_equal(again.pixels, both.pixels)
    assert ran == [2, 1], "and what was there before is built only once"


def test_sketch_mode_is_steady_and_needs_a_controlnet(pipe, control_pipe):
    page = drawings(1)[0]
    stream = Stream(control_pipe, similar_image_filter_threshold=None, **SKETCH)
    outputs = [output.pixels for output in (stream(page) for _ in range(6)) if output is not None]
    assert len(outputs) == 5
    assert all(np.array_equal(outputs[0], other) for other in outputs[1:])
    with pytest.raises(ConfigError, match="mode sketch: got no enabled ControlNet"):
        Stream(pipe, **SKETCH)


def test_txt2img_draws_new_noise_from_its_own_generator(pipe):
    settings = {**BASE, "mode": "txt2img", "t_index_list": (0, 30), "similar_image_filter_threshold": None}
    page = drawings(1)[0]
    torch.manual_seed(1)
    one = [output.pixels for output in (Stream.__call__(s, page) for s in [Stream(pipe, **settings)] * 4) if output]
    torch.manual_seed(2)
    two = [output.pixels for output in (Stream.__call__(s, page) for s in [Stream(pipe, **settings)] * 4) if output]
    assert len(one) == 3
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert not np.array_equal(one[0], one[1])


def test_shape_change_swaps_without_losing_a_frame(control_pipe):
    frames = drawings(9)
    stream = Stream(control_pipe, **{**BASE, "t_index_list": (0, 16, 32, 45)})
    outputs = [stream(frame) for frame in frames[:5]]
    stream.update(width=72, height=80, t_index_list=[0, 20, 40])
    outputs += [stream(frame) for frame in frames[5:]] + stream.drain()
    outputs = {output.source_id: output for output in outputs if output}
    assert sorted(outputs) == list(range(9))
    assert [outputs[i].pixels.shape[:2] for i in (0, 4, 5, 8)] == [(64, 64), (64, 64), (80, 72), (80, 72)]


def test_refused_update_changes_nothing(control_pipe):
    stream = Stream(control_pipe, prompt="a car", **SKETCH)
    config, engine = stream.config, stream.engine
    for changes, message in [
        ({"promt": "x"}, "did you mean 'prompt'"),
        ({"guidance_scale": "much"}, "guidance_scale: got 'much'"),
        ({"prompt": "b", "device": "cuda"}, "device: cannot change while running"),
        ({"controlnets": [{"preprocessor": "sobel"}]}, "sobel"),
        ({"t_index_list": [5, 60]}, "expected indices from 0"),
        ({"num_inference_steps": 60}, "expected at most 50"),
    ]:
        with pytest.raises(ConfigError, match=message):
            stream.update(**changes)
    assert (stream.config, stream.engine, stream.revision) == (config, engine, 0)


def test_none_leaves_a_setting_unchanged(pipe):
    stream = Stream(pipe, prompt="a car", seed=9, **BASE)
    stream.update(prompt=None, seed=10)
    assert (stream.config.prompt, stream.config.seed) == ("a car", 10)


def test_one_change_of_a_scalar_validates_schedules_and_prepares_once(control_pipe, monkeypatch):
    stream, page = Stream(control_pipe, **SKETCH), drawings(1)[0]
    stream(page)
    done = []

    def count(owner, name):
        real = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *given, **more: done.append(name) or real(*given, **more))

    count(StreamConfig, "__init__")
    count(networks, "make_schedule")
    count(planner, "Preparer")
    stream.update(delta=0.5)
    stream(page)
    assert (stream.config.delta, sorted(done)) == (0.5, ["Preparer", "__init__", "make_schedule"])


def test_prompt_fades_over_n_frames(pipe):
    frames = drawings(8)
    stream = Stream(pipe, prompt="a car", t_index_list=(20,), prompt_transition_frames=4, **BASE)
    (start,) = play(stream, frames[:1]).values()
    stream.update(prompt="a house in the snow at night")
    faded = [stream(frames[0]) for _ in range(6)]
    (end,) = play(Stream(pipe, prompt="a house in the snow at night", t_index_list=(20,), **BASE), frames[:1]).values()
    assert [output is not None for output in faded] == [True] * 4 + [False] * 2
    distances = [np.abs(output.pixels.astype(int) - end.pixels).mean() for output in faded[:4]]
    assert np.abs(start.pixels.astype(int) - end.pixels).mean() > distances[0]
    assert distances == sorted(distances, reverse=True)
    assert np.array_equal(faded[3].pixels, end.pixels)


@pytest.mark.parametrize("how", ["linear", "slerp"])
def test_prompts_blend(pipe, how):
    encoder = PromptEncoder(pipe)

    def text(prompt):
        return encoder.prompt(StreamConfig.build(prompt=prompt, prompt_interpolation_method=how)).text

    car, house = text("a car"), text("a house")
    assert torch.equal(text([("a car", 1.0), ("a house", 0.0)]), car)
    half = text([("a car", 2.0), ("a house", 2.0)])
    assert (half - car).norm() == pytest.approx((half - house).norm().item(), rel=1e-3)
    if how == "linear":
        assert torch.allclose(half, (car + house) / 2, atol=1e-5)
    with pytest.raises(ConfigError, match="sum must be above 0"):
        text([("a car", 0.0)])


def test_slerp_keeps_length_and_survives_parallel_vectors():
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert torch.allclose(slerp(a, b, 0.5), torch.full((1, 2), 0.5**0.5))
    assert torch.allclose(slerp(a, a, 0.3), a)
    assert torch.allclose(slerp(a, -a, 0.25), a * 0.5)
    assert torch.equal(slerp(torch.zeros(1, 2), torch.zeros(1, 2), 0.5), torch.zeros(1, 2))


def test_unusable_pictures_are_held_back_and_then_named(pipe, monkeypatch):
    factor = [1.0]
    change_units(monkeypatch, lambda units: replace(units, decode=lambda latent: units.decode(latent) * factor[0]))
    stream = Stream(pipe, t_index_list=(32,), **BASE)
    frames = drawings(30)
    assert stream(frames[0]) is not None
    factor[0] = float("nan")
    for frame in frames[1:10]:
        assert stream(frame) is None
    assert stream.metrics.summary()["outputs_refused"] == 9
    with pytest.raises(EngineError, match="10 unusable pictures in a row"):
        stream(frames[10])
    factor[0] = 1.0
    assert stream(frames[11]) is not None


def test_black_pictures_are_unusable(pipe, monkeypatch):
    change_units(monkeypatch, lambda units: replace(units, decode=lambda x: units.decode(x) * 0 - 1))
    stream = Stream(pipe, t_index_list=(32,), **BASE)
    assert stream(drawings(1)[0]) is None
    assert stream.metrics.summary()["outputs_refused"] == 1


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((0, 0, 3), np.uint8),
        np.full((64, 64, 3), np.nan),
        np.zeros((64, 64, 2), np.uint8),
        np.zeros((64, 64, 3), np.int64),
        np.zeros(7, np.uint8),
    ],
)
def test_unusable_frames_are_refused_and_change_nothing(pipe, frame):
    stream = Stream(pipe, t_index_list=(32,), **BASE)
    with pytest.raises(FrameError):
        stream(frame)
    assert stream.pending == 0
    assert stream(drawings(1)[0]) is not None


def test_odd_sizes_and_formats_are_fitted(pipe):
    stream = Stream(pipe, t_index_list=(32,), **BASE)
    rng = np.random.default_rng(0)
    for frame in (
        rng.integers(0, 255, (48, 200), np.uint8),
        rng.integers(0, 255, (333, 77, 4), np.uint8),
        rng.random((64, 64, 3)),
        rng.integers(0, 255, (128, 128, 3), np.uint8)[::2, ::-2],
        rng.integers(0, 2**16, (64, 64, 3), np.uint16),
    ):
        assert stream(frame).pixels.shape == (SIDE, SIDE, 3)


def test_size_is_rounded_and_that_is_said(pipe, caplog):
    stream = Stream(pipe, **{**BASE, "width": 70, "height": 67})
    assert stream.size == (72, 64)
    assert "70x67 is not a multiple of 8" in caplog.text


def test_models_with_a_guidance_embedding(pipe):
    pipe = tiny_sd(time_cond_proj_dim=16)
    frame = drawings(1)[0]
    low, high = (Stream(pipe, guidance_scale=scale, t_index_list=(32,), **BASE)(frame) for scale in (1.5, 8.0))
    assert apart(low, high) > 3


def test_sdxl_follows_its_prompt():
    pipe = tiny_sdxl(controlnets=1)
    frame = drawings(1)[0]
    for cfg_type in ("none", "full"):
        stream = Stream(pipe, prompt="a car", **{**SKETCH, "cfg_type": cfg_type, "guidance_scale": 1.5})
        (first,) = play(stream, [frame]).values()
        stream.update(prompt="a house")
        (second,) = play(stream, [frame]).values()
        assert apart(first, second) > 3


def test_drawing_influence_moves_steps_and_control():
    assert influenced((10, 20, 40), 50, 50) == (10, 20, 40)
    assert influenced((10, 20, 40), 50, 100) == (47, 48, 49)
    assert influenced((10, 20, 40), 50, 0) == (0, 1, 2)
    config = StreamConfig(controlnets=[{}, {"conditioning_scale": 0.5}])
    assert networks.control_scales(config, 2, 1.5).tolist() == [[1.5] * 2, [0.75] * 2]


def test_a_change_before_every_frame_loses_none(control_pipe):
    stream = Stream(control_pipe, similar_image_filter_threshold=None, **SKETCH)
    frames, outputs = drawings(4), []
    for number in range(25):
        stream.update(
            prompt=f"a car {number}",
            seed=number,
            controlnets=[{"conditioning_scale": number / 25}, None],
            drawing_influence=4 * number,
        )
        outputs.append(stream(frames[number % 4]))
    outputs = [output for output in outputs + stream.drain() if output]
    assert [output.source_id for output in outputs] == list(range(25))
    assert [output.revision for output in outputs] == list(range(1, 26))


def test_wrong_pipelines_are_named():
    with pytest.raises(ModelError, match="without unet"):
        Stream(object())
    pipe = tiny_sd()
    pipe.scheduler.register_to_config(prediction_type="sample")
    with pytest.raises(ModelError, match="prediction type 'sample'"):
        Stream(pipe)


def test_same_seed_same_pictures(pipe):
    config = StreamConfig(**BASE, prompt="a car", t_index_list=(20, 40))
    frames = drawings(4)
    one, two = play(Stream(pipe, config), frames), play(Stream(pipe, config), frames)
    assert all(np.array_equal(one[i].pixels, two[i].pixels) for i in one)


@pytest.fixture
def styles(tmp_path):
    """A pipeline of its own, and two LoRAs that fit it."""
    pipe = tiny_sd()
    return pipe, *(str(tiny_lora(pipe, tmp_path / f"{name}.safetensors", seed=seed)) for seed, name in enumerate("ab"))


def test_lora_scales_belong_to_rows(styles):
    pipe, a, b = styles
    frames = drawings(6)
    settings = {**BASE, "t_index_list": (10, 20, 40), "cfg_type": "full", "guidance_scale": 1.5}
    outputs = play(Stream(pipe, lora_dict={a: 1.0, b: 0.0}, **settings), frames, lora_dict={a: 0.2, b: 0.7})
    old = play(Stream(tiny_sd(), lora_dict={a: 1.0}, **settings), frames)
    new = play(Stream(tiny_sd(), lora_dict={a: 0.2, b: 0.7}, **settings), frames)
    assert_changed_halfway(outputs, old, new)


def test_lora_is_loaded_while_running(styles):
    pipe, a, _ = styles
    frames = drawings(6)
    outputs = play(Stream(pipe, **BASE, t_index_list=(20, 40)), frames, lora_dict={a: 0.8})
    without = play(Stream(tiny_sd(), **BASE, t_index_list=(20, 40)), frames)
    with_it = play(Stream(tiny_sd(), lora_dict={a: 0.8}, **BASE, t_index_list=(20, 40)), frames)
    assert_changed_halfway(outputs, without, with_it)


@pytest.mark.parametrize("mode", ["fused", "sequential"])
def test_lora_fused_and_sequential_give_the_same(styles, mode):
    pipe, a, b = styles
    frames = drawings(3)
    settings = {**BASE, "lora_dict": {a: 0.6, b: 0.3}, "t_index_list": (20, 40)}
    expected = play(Stream(pipe, **settings), frames)
    other = {"fused": {"fuse_lora": True}, "sequential": {"use_denoising_batch": False}}[mode]
    stream = Stream(tiny_sd(), **settings, **other)
    pictures = play(stream, frames)
    assert all(apart(pictures[i], expected[i]) <= 1 for i in range(3))
    if mode == "fused":
        with pytest.raises(ConfigError, match="fused"):
            stream.update(lora_dict={a: 0.1})


def test_wrong_lora_leaves_the_running_stream_alone(styles, tmp_path):
    pipe, a, _ = styles
    other = str(tiny_lora(tiny_sd(cross_attention_dim=48), tmp_path / "other.safetensors"))
    pickled = tmp_path / "style.pt"
    pickled.write_bytes(b"\x80\x04")
    frames = drawings(4)
    stream = Stream(pipe, **BASE, t_index_list=(20, 40), lora_dict={a: 0.5})
    outputs = [stream(frame) for frame in frames[:2]]
    for wrong, error in (
        (other, LoraError),
        (str(pickled), UnsafeWeightsError),
        (str(tmp_path / "no.safetensors"), ModelError),
    ):
        with pytest.raises(error):
            stream.update(lora_dict={wrong: 1.0}, prompt="never")
    assert (stream.revision, stream.config.prompt, list(stream.config.lora_dict)) == (0, "", [a])
    outputs += [stream(frame) for frame in frames[2:]] + stream.drain()
    outputs = {output.source_id: output for output in outputs if output}
    expected = play(Stream(tiny_sd(), **BASE, t_index_list=(20, 40), lora_dict={a: 0.5}), frames)
    assert all(np.array_equal(outputs[i].pixels, expected[i].pixels) for i in range(4))


def test_changes_from_another_thread_lose_no_frame(styles):
    """Prompt, LoRA scale, ControlNet scale and seed, a hundred times, while frames are rendered."""
    pipe = tiny_sd(controlnets=1)
    stream = Stream(pipe, similar_image_filter_threshold=None, lora_dict={styles[1]: 0.5}, **SKETCH)
    frames, outputs, done = drawings(4), [], threading.Event()

    def change():
        for number in range(100):
            stream.update(
                prompt=f"a car {number}",
                lora_dict={styles[1]: number / 100},
                controlnets=[{"conditioning_scale": number / 100}],
                seed=number,
            )
        done.set()

    thread = threading.Thread(target=change)
    thread.start()
    entered = 0
    while not done.is_set() or entered < 20:
        outputs.append(stream(frames[entered % 4]))
        entered += 1
    thread.join()
    outputs = [output for output in outputs + stream.drain() if output]
    assert [output.source_id for output in outputs] == list(range(entered))
    revisions = [output.revision for output in outputs]
    assert revisions == sorted(revisions)
    assert stream.revision == 100


def test_a_frame_that_waits_in_a_buffer_is_rendered_under_the_revision_that_its_output_names():
    settings = {**BASE, "t_index_list": (20,), "cfg_type": "none", "mode": "img2img"}
    first, second = growing_pages(2)

    def alone(page, prompt):
        return Stream(tiny_sd(), **settings, prompt=prompt)(page).pixels.astype(int)

    stream = Stream(tiny_sd(), **settings, frame_buffer_size=2, prompt="a red car")
    outputs = [stream(first)]
    stream.update(prompt="a blue house")
    outputs += [stream(second), *stream.drain()]
    found = {each.source_id: (each.revision, each.pixels.astype(int)) for each in outputs if each is not None}
    assert [found[number][0] for number in (0, 1)] == [0, 1]
    for number, (page, prompt) in enumerate(((first, "a red car"), (second, "a blue house"))):
        assert np.abs(found[number][1] - alone(page, prompt)).max() <= 1
        assert np.abs(found[number][1] - alone(page, "a green tree")).max() > 3
