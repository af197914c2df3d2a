"""Regions: prompts for classes, painted colours and masks, each row of a batch its own; a change builds nothing."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from doubles.pages import growing_pages, rendered, same
from doubles.tiny_models import tiny_sd, tiny_sdxl
from doubles.units import change_units
from PIL import Image

from inkstream.adapters.palettes import open_palette
from inkstream.adapters.regions import Regions, painted
from inkstream.engines import compile as compiled
from inkstream.engines import onnxruntime, openvino
from inkstream.engines.images import cross_attentions, shares_of
from inkstream.stream import ConfigError, Stream, StreamConfig, load_config
from inkstream.stream.app.studio.settings import Refused, changes_of, schema, values_of
from inkstream.stream.base.conditioning import RegionConfig
from inkstream.stream.base.frame import Size
from inkstream.stream.base.making import Making
from inkstream.stream.base.measures import psnr
from inkstream.stream.base.passes import Passes
from inkstream.stream.finish.painter import Painter

pytestmark = pytest.mark.usefixtures("one_thread")
BASE = {"width": 64, "height": 64, "warmup": 0, "acceleration": "eager", "similar_image_filter_threshold": None}
PIPES = {"sd": tiny_sd, "sdxl": tiny_sdxl}
WORDS = ("a red car", "snow", "a brick wall at night")
PAINT = {each.name: each.paint for each in open_palette("ink-tiny").things}


@pytest.fixture(scope="module")
def masks(tmp_path_factory):
    """Three mask files whose every 8 x 8 pixels are of one level, and these levels, (8, 8) each."""
    folder, found = tmp_path_factory.mktemp("masks"), []
    for seed in range(3):
        cells = np.random.default_rng(seed).choice(np.array([0, 0, 102, 255], np.uint8), (8, 8))
        Image.fromarray(cells).resize((64, 64), Image.Resampling.NEAREST).save(folder / f"{seed}.png")
        found.append((str(folder / f"{seed}.png"), cells.astype(np.float32) / 255))
    return found


class Written:
    """Masked cross attention as it is written down: every text by itself, each place by its shares."""

    def __init__(self, texts, shares):
        self.texts, self.shares = texts, shares  # (1, L, D) each; (R, h, w), a sum of 1

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, **_):
        query = attn.to_q(hidden_states)[0]  # (S, C)
        height, width = self.shares.shape[1:]
        halved = int((height * width / len(query)) ** 0.5)
        shares = self.shares.unflatten(2, (-1, halved)).unflatten(1, (-1, halved)).mean((2, 4)).flatten(1)  # (R, S)
        total = torch.zeros_like(query)
        for text, share in zip(self.texts, shares, strict=True):
            key, value = attn.to_k(text)[0], attn.to_v(text)[0]  # (L, C)
            for part in torch.arange(query.shape[1]).chunk(attn.heads):
                looked = (query[:, part] @ key[:, part].T / len(part) ** 0.5).softmax(-1)  # (S, L)
                total[:, part] += share[:, None] * (looked @ value[:, part])
        return attn.to_out[0](total)[None]


@torch.inference_mode()
def theirs(pipe, call, row, texts, shares):
    """What diffusers' own UNet predicts for one row of a call with that attention."""
    for _, attn in cross_attentions(pipe.unet):
        attn.set_processor(Written(texts, torch.from_numpy(shares)))
    added = {}
    if "pooled" in call:
        added = {"text_embeds": call["pooled"][row : row + 1], "time_ids": call["time_ids"][row : row + 1]}
    given = call["sample"][row : row + 1], call["timestep"][row : row + 1], texts[0]
    return pipe.unet(*given, added_cond_kwargs=added).sample[0]


@pytest.fixture
def calls(monkeypatch):
    """What goes into every call of ``denoise`` from now on, and ``out`` of it."""
    found = []

    def watched(units):
        def denoise(sample, timestep, text, features, scales, **added):
            given = {"sample": sample, "timestep": timestep, "text": text, **added}
            out = units.denoise(sample, timestep, text, features, scales, **added)
            found.append({name: value.clone() for name, value in {**given, "out": out}.items()})
            return out

        return replace(units, denoise=denoise)

    change_units(monkeypatch, watched)
    return found


