"""Trainings on top of a model: LoRA, ControlNet, distillation; and that plain diffusers draws the same with them."""

import json

import pytest
import torch
from doubles.pairs import Shapes
from doubles.tiny_models import tiny_sd, tiny_sd21, tiny_sdxl
from safetensors import safe_open
from safetensors.torch import load_file

from inkstream.lora.lorafile import read_lora
from inkstream.lora.train import adapters, controlnet, lcm, lora
from inkstream.lora.train.kinds import ControlNetConfig, LcmConfig, LoraConfig
from inkstream.lora.train.loop import Loop
from inkstream.lora.train.predict import predict
from inkstream.lora.train.tuned import guidance_embedding
from inkstream.stream.base.errors import ConfigError

SIZE = 32
TRAIN, HELD = Shapes(16, SIZE), Shapes(4, SIZE, seed=1)
QUICK = {
    "pretrained_model": "none",
    "data": {"path": "none", "size": SIZE, "caption_dropout": 0.0},
    "mixed_precision": "no",
    "device": "cpu",
    "train_batch_size": 4,
    "learning_rate": 3e-3,
    "checkpointing_minutes": None,
    "validation_minutes": None,
    "validation_samples": 4,
    "validation_pictures": 2,
    "validation_inference_steps": 2,
    "max_train_steps": 12,
}
NONE = {"conditions": ()}
TWO = {"conditions": ({"image": "sketch"}, {"image": "materials", "conditioning_scale": 0.5})}


def quietly(line):
    """Where lines for people go in tests."""


def figures(folder, name="loss"):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line[name] for line in lines if name in line]


