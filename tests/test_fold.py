"""What depends on the prompt and the time alone, computed apart from the step: the same numbers, and never old ones."""

from dataclasses import replace

import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor2_0
from doubles.lora import tiny_lora
from doubles.pages import growing_pages, rendered, same
from doubles.tiny_models import tiny_sd, tiny_sd21, tiny_sdxl
from doubles.units import change_units

from inkstream import engines
from inkstream.engines import Options
from inkstream.engines import compile as compiled
from inkstream.engines.fold import Fold, fold, why_not
from inkstream.engines.shapes import Shapes
from inkstream.engines.units import positional_units
from inkstream.lora.load import load_pipeline
from inkstream.stream import Stream, StreamConfig

pytestmark = pytest.mark.usefixtures("one_thread")
SIDE = 64
BASE = {
    "width": SIDE,
    "height": SIDE,
    "device": "cpu",
    "warmup": 0,
    "similar_image_filter_threshold": None,
    "prompt": "a red car",
    "negative_prompt": "fog",
    "t_index_list": (10, 30),
}


@pytest.fixture
def as_it_is(monkeypatch):
    """compile without a compiler: its units run as they are."""
    monkeypatch.setattr(torch, "compile", lambda unit, **settings: unit)
    monkeypatch.setattr(compiled, "available", lambda where="": "")


@pytest.fixture
def folds(monkeypatch):
    """How often something was folded, as the length of a list."""
    calls, forward = [], Fold.forward
    monkeypatch.setattr(Fold, "forward", lambda self, **told: calls.append(1) or forward(self, **told))
    return calls


@pytest.fixture(scope="module")
def styles(one_thread, tmp_path_factory):
    """For each model LoRAs of every layer that has to do with text and time."""
    place = tmp_path_factory.mktemp("lora")
    whole = {"conv": True, "time": True, "strength": 0.3}
    made = {"sd": tiny_sd(), "sdxl": tiny_sdxl()}
    return {
        name: [str(tiny_lora(pipe, place / f"{name}{seed}.safetensors", seed=seed, **whole)) for seed in (1, 2)]
        for name, pipe in made.items()
    }


def parts(pipe, loras=()):
    """Units of three rows, as a stream asks an engine for them, and their shapes."""
    asked, build = [], engines.build
    settings = {**BASE, "acceleration": "eager", "t_index_list": (5, 20, 40), "lora_dict": dict.fromkeys(loras, 0.0)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "build", lambda *given: asked.append(given[1:4]) or build(*given))
        Stream(pipe, **settings, mode="img2img")
    return positional_units(*asked[0]), asked[0][2]


def compared(units, shapes, *inputs):
    """For each of the inputs by name, noise of the plain units and of the folded ones."""
    plain = [units["denoise"](*(values[name] for name in shapes.inputs("denoise"))) for values in inputs]
    folded, narrow = fold(units, shapes)
    for values, expected in zip(inputs, plain, strict=True):
        rows = folded["fold"](*(values[name] for name in narrow.inputs("fold")))
        yield expected, folded["denoise"](*({**values, "folded": rows}[name] for name in narrow.inputs("denoise")))


def inputs(shapes, seed=0):
    """Every row is told something else."""
    generator = torch.Generator().manual_seed(seed)
    values = dict(zip(shapes.inputs("denoise"), shapes.example("denoise"), strict=True))
    more = {name: torch.randn(value.shape, generator=generator) for name, value in values.items()}
    kept = {name: values[name] for name in ("timestep", "time_ids", "scales") if name in values}
    return {**more, **kept}


@pytest.mark.parametrize(
    "make",
    [
        tiny_sd,
        lambda: tiny_sd(controlnets=2, time_cond_proj_dim=16),
        tiny_sd21,
        lambda: tiny_sdxl(controlnets=1, time_cond_proj_dim=16),
        lambda: load_pipeline("ink-tiny", StreamConfig(dtype="float32", device="cpu")),
    ],
    ids=["sd1", "sd1 with ControlNets", "sd2", "sdxl", "embedded"],
)
@torch.no_grad()
def test_folded_it_gives_the_same_numbers(make):
    units, shapes = parts(make())
    assert why_not(units) == ""
    ((plain, folded),) = compared(units, shapes, inputs(shapes))
    assert plain.std() > 0.1 and (plain - folded).abs().max() <= 1e-5


