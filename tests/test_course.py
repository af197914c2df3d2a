"""The course that makes the embedded model: every part in order, nothing twice, and a whole model at the end."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from inkstream.lora.data import cache as caches
from inkstream.lora.data import looks, painters
from inkstream.lora.data.cache import SceneCache
from inkstream.lora.data.folder import Pairs
from inkstream.lora.data.render import render
from inkstream.lora.lorafile import read_lora
from inkstream.lora.styles import styles_in, styles_of
from inkstream.lora.train import assembly, course
from inkstream.lora.train import card as cards
from inkstream.lora.train.config import read
from inkstream.lora.train.course import BUDGETS, CourseConfig, parts_of
from inkstream.lora.train.lcm_proof import ProofConfig
from inkstream.lora.train.lcm_proof import parts_of as proof_parts
from inkstream.lora.train.sequence import Part
from inkstream.lora.words import read_vocabulary
from inkstream.stream import Frame, Stream
from inkstream.stream.app.cli import app
from inkstream.stream.base.errors import ConfigError, LoraError, ModelError

NETWORKS = {
    "block_out_channels": [16, 32],
    "attention_levels": [False, True],
    "norm_num_groups": 4,
    "head_dim": 16,
    "conditioning_channels": [4, 8, 8, 16],
    "text_width": 16,
    "text_layers": 1,
    "text_heads": 2,
}
QUICK = {"data.size": 64, "train_batch_size": 2, "max_train_minutes": None, "validation_samples": 2}
QUICK |= {"validation_minutes": None, "checkpointing_minutes": None, "mixed_precision": "no"}
FIGURES = {
    "rows": [{"about": "pictures", "steps": 1, "edge_f1": 0.5, "edge_margin": 0.2, "psnr_db": 20.0, "ssim": 0.5}],
    "configuration": {"samples": 2},
    "goals": [{"figure": "psnr_db", "got": 20.0, "goal": 24.5, "reached": "missed"}],
}
FIGURES["rows"][0]["sharpness"] = 0.3


def small(folder, **more):
    """A course of a few steps each."""
    wide = {"channels": 8, "encoder_blocks": [1, 1, 1, 1], "decoder_blocks": [1, 1, 1, 1], "crop": 32}
    return CourseConfig(
        budget="a test",
        output_dir=str(folder),
        device="cpu",
        scenes=68,
        autoencoder={**QUICK, **wide, "max_train_steps": 3},
        decoder={**QUICK, "max_train_steps": 2, "sharpen": 1.0, "gan_weight": 0},
        base={**QUICK, "networks": NETWORKS, "crop": 0, "max_train_steps": 3, "data.sharpen": 0.5},
        styles=("clay",),
        pairs=3,
        lora={**{name: value for name, value in QUICK.items() if name != "data.size"}, "max_train_steps": 3},
        **more,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(configuration, folder of the model, lines that were said) of a whole course."""
    config, said = small(tmp_path_factory.mktemp("course")), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assembly, "judge", lambda folder, config, progress: FIGURES)
        model = course.train(config, say=said.append)
    return config, model, said


def test_a_course_leaves_a_whole_model(made):
    config, model, _ = made
    assert {"unet", "controlnet", "text_encoder", "vae", "tokenizer", "scheduler"} <= {
        each.name for each in model.iterdir()
    }
    assert read_vocabulary(model).tags["kind"] == ("car", "building", "landscape", "thing")
    places = (model / "vae", config.folder / "decoder" / "model")
    vae, trained = (load_file(place / "diffusion_pytorch_model.safetensors") for place in places)
    assert all(torch.equal(value, trained[name].half()) for name, value in vae.items())
    recipe = json.loads((model / "recipe.json").read_text())
    assert list(recipe["parts"]) == ["autoencoder", "decoder", "base", "style clay"]
    assert recipe["parts"]["base"]["steps"] == 3
    assert str(config.folder) not in json.dumps(recipe)
    card = (model / "README.md").read_text()
    for text in ("on a test", "| base | 3 |", "- `clay`:", "| psnr_db | 20.000 | 24.5 | missed |"):
        assert text in card
    assert recipe["parts"]["base"]["configuration"]["autoencoder"].endswith("/decoder/model")
    assert recipe["parts"]["style clay"]["configuration"]["data"]["sharpen"] == 3.5, "as train_style says"
    assert "every setting. torch" in card
    recipe["parts"]["base"]["earlier"] = [{"until_step": 2, "settings": {"rollout": 0.5}}]
    assert "those of base were others at first" in cards.text(recipe, FIGURES)
    assert recipe["parts"]["decoder"]["began_from"] == "autoencoder", "the course says it already"
    recipe["parts"]["base"]["began_from"] = {"kind": "base", "steps": 7, "samples": 14, "minutes": 1.0}
    assert "| base, 1 of 2 | 7 | 14 | 1.0 |\n| base, 2 of 2 | 3 |" in cards.text(recipe, FIGURES)


