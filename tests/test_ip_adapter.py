"""IP-Adapters: pictures beside the prompt, as diffusers has them, each row with its own; a change builds nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from doubles.ipadapter import hub_folder, tiny_image_encoder, tiny_ip_adapter
from doubles.lora import tiny_lora
from doubles.pages import growing_pages, rendered, same
from doubles.tiny_models import tiny_sd, tiny_sdxl
from doubles.units import change_units
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from inkstream.engines import compile as compiled
from inkstream.engines import onnxruntime, openvino
from inkstream.stream import ConfigError, ModelError, Stream, StreamConfig, UnsafeWeightsError
from inkstream.stream.app.studio.settings import Refused, changes_of, values_of
from inkstream.stream.base.making import Making
from inkstream.stream.base.measures import psnr
from inkstream.stream.session.changes import Changes

pytestmark = pytest.mark.usefixtures("one_thread")
BASE = {"width": 64, "height": 64, "warmup": 0, "acceleration": "eager", "similar_image_filter_threshold": None}
PIPES = {"sd": tiny_sd, "sdxl": tiny_sdxl}
WEIGHTS = {"base": "ip-adapter_{}.safetensors", "plus": "ip-adapter-plus_{}.safetensors"}
WEIGHTS["full"] = "ip-adapter-full-face_{}.safetensors"


def weights(model, kind):
    return WEIGHTS[kind].format("sdxl" if model == "sdxl" else "sd15")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """For each model a folder as the hub has it, and pictures in it."""
    made = {}
    for name, pipe in PIPES.items():
        made[name] = hub_folder(tmp_path_factory.mktemp(name), pipe())
        for seed in range(3):
            levels = np.random.default_rng(seed).integers(0, 256, (5, 4 + seed, 3), np.uint8)
            Image.fromarray(levels).resize((40 + 9 * seed, 50), Image.Resampling.BICUBIC).save(
                made[name] / f"{seed}.png"
            )
    return made


def reference(model, folder, kinds):
    """A pipeline of diffusers with these IP-Adapters, by its own loading."""
    pipe, names = PIPES[model](), [weights(model, kind) for kind in kinds]
    pipe.register_modules(feature_extractor=CLIPImageProcessorPil(size=32, crop_size=32))
    place = "sdxl_models" if model == "sdxl" else "models"
    pipe.load_ip_adapter(str(folder), subfolder=place, weight_name=names, low_cpu_mem_usage=False)
    return pipe


@torch.inference_mode()
def theirs(pipe, entries, call, row, guided):
    """What diffusers' own UNet predicts for one row of a call; ``entries`` are (scale, picture) of each adapter."""
    pictures = [Image.open(path).convert("RGB") for _, path in entries]
    embeds = pipe.prepare_ip_adapter_image_embeds(pictures, None, "cpu", 1, guided)
    embeds = [each.chunk(2)[0 if guided else -1] if guided else each for each in embeds]
    pipe.set_ip_adapter_scale([scale for scale, _ in entries])
    added = {"image_embeds": embeds}
    if "pooled" in call:
        added |= {"text_embeds": call["pooled"][row : row + 1], "time_ids": call["time_ids"][row : row + 1]}
    given = call["sample"][row : row + 1], call["timestep"][row : row + 1], call["text"][row : row + 1]
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


@pytest.mark.parametrize(("model", "kinds"), [("sd", ("full", "base", "plus")), ("sdxl", ("plus", "base"))])
def test_every_row_is_what_diffusers_predicts_with_its_own_picture_and_scale(hub, calls, model, kinds):
    folder = hub[model]
    entries = lambda tick: [
        (0.3 + 0.2 * ((tick + place) % 4), folder / f"{(tick + place) % 3}.png") for place, _ in enumerate(kinds)
    ]
    settings = {"t_index_list": (10, 25, 40), "cfg_type": "none", "prompt": "a red car", **BASE}
    adapters = [{"model_id": str(folder), "weight_name": weights(model, kind)} for kind in kinds]
    with Stream(PIPES[model](), ip_adapters=adapters, **settings) as stream:
        for tick, page in enumerate(growing_pages(5)):
            stream.update(ip_adapters=[{"scale": scale, "image": str(image)} for scale, image in entries(tick)])
            stream(page)
    pipe = reference(model, folder, kinds)
    for tick in (2, 4):
        for row in range(3):
            expected = theirs(pipe, entries(tick - row), calls[tick], row, False)
            assert (calls[tick]["out"][row] - expected).abs().max() < 1e-4
            other = theirs(pipe, entries(tick - row + 1), calls[tick], row, False)
            assert (expected - other).abs().max() > 1e-2, "the comparison sees a picture and a scale"