@pytest.mark.parametrize(("name", "make"), [("sd", tiny_sd), ("sdxl", lambda: tiny_sdxl(controlnets=1))])
@torch.no_grad()
def test_every_row_has_its_own_lora_scales(name, make, styles):
    units, shapes = parts(make(), styles[name])
    assert len(shapes.loras) == 2
    scales = [[0.0] * 3, [0.0] * 3], [[0.9, 0.0, 0.4], [0.0, -0.7, 0.4]]
    found = list(compared(units, shapes, *({**inputs(shapes), "lora": torch.tensor(each)} for each in scales)))
    assert all((plain - folded).abs().max() <= 1e-5 for plain, folded in found)
    assert all((one - other).abs().max() > 0.05 for one, other in zip(found[0][1], found[1][1], strict=True))


@torch.no_grad()
def test_rows_have_the_precision_of_the_networks():
    units, shapes = parts(tiny_sd(controlnets=1).to(torch.bfloat16))
    values = inputs(shapes)
    plain = units["denoise"](*values.values())
    folded, shapes = fold(units, shapes)
    rows = folded["fold"](*(values[name] for name in shapes.inputs("fold")))
    assert rows.dtype == torch.bfloat16 and rows.shape == (shapes.rows, shapes.folded)
    found = folded["denoise"](*({**values, "folded": rows}[name] for name in shapes.inputs("denoise")))
    assert found.dtype == torch.float32 and torch.allclose(plain, found, atol=1e-2)


@torch.no_grad()
def test_the_network_that_was_folded_is_left_as_it_was():
    pipe = tiny_sdxl(controlnets=1)
    units, shapes = parts(pipe)
    values = inputs(shapes)
    ((plain, _),) = compared(units, shapes, values)
    again = positional_units(pipe, [pipe.controlnet], shapes)["denoise"]
    assert torch.equal(plain, again(*values.values()))


def test_shapes_of_a_folded_denoise():
    shapes = Shapes(1, 3, 64, 96, (4, 12, 8), (77, 32), 2, features=16, pooled=8, guidance=5, loras=("a",), folded=40)
    assert shapes.units == ("encode", "embed", "fold", "denoise", "decode")
    assert list(shapes.inputs("fold")) == ["timestep", "text", "pooled", "time_ids", "guidance", "lora"]
    assert list(shapes.inputs("denoise")) == ["sample", "folded", "features", "scales", "lora"]
    assert shapes.inputs("denoise")["folded"] == (3, 40)
    assert "fold" not in replace(shapes, folded=0).units


def changes_of(style):
    """All that a row is told changes, and much of it while a prompt fades in."""
    return [
        {"prompt": "a blue house", "negative_prompt": "rain"},
        {"lora_dict": {style: 0.8}},
        {"prompt": "a green tree", "prompt_transition_frames": 3},
        {"lora_dict": {style: 0.2}, "guidance_scale": 2.0},
        {"t_index_list": (5, 45), "seed": 3},
        {"prompt": (("a red car", 1.0), ("a black cat", 2.0))},
    ]


CASES = [
    ("sd", 0, {"cfg_type": "self", "guidance_scale": 1.4}),
    ("sd", 1, {"cfg_type": "full", "guidance_scale": 1.4, "mode": "sketch"}),
    ("sd", 0, {"cfg_type": "full", "guidance_scale": 1.4, "use_denoising_batch": False}),
    ("sd", 0, {"cfg_type": "initialize", "guidance_scale": 1.4, "frame_buffer_size": 2}),
    ("sdxl", 1, {"cfg_type": "full", "guidance_scale": 1.4, "mode": "sketch"}),
]