def test_a_course_may_end_with_another_base_on_traced_scenes(tmp_path):
    finish = {**QUICK, "crop": 32, "decoder": True, "gan_sees": "pictures", "max_train_steps": 2}
    config = small(tmp_path, traced=80, finish=finish)
    parts = {part.name: part.config for part in course.parts_of(config)}
    assert [*parts] == ["autoencoder", "decoder", "base", "finish", "style clay"]
    painters = {name: each.data.painter for name, each in parts.items()}
    assert painters == {"autoencoder": "traced", "decoder": "traced", "base": "fast", "finish": "traced",
                        "style clay": "fast"}  # fmt: skip
    finish, base = parts["finish"], parts["base"]
    assert finish.init == str(tmp_path / "base" / "model") and finish.autoencoder == base.autoencoder
    assert (finish.data.path, finish.data.scenes) == (str(tmp_path / "traced"), 80) != (base.data.path, 68)
    assert parts["style clay"].pretrained_model == str(tmp_path / "finish" / "model")
    assert any(line.startswith("80 traced scenes: about 0.3 hours") for line in course.plan(config))


def test_styles_are_made_of_the_traced_scenes_that_are_there(tmp_path, monkeypatch):
    """The fast painter stands for the path tracer, and nothing is trained."""
    monkeypatch.setattr(caches, "painter_of", lambda name: render)
    monkeypatch.setattr(painters, "find_spec", lambda name: name)
    finish = {**QUICK, "crop": 32, "max_train_steps": 2}
    config = small(tmp_path, traced=80, finish=finish)
    shown = SceneCache(tmp_path / "traced", course.TRACED_SEED, 3, 64, painter="traced", workers=0)
    monkeypatch.setattr(course, "train_all", lambda parts, say, progress, before: before(parts[-1]))
    assert course.train(config) is None
    taught = Pairs(tmp_path / "pairs" / "clay", "train", 64)
    held = Pairs(tmp_path / "pairs" / "clay", "validation", 64)
    for sample, index in zip((*taught, *held), range(3), strict=True):
        assert np.array_equal(sample.picture, looks.look_of("clay").shown(shown[index]))
        assert np.array_equal(sample.sketch, shown[index].sketch)
    assert len(SceneCache.kept(tmp_path / "traced")) == 3, "and no other scene was rendered for it"


