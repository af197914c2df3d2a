"""Evaluation: every measure against pictures whose figure is known, and models that must pass or fail."""

import json
import math
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from doubles.tiny_models import tiny_sd
from PIL import Image
from typer.testing import CliRunner

from inkstream.bench.shapes import random_pipeline
from inkstream.lora.data.palette import NUMBER, control_image
from inkstream.lora.data.sample import Sample
from inkstream.lora.evaluate import behaviour, colours, measures
from inkstream.lora.evaluate.behaviour import TRIALS
from inkstream.lora.evaluate.data import Data, open_data, scenes_in_words
from inkstream.lora.evaluate.evaluation import evaluate
from inkstream.lora.evaluate.features import (
    ClipFeatures,
    DetailFeatures,
    Patches,
    RandomFeatures,
    frechet,
    open_features,
)
from inkstream.lora.evaluate.goals import GOALS, faults, held_to_goals
from inkstream.lora.evaluate.rendering import Renderer, native_side, run_for, step_indices
from inkstream.lora.evaluate.sheet import columns_of, sheet
from inkstream.lora.evaluate.table import LABELS, table
from inkstream.lora.evaluate.trial import NotMeasured, Trial
from inkstream.lora.load import load_pipeline
from inkstream.lora.words import Vocabulary, read_vocabulary
from inkstream.stream.app.cli import app
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.errors import ConfigError, UnsafeWeightsError

ROOT = Path(__file__).parent.parent
SIDE = 64
INKS = {"red": (200, 30, 30), "yellow": (220, 200, 30), "green": (30, 160, 40), "blue": (40, 60, 210)}
SKY, GROUND = (140, 190, 240), (110, 100, 90)


def scene(index, colour, side=SIDE):
    """A coloured disc on the ground under the sky, and its exact lines."""
    picture = np.empty((side, side, 3), np.uint8)
    labels = np.full((side, side), NUMBER["sky"], np.uint8)
    lines = np.zeros((side, side), np.uint8)
    level = side * 5 // 8
    picture[:level], picture[level:] = SKY, GROUND
    labels[level:] = NUMBER["ground"]
    cv2.line(lines, (0, level), (side, level), 255, 2)
    place = (side // 4 + 7 * index % (side // 2), side // 3 + 5 * index % (side // 4))
    radius = side // 6 + index % 4
    cv2.circle(picture, place, radius, INKS[colour], -1)
    cv2.circle(labels, place, radius, NUMBER["body"], -1)
    cv2.circle(lines, place, radius, 255, 2)
    tags = {"kind": "car", "colour": colour, "time": "day"}
    return Sample(picture, lines, (f"a {colour} ball on road, day",), clean=lines, labels=labels, tags=tags)


def scenes(count=8, side=SIDE):
    return [scene(index, list(INKS)[index % len(INKS)], side) for index in range(count)]


@pytest.fixture
def data():
    samples = scenes()
    return Data("discs", samples, samples, moving=(tuple(scene(index, "red") for index in range(4)),))


@dataclass
class Oracle:
    """Stands for a model: paints what is drawn in the colour of the prompt, or ignores one of the two."""

    sees: bool = True
    hears: bool = True
    side: int = SIDE
    unusable: int = 0
    engine: str = "by hand"
    milliseconds: list = field(default_factory=list)
    pipe: object = field(default_factory=lambda: tiny_sd(controlnets=1))
    config: StreamConfig = field(default_factory=StreamConfig)

    def sketches(self, jobs, steps):
        self.milliseconds = []
        for control, prompt in jobs:
            self.milliseconds.append(float(steps))
            colour = next((word for word in prompt.split() if word in INKS), "red") if self.hears else "red"
            yield self.painted(control.max(2) > 250, INKS[colour]) if self.sees else self.painted(None, INKS[colour])

    def paintings(self, jobs):
        for painting, _ in jobs:
            yield painting

    @contextmanager
    def changed(self, **settings):
        yield

    def painted(self, lines, colour):
        picture = np.empty((self.side, self.side, 3), np.uint8)
        level = self.side * 5 // 8
        picture[:level], picture[level:] = SKY, GROUND
        if lines is not None:
            inside = lines.astype(np.uint8)
            flooded = np.zeros((self.side + 2, self.side + 2), np.uint8)
            for corner in ((0, 0), (0, self.side - 1)):
                cv2.floodFill(inside, flooded, corner, 2)
            picture[(inside == 0) | (lines & ~level_rows(level, self.side))] = colour
        return picture


def level_rows(level, side):
    rows = np.zeros((side, side), bool)
    rows[level - 1 : level + 2] = True
    return rows


def trial(data, renderer=None, steps=2):
    renderer = renderer or Oracle()
    plain = [
        behaviour.nearness(picture, sample.picture)
        for picture, sample in zip(
            renderer.sketches([(control_image(s.sketch), s.captions[0]) for s in data.samples], steps),
            data.samples,
            strict=True,
        )
    ]
    return Trial(renderer, data, steps, plain)


# --- lines and sharpness


def test_edges_agree_with_the_lines_that_they_lie_on():
    sample = scene(0, "red")
    assert measures.line_f1(sample.picture, sample.sketch) > 0.95
    assert measures.line_f1(sample.picture, np.roll(sample.sketch, 12, 1)) < 0.7
    flat = np.full_like(sample.picture, 90)
    assert measures.line_f1(flat, sample.sketch) == 0.0
    assert measures.line_f1(flat, np.zeros_like(sample.sketch)) == 1.0
    assert measures.line_f1(sample.picture, np.zeros_like(sample.sketch)) == 0.0


def test_an_f1_is_that_of_its_definition():
    """Half of the lines have an edge, and every edge has a line: precision 1, recall 1/2."""
    picture, sketch = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8)
    picture[:, 20:] = 255
    sketch[:, 20] = sketch[:, 50] = 255
    assert measures.line_f1(picture, sketch) == pytest.approx(2 / 3, abs=0.01)


