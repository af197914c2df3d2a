"""Whole trainings on tiny networks: they learn, what they write loads elsewhere, and nothing that is killed is lost."""

import errno
import json
import multiprocessing
import os
import re
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from doubles.pairs import Shapes

from inkstream.lora.data.sample import Part
from inkstream.lora.load import load_pipeline
from inkstream.lora.train import autoencoder, base, config, losses, start, storage, upscaler
from inkstream.lora.train.checkpoint import Checkpoints
from inkstream.lora.train.config import read
from inkstream.lora.train.data import Batches
from inkstream.lora.train.from_scratch import AutoencoderConfig, BaseConfig, UpscalerConfig
from inkstream.lora.train.kinds import KINDS, kind_of
from inkstream.lora.train.loop import Loop, TrainError
from inkstream.lora.train.models import load_autoencoder
from inkstream.lora.train.predict import lcm_steps
from inkstream.lora.train.report import dry_run
from inkstream.lora.train.task import Now
from inkstream.stream import Stream
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.errors import ConfigError, ModelError

SIZE = 32
TRAIN, HELD = Shapes(48, SIZE), Shapes(6, SIZE, seed=1)
QUICK = {
    "data": {"path": "none", "size": SIZE},
    "mixed_precision": "no",
    "device": "cpu",
    "train_batch_size": 4,
    "lr_warmup_steps": 2,
    "checkpointing_minutes": None,
    "validation_minutes": None,
    "validation_samples": 6,
    "validation_pictures": 3,
}
SMALL = {
    "block_out_channels": (16, 32),
    "attention_levels": (False, True),
    "norm_num_groups": 4,
    "head_dim": 16,
    "conditioning_channels": (4, 8, 8, 16),
    "text_width": 16,
    "text_layers": 1,
    "text_heads": 2,
    "max_tokens": 16,
}


def autoencoder_config(folder, **more):
    sizes = {"channels": 8, "encoder_blocks": (1, 1, 1, 1), "decoder_blocks": (1, 1, 1, 1), "crop": 32}
    return AutoencoderConfig(**{**QUICK, **sizes, "output_dir": str(folder), "max_train_steps": 12, **more})


@pytest.fixture(scope="module")
def codec(tmp_path_factory):
    """Folder of an autoencoder that maps pictures to latents and back without having learnt much."""
    folder = tmp_path_factory.mktemp("codec")
    settings = autoencoder_config(folder, max_train_steps=40)
    loop(autoencoder.AutoencoderTask.of(settings, TRAIN, HELD), settings).run()
    return str(folder / "model")


def base_config(folder, codec, **more):
    return BaseConfig(
        **{
            **QUICK,
            "output_dir": str(folder),
            "autoencoder": codec,
            "networks": SMALL,
            "max_train_steps": 14,
            "crop": 16,
            "rollout_from": 0.3,
            "gan_from": 0.4,
            **more,
        }
    )


def loop(task, settings, say=lambda line: None):
    return Loop(task, settings, say=say)