@pytest.mark.parametrize("kind", ["base", "plus"])
def test_the_negative_prompt_goes_with_no_picture(hub, calls, kind):
    folder = hub["sd"]
    entry = {"model_id": str(folder), "weight_name": weights("sd", kind), "image": str(folder / "1.png"), "scale": 0.8}
    settings = {**BASE, "t_index_list": (25,), "cfg_type": "full", "guidance_scale": 1.5, "negative_prompt": "fog"}
    with Stream(tiny_sd(), ip_adapters=[entry], **settings) as stream:
        stream(next(growing_pages(1)))
    pipe = reference("sd", folder, [kind])
    for row, guided in ((0, True), (1, False)):
        expected = theirs(pipe, [(0.8, folder / "1.png")], calls[0], row, guided)
        assert (calls[0]["out"][row] - expected).abs().max() < 1e-4


def picture(stream):
    """What becomes of one page, in a stream of one step."""
    return stream(next(growing_pages(1)), gated=False).pixels


def entry_of(folder, **more):
    return {"model_id": str(folder), "weight_name": weights("sd", "plus"), "image": str(folder / "0.png"), **more}


def test_waiting_or_taken_away_it_changes_nothing_and_the_pipeline_stays_as_it_was(hub):
    pipe, settings = tiny_sd(), {**BASE, "t_index_list": (30,)}
    before = dict(pipe.unet.attn_processors)
    with Stream(pipe, **settings) as stream:
        plain = picture(stream)
        stream.update(ip_adapters=[entry_of(hub["sd"], image=None)])
        assert np.array_equal(plain, picture(stream))
        stream.update(ip_adapters=[{"image": str(hub["sd"] / "0.png")}])
        assert not np.array_equal(plain, picture(stream))
        stream.update(ip_adapters=())
        assert np.array_equal(plain, picture(stream))
    assert pipe.unet.attn_processors == before


@pytest.mark.parametrize(
    "more",
    [
        {"lora_dict": "style"},
        *(pytest.param({name: 2}, marks=pytest.mark.slow) for name in ("frame_buffer_size", "turns")),
    ],
)
def test_it_is_the_same_however_frames_go_and_beside_a_lora(hub, more, tmp_path):
    settings = {**BASE, "t_index_list": (10, 30), "ip_adapters": [entry_of(hub["sd"])]}
    if "turns" in more:
        more = {"use_denoising_batch": False}
    if "lora_dict" in more:
        more = {"lora_dict": {str(tiny_lora(tiny_sd(), tmp_path / "style.safetensors")): 0.0}}
    with Stream(tiny_sd(), **settings) as stream:
        expected = rendered(stream)
    with Stream(tiny_sd(), **settings, **more) as stream:
        assert same(expected, rendered(stream))
        if "lora_dict" in more:
            stream.update(lora_dict=dict.fromkeys(more["lora_dict"], 1.0))
            others = rendered(stream)
            assert not same(expected, {old: others[new] for old, new in zip(expected, others, strict=True)})


def always_another(stream, folder, count):
    """Pictures of a stream whose two image prompts change before every frame, by their frame."""
    outputs, pages = [], list(growing_pages(4))
    for number in range(count):
        entries = [{"scale": number % 11 / 10, "image": str(folder / f"{number % 3}.png")}, {"scale": number % 7 / 7}]
        stream.update(ip_adapters=entries)
        outputs.append(stream(pages[number % 4], gated=False))
    return {output.source_id: output.pixels for output in [*outputs, *stream.drain()] if output}