def test_a_margin_tells_a_picture_of_many_lines_from_one_of_the_right_lines():
    samples = scenes(4)
    drawings = [samples[other].sketch for other in measures.others(0, "abcd")]
    checks = np.kron((np.indices((16, 16)).sum(0) % 2).astype(np.uint8) * 255, np.ones((4, 4), np.uint8))
    crowded = np.repeat(checks[..., None], 3, 2)
    assert abs(measures.edge_margin(crowded, samples[0].sketch, drawings)) < 0.1
    assert measures.edge_margin(samples[0].picture, samples[0].sketch, drawings) > 0.25


def test_others_are_never_oneself_and_never_twice():
    for count in (2, 3, 9, 30):
        for index in range(count):
            found = measures.others(index, [str(number) for number in range(count)])
            assert index not in found and len(set(found)) == len(found) == min(8, count - 1)


def test_drawings_of_one_picture_are_no_others_of_each_other():
    assert measures.others(0, ["a", "a", "b", "a", "c"]) == [2, 4]
    assert measures.others(2, ["a", "a", "b"]) == [0, 1]
    assert measures.others(0, ["a", "a"]) == []


def test_sharpness_falls_with_blur():
    picture = scene(1, "blue").picture
    blurred = cv2.GaussianBlur(picture, (0, 0), 2)
    assert measures.sharpness(np.zeros_like(picture)) == 0.0
    assert 0 < measures.sharpness(blurred) < 0.6 * measures.sharpness(picture)
    spike = np.zeros((9, 9, 3), np.uint8)
    spike[4, 4] = 81
    assert measures.sharpness(spike) == pytest.approx((4 + 4) * 81 / 81)


def test_what_moves_in_the_truth_is_no_flicker():
    truths = [scene(index, "red").picture for index in range(3)]
    darker = [picture - 10 for picture in truths]
    assert measures.flicker(truths, truths) == 0.0
    assert measures.flicker(darker, truths) == 0.0
    assert measures.flicker([truths[0], truths[1] - 6, truths[2]], truths) == pytest.approx(6.0)
    with pytest.raises(ValueError, match="at least 2"):
        measures.flicker(truths[:1], truths[:1])


# --- colours