def outputs(pipe, nets, count, unet=None):
    """What the networks give for fixed inputs: (2, 4, 4, 4)."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(2, 4, 4, 4, generator=generator)
    text = torch.randn(2, 77, pipe.unet.config.cross_attention_dim, generator=generator)
    images = [torch.rand(2, 3, SIZE, SIZE, generator=generator) for _ in range(count)]
    added = None
    if pipe.unet.config.addition_embed_type == "text_time":
        pooled = torch.randn(2, 32, generator=generator)
        added = {"text_embeds": pooled, "time_ids": torch.tensor([[32.0, 32, 0, 0, 32, 32]] * 2)}
    with torch.no_grad():
        scaled = [(net, 1.0) for net in nets]
        return predict(unet or pipe.unet, scaled, x, torch.tensor([300, 800]), text, images, added)


def nets_of(pipe):
    net = getattr(pipe, "controlnet", None)
    return [] if net is None else list(net.nets) if hasattr(net, "nets") else [net]


def run_lora(tmp_path, pipe_of, **more):
    config = LoraConfig(**{**QUICK, "output_dir": str(tmp_path), **more})
    lora.train_samples(config, TRAIN, HELD, pipe_of, say=quietly)
    return config


# --- LoRA


@pytest.mark.parametrize("family", [tiny_sd, tiny_sd21, tiny_sdxl])
def test_a_conventional_lora_draws_the_same_in_plain_diffusers(family, tmp_path):
    trained = []

    def load():
        trained.append(family())
        return trained[-1]

    config = run_lora(tmp_path, load, rank=4, alpha=8, **NONE)
    pipe = family()
    before = outputs(pipe, [], 0)
    expected = outputs(trained[0], [], 0)
    assert (expected - before).abs().max() > 0.01, "it learnt something"
    pipe.load_lora_weights(str(tmp_path / "model"), weight_name=adapters.LORA_FILE)
    assert torch.allclose(outputs(pipe, [], 0), expected, atol=1e-4)
    other = family()
    for name in (adapters.LORA_FILE, adapters.KOHYA_FILE):
        read = read_lora(tmp_path / "model" / name, other).changes["unet"]
        layer = next(iter(adapters.layers(trained[0].unet)))
        delta = adapters.layers(trained[0].unet)[layer].get_delta_weight("default")
        assert torch.allclose(read[layer].difference(), delta, atol=1e-5), name
    assert figures(tmp_path, "validation/loss")[-1] < figures(tmp_path, "validation/loss")[0]
    notes = json.loads((tmp_path / "model" / "training.json").read_text())
    assert notes["kind"] == "lora" and notes["configuration"]["rank"] == config.rank


def test_a_few_step_lora_begins_from_nothing_but_noise(tmp_path):
    config = LoraConfig(**{**QUICK, "output_dir": str(tmp_path), "timesteps": "few-step", **NONE})
    task = lora.LoraTask.of(config, TRAIN, HELD, pipe=tiny_sd())
    z0 = torch.full((64, 4, 4, 4), 50.0)
    x, target, t = task._few_steps(z0, torch.Generator().manual_seed(0))
    first = t == 999
    assert 0.15 < first.float().mean() < 0.6 and set(t.tolist()) <= set(range(19, 1000, 20))
    assert x[first].abs().max() < 8, "no trace of the picture"
    assert x[t < 500].mean() > 10
    assert torch.allclose(task.noise.x0(x, target, t), z0, atol=0.05)


def test_a_modified_lora_changes_the_weights_under_it_too(tmp_path):
    trained = []
    run_lora(tmp_path, lambda: trained.append(tiny_sd()) or trained[-1], mode="modified", **NONE)
    pipe = tiny_sd()
    base = {name: value.clone() for name, value in pipe.unet.state_dict().items()}
    pipe.unet = type(pipe.unet).from_pretrained(tmp_path / "model" / "unet", local_files_only=True)
    changed = {name for name, value in pipe.unet.state_dict().items() if not torch.equal(value, base[name])}
    assert changed and all(
        name.endswith(("to_q.weight", "to_k.weight", "to_v.weight", "to_out.0.weight")) for name in changed
    )
    pipe.load_lora_weights(str(tmp_path / "model"), weight_name=adapters.LORA_FILE)
    assert torch.allclose(outputs(pipe, [], 0), outputs(trained[0], [], 0), atol=1e-4)


def test_in_two_steps_the_second_builds_on_the_merged_first(tmp_path):
    trained = []
    run_lora(tmp_path, lambda: trained.append(tiny_sd()) or trained[-1], mode="two-step", **NONE)
    merged = load_file(tmp_path / "first-step" / "model" / "unet" / "diffusion_pytorch_model.safetensors")
    under = load_file(tmp_path / "model" / "unet" / "diffusion_pytorch_model.safetensors")
    assert merged.keys() == under.keys() and all(torch.equal(merged[name], under[name]) for name in merged)
    pipe = tiny_sd()
    pipe.unet = type(pipe.unet).from_pretrained(tmp_path / "model" / "unet", local_files_only=True)
    first = outputs(trained[0], [], 0)
    assert torch.allclose(outputs(pipe, [], 0), first, atol=1e-4), "merged is what the first step learnt"
    pipe.load_lora_weights(str(tmp_path / "model"), weight_name=adapters.LORA_FILE)
    assert torch.allclose(outputs(pipe, [], 0), outputs(trained[1], [], 0), atol=1e-4)
    assert len(figures(tmp_path)) == 6 and len(figures(tmp_path / "first-step")) == 6
    config = LoraConfig(**{**QUICK, "output_dir": str(tmp_path), "mode": "two-step", **NONE})
    again = lora.train_samples(config, TRAIN, HELD, tiny_sd, "latest", say=quietly)
    assert again.steps == 6 and len(figures(tmp_path)) == 6, "all done before"


def test_several_conditions_and_the_controlnets_own_lora(tmp_path):
    trained = []
    load = lambda: trained.append(tiny_sd(controlnets=2)) or trained[-1]
    more = {"edge_weight": 0.1, "masked": 0.5, "edge_below": 1000}
    run_lora(tmp_path, load, train=("unet", "controlnet"), **TWO, **more)
    assert len(figures(tmp_path, "edges")) == 12
    pipe = tiny_sd(controlnets=2)
    nets = nets_of(pipe)
    before = outputs(pipe, nets, 2)
    pipe.load_lora_weights(str(tmp_path / "model"), weight_name=adapters.LORA_FILE)
    for number, net in enumerate(nets):
        file = tmp_path / "model" / adapters.CONTROLNET_FILE.format("" if number == 0 else f"_{number}")
        net.load_lora_adapter(load_file(file), prefix="controlnet")
        with safe_open(file, "pt") as opened:
            assert json.loads(opened.metadata()["lora_adapter_metadata"])["controlnet.r"] == 4
    expected = outputs(trained[0], nets_of(trained[0]), 2)
    assert (expected - before).abs().max() > 0.01
    assert torch.allclose(outputs(pipe, nets, 2), expected, atol=1e-4)


def test_modules_that_are_not_there_are_named(tmp_path):
    with pytest.raises(
        ConfigError, match=r"target_modules: got to_nothing, which UNet2DConditionModel has none of; it has"
    ):
        run_lora(tmp_path, tiny_sd, target_modules=("to_nothing",), **NONE)
    with pytest.raises(ConfigError, match="conditions: got 1, but the model has 0 ControlNets"):
        run_lora(tmp_path, tiny_sd)
    with pytest.raises(ConfigError, match="train: got controlnet, but the model has none"):
        run_lora(tmp_path, tiny_sd, train=("controlnet",), **NONE)
    bare = Shapes(4, SIZE, labelled=False)
    config = LoraConfig(**{**QUICK, "output_dir": str(tmp_path / "bare"), "conditions": ({"image": "palette"},)})
    with pytest.raises(ConfigError, match="got image: palette, but the pairs have no classes"):
        lora.train_samples(config, bare, bare, lambda: tiny_sd(controlnets=1), say=quietly)


def test_gradient_checkpointing_trains_the_same(tmp_path):
    for name in (True, False):
        run_lora(tmp_path / str(name), tiny_sd, gradient_checkpointing=name, max_train_steps=3, **NONE)
    assert figures(tmp_path / "True") == pytest.approx(figures(tmp_path / "False"), rel=1e-4)


def test_a_lora_with_dropout_goes_on_with_the_same_losses(tmp_path):
    more = {"lora_dropout": 0.3, "checkpointing_steps": 4, "max_train_steps": 8, "mode": "modified", **NONE}
    run_lora(tmp_path / "whole", tiny_sd, **more)
    config = LoraConfig(**{**QUICK, "output_dir": str(tmp_path / "cut"), **more})

    class Cut(Exception):
        pass

    task = lora.LoraTask.of(config, TRAIN, HELD, pipe=tiny_sd())
    real = task.loss

    def loss(batch, now):
        if now.step == 6:
            raise Cut
        return real(batch, now)

    task.loss = loss
    with pytest.raises(Cut):
        Loop(task, config, say=quietly).run()
    torch.manual_seed(99)
    lora.train_samples(config, TRAIN, HELD, tiny_sd, "latest", say=quietly)
    assert figures(tmp_path / "cut") == figures(tmp_path / "whole")


# --- ControlNet


def test_a_controlnet_learns_and_loads(tmp_path):
    from diffusers import ControlNetModel

    config = ControlNetConfig(
        **{**QUICK, "output_dir": str(tmp_path), "conditioning_channels": (4, 8, 8, 16), "max_train_steps": 25}
    )
    pipe = tiny_sd()
    before = {name: value.clone() for name, value in pipe.unet.state_dict().items()}
    task = controlnet.ControlNetTask.of(config, TRAIN, HELD, pipe=pipe)
    Loop(task, config, say=quietly).run()
    assert all(torch.equal(value, before[name]) for name, value in pipe.unet.state_dict().items()), "the base is frozen"
    net = ControlNetModel.from_pretrained(tmp_path / "model", local_files_only=True)
    expected = outputs(pipe, [task.controlnets[0]], 1)
    assert (expected - outputs(pipe, [], 0)).abs().max() > 0.01
    assert torch.allclose(outputs(pipe, [net], 1), expected, atol=1e-5)
    held = figures(tmp_path, "validation/loss")
    assert held[-1] < held[0]


# --- distillation


@pytest.mark.parametrize("student", ["lora", "full"])
def test_distillation_draws_answers_together(student, tmp_path):
    config = LcmConfig(
        **{**QUICK, **NONE, "output_dir": str(tmp_path), "student": student, "rank": 8, "max_train_steps": 30},
        time_cond_proj_dim=16,
    )
    pipe = tiny_sd("v_prediction")
    plain = {name: value.clone() for name, value in pipe.unet.state_dict().items()}
    task = lcm.LcmTask.of(config, TRAIN, HELD, pipe=pipe)
    runner = Loop(task, config, say=quietly)
    runner.run()
    held = figures(tmp_path, "validation/loss")
    assert held[-1] < 0.9 * held[0]
    fresh, w = tiny_sd("v_prediction"), None
    if student == "lora":
        fresh.load_lora_weights(str(tmp_path / "model"), weight_name=adapters.LORA_FILE)
    else:
        assert all(torch.equal(value, plain[name]) for name, value in pipe.unet.state_dict().items()), "the teacher"
        fresh.unet = type(fresh.unet).from_pretrained(tmp_path / "model" / "unet", local_files_only=True)
        w = fresh.get_guidance_scale_embedding(torch.tensor([0.5, 2.0]), embedding_dim=16)
        assert torch.allclose(w, guidance_embedding(torch.tensor([0.5, 2.0]), 16))
    x, text, t = torch.randn(2, 4, 4, 4), torch.randn(2, 77, 32), torch.tensor([300, 800])
    with torch.no_grad(), runner.ema.used():
        expected = predict(task.unet, [], x, t, text, time_cond=w)
        got = predict(fresh.unet, [], x, t, text, time_cond=w)
    assert torch.allclose(got, expected, atol=1e-4)
    assert (got - predict(tiny_sd("v_prediction").unet, [], x, t, text)).abs().max() > 0.01
    scheduler = json.loads((tmp_path / "model" / "scheduler" / "scheduler_config.json").read_text())
    assert scheduler["_class_name"] == "LCMScheduler" and scheduler["prediction_type"] == "v_prediction"


def test_at_its_boundary_the_student_gives_what_it_gets(tmp_path):
    config = LcmConfig(**{**QUICK, **NONE, "output_dir": str(tmp_path)})
    task = lcm.LcmTask.of(config, TRAIN, HELD, pipe=tiny_sd())
    z, answer = torch.randn(2, 4, 4, 4), torch.randn(2, 4, 4, 4)
    zero = torch.zeros(2, dtype=torch.long)
    assert torch.equal(task.boundary(z, zero, answer), z)
    late = torch.tensor([999, 999])
    assert torch.allclose(task.boundary(z, late, answer), task.noise.x0(z, answer, late), atol=1e-4)


def test_without_guidance_a_teachers_step_is_ddims(tmp_path):
    from diffusers import DDIMScheduler

    config = LcmConfig(**{**QUICK, **NONE, "output_dir": str(tmp_path)})
    pipe = tiny_sd()
    task = lcm.LcmTask.of(config, TRAIN, HELD, pipe=pipe)
    z, text = torch.randn(2, 4, 4, 4), torch.randn(2, 77, 32)
    later, earlier = torch.tensor([599, 599]), torch.tensor([579, 579])
    with torch.no_grad():
        got = task._guided_step(z, later, earlier, torch.zeros(2), (text, None), (text * 0, None), [])
        output = predict(tiny_sd().unet, [], z, later, text)
    scheduler = DDIMScheduler.from_config(pipe.scheduler.config, clip_sample=False, steps_offset=0)
    scheduler.num_inference_steps = 50
    assert torch.allclose(got, scheduler.step(output, 599, z).prev_sample, atol=1e-5)