TWO = {**BASE, "t_index_list": (10, 30), "cfg_type": "full", "guidance_scale": 1.5, "prompt": "a red car"}
REAL = {"openvino": openvino, "onnxruntime": onnxruntime, "compile": compiled}


@pytest.mark.parametrize("count", [12, pytest.param(100, marks=pytest.mark.slow)])
def test_changes_build_nothing(hub, built, count):
    with Stream(tiny_sd(), ip_adapters=[entry_of(hub["sd"])] * 2, **{**BASE, "t_index_list": (30,)}) as stream:
        found = always_another(stream, hub["sd"], count)
    assert built == ["eager"] and len({pixels.tobytes() for pixels in found.values()}) == count


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_changes_build_nothing_and_look_as_under_eager(hub, name, built, tmp_path, monkeypatch):
    lacking = REAL[name].available()
    if lacking:
        pytest.skip(f"needs {'g++' if name == 'compile' else name}: {lacking}")
    monkeypatch.setattr(compiled, "BACKEND", "eager")  # Inductor takes minutes
    settings = {**TWO, "ip_adapters": [entry_of(hub["sd"]), entry_of(hub["sd"], weight_name=None)]}
    with Stream(tiny_sd(), **settings) as stream:
        expected = always_another(stream, hub["sd"], 12)
    with Stream(tiny_sd(), **{**settings, "acceleration": name, "engine_dir": str(tmp_path)}) as stream:
        assert stream.engine.name == name and "not folded" not in stream.engine.about
        found = always_another(stream, hub["sd"], 12)
    assert built == ["eager", name] and sorted(found) == list(range(12))
    assert min(psnr(found[number], expected[number]) for number in found) >= 40


# --- what is refused


def broken(folder, name, change):
    """A copy of the plain adapter with other tensors."""
    path = folder / "models" / name
    save_file(change(load_file(folder / "models" / weights("sd", "base"))), path)
    return {"weight_name": name}


FACE = {"image_proj.proj.0.weight": torch.ones(8, 4), "image_proj.norm.weight": torch.ones(32)}
PROJ = "image_proj.proj.weight"
BAD = {
    "a text": (
        lambda f: {"image": str(f / "words.png")},
        r"ip_adapters\.0\.image: .*words\.png: is a text, expected PNG",
    ),
    "nothing": (
        lambda f: {"image": str(f / "none.png")},
        r"ip_adapters\.0\.image: .*none\.png: cannot be read: No such",
    ),
    "a folder": (lambda f: {"image": str(f)}, r"ip_adapters\.0\.image: .*cannot be read"),
    "another base": (
        lambda f: {"model_id": str(f.parent / "other")},
        "was made for another base model: choose one for Stable",
    ),
    "a face": (
        lambda f: broken(f, "face.safetensors", lambda t: {**{n: v for n, v in t.items() if "proj" not in n}, **FACE}),
        "of the kind FaceID",
    ),
    "no adapter": (lambda f: broken(f, "no.safetensors", lambda t: {"a": torch.ones(1)}), "this is no IP-Adapter"),
    "an unknown kind": (
        lambda f: broken(f, "odd.safetensors", lambda t: {n: v for n, v in t.items() if n != PROJ}),
        "of no kind that is known",
    ),
    "not a number": (lambda f: broken(f, "nan.safetensors", lambda t: {**t, PROJ: t[PROJ] * torch.nan}), "NaN"),
    "a pickle": (
        lambda f: {"weight_name": "ip-adapter_sd15.bin"},
        "can run code .*weight_name: ip-adapter_sd15.safetensors",
    ),
    "no such file": (
        lambda f: {"weight_name": "mine.safetensors"},
        r"no file models/mine.safetensors; it has: .*set subfolder",
    ),
    "outside": (lambda f: {"weight_name": "../x.safetensors"}, "expected the name of a file within it"),
    "a file": (
        lambda f: {"model_id": str(f / "models" / "ip-adapter_sd15.safetensors")},
        "set model_id to .*weight_name",
    ),
    "no encoder": (lambda f: {"image_encoder_folder": "narrow"}, "narrow gives 20; set image_encoder_folder"),
}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    folder = hub_folder(tmp_path_factory.mktemp("faulty") / "own", tiny_sd())
    (folder / "words.png").write_text("a chrome ball")
    Image.new("RGB", (20, 20), "red").save(folder / "0.png")
    tiny_image_encoder(folder / "models" / "narrow", projection=20)
    tiny_ip_adapter(tiny_sd(cross_attention_dim=48), folder.parent / "other" / "models" / weights("sd", "base"))
    return folder