@pytest.mark.parametrize(("name", "nets", "more"), CASES)
def test_a_stream_looks_as_under_eager(name, nets, more, styles, as_it_is, folds):
    make = {"sd": tiny_sd, "sdxl": tiny_sdxl}[name]
    style, pictures = styles[name][0], []
    for engine in ("eager", "compile"):
        settings = {**BASE, "mode": "img2img", **more, "lora_dict": {style: 0.5}, "acceleration": engine}
        stream = Stream(make(controlnets=nets), **settings)
        assert (stream.engine.fold is None) == (engine == "eager")
        pictures.append(rendered(stream, changes_of(style)))
    assert folds and same(*pictures)


def test_compiled_a_prompt_that_fades_looks_as_under_eager(monkeypatch):
    """Through PyTorch's tracer: no change traces anything again."""
    lacking = compiled.available()
    if lacking:
        pytest.skip(f"needs g++: {lacking}")
    monkeypatch.setattr(compiled, "BACKEND", "eager")
    settings = {**BASE, "mode": "img2img", "cfg_type": "full", "guidance_scale": 1.4}
    changes = [{"prompt": "a blue house", "prompt_transition_frames": 3}, {"t_index_list": (5, 45)}]
    expected = rendered(Stream(tiny_sd(), acceleration="eager", **settings), changes)
    stream = Stream(tiny_sd(), acceleration="compile", **settings)
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert same(expected, rendered(stream, changes))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == graphs


def test_a_recorded_frame_reads_what_was_folded_last(styles, as_it_is, monkeypatch):
    records = []

    def record(run):
        records.append(1)
        return lambda: tuple(value.clone() for value in run())

    style = styles["sd"][0]
    settings = {**BASE, "mode": "img2img", "cfg_type": "full", "guidance_scale": 1.4, "lora_dict": {style: 0.5}}
    expected = rendered(Stream(tiny_sd(), acceleration="eager", **settings), changes_of(style))
    change_units(monkeypatch, lambda units: replace(units, record=record))
    stream = Stream(tiny_sd(), acceleration="compile", **settings)
    assert same(expected, rendered(stream, changes_of(style))) and len(records) == 1


@pytest.mark.parametrize("batched", [True, False])
def test_nothing_is_folded_while_nothing_changes(batched, as_it_is, folds):
    settings = {**BASE, "mode": "img2img", "acceleration": "compile", "use_denoising_batch": batched}
    stream, page = Stream(tiny_sd(), **settings), next(growing_pages(1))
    for _ in range(2):
        stream(page)
    folds.clear()
    for _ in range(4):
        stream(page)
    assert not folds
    stream.update(prompt="a blue house")
    for _ in range(6):
        stream(page)
    assert len(folds) == 2  # rows are written one after the other in a batch, and each step is folded without one
    stream.update(prompt="a green tree", prompt_transition_frames=4)
    folds.clear()
    for _ in range(8):
        stream(page)
    assert len(folds) == (5 if batched else 8)


def test_layers_that_were_folded_are_not_in_the_step():
    units, shapes = parts(tiny_sd(controlnets=1))
    folded, _ = fold(units, shapes)
    names = ["attn2.to_k.weight", "attn2.to_v.weight", "time_emb_proj.weight", "time_embedding.linear_1.weight"]
    left = [name for name, _ in folded["denoise"].named_parameters()]
    assert not [name for name in left if name.endswith(tuple(names))]
    assert any(name.endswith("attn2.to_q.weight") for name in left)