def regions_at(masks, tick):
    """Two masks that overlap, with strengths and words that change with every frame."""
    return [
        {"where": masks[(tick + place) % 3][0], "prompt": WORDS[(tick + 2 * place) % 3], "strength": 0.9 - 0.3 * place}
        for place in range(2)
    ]


def shares_at(masks, tick):
    """What these say of each latent's place: (3, 8, 8), the main prompt's first."""
    found = np.stack([masks[(tick + place) % 3][1] * np.float32(0.9 - 0.3 * place) for place in range(2)])
    found /= np.maximum(found.sum(0), 1)
    return np.concatenate([1 - found.sum(0, keepdims=True), found])


@pytest.mark.parametrize("model", PIPES)
def test_every_row_is_what_the_formula_says_of_its_own_regions(masks, calls, model):
    settings = {"t_index_list": (10, 25, 40), "cfg_type": "none", "prompt": "a house", **BASE}
    with Stream(PIPES[model](), regions=regions_at(masks, 0), **settings) as stream:
        written = {text: stream.prompts.encode(text).text for text in (*WORDS, "a house")}
        for tick, page in enumerate(growing_pages(4)):
            stream.update(regions=regions_at(masks, tick))
            stream(page)
    pipe = PIPES[model]()
    for row in range(3):
        tick = 3 - row
        texts = [written["a house"], *(written[each["prompt"]] for each in regions_at(masks, tick))]
        expected = theirs(pipe, calls[3], row, texts, shares_at(masks, tick))
        assert (calls[3]["out"][row] - expected).abs().max() < 1e-4
        for other in (shares_at(masks, tick + 1), shares_at(masks, tick)[[0, 2, 1]]):
            assert (expected - theirs(pipe, calls[3], row, texts, other)).abs().max() > 1e-2, "it sees where"


def test_the_negative_prompt_is_everywhere_and_controlnets_look_at_the_main_prompt(masks, calls):
    pipe, seen = tiny_sd(controlnets=1), []
    pipe.controlnet.mid_block.register_forward_pre_hook(
        lambda _, args, given: seen.append(given["encoder_hidden_states"].shape[1]), with_kwargs=True
    )
    settings = {**BASE, "t_index_list": (25,), "cfg_type": "full", "guidance_scale": 1.5, "negative_prompt": "fog"}
    with Stream(pipe, regions=regions_at(masks, 0), **settings, controlnets=[{"conditioning_scale": 0}]) as stream:
        negative = stream.prompts.encode("fog").text
        stream(next(growing_pages(1)))
    assert set(seen) == {negative.shape[1]} and calls[0]["text"].shape[1] == 5 * negative.shape[1]
    everywhere = np.ones((1, 8, 8), np.float32)
    assert (calls[0]["out"][0] - theirs(tiny_sd(), calls[0], 0, [negative], everywhere)).abs().max() < 1e-4
    assert (calls[0]["out"][1] - theirs(tiny_sd(), calls[0], 1, [negative], everywhere)).abs().max() > 1e-2