@pytest.mark.parametrize(
    ("rgb", "degrees"), [((255, 0, 0), 0), ((0, 200, 0), 120), ((0, 0, 90), 240), ((255, 0, 10), 358)]
)
def test_hues_are_angles(rgb, degrees):
    picture = np.full((8, 8, 3), rgb, np.uint8)
    picture[0] = 128  # grey has no hue, and no say
    got = colours.hue(picture, np.ones((8, 8), bool))
    assert abs((got - degrees + 180) % 360 - 180) < 3


def test_hues_are_learned_by_colour_and_time():
    hues = colours.learned_hues(scenes())
    assert set(hues) == {(colour, "day") for colour in INKS}
    assert colours.nearest_hue(hues, "day", 350.0) == "red"
    assert colours.nearest_hue(hues, "day", hues["blue", "day"] + 5) == "blue"
    assert colours.nearest_hue(hues, "night", 350.0) is None
    grey = replace(scene(0, "red"), picture=np.full((SIDE, SIDE, 3), 90, np.uint8))
    assert math.isnan(colours.hue(grey.picture, colours.painted(grey))) and not colours.learned_hues([grey])
    assert colours.nearest_hue(hues, "day", math.nan) is None


def test_only_whole_words_are_swapped():
    assert colours.swapped_colour("a reddish red car, red", "red", "blue") == "a reddish blue car, red"
    assert colours.swapped_colour("a car", "red", "blue") is None


def test_a_picture_is_segmented_by_its_own_class_colours():
    sample = scene(2, "green")
    found = colours.class_colours(sample.picture, sample.labels)
    assert set(found) == {NUMBER["sky"], NUMBER["ground"], NUMBER["body"]}
    noisy = np.clip(sample.picture + np.random.default_rng(0).normal(0, 8, sample.picture.shape), 0, 255)
    assert (
        min(colours.class_ious(colours.segmented(noisy.astype(np.uint8), found), sample.labels, found).values()) > 0.95
    )
    moved = np.roll(sample.picture, 10, 1)
    assert colours.class_ious(colours.segmented(moved, found), sample.labels, found)[NUMBER["body"]] < 0.5


def test_iou_of_half_a_class():
    expected = np.zeros((4, 4), np.uint8)
    expected[:, 2:] = 1
    got = np.zeros((4, 4), np.uint8)
    got[:, 3:] = 1
    assert colours.class_ious(got, expected, [0, 1]) == {0: 8 / 12, 1: 0.5}


@pytest.mark.parametrize("labelled", [True, False])
def test_a_flat_painting_has_the_mean_colour_of_every_region(labelled):
    sample = scene(3, "yellow")
    painting, regions = colours.flat_painting(sample.picture, sample.labels if labelled else None)
    assert 3 <= len(np.unique(regions)) <= 8
    for each in np.unique(regions):
        assert len(np.unique(painting[regions == each], axis=0)) == 1
    assert colours.region_distance(sample.picture, painting, regions) < 1.5
    assert colours.region_distance(np.full_like(painting, 128), painting, regions) > 20


def test_other_colours_are_as_light():
    flat = np.full((4, 4, 3), (170, 90, 80), np.uint8)
    before, after = colours.lab(flat)[0, 0], colours.lab(colours.recoloured(flat))[0, 0]
    assert after == pytest.approx([before[0], -before[2], before[1]], abs=1.0)


def test_lab_is_cielab():
    white, red = (np.full((1, 1, 3), rgb, np.uint8) for rgb in ((255, 255, 255), (255, 0, 0)))
    assert colours.lab(white)[0, 0] == pytest.approx([100, 0, 0], abs=0.2)
    assert colours.lab(red)[0, 0] == pytest.approx([53.24, 80.09, 67.20], abs=0.2)  # published values under D65


# --- features


def test_frechet_of_known_normals():
    rng = np.random.default_rng(0)
    a = rng.normal(0, 1, (20_000, 3))
    assert frechet(a, a) == pytest.approx(0.0, abs=1e-6)
    assert frechet(a, a + np.array([2, 0, 0])) == pytest.approx(4.0, abs=1e-6)
    assert frechet(a, 3 * a) == pytest.approx(3 * (3 - 1) ** 2, rel=0.05)
    few = rng.normal(0, 1, (4, 50))  # fewer vectors than dimensions
    assert math.isfinite(frechet(few, few + 1))
    with pytest.raises(ValueError, match="at least 2"):
        frechet(a[:1], a)