def losses_of(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


def weights(folder, part="model/unet"):
    from safetensors.torch import load_file

    return load_file(folder / part / "diffusion_pytorch_model.safetensors")


# --- they learn, and what they write is what they learnt


def test_an_upscaler_learns_what_bicubic_does_not_know_and_goes_on_where_it_was_killed(codec, tmp_path):
    from inkstream.lora.upscaler import read_upscaler

    sizes = {"channels": 8, "blocks": 2, "crop": 32, "crops": 2, "blur": 0.0, "learning_rate": 1e-2}
    settings = UpscalerConfig(**{**QUICK, **sizes, "output_dir": str(tmp_path / "whole"), "max_train_steps": 60})
    task = upscaler.UpscalerTask.of(settings, TRAIN, HELD)
    before = task.measure()
    assert before["upscaled_psnr_db"] == before["bicubic_psnr_db"], "it begins as bicubic interpolation"
    loop(task, settings).run()
    whole = losses_of(tmp_path / "whole")
    first, last = (np.mean([whole[step] for step in steps]) for steps in (range(1, 6), range(50, 61)))
    assert last < 0.9 * first
    half = settings.model_copy(update={"output_dir": str(tmp_path / "half"), "checkpointing_steps": 20})
    killed = loop(upscaler.UpscalerTask.of(half, TRAIN, HELD), half)
    one_step = killed.one_step

    def until_30(batches):
        killed.stopping = killed.step == 29
        return one_step(batches)

    killed.one_step = until_30
    assert killed.run().interrupted
    loop(upscaler.UpscalerTask.of(half, TRAIN, HELD), half).run("latest")
    assert losses_of(tmp_path / "half") == whole
    kept, again = (read_upscaler(tmp_path / name / "model").state_dict() for name in ("whole", "half"))
    assert all(torch.equal(kept[name], again[name]) for name in kept)
    painted = settings.model_copy(update={"autoencoder": codec, "blur": 1.0, "output_dir": str(tmp_path / "painted")})
    task = upscaler.UpscalerTask.of(painted, TRAIN, HELD)
    found = task.measure()
    assert found["painted_bicubic_psnr_db"] < found["bicubic_psnr_db"], "the autoencoder takes something away"
    assert task.pictures().shape[0] == 5 * (SIZE + 24)
    with pytest.raises(ConfigError, match="crop: got 64"):
        upscaler.UpscalerTask.of(settings.model_copy(update={"crop": 64}), TRAIN, HELD)


def test_an_autoencoder_learns_and_loads_in_diffusers(tmp_path):
    from diffusers import AutoencoderTiny

    settings = autoencoder_config(tmp_path, max_train_steps=60, ema_decay=0.5, checkpointing_steps=25)
    task = autoencoder.AutoencoderTask.of(settings, TRAIN, HELD)
    lines = []
    runner = loop(task, settings, lines.append)
    finished = runner.run()
    found = losses_of(tmp_path)
    assert finished.steps == 60 and len(found) == 60
    assert np.mean([found[step] for step in range(50, 61)]) < 0.4 * found[1]
    assert any(line.startswith("validation at step 60: psnr_db") for line in lines)
    assert [path.name for path in Checkpoints(tmp_path).all()] == ["step-00000025", "step-00000050", "step-00000060"]
    assert (tmp_path / "pictures" / "step-00000060.png").is_file()
    vae = AutoencoderTiny.from_pretrained(tmp_path / "model", local_files_only=True)
    x = torch.from_numpy(TRAIN[0].picture).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad(), runner.ema.used():
        latent = task.network.encoder(x)
        assert torch.allclose(vae.encode(x).latents, latent, atol=1e-5)
        assert torch.allclose(vae.decode(latent).sample, task.network.decoder(latent), atol=1e-5)
    spread = torch.cat([vae.encode(task._some(place)).latents for place in range(4)]).std() * vae.config.scaling_factor
    assert spread.item() == pytest.approx(1.0, abs=0.01)
    notes = json.loads((tmp_path / "model" / "training.json").read_text())
    assert notes["steps"] == 60 and notes["configuration"]["channels"] == 8


def test_a_decoder_is_held_to_smaller_pictures_where_that_is_asked_for(tmp_path, monkeypatch):
    settings = autoencoder_config(tmp_path, max_train_steps=4, equivariance=1.0)
    task = autoencoder.AutoencoderTask.of(settings, TRAIN, HELD)
    seen = []
    task.network.decoder.register_forward_hook(lambda _, given, made: seen.append((given[0].shape, made.shape)))
    monkeypatch.setattr(task, "measure", dict)
    loop(task, settings).run()
    sides = [latent[-1] for latent, picture in seen if picture[-1] == 8 * latent[-1]]
    assert sum(side in (2, 3) for side in sides) == 4, "4 is the whole crop, as in validations"


def test_a_decoder_learns_alone_for_an_encoder_that_stays(tmp_path, codec):
    wider = {"encoder": codec, "channels": 12, "decoder_blocks": (2, 1, 1, 0), "gan_from": 0.3, "gan_weight": 1.0}
    settings = autoencoder_config(tmp_path, **wider, texture_weight=0.5)
    loop(autoencoder.AutoencoderTask.of(settings, TRAIN, HELD), settings).run()
    before, after = load_autoencoder(codec), load_autoencoder(str(tmp_path / "model"))
    for name, value in before.encoder.state_dict().items():
        assert torch.equal(value, after.encoder.state_dict()[name]), name
    assert after.config.scaling_factor == before.config.scaling_factor
    assert tuple(after.config.decoder_block_out_channels) == (12,) * 4
    logged = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert all(any(part in line for line in logged) for part in ("pull", "texture"))
    assert any(name.endswith("sharpness") for line in logged for name in line)

    kept = {"encoder": codec, "init": str(tmp_path / "model"), "decoder_blocks": None}
    further = autoencoder_config(tmp_path / "further", **kept, max_train_steps=1)
    task = autoencoder.AutoencoderTask.of(further, TRAIN, HELD)
    for name, value in task.network.decoder.state_dict().items():
        assert torch.equal(value, after.decoder.state_dict()[name]), name
    notes = json.loads((tmp_path / "model" / "training.json").read_text())
    assert "began_from" not in notes

    grown = further.model_copy(update={"decoder_blocks": (3, 2, 1, 0)})
    larger = autoencoder.AutoencoderTask.of(grown, TRAIN, HELD)
    latent = torch.randn(2, 4, 4, 4)
    assert len(larger.network.decoder.layers) == len(after.decoder.layers) + 2
    with torch.no_grad():
        assert torch.equal(larger.network.decoder(latent), after.decode(latent).sample), "new blocks change nothing"
    loop(larger, grown).run()
    assert json.loads((grown.folder / "model" / "training.json").read_text())["began_from"] == notes
    assert tuple(load_autoencoder(str(grown.folder / "model")).config.num_decoder_blocks) == (3, 2, 1, 0)
    for blocks in ((2, 1, 1, 1), (1, 1, 1, 0)):
        told = re.escape(f"decoder_blocks: got {list(blocks)}, but init has [2, 1, 1, 0]")
        with pytest.raises(ConfigError, match=told):
            autoencoder.AutoencoderTask.of(grown.model_copy(update={"decoder_blocks": blocks}), TRAIN, HELD)

    other = tmp_path / "other"
    loop_settings = autoencoder_config(other, latent_channels=8, max_train_steps=1)
    loop(autoencoder.AutoencoderTask.of(loop_settings, TRAIN, HELD), loop_settings).run()
    with pytest.raises(ConfigError, match="init: got 8 latent channels, the encoder has 4"):
        autoencoder.AutoencoderTask.of(further.model_copy(update={"init": str(other / "model")}), TRAIN, HELD)


def test_a_latent_may_stand_for_16_pixels_and_the_decoder_learn_with_the_base(tmp_path):
    stages = {"encoder_blocks": (0, 1, 1, 1, 1), "decoder_blocks": (1, 1, 1, 1, 0)}
    coded = autoencoder_config(tmp_path / "codec", **stages, latent_channels=6, max_train_steps=3)
    loop(autoencoder.AutoencoderTask.of(coded, TRAIN, HELD), coded).run()
    codec, networks = str(coded.folder / "model"), {**SMALL, "conditioning_channels": (4, 4, 8, 8, 16)}
    sharp = {"gan_sees": "pictures", "decoder": True, "gan_from": 0.0, "crop_from": 0.0, "gan_weight": 0.2}
    settings = base_config(tmp_path / "base", codec, networks=networks, max_train_steps=4, **sharp)
    loop(base.BaseTask.of(settings, TRAIN, HELD), settings).run()
    logged = [json.loads(line) for line in (settings.folder / "metrics.jsonl").read_text().splitlines()]
    assert any("pull" in line and "discriminator" in line for line in logged)
    before, after = load_autoencoder(codec), load_autoencoder(str(settings.folder / "model"))
    same = lambda part: [
        torch.equal(value.half(), getattr(after, part).state_dict()[name].half())
        for name, value in getattr(before, part).state_dict().items()
    ]
    assert all(same("encoder")) and not any(same("decoder"))
    assert tuple(weights(settings.folder)["conv_in.weight"].shape)[1] == 6
    for wrong in (SMALL, {**SMALL, "conditioning_channels": (4, 4, 8, 8, 8, 16)}):
        with pytest.raises(ConfigError, match=r"conditioning_channels: got [46] numbers, which make (8|32) pixels one"):
            base.BaseTask.of(base_config(tmp_path / "wrong", codec, networks=wrong), TRAIN, HELD)
    with pytest.raises(ConfigError, match="crop: got 24, expected a multiple of 16"):
        autoencoder.AutoencoderTask.of(coded.model_copy(update={"crop": 24}), TRAIN, HELD)
    for more in ({"gan_sees": "pictures"}, {"decoder": True}):
        with pytest.raises(ValueError, match="needs decoded crops, got crop_weight 0"):
            base_config(tmp_path, codec, crop_weight=0, **more)
    with pytest.raises(ValueError, match="decoder_blocks: got 4 numbers, expected 5"):
        autoencoder_config(tmp_path, **{**stages, "decoder_blocks": (1, 1, 1, 0)})


def test_what_is_frozen_stays_and_costs_no_gradient(tmp_path, codec):
    first = "controlnet.controlnet_cond_embedding.conv_in"
    settings = base_config(tmp_path, codec, max_train_steps=2, frozen=(f"{first}.", "unet.conv_out"))
    task = base.BaseTask.of(settings, TRAIN, HELD)
    begin = {name: value.clone() for name, value in task.networks.controlnet.state_dict().items()}
    assert f"{first}.weight" not in task.parameters() and "unet.conv_out.bias" not in task.parameters()
    loop(task, settings).run()
    after = task.networks.controlnet.state_dict()
    changed = {name for name, value in after.items() if not torch.equal(value, begin[name])}
    assert changed == {name for name in begin if not name.startswith("controlnet_cond_embedding.conv_in.")}
    with pytest.raises(ConfigError, match=r"frozen: got 'vae\.encoder', which no weight's name begins with"):
        base.BaseTask.of(settings.model_copy(update={"frozen": ("vae.encoder",)}), TRAIN, HELD)


def test_the_adversary_sees_the_drawing_of_the_very_crop_that_was_decoded(tmp_path, codec):
    task = base.BaseTask.of(base_config(tmp_path, codec, gan_sees="pictures"), TRAIN, HELD)
    batch = next(task.batches.since(0, 0))
    batch = replace(batch, lines=batch.picture[..., 0].clone(), paint=None)
    places = set()
    for seed in range(6):
        now = Now(seed, 1.0, torch.Generator().manual_seed(seed))
        with torch.no_grad():
            got, truth, drawn = task._crops(task.codec.latents(batch), batch, batch.control(), now)
        assert got.shape == truth.shape == drawn.shape and torch.allclose(truth[:, 0], drawn[:, 0] * 2 - 1, atol=1e-5)
        places.add(truth.sum().item())
    assert len(places) > 2, "not always the same place"


def test_a_decoder_learns_to_show_more_contrast(tmp_path, codec):
    kept = {"encoder": codec, "init": codec, "decoder_blocks": None}
    settings = autoencoder_config(tmp_path, **kept, gan_weight=0, sharpen=1.5, max_train_steps=2)
    task = autoencoder.AutoencoderTask.of(settings, TRAIN, HELD)
    latents = torch.randn(3, 4, 4, 4)
    wanted = task._sharper(latents)
    with torch.no_grad():
        shown = load_autoencoder(codec).decode(latents).sample.clamp(-1, 1)
    assert torch.allclose(wanted, losses.sharpened(shown, 1.5), atol=1e-5)
    loop(task, settings).run()
    assert torch.equal(task._sharper(latents), wanted), "what it is held to stays"
    first = losses_of(tmp_path)[1]
    plain = autoencoder_config(tmp_path / "plain", **kept, gan_weight=0, max_train_steps=2)
    loop(autoencoder.AutoencoderTask.of(plain, TRAIN, HELD), plain).run()
    assert losses_of(tmp_path / "plain")[1] != first
    with pytest.raises(ValueError, match=r"sharpen: got 1\.5, expected 0 without init and encoder"):
        autoencoder_config(tmp_path, sharpen=1.5)


def test_a_decoder_sees_crops_of_what_the_encoder_makes_of_whole_pictures(tmp_path, codec):
    settings = autoencoder_config(tmp_path, encoder=codec, crop=16)
    task = autoencoder.AutoencoderTask.of(settings, TRAIN, HELD)
    batch = next(task.batches.since(0, 0))
    corners = torch.tensor([[1, 2], [0, 0], [2, 1], [2, 2]])
    with torch.no_grad():
        whole = load_autoencoder(codec).encode(batch.pictures()).latents
    for row, (y, x) in enumerate(corners.tolist()):
        got = task._cut(batch.latent, corners)[row]
        assert torch.allclose(got, whole[row, :, y : y + 2, x : x + 2], atol=5e-3)


def test_later_steps_begin_at_the_networks_own_earlier_ones(tmp_path, codec):
    task = base.BaseTask.of(base_config(tmp_path, codec), TRAIN, HELD)
    calls, right = [], torch.full((6, 4, 4, 4), 0.5)

    def answer(x, t, text, control):
        calls.append(t.tolist())
        assert len(x) == len(t) == len(text) == len(control)
        return task.noise.leading(x, right[: len(x)], t)

    task._v = answer
    t = torch.tensor([999, 99, 499, 259, 759, 359])
    x, text, control = torch.zeros(6, 4, 4, 4), torch.zeros(6, 5, 16), torch.zeros(6, 3, 32, 32)
    middle = set()
    for seed in range(8):
        calls.clear()
        got = task._own_start(x, t, text, control, torch.Generator().manual_seed(seed))
        assert calls[0] == [999] * 5
        assert not got[0].any(), "the first row starts where it was"
        keep, blur = task.noise.signal(t[1:])
        rest = (got[1:] - keep * 0.5) / blur
        assert rest.std() == pytest.approx(1.0, abs=0.25), "its own picture under noise"
        middle.update(calls[1] if len(calls) > 1 else [])
    assert middle == {359, 759, 499, 679}


def test_a_base_model_learns_and_the_pipeline_draws_the_same(tmp_path, codec):
    settings = base_config(tmp_path, codec, max_train_steps=40, gan_weight=0.0, ema_decay=0.8)
    task = base.BaseTask.of(settings, TRAIN, HELD)
    runner = loop(task, settings)
    runner.run()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    validated = [line for line in lines if "validation/x0_mse_999" in line]
    assert validated[-1]["validation/x0_mse_999"] < 0.5 * validated[0]["validation/x0_mse_999"]
    assert (tmp_path / "tokenizer" / "vocab.json").is_file()
    pipe = load_pipeline(
        tmp_path / "model", StreamConfig.build(device="cpu", dtype="float32", use_tiny_vae=True, controlnets=())
    )
    batch = task.held[0]
    with torch.no_grad(), runner.ema.used():
        expected = task.codec.decode(task.generate(batch, lcm_steps(1)))
    noise = torch.stack(
        [torch.randn((4, SIZE // 8, SIZE // 8), generator=base.seeds.generator(0, 4, int(i))) for i in batch.index]
    )
    drawn = pipe(
        list(batch.captions),
        image=batch.control(),
        latents=noise,
        num_inference_steps=1,
        guidance_scale=1.0,
        height=SIZE,
        width=SIZE,
        output_type="pt",
    ).images
    assert (drawn - (expected.clamp(-1, 1) + 1) / 2).abs().max() < 0.02, "half precision is all that differs"


def test_latents_of_sixteen_pixels_and_many_channels_go_all_the_way(tmp_path):
    """Trained, trained further from the folder, and streamed from it."""
    stages = {"encoder_blocks": (0, 1, 1, 1, 1), "decoder_blocks": (1, 1, 1, 1, 0), "latent_channels": 6}
    coded = autoencoder_config(tmp_path / "codec", **stages, max_train_steps=2)
    loop(autoencoder.AutoencoderTask.of(coded, TRAIN, HELD), coded).run()
    model = str(tmp_path / "codec" / "model")
    sizes = {"networks": {**SMALL, "conditioning_channels": (4, 8, 8, 8, 16)}}
    for name, more in (("first", sizes), ("further", {"init": str(tmp_path / "first" / "model")})):
        settings = base_config(tmp_path / name, model, max_train_steps=2, **more)
        loop(base.BaseTask.of(settings, TRAIN, HELD), settings).run()
    config = StreamConfig.build(
        device="cpu",
        mode="sketch",
        prompt=TRAIN[0].captions[0],
        t_index_list=[0, 20],
        width=64,
        height=96,
        controlnets=[{"preprocessor": "scribble"}],
        acceleration="eager",
        warmup=0,
    )
    with Stream.from_pretrained(str(tmp_path / "further" / "model"), config) as stream:
        page = np.full((96, 64, 3), 255, np.uint8)
        shown = [output for output in (*(stream(page) for _ in range(3)), *stream.drain()) if output]
        assert shown and shown[-1].pixels.shape == (96, 64, 3)


def test_every_part_of_the_base_loss_is_reached(tmp_path, codec):
    settings = base_config(tmp_path, codec, max_train_steps=20, texture_weight=0.5)
    loop(base.BaseTask.of(settings, TRAIN, HELD), settings).run()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    names = {name for line in lines for name in line}
    assert {"latent", "crop", "texture", "discriminator", "pull", "x0_mse"} <= names
    assert all(np.isfinite(value) for line in lines for value in line.values())


def test_latents_from_the_cache_train_as_those_encoded_on_the_way(tmp_path, codec):
    for name, cache in (("kept", True), ("not", False)):
        settings = base_config(tmp_path / name, codec, max_train_steps=3)
        loop(base.BaseTask.of(settings, TRAIN, HELD, cache=cache), settings).run()
    kept, fresh = losses_of(tmp_path / "kept"), losses_of(tmp_path / "not")
    assert [kept[step] for step in (1, 2, 3)] == pytest.approx([fresh[step] for step in (1, 2, 3)], rel=0.02)


# --- nothing is lost


def run_base(folder, codec, resume, steps):
    torch.set_num_threads(1)
    settings = base_config(folder, codec, max_train_steps=steps, checkpointing_steps=2, model_at_checkpoints=False)
    loop(base.BaseTask.of(settings, TRAIN, HELD), settings).run(resume)
    os._exit(0)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
def test_killed_at_any_moment_it_goes_on_with_the_same_losses(tmp_path, codec):
    base.BaseTask.of(base_config(tmp_path / "warm", codec), TRAIN, HELD)  # imports, once for all that are forked
    context = multiprocessing.get_context("fork")
    steps, rng = 20, np.random.default_rng()

    def start(folder):
        child = context.Process(target=run_base, args=(folder, codec, "latest", steps))
        child.start()
        return child

    def ended(folder):
        child = start(folder)
        child.join(200)
        assert child.exitcode == 0
        return losses_of(folder)

    expected = ended(tmp_path / "whole")
    for after in (0, 2, 6, 8, 14):
        child = start(tmp_path / "killed")
        until = time.monotonic() + 100
        while len(losses_kept(tmp_path / "killed")) < after and time.monotonic() < until:
            time.sleep(0.005)
        child.join(rng.uniform(0, 0.2))  # anywhere in a step, or while a checkpoint is written
        assert child.is_alive()
        child.kill()
        child.join()
    found = ended(tmp_path / "killed")
    assert sorted(expected) == sorted(found) == list(range(1, steps + 1))
    assert expected == found
    first, second = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not list((tmp_path / "killed" / "checkpoints").glob(".*"))


def losses_kept(folder):
    """As many entries as steps that the newest checkpoint is after."""
    kept = Checkpoints(folder).all()
    return range(int(kept[-1].name.removeprefix("step-"))) if kept else ()


def test_a_damaged_checkpoint_is_passed_over(tmp_path, caplog):
    settings = autoencoder_config(tmp_path, checkpointing_steps=4)
    make = lambda changed=settings: loop(autoencoder.AutoencoderTask.of(changed, TRAIN, HELD), changed)
    make().run()
    before = losses_of(tmp_path)
    newest, older = reversed(Checkpoints(tmp_path).all()[-2:])
    whole = (newest / storage.TENSORS).read_bytes()
    (newest / storage.TENSORS).write_bytes(whole[:-100] + bytes(100))
    made = make()
    made.run("latest")
    assert f"{newest}: damaged: its checksum does not fit; the checkpoint before it is taken" in caplog.text
    assert older.name == "step-00000008" and losses_of(tmp_path) == before
    for path in Checkpoints(tmp_path).all():
        (path / storage.PLAIN).write_text("{")
    with pytest.raises(ModelError, match="no other checkpoint is whole"):
        make().run("latest")
    with pytest.raises(ConfigError, match=r"--resume: got 'step-9', expected latest or one of: step-"):
        make().run("step-9")
    with pytest.raises(ConfigError, match="holds a training of step-00000012 already; go on with --resume latest"):
        make().run()


def test_a_checkpoint_of_other_networks_is_named(tmp_path):
    settings = autoencoder_config(tmp_path, max_train_steps=2)
    loop(autoencoder.AutoencoderTask.of(settings, TRAIN, HELD), settings).run()
    wider = autoencoder_config(tmp_path, max_train_steps=4, channels=16)
    with pytest.raises(ModelError, match="the checkpoint is of other networks"):
        loop(autoencoder.AutoencoderTask.of(wider, TRAIN, HELD), wider).run("latest")


def test_settings_that_were_others_before_are_said_and_noted(tmp_path, caplog):
    first = autoencoder_config(tmp_path, max_train_steps=4)
    loop(autoencoder.AutoencoderTask.of(first, TRAIN, HELD), first).run()
    assert "earlier" not in json.loads((tmp_path / "model" / "training.json").read_text())
    data = {**QUICK["data"], "clean": 0.9}
    then = autoencoder_config(tmp_path, max_train_steps=6, data=data, gan_weight=0.0, logging_seconds=3.0)
    loop(autoencoder.AutoencoderTask.of(then, TRAIN, HELD), then).run("latest")
    assert "step-00000004 was made with other settings: data.clean, gan_weight" in caplog.text
    last = autoencoder_config(tmp_path, max_train_steps=8, data=data, gan_weight=0.0)
    loop(autoencoder.AutoencoderTask.of(last, TRAIN, HELD), last).run("latest")
    one, two = json.loads((tmp_path / "model" / "training.json").read_text())["earlier"]
    assert one["until_step"] == 4 and one["settings"] == {"data.clean": 0.35, "gan_weight": 0.3, "max_train_steps": 4}
    assert two["until_step"] == 6 and two["settings"] == {"max_train_steps": 6}


def test_a_full_disk_loses_nothing(tmp_path, monkeypatch, caplog):
    settings = autoencoder_config(tmp_path, checkpointing_steps=4, max_train_steps=12)
    real, full = storage.save_file, []

    def save_file(tensors, path):
        if full:
            path.write_bytes(b"half of it")
            raise OSError(errno.ENOSPC, "No space left on device")
        real(tensors, path)

    monkeypatch.setattr(storage, "save_file", save_file)
    runner = loop(autoencoder.AutoencoderTask.of(settings, TRAIN, HELD), settings)
    one_step = runner.one_step

    def stepped(batches):
        full[:] = [True] if 6 <= runner.step < 10 else []
        return one_step(batches)

    monkeypatch.setattr(runner, "one_step", stepped)
    assert runner.run().steps == 12
    assert "checkpoint of step 8 not kept" in caplog.text and "the last one is step-00000004" in caplog.text
    assert [path.name for path in Checkpoints(tmp_path).all()] == ["step-00000004", "step-00000012"]
    assert not list((tmp_path / "checkpoints").glob(".*"))


def test_a_signal_ends_with_a_checkpoint_and_the_rest_is_the_same(tmp_path):
    whole = autoencoder_config(tmp_path / "whole")
    loop(autoencoder.AutoencoderTask.of(whole, TRAIN, HELD), whole).run()
    settings = autoencoder_config(tmp_path / "stopped")
    runner = loop(autoencoder.AutoencoderTask.of(settings, TRAIN, HELD), settings)
    one_step = runner.one_step

    def stepped(batches):
        if runner.step == 4:
            os.kill(os.getpid(), 15)
        return one_step(batches)

    runner.one_step = stepped
    finished = runner.run()
    assert finished.interrupted and finished.model is None and 4 <= finished.steps <= 6
    loop(autoencoder.AutoencoderTask.of(settings, TRAIN, HELD), settings).run("latest")
    assert losses_of(tmp_path / "stopped") == losses_of(tmp_path / "whole")


def test_steps_without_a_number_are_left_out_and_many_of_them_end_it(tmp_path, caplog):
    settings = autoencoder_config(tmp_path, max_train_steps=40)
    task = autoencoder.AutoencoderTask.of(settings, TRAIN, HELD)
    real, bad = task.loss, [3]

    def loss(batch, now):
        found = real(batch, now)
        spoilt = now.step in bad or now.step >= 6
        return type(found)(found.total * float("nan"), found.parts) if spoilt else found

    task.loss = loss
    with pytest.raises(TrainError, match="got 20 steps in a row until step 26 without a finite loss"):
        loop(task, settings).run()
    assert "step 4: the loss or its gradient is not finite" in caplog.text
    assert all(torch.isfinite(value).all() for value in task.parameters().values())


def test_a_budget_in_minutes_counts_training_only(tmp_path):
    settings = autoencoder_config(tmp_path, max_train_steps=None, max_train_minutes=1.0)
    now = [0.0]

    class Slow(Batches):
        def __getitem__(self, number):
            now[0] += 10
            return super().__getitem__(number)

    task = autoencoder.AutoencoderTask.of(settings, TRAIN, HELD)
    task.batches = Slow(TRAIN, settings.data, 4)
    finished = Loop(task, settings, say=lambda line: None, clock=lambda: now[0]).run()
    assert finished.steps == 6 and finished.seconds == 60


def test_it_trains_without_held_out_samples(tmp_path, codec):
    for settings, task in (
        (autoencoder_config(tmp_path / "a", max_train_steps=2), autoencoder.AutoencoderTask),
        (base_config(tmp_path / "b", codec, max_train_steps=2), base.BaseTask),
    ):
        assert loop(task.of(settings, TRAIN, Part(TRAIN, 0, 0)), settings).run().model is not None
        assert not (settings.folder / "pictures").exists()


def test_two_trainings_do_not_share_a_folder(tmp_path, monkeypatch):
    from filelock import FileLock

    monkeypatch.setattr(storage, "LOCK_SECONDS", 0.05)
    settings = autoencoder_config(tmp_path, max_train_steps=1)
    with (
        FileLock(tmp_path / ".lock"),
        pytest.raises(ConfigError, match="output_dir: another training writes into"),
    ):
        loop(autoencoder.AutoencoderTask.of(settings, TRAIN, HELD), settings).run()
    loop(autoencoder.AutoencoderTask.of(settings, TRAIN, HELD), settings).run()


# --- settings


def file_of(folder, text):
    (folder / "c.yaml").write_text(text)
    return folder / "c.yaml"


@pytest.mark.parametrize("task", KINDS)
def test_shipped_configurations_are_whole(task):
    found = config.read(f"train_{task}", kind_of(task))
    assert type(found) is kind_of(task)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("output_dir: x\nmax_train_steps: 1\ndata: {path: y, flp: 1}\n", r"c.yaml:3:17: data.flp: unknown setting"),
        ("output_dir: x\ndata: {path: y}\n", "c.yaml:1:1: max_train_steps: got no budget"),
        ("output_dir: x\nmax_train_steps: 1\ndata: {path: y}\ncrop: 33\n", "c.yaml:4:7: crop: got 33"),
        (
            "output_dir: x\nmax_train_steps: 1\ndata: {path: y}\nreport_to: [wandb]\n",
            r"report_to: got 'wandb', which is not installed; pip install wandb",
        ),
        ("output_dir: x\nmax_train_steps: 1\n", "data: is missing"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(text, message, monkeypatch, tmp_path):
    monkeypatch.setattr(config, "find_spec", lambda name: None if name == "wandb" else True)
    with pytest.raises(ConfigError, match=message):
        read(file_of(tmp_path, text), AutoencoderConfig)


def test_single_settings_come_on_top(tmp_path):
    text = "output_dir: x\nmax_train_steps: 1\nautoencoder: a\ndata: {path: y}\n"
    overrides = {"data.size": 128, "networks.text_width": 64, "named_timesteps": [499], "max_train_steps": 7}
    found = read(file_of(tmp_path, text), BaseConfig, overrides)
    assert (found.data.size, found.networks.text_width, found.named_timesteps) == (128, 64, (499,))
    assert found.max_train_steps == 7
    with pytest.raises(ConfigError, match=r"--set crop: crop: got 512, expected at most data\.size = 128"):
        read(file_of(tmp_path, text), BaseConfig, {"data.size": 128, "crop": 512})
    with pytest.raises(ConfigError, match=r"--set output_dir\.x: output_dir holds 'x', which has no part 'x'"):
        read(file_of(tmp_path, text), BaseConfig, {"output_dir.x": 1})
    with pytest.raises(ConfigError, match="expected a multiple of norm_num_groups = 16"):
        read(file_of(tmp_path, text), BaseConfig, {"networks.block_out_channels": [64, 100, 160]})


def test_a_dry_run_measures_and_leaves_nothing(tmp_path, codec, monkeypatch):
    settings = base_config(tmp_path / "out", codec, max_train_steps=1000, crop=16)
    monkeypatch.setattr(start, "open_data", lambda *_: (TRAIN, HELD))
    report = dry_run(settings)
    assert report.samples == len(TRAIN) and report.steps == 1000
    assert report.minutes == pytest.approx(1000 * report.step_seconds / 60)
    total, mine = report.sizes["unet"]
    assert total == mine > 10_000
    assert not (tmp_path / "out").exists()
    assert any("s a step" in line for line in report.lines())


def test_a_dry_run_renders_a_few_scenes_for_all_of_them(tmp_path):
    data = {"path": str(tmp_path / "scenes"), "size": 64, "scenes": 5000, "validation": 100}
    report = dry_run(autoencoder_config(tmp_path / "out", data=data, max_train_steps=100))
    assert report.samples == 4900 and not list(tmp_path.iterdir())


def test_a_dry_run_of_long_steps_takes_one(tmp_path, codec, monkeypatch):
    from inkstream.lora.train import loop, report

    monkeypatch.setattr(start, "open_data", lambda *_: (TRAIN, HELD))
    monkeypatch.setattr(report, "ENOUGH", 0.0)
    taken, one_step = [], loop.Loop.one_step
    monkeypatch.setattr(loop.Loop, "one_step", lambda self, batches: taken.append(1) or one_step(self, batches))
    found = dry_run(base_config(tmp_path / "out", codec, max_train_steps=1000, crop=16))
    assert len(taken) == 1 and found.step_seconds > 0


def test_a_model_that_is_missing_is_named_before_any_scene_is_rendered(tmp_path, monkeypatch):
    monkeypatch.setattr(start, "open_data", lambda *_: pytest.fail("it began with the scenes"))
    with pytest.raises(ModelError, match="nothing/here: no such folder or file"):
        dry_run(base_config(tmp_path / "out", str(tmp_path / "nothing" / "here"), max_train_steps=10))


# --- the command


def command(*arguments, code=0):
    from typer.testing import CliRunner

    from inkstream.stream.app.cli import app

    result = CliRunner().invoke(app, ["train", *(str(argument) for argument in arguments)])
    assert result.exit_code == code, result.output
    return result


def test_the_command_trains_measures_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(start, "open_data", lambda *_: (TRAIN, HELD))
    written = tmp_path / "mine.yaml"
    settings = autoencoder_config(tmp_path / "out", max_train_steps=4).model_dump(mode="json")
    written.write_text(json.dumps(settings))
    assert "s a step" in command("autoencoder", "--config", written, "--dry-run").stdout
    assert not (tmp_path / "out").exists()
    assert "done: 4 steps" in command("autoencoder", "--config", written).stderr
    assert "holds a training of step-00000004 already" in command("autoencoder", "--config", written, code=2).stderr
    longer = command("autoencoder", "--config", written, "--resume", "latest", "--set", "max_train_steps=6")
    assert "goes on from step-00000004" in longer.stderr and "done: 6 steps" in longer.stderr
    shown = command("autoencoder", "--config", written, "--show", "--set", "data.size=64").stdout
    assert read(file_of(tmp_path, shown), AutoencoderConfig).data.size == 64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "train: got the kind 'nothing', expected one of: autoencoder, base, controlnet, lcm, lora"),
        (["base", "--set", "lerning_rate=1"], "lerning_rate: unknown setting; did you mean 'learning_rate'?"),
        (["lora", "--config", "nowhere.yaml"], "--config: 'nowhere.yaml' cannot be read: No such file"),
        (["lora", "--set", "rank=0"], "--set rank: rank: got 0"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_loaded(arguments, message):
    script = (
        "import sys\nfrom inkstream.stream.app.cli import main\n"
        f"sys.argv = {['inkstream', 'train', *arguments]!r}\n"
        "try: main()\n"
        "except SystemExit as end: code = end.code\n"
        "assert not {'torch', 'diffusers'} & set(sys.modules), 'heavy'\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr


def test_data_that_is_not_there_is_named(tmp_path):
    nowhere = command("autoencoder", "--set", f"data.path={tmp_path / 'no'}", "--set", "data.scenes=0", code=2)
    assert "which is no folder; name one that inkstream prepare made, or set data.scenes" in nowhere.stderr
    few = command("autoencoder", "--set", f"data.path={tmp_path / 'no'}", "--set", "data.scenes=10", code=2)
    assert "data.validation: got 64 of 10 scenes, expected fewer than data.scenes" in few.stderr