@pytest.mark.parametrize("size", [(8, 8), (9, 12), (1, 5)])
def test_shares_are_one_together_at_every_size(size):
    masks = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0)) / 3
    height, width = size
    for places, shares in shares_of(masks).items():
        assert places == height * width and shares.shape == (2, 4, places)
        assert (shares.sum(1) - 1).abs().max() < 1e-6 and shares.min() >= -1e-6
        height, width = -(-height // 2), -(-width // 2)


def picture(stream):
    return stream(next(growing_pages(1)), gated=False).pixels


def test_unused_or_waiting_they_change_nothing_and_the_pipeline_stays_as_it_was(masks):
    pipe = tiny_sd()
    before = dict(pipe.unet.attn_processors)
    with Stream(pipe, **{**BASE, "t_index_list": (30,)}) as stream:
        assert stream.pipe.unet is pipe.unet, "nothing is in the way of a stream without regions"
        plain = picture(stream)
        for waiting in ({"prompt": ""}, {"prompt": "snow", "strength": 0}):
            stream.update(regions=[{"where": masks[0][0], "strength": 1, **waiting}])
            assert np.abs(picture(stream).astype(int) - plain).max() <= 1
        stream.update(regions=[{"strength": 1}])
        assert psnr(plain, picture(stream)) < 40
        stream.update(regions=())
        assert np.array_equal(plain, picture(stream))
    assert pipe.unet.attn_processors == before


@pytest.mark.parametrize("more", [{"frame_buffer_size": 2}, {"use_denoising_batch": False}])
def test_they_are_the_same_however_frames_go(masks, more):
    settings = {**BASE, "t_index_list": (10, 30), "regions": regions_at(masks, 0)}
    with Stream(tiny_sd(), **settings) as stream:
        expected = rendered(stream, count=6)
    with Stream(tiny_sd(), **settings, **more) as stream:
        assert same(expected, rendered(stream, count=6))


def test_a_change_builds_nothing_as_long_as_there_is_a_place(masks, built):
    with Stream(tiny_sd(), regions=regions_at(masks, 0), **{**BASE, "t_index_list": (30,)}) as stream:
        found = set()
        for tick in range(6):
            stream.update(regions=[*regions_at(masks, tick), {"where": "#ff0000", "prompt": WORDS[tick % 3]}])
            found.add(picture(stream).tobytes())
        stream.update(regions=[None, None, None, {"where": "sky", "prompt": "snow"}])
        assert built == ["eager"] and len(found) == 3  # of six: there are three masks
        stream.update(regions=[None, None, None, None, {"where": "sea", "prompt": "snow"}])
        assert built == ["eager", "eager"]


REAL = {"openvino": openvino, "onnxruntime": onnxruntime, "compile": compiled}


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_changes_build_nothing_and_look_as_under_eager(masks, name, built, tmp_path, monkeypatch):
    lacking = REAL[name].available()
    if lacking:
        pytest.skip(f"needs {'g++' if name == 'compile' else name}: {lacking}")
    monkeypatch.setattr(compiled, "BACKEND", "eager")  # Inductor takes minutes
    settings = {**BASE, "t_index_list": (10, 30), "cfg_type": "full", "guidance_scale": 1.5, "prompt": "a red car"}
    settings |= {"regions": regions_at(masks, 0), "controlnets": [{"conditioning_scale": 0.5}]}

    def always_another(stream):
        return rendered(stream, [{"regions": regions_at(masks, tick)} for tick in range(1, 6)])

    with Stream(tiny_sd(controlnets=1), **settings) as stream:
        expected = always_another(stream)
    with Stream(tiny_sd(controlnets=1), **{**settings, "acceleration": name, "engine_dir": str(tmp_path)}) as stream:
        assert stream.engine.name == name and "not folded" not in stream.engine.about
        found = always_another(stream)
    assert built == ["eager", name] and sorted(found) == list(range(12))
    assert min(psnr(found[number], expected[number]) for number in found) >= 40


def test_a_finished_picture_in_tiles_has_them_too(tmp_path):
    page, left = next(growing_pages(1)), np.zeros((64, 64), np.uint8)
    left[:, :32] = 255
    Image.fromarray(left).save(tmp_path / "left.png")
    config = StreamConfig.build(**BASE, use_tiny_vae=False, t_index_list=(25,), prompt="a car")
    with Stream(tiny_sd(), config, regions=[{"where": str(tmp_path / "left.png"), "prompt": "snow"}]) as stream:
        live, config = picture(stream), stream.config
    with_it, without = (config.changed(regions=[{"strength": each}]) for each in (1, 0))
    assert psnr(Painter(tiny_sd(), with_it).paint(page, lambda share: None), live) > 45
    large = [Painter(tiny_sd(), each).paint(page, lambda share: None, scale=2) for each in (with_it, without)]
    away = np.abs(large[0].astype(int) - large[1])
    assert away[:, :48].mean() > 1.3 * away[:, 80:].mean()


# --- where


def where(regions, pixels, passes=None, palette="ink-tiny", **more):
    size = Size.of(pixels)
    configs = [RegionConfig(prompt="snow", **each) for each in regions]
    made = Regions(configs, palette, size, more.get("fit", "crop"), Size(size.width // 8, size.height // 8))
    return made.shares(pixels, passes=passes)


def test_classes_are_where_they_are_painted_and_a_line_takes_nothing_away():
    page = np.full((256, 256, 3), 255, np.uint8)
    page[:128], page[128:, :128] = PAINT["sky"], PAINT["grass"]
    cv2.line(page, (0, 64), (255, 64), (20, 20, 20), 3)
    sky, grass = where([{"where": "sky"}, {"where": "grass", "strength": 0.5}], page)
    assert sky[:16].min() > 0.99 and sky[16:].max() < 0.1
    assert np.allclose(grass[17:, :16], 0.5) and grass[:16].max() == grass[:, 17:].max() == 0


def test_classes_of_a_scene_are_those_of_its_things():
    ids = np.zeros((64, 64), np.uint16)
    ids[32:, :32], ids[32:, 32:] = 1, 2
    passes, blank = Passes(ids=ids, names={1: "oak tree", 2: "wall"}), np.full((64, 64, 3), 255, np.uint8)
    tree, sky = where([{"where": "tree"}, {"where": "sky"}], blank, passes)
    assert tree[4:, :4].min() == 1 and tree.sum() == 16
    assert sky[:4].min() == 1 and sky.sum() == 32


def test_a_colour_is_where_areas_have_it_and_no_border_between_two_others():
    page = np.full((256, 256, 3), 255, np.uint8)
    cv2.circle(page, (80, 80), 50, (230, 120, 40), -1)
    cv2.line(page, (80, 20), (80, 140), (10, 10, 10), 4)
    truth = cv2.circle(np.zeros((256, 256), np.uint8), (80, 80), 50, 1, -1).astype(bool)
    page[180:, :128], page[180:, 128:] = (255, 0, 0), (0, 0, 255)
    page[180:] = cv2.GaussianBlur(page[180:], (0, 0), 5)  # violet in between, some pixels wide
    noisy = (page + np.random.default_rng(0).normal(0, 4, page.shape)).clip(0, 255).astype(np.uint8)
    found = painted(noisy, (230, 120, 40))
    assert (found & truth).sum() / (found | truth).sum() > 0.95
    assert not painted(noisy, (128, 0, 128)).any()


def test_masks_are_placed_as_frames_are(tmp_path):
    wide = np.zeros((64, 128), np.uint8)
    wide[:, :64] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    blank = np.zeros((64, 64, 3), np.uint8)
    for fit, left in (("crop", 4), ("stretch", 4), ("letterbox", 4)):
        (mask,) = where([{"where": str(tmp_path / "wide.png")}], blank, fit=fit)
        rows = slice(2, 6) if fit == "letterbox" else slice(None)
        assert mask[rows, :left].min() > 0.9 and mask[:, left:].max() < 0.1
        assert mask[:2].max() == (0 if fit == "letterbox" else 1)
    clear = np.dstack([wide, wide, wide, 255 - wide])
    Image.fromarray(clear).save(tmp_path / "clear.png")
    (mask,) = where([{"where": str(tmp_path / "clear.png")}], blank)
    assert mask[:, :4].max() < 0.1 and mask[:, 4:].min() > 0.9


# --- what is refused


@pytest.fixture(scope="module")
def running(one_thread, masks):
    with Stream(tiny_sd(), regions=[{"where": masks[0][0], "prompt": "snow"}], t_index_list=(30,), **BASE) as stream:
        yield stream


BAD = {
    "no class": (
        {"where": "gras"},
        r"where: got 'gras', expected a class of the palette ink-tiny; did you mean 'grass'",
    ),
    "nowhere": ({"where": "zebra"}, r"where: got 'zebra', .*palette show ink-tiny\), a colour such as #ff0000, or a"),
    "no colour": ({"where": "#ff00"}, r"where: got '#ff00', expected a colour of six hexadecimal digits"),
    "no file": ({"where": "none.png"}, r"where: none\.png: cannot be read: .*No such file"),
    "a text": ({"where": __file__ + ".png"}, r"where: .*cannot be read"),
    "a LoRA": ({"prompt": "<lora:clay:1> snow"}, r"prompt: got <lora:'clay'>, expected words alone: a LoRA is for the"),
    "two parts": ({"prompt": "snow BREAK sun"}, r"prompt: got BREAK, which makes 2 parts of it, expected at most"),
    "too strong": ({"strength": 2}, r"strength: got 2, expected at most 1"),
}


@pytest.mark.parametrize("fault", BAD)
def test_what_does_not_fit_is_refused_by_name_and_the_picture_goes_on(running, fault):
    change, said = BAD[fault]
    before, revision = picture(running), running.revision
    with pytest.raises(ConfigError, match=rf"^regions\.0\.{said}"):
        running.update(regions=[change])
    assert np.array_equal(picture(running), before) and running.revision == revision


def test_there_are_eight_at_most(running):
    with pytest.raises(ConfigError, match=r"regions: .*expected at most 8 of them, not 9"):
        running.update(regions=[{"where": "sky"}] * 9)


# --- from afar, and in files


def test_from_afar_regions_come_and_go_and_no_strange_file_is_opened():
    config = StreamConfig.build(regions=[{"where": "masks/a.png", "prompt": "snow"}])
    now = values_of(config)["regions"]
    made = changes_of(config, {"regions": [*now, {"where": "sky", "prompt": "night"}]})["regions"]
    assert [each.where for each in made] == ["masks/a.png", "sky"] and made[1].strength == 1
    assert changes_of(config, {"regions": []}) == {"regions": ()}
    assert changes_of(config, {"regions": [{**now[0], "where": "masks/b.png"}]})["regions"][0].file == "masks/b.png"
    for strange in ("/etc/x.png", "masks/../x.png", "b.png"):
        with pytest.raises(Refused, match="regions"):
            changes_of(config, {"regions": [{"where": strange, "prompt": "snow"}]})
    field = schema()["properties"]["regions"]
    assert (field["x-group"], field["x-change"], field["maxItems"]) == ("conditioning", "soon", 8)


def test_a_kept_recipe_names_masks_from_home_and_classes_as_they_are(masks, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    Image.open(masks[0][0]).save(tmp_path / "m.png")
    (tmp_path / "sky").write_text("a file that is called as a class is")
    config = StreamConfig.build(regions=[{"where": str(tmp_path / "m.png"), "prompt": "snow"}, {"where": "sky"}])
    recipe = Making("ink-tiny", config).recipe()
    assert [each["where"] for each in recipe["stream"]["regions"]] == ["~/m.png", "sky"]
    assert Making.of(recipe).changes_from(config) == {}


# --- on the embedded model: the recipe of docs/palettes.md


def test_words_of_a_region_change_that_region_of_the_embedded_model():
    page = np.full((256, 256, 3), 255, np.uint8)
    page[:130], page[130:] = PAINT["sky"], PAINT["grass"]
    page[90:185, 80:190] = PAINT["wall"]
    cv2.fillPoly(page, [np.array([[70, 92], [135, 45], [200, 92]])], PAINT["roof"])
    run = load_config("palette")
    settings = run.stream.changed(acceleration="eager", complete_prompt=False, t_index_list=(0,), warmup=0)
    settings = settings.changed(prompt="a white house with a gable roof, on grass, day")
    areas = {each: (page == PAINT[each]).all(2) for each in ("wall", "sky")}
    with Stream.from_pretrained(run.model, settings) as stream:
        plain = stream(page, gated=False).pixels.astype(float)
        for name, prompt in (("wall", "a red brick house"), ("sky", "sunset")):
            stream.update(regions=[{"where": name, "prompt": prompt}])
            away = np.abs(stream(page, gated=False).pixels - plain).mean(2)
            assert away[areas[name]].mean() > 20 and away[areas[name]].mean() > 4 * away[~areas[name]].mean()