def test_patches_know_soft_from_sharp_and_not_where_things_are():
    features, rng = DetailFeatures(), np.random.default_rng(0)
    grain = [cv2.GaussianBlur(rng.normal(128, 200, (96, 96, 3)), (0, 0), 1.5) for _ in range(3)]
    pictures = [each.clip(0, 255).astype(np.uint8) for each in grain]

    def patches(change=lambda picture: picture):
        made = Patches(features)
        for picture in pictures:
            made.add(np.ascontiguousarray(change(picture)))
        return made

    real = patches()
    side = pictures[0].shape[0] // 4  # level 2 is seen at a quarter of the size
    assert real.count == 3 * side * side
    assert real.distance(patches()) == pytest.approx(0.0, abs=1e-6)
    soft, softer = (patches(lambda picture, s=s: cv2.GaussianBlur(picture, (0, 0), s)) for s in (0.6, 2.0))
    turned = patches(lambda picture: picture[:, ::-1])
    assert 0 < turned.distance(real) < 0.5 * soft.distance(real) < 0.5 * softer.distance(real)


def test_random_features_grow_with_the_damage():
    features, picture = RandomFeatures(), scene(0, "red").picture
    noise = np.random.default_rng(0).normal(0, 1, picture.shape)
    distances = [features.distance(np.clip(picture + s * noise, 0, 255).astype(np.uint8), picture) for s in (0, 8, 64)]
    assert distances[0] == 0.0 < distances[1] < distances[2]
    assert np.array_equal(RandomFeatures().vector(picture), features.vector(picture))
    assert features.name == "random convolutions"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    import torch
    from transformers import CLIPVisionConfig, CLIPVisionModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_hidden_layers": 4}
    folder = tmp_path_factory.mktemp("models") / "tiny-clip"
    CLIPVisionModel(CLIPVisionConfig(**sizes, image_size=32, patch_size=8)).save_pretrained(folder)
    return folder


def test_a_clip_model_in_a_folder_gives_features_of_its_name(clip):
    features = open_features(str(clip))
    picture = scene(0, "red").picture
    assert isinstance(features, ClipFeatures) and features.name == "CLIP image encoder tiny-clip"
    assert abs(features.distance(picture, picture)) < 1e-6 < features.distance(picture, 255 - picture)
    assert features.vector(picture).shape == (32,)


def test_features_are_never_downloaded_and_never_unsafe(tmp_path):
    assert isinstance(open_features("random"), RandomFeatures)
    with pytest.raises(ConfigError, match="not on this computer"):
        open_features("nobody/nothing")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip"}))
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(UnsafeWeightsError):
        open_features(str(tmp_path))


# --- trials


def test_a_model_that_follows_everything_passes_every_trial(data):
    found = {}
    for name, run in TRIALS.items():
        if name != "autoencoder":
            found |= run(trial(data))
    assert found["psnr_lost_blank_db"] > 3 and found["psnr_lost_wrong_prompt_db"] > 3
    assert found["hue_right"] == 1.0 and found["hue_pictures"] == len(data.samples)
    assert found["palette_iou_truth"] > 0.99
    assert 0 < found["blobs_iou_off"] <= 1 and found["blobs_gain"] == found["blobs_iou_on"] / found["blobs_iou_off"] - 1
    assert max(found["img2img_lab"], found["img2img_lab_other"]) < 1 < found["img2img_lab_grey"]
    assert found["flicker"] < found["flicker_truth_change"]
    assert all(math.isfinite(value) for value in found.values())