@pytest.fixture(scope="module")
def running(one_thread, faulty):
    good = {"model_id": str(faulty), "image": str(faulty / "0.png"), "scale": 0.7}
    with Stream(tiny_sd(), ip_adapters=[good], t_index_list=(30,), **BASE) as stream:
        yield stream


@pytest.mark.parametrize("fault", BAD)
def test_what_does_not_fit_is_refused_by_name_and_the_picture_goes_on(faulty, running, fault):
    change, said = BAD[fault]
    before, revision = picture(running), running.revision
    with pytest.raises((ConfigError, ModelError), match=said) as error:
        running.update(ip_adapters=[change(faulty)])
    assert str(error.value).startswith("ip_adapters.0")
    assert isinstance(error.value, UnsafeWeightsError) == (fault == "a pickle")
    assert np.array_equal(picture(running), before) and running.revision == revision


def test_after_all_that_it_still_changes(running):
    before = picture(running)
    running.update(ip_adapters=[{"scale": 0.2}])
    assert not np.array_equal(picture(running), before)


def test_a_picture_is_read_again_when_its_file_changed_and_may_go_otherwise(hub, tmp_path):
    image = tmp_path / "style.png"
    Image.new("RGB", (40, 40), "red").save(image)
    entry = entry_of(hub["sd"], image=str(image))
    with Stream(tiny_sd(), ip_adapters=[entry], t_index_list=(30,), **BASE) as stream:
        before = picture(stream)
        image.unlink()
        stream.update(similar_image_filter_max_skip_frame=5)
        assert np.array_equal(picture(stream), before)
        Image.open(hub["sd"] / "2.png").save(image)
        stream.update(similar_image_filter_max_skip_frame=6)
        assert not np.array_equal(picture(stream), before)


# --- from afar, and in files


def test_from_afar_a_picture_is_exchanged_for_its_neighbour_and_nothing_else_is_opened():
    config = StreamConfig.build(ip_adapters=[{"model_id": "h94/IP-Adapter", "image": "styles/a.png"}])
    (entry,) = values_of(config)["ip_adapters"]
    made = changes_of(config, {"ip_adapters": [{**entry, "image": "styles/b.png", "scale": 0.25}]})["ip_adapters"]
    assert (made[0].image, made[0].scale) == ("styles/b.png", 0.25)
    for strange in ({"image": "/etc/shadow"}, {"image": "styles/../x.png"}, {"model_id": "x/y"}, {"subfolder": ".."}):
        with pytest.raises(Refused, match="ip_adapters"):
            changes_of(config, {"ip_adapters": [{**entry, **strange}]})


def test_waiting_changes_of_two_image_prompts_become_one():
    changes = Changes()
    changes.put({"ip_adapters": [{"scale": 0.2, "image": "a.png"}]})
    changes.put({"ip_adapters": [{"image": None}, {"scale": 0.4}]})
    assert changes.get() == {"ip_adapters": [{"scale": 0.2, "image": None}, {"scale": 0.4}]}


def test_a_kept_recipe_names_its_files_from_home(hub, monkeypatch):
    monkeypatch.setenv("HOME", str(hub["sd"].parent))
    config = StreamConfig.build(ip_adapters=[entry_of(hub["sd"])])
    recipe = Making("ink-tiny", config).recipe()
    assert recipe["stream"]["ip_adapters"][0]["image"] == f"~/{hub['sd'].name}/0.png"
    assert Making.of(recipe).changes_from(config) == {}