def test_a_fold_that_failed_is_made_up_for(as_it_is, monkeypatch):
    """Inputs of rows were changed before it failed, so what was folded before would be of old ones."""
    pipe, page, fails = tiny_sd(), next(growing_pages(1)), []
    settings = {**BASE, "mode": "img2img", "t_index_list": (30,)}

    def failing(units):
        def fold(**given):
            if fails:
                raise fails.pop()
            return units.fold(**given)

        return replace(units, fold=fold)

    expected = Stream(pipe, acceleration="eager", **{**settings, "prompt": "a blue house"})(page)
    change_units(monkeypatch, failing)
    stream = Stream(pipe, acceleration="compile", **settings)
    stream(page)
    fails.append(RuntimeError("it failed"))
    stream.update(prompt="a blue house")
    with pytest.raises(RuntimeError, match="it failed"):
        stream(page)
    assert same({0: expected.pixels.astype(int)}, {0: stream(page).pixels.astype(int)})


class Other(AttnProcessor2_0):
    """Does the same, which nobody can know."""


def an_attention(pipe):
    return pipe.unet.down_blocks[0].attentions[0].transformer_blocks[0]


UNUSUAL = {
    "an attention processor of its own": (lambda pipe: an_attention(pipe).attn2.set_processor(Other()), "Other"),
    "a hook": (lambda pipe: pipe.unet.mid_block.register_forward_hook(lambda *_: None), "mid_block has a hook"),
    "a patched forward": (lambda pipe: setattr(pipe.unet, "forward", print), "the network has a hook"),
    "a class embedding": (lambda pipe: setattr(pipe.unet, "class_embedding", torch.nn.Identity()), "class embedding"),
    "an IP-Adapter": (lambda pipe: pipe.unet.register_to_config(encoder_hid_dim_type="ip_image_proj"), "ip_image_proj"),
    "other conditions": (lambda pipe: pipe.unet.register_to_config(addition_embed_type="image"), "_embed_type image"),
    "fused projections": (lambda pipe: pipe.unet.fuse_qkv_projections(), "FusedAttnProcessor2_0"),
    "only cross attention": (lambda pipe: setattr(an_attention(pipe).attn1, "is_cross_attention", True), "only_cross"),
    "an unknown block": (lambda pipe: pipe.unet.up_blocks.append(torch.nn.Identity()), "a block torch.nn.modules"),
    "an unknown layer": (lambda pipe: setattr(an_attention(pipe).attn2, "to_v", torch.nn.Conv1d(1, 1, 1)), "Conv1d"),
    "another network": (lambda pipe: setattr(pipe.unet, "__class__", type("X", (type(pipe.unet),), {})), "not known"),
    "a ControlNet with a hook": (
        lambda pipe: pipe.controlnet.register_forward_hook(lambda *_: None),
        "ControlNetModel",
    ),
}


@pytest.mark.parametrize("kind", UNUSUAL)
def test_unusual_networks_are_named(kind):
    pipe = tiny_sd(controlnets=1)
    change, said = UNUSUAL[kind]
    change(pipe)
    shapes = Shapes(1, 1, SIDE, SIDE, (4, 8, 8), (77, 32), controlnets=1, features=32)
    assert said in why_not(positional_units(pipe, [pipe.controlnet], shapes))


def test_what_cannot_be_folded_runs_as_it_did_and_says_so(as_it_is, folds, caplog):
    settings, pictures = {**BASE, "mode": "img2img"}, []
    for engine in ("eager", "compile"):
        pipe = tiny_sd()
        an_attention(pipe).attn2.set_processor(Other())
        with caplog.at_level("INFO", "inkstream.engines.compile"):
            stream = Stream(pipe, acceleration=engine, **settings)
        pictures.append(rendered(stream, [{"prompt": "a blue house"}]))
    assert stream.engine.fold is None and "prompt not folded: UNet2DConditionModel: " in stream.engine.about
    assert "the prompt takes part in every step" in caplog.text
    assert not folds and same(*pictures)


def test_an_option_leaves_it_out(as_it_is, folds):
    pipe = tiny_sd()
    shapes = Shapes(1, 1, SIDE, SIDE, (4, 8, 8), (77, 32))
    units = engines.build("compile", pipe, [], shapes, Options(fold=False))
    assert units.fold is None and not folds and "folded" not in units.about
    assert engines.build("compile", pipe, [], shapes).fold is not None