def test_unfinished_drawings_cost_what_they_cost(data, monkeypatch):
    """A hand whose ink says how it drew, and a model that is wrong by a level for each that is missing."""
    monkeypatch.setattr(
        "inkstream.lora.evaluate.behaviour.drawn",
        lambda lines, rng, complete=1.0, horizon=True: (
            (lines > 0) * np.uint8(255 - 20 * (complete < 1) - 10 * (not horizon))
        ),
    )

    class Off(Oracle):
        def sketches(self, jobs, steps):
            for index, (control, _) in enumerate(jobs):
                yield data.samples[index].picture + 1 + (255 - control.max())

    data = Data("dark", [replace(sample, picture=sample.picture // 2) for sample in data.samples], [])
    found = behaviour.unfinished(trial(data, Off()))
    assert found["psnr_lost_no_horizon_db"] == pytest.approx(20 * math.log10(11), abs=0.01)
    assert found["psnr_lost_third_missing_db"] == pytest.approx(20 * math.log10(21), abs=0.01)


def test_a_palette_is_worth_what_it_adds_to_whole_and_to_begun_drawings(data):
    """A model that knows colours and no lines: it is right where a palette is there, however little is drawn."""
    white: dict[bool, list[int]] = {True: [], False: []}

    class Colours(Oracle):
        def sketches(self, jobs, steps):
            for index, (control, _) in enumerate(jobs):
                coloured = bool((control.max(2) != control.min(2)).any())
                white[coloured].append(int((control.min(2) > 200).sum()))
                picture = data.samples[index].picture
                yield picture if coloured else np.full_like(picture, picture.mean((0, 1)))

    prepared = trial(data, Colours())
    for drawn in white.values():
        drawn.clear()
    found = behaviour.palette(prepared)
    assert found["palette_iou_on"] == found["palette_iou_begun_on"] == found["palette_iou_truth"]
    assert found["palette_gain"] == found["palette_gain_whole"] == found["palette_gain_begun"] > 0.5
    for drawn in white.values():
        whole, begun = np.split(np.array(drawn), 2)
        assert (begun < whole).all() and begun.all(), "a third of the strokes"

    class Whole(Colours):
        """One that needs no colours where all is drawn."""

        def sketches(self, jobs, steps):
            jobs = list(jobs)
            if np.mean([(control.min(2) > 200).sum() for control, _ in jobs]) > 0.7 * np.mean(most):
                yield from (sample.picture for sample in data.samples)
            else:
                yield from super().sketches(jobs, steps)

    most = white[False][: len(data.samples)]  # of whole drawings
    some = behaviour.palette(trial(data, Whole()))
    assert some["palette_gain_whole"] == 0.0 < some["palette_gain"] < some["palette_gain_begun"]


def test_classes_that_colours_cannot_tell_are_not_counted(data):
    """Birds that look like the sky: what a model makes of them cannot be seen, so they say nothing of the model."""
    birds = np.random.default_rng(0).random((SIDE, SIDE)) < 0.1
    hidden = [replace(sample, labels=sample.labels.copy()) for sample in data.samples]
    for sample in hidden:
        sample.labels[birds & (sample.labels == NUMBER["sky"])] = NUMBER["tree"]
    assert behaviour.palette(trial(Data("hidden", hidden, [])))["palette_iou_truth"] > 0.85
    grey = [replace(sample, picture=np.full_like(sample.picture, 99)) for sample in data.samples]
    with pytest.raises(NotMeasured, match="told apart"):
        behaviour.palette(trial(Data("grey", grey, [])))


def test_what_is_ignored_costs_nothing(data):
    blind, deaf = trial(data, Oracle(sees=False)), trial(data, Oracle(hears=False))
    assert behaviour.blank_sketch(blind)["psnr_lost_blank_db"] == 0.0
    assert behaviour.wrong_prompt(deaf)["psnr_lost_wrong_prompt_db"] == 0.0
    assert behaviour.colour_words(deaf)["hue_right"] < 0.5
    assert behaviour.palette(deaf)["palette_gain"] == pytest.approx(0.0, abs=0.2)


def test_trials_say_what_the_data_lack():
    bare = [Sample(sample.picture, sample.sketch, ("a ball",)) for sample in scenes(3)]
    lacking = trial(Data("bare", bare, bare), Oracle(hears=False))
    for name, reason in {
        "wrong prompt": "same caption",
        "painted colour": "labels",
        "colour words": "labels",
        "palette": "labels",
        "hand-painted blobs": "labels",
        "moving camera": "sequences",
    }.items():
        with pytest.raises(NotMeasured, match=reason):
            TRIALS[name](lacking)
    assert behaviour.painting(lacking)["img2img_lab"] < 1.5, "a painting needs no labels"


# --- the whole


def judged(renderer, data, model="oracle", **more):
    return evaluate(renderer, data, model, features=RandomFeatures(), **more)


def test_the_result_of_a_good_model(data):
    told = []
    found = judged(Oracle(), data, progress=lambda text, part: told.append((text, part)), goals=True)
    result = json.loads(json.dumps(found.result, allow_nan=False))
    assert result["bench"] == "evaluate" and result["faults"] == [] and result["not_measured"] == {}
    assert [(row["about"], row["steps"]) for row in result["rows"]] == [
        *(("pictures", steps) for steps in (1, 2, 4)),
        ("behaviour", 2),
    ]
    assert result["rows"][0]["edge_margin"] > 0.25 and result["rows"][2]["p50_ms"] == 4.0
    assert {goal["figure"] for goal in result["goals"]} == {goal.figure for goal in GOALS}
    parts = [part for _, part in told]
    assert parts == sorted(parts) and min(parts) == 0.0 and max(parts) <= 1
    assert table(result).row_count > 20
    assert {*result["figures"]} <= {*LABELS}
    page = found.sheet()
    assert page.shape[1] > 8 * SIDE and [*found.shown][:5] == ["sketch", "1 step", "2 steps", "4 steps", "truth"]


@pytest.mark.parametrize(("ignores", "fault"), [("sees", "drawing"), ("hears", "prompt")])
def test_a_model_that_ignores_something_fails(data, ignores, fault):
    result = judged(Oracle(**{ignores: False}), data).result
    assert any(text.startswith(f"it does not follow the {fault}") for text in result["faults"]), result["faults"]
    assert result["goals"] == []


def test_goals_count_a_figure_at_its_best():
    rows = [{"psnr_db": 24.0, "img2img_lab": None}, {"psnr_db": 24.6}, {"psnr_lost_no_horizon_db": 1.2}]
    held = {goal["figure"]: goal for goal in held_to_goals({"rows": rows})}
    assert set(held) == {"psnr_db", "psnr_lost_no_horizon_db"}
    assert (held["psnr_db"]["got"], held["psnr_db"]["reached"]) == (24.6, "met")
    assert held["psnr_lost_no_horizon_db"]["reached"] == "met"
    ignoring = held_to_goals({"rows": [{"edge_margin": 0.01, "psnr_lost_no_horizon_db": 0.0}]})
    assert [goal["reached"] for goal in ignoring] == ["missed", "missed"]
    assert faults({"rows": [{"edge_margin": 0.19}]}) == [
        "it does not follow the drawing: edge_margin is 0.19, expected 0.2 or more"
    ]
    assert faults({"rows": [{"edge_margin": float("nan")}]}), "NaN reaches nothing"
    assert not faults({"rows": [{"psnr_lost_wrong_prompt_db": 0.3, "hue_right": 0.9}]}), "one sign of hearing is enough"


# --- real networks


def test_step_indices_are_those_that_users_get():
    assert [step_indices(count, 50) for count in (1, 2, 4)] == [(0,), (0, 25), (0, 16, 32, 45)]
    assert step_indices(3, 50) == (0, 16, 33)
    with pytest.raises(ConfigError, match="--steps: got 51"):
        step_indices(51, 50)


def test_the_evaluation_decides_some_settings_itself():
    assert run_for("somewhere", {"dtype": "float32"}).stream.acceleration == "eager"
    assert run_for("sd15-lcm", {}).stream.use_lcm_lora and run_for("sd15-lcm", {}).stream.mode == "sketch"
    with pytest.raises(ConfigError, match="--set mode: got a value"):
        run_for("ink-tiny", {"mode": "img2img"})


def test_renders_are_those_of_a_stream_and_deterministic():
    from inkstream.stream import Stream

    pipe = tiny_sd(controlnets=1)
    sketches = [(control_image(sample.sketch), f"{sample.captions[0]} ball_joint [a|b]") for sample in scenes(2)]
    ours = Renderer(pipe, SIDE)
    got = list(ours.sketches(sketches, 2))
    settings = {"cfg_type": "none", "guidance_scale": 1.0, "warmup": 0, "controlnets": [{"preprocessor": "none"}]}
    theirs = Stream(pipe, mode="sketch", width=SIDE, height=SIDE, device="cpu", acceleration="eager", **settings)
    for picture, (control, prompt) in zip(got, sketches, strict=True):
        theirs.update(prompt=prompt.replace("[a|b]", r"\[a|b\]"))  # a caption is text, whatever stands in it
        outputs = [theirs(control, gated=False), *theirs.drain()]
        (expected,) = [output.pixels for output in outputs if output is not None]
        assert np.abs(picture.astype(int) - expected).max() <= 1
    flat = [(np.full((SIDE, SIDE, 3), 200, np.uint8), "a ball")]
    assert not np.array_equal(next(ours.paintings(flat)), got[0])
    assert np.array_equal(list(ours.sketches(sketches, 2)), got), "and nothing is left of the painting"
    assert ours.unusable == 0 and len(ours.milliseconds) == 2


def test_a_tiny_pipeline_is_judged_from_end_to_end(data):
    data = replace(data, samples=data.samples[:4])
    result = judged(Renderer(tiny_sd(controlnets=1), SIDE), data, steps=(1,)).result
    assert result["not_measured"] == {} and result["rows"][-1]["steps"] == 1
    again = judged(Renderer(tiny_sd(controlnets=1), SIDE), data, steps=(1,)).result
    timeless = lambda found: [{k: v for k, v in row.items() if not k.endswith("_ms")} for row in found["rows"]]
    assert timeless(result) == timeless(again)
    assert result["faults"], "random weights follow nothing"


def test_unusable_renders_count_as_black(data):
    pipe = tiny_sd(controlnets=1)
    pipe.vae.decoder.layers[-1].weight.fill_(float("nan"))
    renderer = Renderer(pipe, SIDE, StreamConfig.build(mode="sketch", warmup=0, device="cpu", cfg_type="none"))
    (picture,) = renderer.sketches([(control_image(data.samples[0].sketch), "a ball")], 1)
    assert not picture.any() and renderer.unusable == 1


@pytest.fixture(scope="module")
def ink_scenes():
    return open_data("scenes:1000000:6", 256, words=read_vocabulary(ROOT / "models" / "ink-tiny"))


def ink(scale=1.0):
    run = run_for("ink-tiny", {"dtype": "float32", "device": "cpu", "controlnets.0.conditioning_scale": scale})
    return Renderer(load_pipeline(run.model, run.stream), 256, run.stream)


def test_the_embedded_model_follows_and_those_that_cannot_fail_by_a_wide_margin(ink_scenes):
    quick = {"steps": (1,), "trials": ("blank sketch", "wrong prompt")}
    random = random_pipeline("ink-tiny", 1)
    assert native_side(random) == 256
    good, ignoring, noise = (
        judged(each, ink_scenes, **quick).result for each in (ink(), ink(0.0), Renderer(random, 256))
    )
    margins = [found["rows"][0]["edge_margin"] for found in (good, ignoring, noise)]
    assert good["faults"] == [] and margins[0] > 0.25
    for found, margin in ((ignoring, margins[1]), (noise, margins[2])):
        assert margin < 0.1 < margins[0] - 0.15
        assert any("does not follow the drawing" in fault for fault in found["faults"])
        assert found["rows"][-1]["psnr_lost_blank_db"] < 0.5
        assert found["rows"][0]["psnr_db"] < good["rows"][0]["psnr_db"] - 3


# --- data and command


def test_a_model_is_judged_on_what_its_words_can_say():
    words = read_vocabulary(ROOT / "models" / "ink-tiny")
    scenes = scenes_in_words(1_000_000, 12, words)
    assert len(scenes) == 12 and {scene.kind for scene in scenes} <= set(words.tags["kind"])
    for scene in scenes:
        said = {word for tag, word in scene.tags.items() if tag not in ("sky", "light")} - {"none"}
        assert not words.unknown(" ".join(said)), scene.tags
    everything = scenes_in_words(1_000_000, 12, None)
    assert [scene.seed for scene in everything] == list(range(1_000_000, 1_000_012))
    assert scenes_in_words(1_000_000, 3, Vocabulary("other", {"a": ("b",)})) == everything[:3]


@pytest.mark.parametrize("text", ["scenes:x", "scenes:1:2:3", "scenes:1:0", "scenes:-1:4", "nowhere", "scenes:1:99999"])
def test_data_that_is_none_is_named(text):
    with pytest.raises(ConfigError, match="--data: got"):
        open_data(text, 64)


def test_a_folder_of_pairs_is_judged_on_what_it_was_not_trained_on(tmp_path):
    for split, count in (("train", 4), ("validation", 3)):
        place = tmp_path / split
        place.mkdir()
        lines = []
        for index, sample in enumerate(scenes(count, 32)):
            pictures = {
                "file_name": sample.picture,
                "sketch_file_name": sample.sketch,
                "labels_file_name": sample.labels,
            }
            for key, pixels in pictures.items():
                Image.fromarray(pixels).save(place / f"{index}-{key}.png")
            names = {key: f"{index}-{key}.png" for key in pictures}
            lines.append(json.dumps({**names, "text": sample.captions[0], "tags": {**sample.tags, "color": "green"}}))
        (place / "metadata.jsonl").write_text("\n".join(lines))
    found = open_data(str(tmp_path), SIDE)
    assert len(found.samples) == 3 and len(list(found.hues)) == 4 and found.moving == ()
    assert found.samples[2].picture.shape == (SIDE, SIDE, 3) and found.samples[2].labels is not None
    first = open_data(str(tmp_path), SIDE, count=2).samples
    assert len(first) == len(list(first)) == 2
    with pytest.raises(IndexError):
        first[2]
    result = judged(Oracle(), found, steps=(1,), trials=("palette", "moving camera")).result
    assert "sequences" in result["not_measured"]["moving camera"] and result["rows"][1]["palette_iou_truth"] > 0.9


def test_scenes_bring_all_that_the_trials_need(ink_scenes):
    assert len(ink_scenes.samples) == 6 and ink_scenes.samples[0].picture.shape == (256, 256, 3)
    assert {sample.tags["colour"] for sample in ink_scenes.hues} >= set(colours.HUED)
    for sequence in ink_scenes.moving:
        steps = [np.abs(a.picture.astype(int) - b.picture).mean() for a, b in pairwise(sequence)]
        assert len(sequence) > 3 and min(steps) > 0.05 and max(steps) < 40


def test_a_page_shows_at_most_ten_columns_spread_evenly():
    assert columns_of(3) == [0, 1, 2] and columns_of(20) == list(range(0, 20, 2))
    with pytest.raises(ValueError, match="no pictures"):
        sheet({}, {}, "nothing")


def test_the_command_writes_figures_and_a_sheet(tmp_path, monkeypatch, data):
    monkeypatch.setattr("inkstream.lora.evaluate.data.open_data", lambda *_, **__: data)
    monkeypatch.setattr("inkstream.lora.load.load_pipeline", lambda *_: tiny_sd(controlnets=1))
    arguments = ["evaluate", "somewhere", "--size", SIDE, "--steps", "2,1", "--json", tmp_path / "f.json"]
    arguments += ["--sheet", tmp_path / "s.png", "--features", "random", "--set", "dtype=float32", "--goals"]
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 1 and "fails: it does not follow the drawing" in done.output, done.output
    result = json.loads((tmp_path / "f.json").read_text())
    assert [row["steps"] for row in result["rows"]] == [1, 2, 2] and result["goals"]
    with Image.open(tmp_path / "s.png") as page:
        assert page.size[0] > 8 * SIDE
    assert "PSNR against the truth" in done.output and "missed" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "1,x"], "--steps: got '1,x'"),
        (["--steps", "0"], "--steps: got '0'"),
        (["--sheet", "sheet.jpg"], "ends with .png"),
        (["--json", "no/such/folder/f.json"], "make it first"),
        (["--set", "prompt=a"], "the evaluation decides it"),
        (["--data", "nowhere"], "--data: got 'nowhere'"),
    ],
)
def test_the_command_refuses_before_it_works(arguments, message):
    done = CliRunner().invoke(app, ["evaluate", "ink-tiny", *arguments])
    assert done.exit_code == 2 and message in done.output, done.output


def test_a_model_that_is_not_there_is_named():
    done = CliRunner().invoke(app, ["evaluate", "no-such-model"])
    assert done.exit_code == 1 and "no-such-model: no such folder or file" in done.output