def test_what_is_done_is_not_done_again(made, monkeypatch):
    config, model, said = made
    assert said[0] == "autoencoder: begins"
    before = (model / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()
    monkeypatch.setattr(assembly, "judge", lambda folder, config, progress: FIGURES)
    again = []
    assert course.train(config, say=again.append) == model
    assert [line.split(",")[0] for line in again[:4]] == [
        f"{name}: done before" for name in ("autoencoder", "decoder", "base", "style clay")
    ]
    assert (model / "unet" / "diffusion_pytorch_model.safetensors").read_bytes() == before
    assert "done before" in "".join(course.plan(config))


def test_a_style_is_known_by_its_name(made):
    _, model, _ = made
    assert list(styles_in(model)) == ["clay"]
    assert {str(value.dtype) for value in load_file(styles_in(model)["clay"]).values()} == {"torch.float16"}
    settings = {"mode": "sketch", "width": 64, "height": 64, "device": "cpu", "acceleration": "eager"}
    stream = Stream.from_pretrained(model, **settings, use_denoising_batch=False, lora_dict={"clay": 1.0})
    try:
        assert list(styles_of(stream.pipe)) == ["clay"]
        frame = Frame(np.full((64, 64, 3), 255, np.uint8), id=0)
        with_style = stream(frame, gated=False).pixels
        with pytest.raises(LoraError, match=r"no such file; expected a style of this model \(clay\)"):
            read_lora("vapour", stream.pipe)
        assert with_style.shape == (64, 64, 3)
    finally:
        stream.close()


def test_a_model_that_was_written_before_its_budget_was_spent_is_not_done(made, tmp_path):
    config, _, _ = made
    part = parts_of(config)[2]
    assert part.done
    longer = part.config.model_copy(update={"max_train_steps": 4})
    assert not Part("base", longer).done
    notes = part.model / "training.json"
    kept = notes.read_text()
    try:
        notes.write_text("{")
        with pytest.raises(ConfigError, match=r"training.json: damaged"):
            _ = part.done
    finally:
        notes.write_text(kept)


def test_shipped_courses_are_whole():
    for budget in BUDGETS:
        config = read(f"train_ink-tiny_{budget}", CourseConfig)
        names = [part.name for part in parts_of(config)]
        assert names == ["autoencoder", "decoder", "base", *(f"style {look}" for look in looks.LOOKS)]
    with pytest.raises(ConfigError, match=r"styles.*'vapour', expected some of: night, clay, print, studio-clay"):
        read("train_ink-tiny_cpu", CourseConfig, {"styles": ["vapour"]})
    with pytest.raises(ConfigError, match="pairs"):
        read("train_ink-tiny_cpu", CourseConfig, {"pairs": 41})


def test_styles_are_compared_in_one_table(made):
    from inkstream.lora.evaluate.style import PLAIN, compare, table

    config, model, _ = made
    taught = Pairs(config.folder / "pairs" / "clay", "train", 64)
    style = config.folder / "style-clay" / "model"
    found = compare(str(model), [style], taught, taught, "its own pairs", steps=1)
    plain, styled = found.result["rows"]
    assert plain["style"] == PLAIN and (styled["style"], styled["mode"]) == ("style-clay", "conventional")
    assert styled["towards"] == pytest.approx(1 - styled["colour_distance"] / plain["colour_distance"])
    assert table(found.result).row_count == 2
    assert found.sheet().ndim == 3
    with pytest.raises(ModelError, match="expected output_dir/model of inkstream train lora"):
        compare(str(model), [config.folder], taught, taught, "its own pairs", steps=1)


def said(*arguments):
    """What the command says, and its exit code."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.output + str(done.exception or ""), done.exit_code


def test_the_command_says_what_it_would_do(tmp_path):
    text, code = said("train", "ink-tiny", "--set", f"output_dir={tmp_path}", "--dry-run")
    assert code == 0 and "361.5 minutes of training are left" in text and "style noir: 4 minutes" in text
    text, code = said("train", "ink-tiny", "--budget", "gpu", "--show")
    assert code == 0 and "budget: one large GPU" in text
    assert "--budget: got 'moon', expected one of: cpu, gpu" in said("train", "ink-tiny", "--budget", "moon")[0]
    text, code = said("train", "lcm-proof", "--set", f"output_dir={tmp_path}", "--dry-run")
    assert code == 0 and "teacher: 15 minutes" in text
    assert not list(tmp_path.iterdir())


def test_a_course_fits_into_fewer_minutes(tmp_path):
    whole = read("train_ink-tiny_cpu", CourseConfig)
    shorter = {part.name: part.config for part in parts_of(course.within(whole, 60))}
    assert sum(each.max_train_minutes for each in shorter.values()) == pytest.approx(60, abs=0.02)
    for part in parts_of(whole):
        share = shorter[part.name].max_train_minutes / part.config.max_train_minutes
        assert share == pytest.approx(1 if part.look else (60 - 32) / (361.5 - 32), rel=0.01)
        same = {"max_train_minutes": part.config.max_train_minutes}
        assert shorter[part.name].model_copy(update=same) == part.config
    with pytest.raises(ConfigError, match="minutes: got 32, expected more than the 32 of 8 styles"):
        course.within(whole, 32)
    with pytest.raises(ConfigError, match="minutes: got 30, but autoencoder has its budget in steps"):
        course.within(small(tmp_path), 30)
    text, code = said("train", "ink-tiny", "--minutes", 60, "--set", f"output_dir={tmp_path}", "--dry-run")
    assert code == 0 and "60 minutes of training are left" in text
    assert "max_train_minutes: 23.8" in said("train", "ink-tiny", "--minutes", 60, "--show")[0]
    text, code = said("train", "lora", "--minutes", 5, "--set", "data.path=pairs")
    assert code and "--minutes: got lora, expected ink-tiny" in text


def test_a_style_is_only_judged_with_its_pairs():
    text, _ = said("evaluate", "ink-tiny", "--lora", "somewhere")
    assert "got --lora or --style alone, expected both" in text


def test_students_learn_from_the_teacher_that_was_made_for_them():
    config = read("train_lcm-proof", ProofConfig, {"output_dir": "proof", "lora.rank": 8})
    teacher, student, lora = proof_parts(config)
    assert teacher.config.first_share == teacher.config.gan_weight == 0
    assert {student.config.pretrained_model, lora.config.pretrained_model} == {str(teacher.model)}
    assert (student.config.student, lora.config.student, lora.config.rank) == ("full", "lora", 8)
