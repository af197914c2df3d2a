"""What trainings are made of: Muon, losses, noise, sketches at every stage, batches, tokens, kohya's keys, trackers."""

import itertools
import json
import sys
import types
from dataclasses import replace

import numpy as np
import pytest
import torch
from doubles.lora import tiny_kohya_lora, tiny_lora
from doubles.pairs import Shapes
from doubles.tiny_models import tiny_sd, tiny_sdxl

from inkstream.adapters.paint import as_paint
from inkstream.lora.data.hints import painted
from inkstream.lora.data.palette import NUMBER, colours, control_image
from inkstream.lora.lorafile import read_lora
from inkstream.lora.train import augment, crops, losses, seeds
from inkstream.lora.train.augment import BACKGROUND, half_drawn, unfinished, varied, with_gaps, without_horizon
from inkstream.lora.train.caches import Latents, Texts, captions_of
from inkstream.lora.train.config import DataConfig
from inkstream.lora.train.data import Batches, open_data, still
from inkstream.lora.train.edges import EdgeLoss, edge_map, rectangles
from inkstream.lora.train.from_scratch import AutoencoderConfig
from inkstream.lora.train.kohya import to_kohya
from inkstream.lora.train.muon import Muon, orthogonal, split
from inkstream.lora.train.noise import Noise
from inkstream.lora.train.optimisers import Ema, Schedule
from inkstream.lora.train.predict import lcm_steps
from inkstream.lora.train.regions import flat
from inkstream.lora.train.sharpened import Sharpened, sharpened
from inkstream.lora.train.timesteps import Timesteps
from inkstream.lora.train.tokens import build_tokenizer, token_ids
from inkstream.lora.train.trackers import Trackers
from inkstream.stream.base.errors import ConfigError, LoraError

DATA = DataConfig(path="none", size=64)


# --- optimisers


@pytest.mark.parametrize("shape", [(40, 16), (16, 40), (24, 20)])
def test_muon_makes_matrices_orthogonal(shape):
    found = orthogonal(torch.randn(3, *shape, generator=torch.Generator().manual_seed(0)))
    values = torch.linalg.svdvals(found)
    assert found.shape == (3, *shape)
    assert values.min() > 0.5 and values.max() < 1.4


def test_muon_takes_inner_matrices_and_leaves_the_rest():
    names = {
        "unet.conv_in.weight": (64, 4, 3, 3),
        "unet.mid.conv1.weight": (64, 64, 3, 3),
        "text.token_embedding.weight": (728, 128),
        "text.embeddings.token_embedding.weight": (728, 128),
        "unet.mid.norm.weight": (64,),
        "unet.mid.small.weight": (16, 16),
        "unet.mid.to_q.weight": (64, 64),
    }
    parameters = {name: torch.nn.Parameter(torch.zeros(shape)) for name, shape in names.items()}
    mine, rest = split(parameters)
    chosen = {name for name, each in parameters.items() if any(each is one for one in mine)}
    assert chosen == {"unet.mid.conv1.weight", "text.token_embedding.weight", "unet.mid.to_q.weight"}
    assert len(mine) + len(rest) == len(names)
    with pytest.raises(ValueError, match=r"Muon: got a parameter of shape \(64,\), expected two dimensions"):
        Muon([parameters["unet.mid.norm.weight"]])


def test_a_step_of_muon_has_the_same_size_for_every_shape():
    for shape in ((64, 64), (32, 16, 3, 3)):
        weight = torch.nn.Parameter(torch.zeros(shape))
        weight.grad = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        Muon([weight], lr=1.0, weight_decay=0.0).step()
        assert weight.square().mean().sqrt().item() == pytest.approx(0.2, rel=0.25)


def test_muon_solves_least_squares():
    generator = torch.Generator().manual_seed(0)
    x, truth = torch.randn(256, 64, generator=generator), torch.randn(64, 64, generator=generator)
    weight = torch.nn.Parameter(torch.zeros(64, 64))
    optimiser = Muon([weight], lr=0.6, weight_decay=0.0)
    first = None
    for step in range(60):
        loss = (x @ (weight - truth)).square().mean()
        first = first or loss.item()
        optimiser.zero_grad()
        loss.backward()
        optimiser.param_groups[0]["lr"] = 0.6 * (1 - step / 60)
        optimiser.step()
    assert loss.item() < 0.01 * first


def test_rates_rise_stay_and_fall():
    schedule = Schedule(10, 0.5, 0.01)
    assert [schedule.factor(step, 0.0) for step in (0, 4, 9, 100)] == [0.1, 0.5, 1.0, 1.0]
    assert schedule.factor(100, 0.5) == 1.0
    assert schedule.factor(100, 0.75) == pytest.approx(0.505)
    assert schedule.factor(100, 1.0) == pytest.approx(0.01)


def test_the_running_mean_comes_and_goes_exactly():
    weight = torch.nn.Parameter(torch.randn(8))
    ema = Ema([weight], 0.9)
    with torch.no_grad():
        weight.add_(1.0)
    ema.update(1)
    before, mean = weight.detach().clone(), ema.means[0].clone()
    assert not torch.equal(before, mean)
    with ema.used():
        assert torch.equal(weight, mean)
    assert torch.equal(weight, before) and torch.equal(ema.means[0], mean)


# --- noise and losses


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_what_is_predicted_gives_the_latent_back(prediction):
    noise = Noise(torch.linspace(0.99, 0.01, 1000), prediction)
    generator = torch.Generator().manual_seed(0)
    x0, e = (torch.randn(3, 4, 8, 8, generator=generator) for _ in range(2))
    t = torch.tensor([10, 500, 990])
    x, target = noise.add(x0, e, t), noise.target(x0, e, t)
    assert torch.allclose(noise.x0(x, target, t), x0, atol=1e-4)
    assert torch.allclose(noise.epsilon(x, target, t), e, atol=1e-4)


def test_min_snr_weighs_an_error_of_x0_alike_for_every_prediction():
    alphas = torch.linspace(0.999, 0.01, 1000)
    t = torch.tensor([0, 300, 700, 999])
    a = alphas[t]
    snr = a / (1 - a)
    of_x0 = Noise(alphas, "sample").min_snr_weight(t, 5.0)
    assert torch.allclose(of_x0, snr.clamp(max=5.0))
    assert torch.allclose(Noise(alphas, "epsilon").min_snr_weight(t, 5.0) * snr, of_x0)
    assert torch.allclose(Noise(alphas, "v_prediction").min_snr_weight(t, 5.0) * (snr + 1), of_x0)


def test_lcm_steps_are_those_of_the_scheduler():
    from diffusers import LCMScheduler

    scheduler = LCMScheduler(original_inference_steps=50)
    for count in (1, 2, 3, 4, 8):
        scheduler.set_timesteps(count)
        assert lcm_steps(count) == scheduler.timesteps.tolist()


def test_colour_is_told_from_lightness():
    grey = torch.full((1, 3, 8, 8), 0.2)
    assert losses.chroma(grey + 0.3, grey) < 1e-6
    wrong = torch.tensor([0.3, -0.1, 0.0]).view(1, 3, 1, 1)
    assert losses.chroma(grey + wrong, grey) > 0.05
    assert losses.chroma(grey + 2 * wrong, grey) > 2.5 * losses.chroma(grey + wrong, grey), "wrong colours count more"


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_an_output_that_leads_to_a_picture_leads_there_from_anywhere(prediction):
    noise = Noise(torch.linspace(0.99, 0.01, 1000), prediction)
    x, x0, t = torch.randn(3, 4, 8, 8), torch.randn(3, 4, 8, 8), torch.tensor([999, 499, 99])
    assert torch.allclose(noise.x0(x, noise.leading(x, x0, t), t), x0, atol=1e-4)


def test_equal_channels_are_correlated_and_different_ones_not():
    one = torch.randn(4, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    assert losses.correlation(one.expand(-1, 4, -1, -1)) == pytest.approx(1.0, abs=0.01)
    assert losses.correlation(torch.randn(4, 4, 32, 32)) < 0.01


def boxes(count, size=96):
    picture = torch.full((1, 3, size, size), -0.8)
    for number in range(count):
        x, y = 8 + 30 * (number % 3), 8 + 30 * (number // 3)
        picture[..., y : y + 18, x : x + 18] = 0.8
    return picture


def test_rectangles_are_counted():
    found = [rectangles(boxes(count)).item() for count in (0, 1, 4, 9)]
    assert found[0] < 0.2
    assert found[1] > 0.3
    per = found[1]
    assert found[2] == pytest.approx(4 * per, rel=0.2) and found[3] == pytest.approx(9 * per, rel=0.2)
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    disc = torch.where((y - 48) ** 2 + (x - 48) ** 2 < 400, 0.8, -0.8).expand(1, 3, -1, -1)
    assert rectangles(disc).item() < 0.5 * per, "a disc has no corners"


def test_crops_count_up_to_the_border_of_the_picture_and_nowhere_else_to_their_own():
    random = torch.Generator().manual_seed(0)
    size, side, reduction = 12, 32, 16
    places = [crops.place(size, side, random) for _ in range(1000)]
    assert min(places) == 0 and max(places) == side - size
    assert min(places.count(0), places.count(side - size)) > 2 * places.count(7), "borders would come too seldom"
    seen = np.zeros((side * reduction,) * 2, int)
    for y, x in itertools.product((0, 7, side - size), repeat=2):
        inside, outside = crops.counted((y, x), size, (side, side), reduction)
        decoded = np.zeros((size * reduction,) * 2)[inside]
        assert decoded.shape == seen[outside].shape
        seen[outside] += 1
        assert inside[0].start == (0 if y == 0 else 32) and inside[0].stop == (192 if y == side - size else 160)
    assert seen[0, 0] and seen[0, -1] and seen[-1, 0] and seen[-1, -1]
    assert crops.span(3, 8, 32) == (0, 8), "nothing would be left of a small one"


def test_the_texture_loss_asks_for_grain_and_not_for_its_pattern():
    grain = 0.2 * torch.randn((2, 3, 64, 64), generator=torch.Generator().manual_seed(1))
    other = 0.2 * torch.randn((2, 3, 64, 64), generator=torch.Generator().manual_seed(2))
    flat = torch.zeros_like(grain, requires_grad=True)
    assert losses.texture(grain, grain) == 0
    assert losses.texture(other, grain) < 0.2 * losses.texture(flat, grain)
    assert losses.texture(flat, torch.full_like(flat, 0.7)) < 1e-3, "a plain tone has no detail"
    weak = 0.02 * other
    weak.requires_grad_(True)
    losses.texture(weak, grain).backward()
    assert (weak.grad * weak).sum() < 0, "it grows"


def test_the_edge_loss_falls_towards_the_truth_and_has_gradients():
    loss, truth = EdgeLoss(), boxes(4)
    blurred = torch.nn.functional.avg_pool2d(truth, 9, 1, 4)
    assert loss(truth, truth) < 1e-6
    assert loss(blurred, truth) > 1.5 * loss(torch.nn.functional.avg_pool2d(truth, 3, 1, 1), truth) > 0
    assert loss(boxes(1), truth) > loss(boxes(3), truth)
    picture = blurred.clone().requires_grad_()
    loss(picture, truth).backward()
    assert picture.grad.abs().sum() > 0 and torch.isfinite(picture.grad).all()
    assert edge_map(truth).min() >= 0 and edge_map(truth).max() < 1


def test_sharpening_is_linear_and_lifts_contrast_at_edges_alone():
    plain, edge = torch.full((1, 3, 24, 24), 0.3), torch.zeros(1, 3, 24, 24)
    edge[..., 12:] = 1.0
    assert torch.allclose(losses.sharpened(plain, 2.0), plain, atol=1e-6)
    assert torch.equal(losses.sharpened(edge, 0.0), edge)
    got = losses.sharpened(edge, 1.0)
    assert torch.allclose(got[..., :8], edge[..., :8], atol=1e-2) and torch.allclose(
        got[..., 16:], edge[..., 16:], atol=1e-2
    )
    assert got[..., 11].max() < -0.25 and got[..., 12].min() > 1.25, "a Gaussian of sigma 1 takes .3 from there"
    noise = torch.randn(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    both = losses.sharpened(edge + noise, 1.5)
    assert torch.allclose(both, losses.sharpened(edge, 1.5) + losses.sharpened(noise, 1.5), atol=1e-5)


def test_sharpened_pairs_have_other_pictures_and_nothing_else_changed():
    plain = Shapes(40)
    sharp = Sharpened(plain, 1.0)
    assert len(sharp) == 40 and captions_of(sharp) == captions_of(plain)
    for index in range(3):
        before, after = plain[index], sharp[index]
        lifted = losses.sharpened(torch.from_numpy(before.picture).permute(2, 0, 1)[None].float(), 1.0)
        wanted = lifted.clamp(0, 255)[0].permute(1, 2, 0).numpy()
        assert np.abs(after.picture - wanted).max() <= 2 and (after.picture != before.picture).any()
        assert (after.sketch == before.sketch).all() and (after.labels == before.labels).all()
        assert after.captions == before.captions
    half = Sharpened(plain, 1.0, 0.5)
    chosen = [index for index in range(40) if (half[index].picture != plain[index].picture).any()]
    assert 10 <= len(chosen) <= 30, "half of them, at random"
    assert chosen == [index for index in range(40) if (half[index].picture != plain[index].picture).any()]


def test_only_what_is_learned_from_is_sharpened(tmp_path):
    config = DataConfig(path=str(tmp_path), scenes=4, validation=2, size=64)
    plain, held = open_data(config)
    sharp, held_too = open_data(config.model_copy(update={"sharpen": 1.0}))
    for index in range(2):
        assert (sharp[index].picture == sharpened(plain[index].picture, 1.0)).all()
        assert (sharp[index].picture != plain[index].picture).any()
        assert (held_too[index].picture == held[index].picture).all()


def test_a_flat_painting_has_one_colour_for_each_class():
    batch = still(Shapes(3), DATA, 3)[0]
    painted = flat(batch.pictures(), batch.labels)
    for row in range(3):
        for label in batch.labels[row].unique():
            here = batch.labels[row] == label
            mean = batch.pictures()[row][:, here].mean(1, keepdim=True)
            assert torch.allclose(painted[row][:, here], mean, atol=1e-5)
    small = flat(torch.randn(3, 4, 8, 8), batch.labels)
    assert small.shape == (3, 4, 8, 8)
    assert flat(torch.randn(3, 4, 8, 8), None)[0, 0, :4, :4].unique().numel() == 1


def test_timesteps_have_their_shares_and_the_step_before_each_is_a_visited_one():
    steps = Timesteps.of(50, (759, 679, 499, 359, 259, 99), 0.4, 0.3, 0.2)
    drawn = steps.draw(20_000, torch.Generator().manual_seed(0))
    assert (drawn == 999).float().mean() == pytest.approx(0.4 + 0.1 / 50, abs=0.02)
    assert (drawn < 400).float().mean() == pytest.approx(0.2 + 0.3 * 0.5 + 0.1 * 0.4, abs=0.02)
    assert set(drawn.tolist()) <= {20 * k - 1 for k in range(1, 51)}
    asked = torch.tensor([999, 759, 679, 499, 359, 259, 99, 19])
    assert steps.before(asked).tolist() == [999, 999, 999, 759, 679, 499, 359, 259]


# --- samples, batches, caches


def test_control_images_are_those_of_the_palette():
    sample = Shapes(1, labelled=True)[0]
    plain = DATA.model_copy(update={"flip": 0.0, "clean": 0.0, "partial": 0.0, "blank": 0.0, "palette_alone": 0.0})
    for share, expected in ((1.0, control_image(sample.sketch, sample.labels)), (0.0, control_image(sample.sketch))):
        batch = Batches([sample], plain.model_copy(update={"palette": share}), 1)[0]
        made = batch.control()[0].permute(1, 2, 0) * 255
        assert np.abs(made.numpy() - expected).max() <= 0.51


def test_what_people_paint_is_a_class_a_colour_or_nothing_yet():
    sample = Shapes(1, 128, labelled=True)[0]
    classes = {tuple(tone) for tone in colours()[np.unique(sample.labels)].tolist()}
    shares = []
    for seed in range(60):
        only = painted(sample.picture, sample.labels, np.random.default_rng(seed), 0.0)
        assert {tuple(tone) for tone in np.unique(only.reshape(-1, 3), axis=0).tolist()} <= classes | {(0, 0, 0)}
        asked = painted(sample.picture, sample.labels, np.random.default_rng(seed), 1.0)
        where = asked.any(-1)
        shares.append(where.mean())
        assert np.array_equal(only.any(-1), where), "where it is painted does not depend on the way"
        for name in np.unique(sample.labels[where]):
            here = where & (sample.labels == name)
            wanted = as_paint(sample.picture[sample.labels == name].mean(0).astype(np.uint8))
            if here.sum() > 0.9 * (sample.labels == name).sum():
                assert np.abs(asked[here].mean(0) - wanted).max() < 40
        assert not where.any() or asked[where].min() >= 29, "even black paint is paint"
    assert min(shares) < 0.2 and max(shares) == 1.0 and 0.3 < np.mean(shares) < 0.9


def test_without_the_horizon_things_stay():
    sample = Shapes(1, labelled=True)[0]
    left = without_horizon(sample.clean, sample.labels)
    background = np.isin(sample.labels, [NUMBER[name] for name in BACKGROUND])
    assert (left[~background] == sample.clean[~background]).all()
    assert 0 < np.count_nonzero(left) < np.count_nonzero(sample.clean)
    only = np.full_like(sample.labels, NUMBER["sky"])
    assert (without_horizon(sample.clean, only) == sample.clean).all(), "a landscape is its lines"


def test_unfinished_sketches_lose_about_what_they_should():
    clean = Shapes(1, 256)[0].clean
    drawn = np.count_nonzero(clean)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        assert 0.25 < np.count_nonzero(half_drawn(clean, rng)) / drawn < 0.85
        kept = with_gaps(clean, rng)
        assert 0.35 < np.count_nonzero(kept) / drawn <= 0.8
        assert (kept[kept > 0] == clean[kept > 0]).all()
    blank = np.zeros_like(clean)
    assert not half_drawn(blank, rng).any() and not with_gaps(blank, rng).any()


def test_colours_come_without_lines_as_often_as_they_should():
    sample = Shapes(1, labelled=True)[0]
    config = DATA.model_copy(update={"partial": 0.0, "blank": 0.1, "palette": 0.5, "palette_alone": 0.4})
    made = [varied(sample, config, np.random.default_rng(seed)) for seed in range(600)]
    blank = {
        on: np.mean([not each.lines.any() for each in made if (each.paint is not None) is on]) for on in (True, False)
    }
    assert blank[True] == pytest.approx(0.4, abs=0.08) and blank[False] == pytest.approx(0.1, abs=0.05)


def test_where_exact_lines_are_known_half_of_the_unfinished_are_drawn_anew(monkeypatch):
    sample, asked = Shapes(1, 128, labelled=True)[0], []

    def drawn(lines, rng, **how):
        asked.append(how)
        return lines

    monkeypatch.setattr(augment, "drawn", drawn)
    for seed in range(300):
        unfinished(sample.sketch, sample, np.random.default_rng(seed))
    assert len(asked) / 300 == pytest.approx(0.5, abs=0.1)
    begun = [how["complete"] for how in asked if "complete" in how]
    assert min(begun) >= 0.3 and max(begun) <= 0.95 and len(begun) / len(asked) == pytest.approx(1 / 3, abs=0.1)
    assert all(how == {"horizon": False} for how in asked if "complete" not in how)
    asked.clear()
    for seed in range(50):
        unfinished(sample.sketch, replace(sample, clean=None), np.random.default_rng(seed))
    assert not asked


@pytest.mark.parametrize("share", [0.0, 0.8, 1.0])
def test_as_many_of_the_unfinished_lack_their_horizon_as_they_should(monkeypatch, share):
    sample, found = Shapes(1, 128, labelled=True)[0], []
    monkeypatch.setattr(augment, "drawn", lambda lines, rng, **how: found.append(how) or lines)
    monkeypatch.setattr(augment, "without_horizon", lambda lines, labels: found.append({"horizon": False}) or lines)
    config = DATA.model_copy(update={"partial": 1.0, "blank": 0.0, "palette": 0.0, "horizonless": share})
    for seed in range(300):
        varied(sample, config, np.random.default_rng(seed))
    lacking = sum(how == {"horizon": False} for how in found) / 300
    assert lacking == pytest.approx(share, abs=0.08)


def test_a_variation_follows_from_its_generator_alone_and_everything_turns_together():
    sample = Shapes(1)[0]
    config = DATA.model_copy(update={"flip": 1.0, "clean": 1.0, "partial": 0.0, "blank": 0.0, "palette": 1.0})
    one, two = (varied(sample, config, np.random.default_rng(3)) for _ in range(2))
    assert all(np.array_equal(getattr(one, name), getattr(two, name)) for name in ("picture", "lines", "labels"))
    assert one.flipped and np.array_equal(one.paint, colours()[one.labels])
    assert np.array_equal(one.picture, sample.picture[:, ::-1]) and np.array_equal(one.lines, sample.clean[:, ::-1])
    assert np.array_equal(one.labels, sample.labels[:, ::-1])
    bare = varied(Shapes(1, labelled=False)[0], config, np.random.default_rng(3))
    assert bare.labels is None and bare.paint is None
    empty = varied(sample, config.model_copy(update={"caption_dropout": 1.0}), np.random.default_rng(3))
    assert empty.caption == ""


def test_a_batch_is_a_function_of_its_number_whoever_makes_it():
    batches, again = (Batches(Shapes(20), DATA, 8, seed=5) for _ in range(2))
    first = [batches[number] for number in range(6)]
    late = next(again.since(4))
    assert torch.equal(late.picture, first[4].picture) and late.captions == first[4].captions
    assert torch.equal(late.lines, first[4].lines)
    seen = torch.cat([batch.index for batch in first])[:20]
    assert sorted(seen.tolist()) == list(range(20)), "every sample once in an epoch"
    worked = again.since(2, workers=2)
    for number in (2, 3, 4):
        ahead = next(worked)
        assert torch.equal(ahead.index, first[number].index) and torch.equal(ahead.lines, first[number].lines)
    del worked
    with pytest.raises(ConfigError, match=r"data.size: got 32, but picture \d+ is 64x64"):
        Batches(Shapes(2), DATA.model_copy(update={"size": 32}), 1)[0]


def test_what_is_rare_comes_more_often():
    """A round of all pairs has those of a word several times, all others once, and is the same for everybody."""
    samples = Shapes(40)
    red = {index for index in range(40) if "red" in samples[index].captions[0].split()}
    assert 0 < len(red) < 30
    often = DATA.model_copy(update={"often": {"red": 3}})
    length = 40 + 2 * len(red)
    batches = Batches(samples, often, length, seed=5)
    counts = torch.bincount(batches[0].index, minlength=40)
    assert all(counts[index] == (3 if index in red else 1) for index in range(40))
    assert torch.equal(Batches(samples, often, length, seed=5)[1].index, batches[1].index)
    assert not torch.equal(batches[0].index, batches[1].index)
    plain = Batches(samples, DATA, 40, seed=5)[0].index
    assert torch.equal(Batches(samples, often.model_copy(update={"often": {"red": 1}}), 40, seed=5)[0].index, plain)


def test_a_word_that_no_caption_has_is_named(tmp_path):
    from inkstream.lora.train.data import open_data

    config = {"path": str(tmp_path), "scenes": 24, "size": 64, "validation": 8}
    train, held = open_data(DataConfig(**config, often={"car": 2}))
    assert len(train) == 16 and len(held) == 8
    with pytest.raises(ConfigError, match=r"data.often: got 'unicorn', which no caption has"):
        open_data(DataConfig(**config, often={"unicorn": 2}))
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        DataConfig(**config, often={"car": 0})


def test_latents_are_kept_and_go_on_where_they_stopped(tmp_path):
    calls = []

    def encode(pictures):
        calls.append(len(pictures))
        if len(calls) > 5 and not (tmp_path / "go").exists():
            raise KeyboardInterrupt
        return torch.nn.functional.avg_pool2d(pictures, 8)[:, :2]

    samples = Shapes(600, 32)
    with pytest.raises(KeyboardInterrupt):
        Latents.made(tmp_path, samples, "key", encode)
    (tmp_path / "go").touch()
    kept = Latents.made(tmp_path, samples, "key", encode)
    made = len(calls)
    assert Latents.made(tmp_path, samples, "key", encode).path == kept.path and len(calls) == made
    batch = Batches(samples, DATA.model_copy(update={"size": 32}), 8, latents=kept)[0]
    expected = torch.nn.functional.avg_pool2d(batch.pictures(), 8)[:, :2]
    assert torch.allclose(batch.latent.float(), expected, atol=2e-3)
    assert Latents.made(tmp_path, Shapes(20, 32, seed=9), "key", encode).path != kept.path
    encoded = sum(calls)
    one_way = Latents.made(tmp_path, Shapes(20, 32), "key", encode, mirrored=False)
    assert sum(calls) == encoded + 20 and one_way.read(3, False).shape == (2, 4, 4)


def test_texts_are_encoded_once(tmp_path):
    asked = []

    def encode(captions):
        asked.extend(captions)
        return [torch.tensor([[len(text), text.count("a")] for text in captions]).float()]

    texts = Texts(tmp_path, "key", encode)
    texts.prepare(["a car", "a banana"])
    asked.clear()
    assert texts(["a banana", "", "a car"])[0].tolist() == [[8, 4], [0, 0], [5, 2]]
    assert asked == []
    assert texts(["new"])[0].tolist() == [[3, 0]] and asked == ["new"]


def test_every_word_of_the_captions_is_one_token(tmp_path):
    captions = [*captions_of(Shapes()), "a two-tone coupe, 3 doors"]
    tokenizer = build_tokenizer(captions, tmp_path / "one", 16)
    for word in ("red", "green", "yellow", "disc", "grass", "coupe", "tone"):
        assert len(tokenizer(word).input_ids) == 3, word
    assert len(tokenizer("zebra").input_ids) > 3, "others by their letters"
    again = build_tokenizer(list(reversed(captions)), tmp_path / "two", 16)
    assert again.get_vocab() == tokenizer.get_vocab()
    ids = token_ids(tokenizer, ["a red disc", ""])
    assert ids.shape == (2, 16) and ids[1].tolist() == [tokenizer.bos_token_id] + 15 * [tokenizer.eos_token_id]
    with pytest.raises(ConfigError, match=r"max_tokens: got 8, but .* tokens; set it higher"):
        build_tokenizer(captions, tmp_path / "three", 8)


# --- kohya


@pytest.mark.parametrize("family", [tiny_sd, tiny_sdxl])
def test_kohya_keys_there_and_back(family, tmp_path):
    from safetensors.torch import load_file, save_file

    pipe = family()
    sdxl = family is tiny_sdxl
    ours = load_file(tiny_lora(pipe, tmp_path / "ours.safetensors", conv=True))
    theirs = to_kohya(ours, 2.0, sdxl)
    alphas = [value.item() for key, value in theirs.items() if key.endswith(".alpha")]
    assert alphas == [2.0] * (len(ours) // 2)
    save_file(theirs, tmp_path / "kohya.safetensors")
    one = read_lora(tmp_path / "kohya.safetensors", pipe)
    reference = read_lora(tiny_kohya_lora(pipe, tmp_path / "known.safetensors", alpha=2.0, conv=True), pipe)
    assert one.changes["unet"].keys() == reference.changes["unet"].keys()
    for key, change in reference.changes["unet"].items():
        assert torch.allclose(one.changes["unet"][key].difference(), change.difference(), atol=1e-6), key
    with pytest.raises(LoraError, match="expected one like unet"):
        to_kohya({"unet.x.weight": torch.zeros(1)}, 1.0)


# --- trackers


def config_with(tmp_path, *report_to):
    return AutoencoderConfig(output_dir=str(tmp_path), data=DATA, max_train_steps=1).model_copy(
        update={"report_to": report_to}
    )


def test_figures_reach_the_file_and_lines_after_a_checkpoint_are_taken_back(tmp_path):
    first = Trackers(config_with(tmp_path))
    for step in range(1, 6):
        first.log(step, {"loss": 1.0 / step})
    assert first.means()["loss"] == pytest.approx(sum(1 / step for step in range(1, 6)) / 5) and first.means() == {}
    first.picture(5, np.zeros((8, 8, 3), np.uint8))
    first.close()
    (tmp_path / "metrics.jsonl").write_text((tmp_path / "metrics.jsonl").read_text() + '{"step": 6, "lo')
    second = Trackers(config_with(tmp_path), step=3)
    second.log(4, {"loss": 9.0})
    second.close()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4] and lines[-1]["loss"] == 9.0
    assert (tmp_path / "pictures" / "step-00000005.png").is_file()


def test_wandb_is_called_as_its_documentation_says(tmp_path, monkeypatch):
    calls = []
    run = types.SimpleNamespace(
        log=lambda figures, step: calls.append(("log", figures, step)), finish=lambda: calls.append("finish")
    )
    fake = types.SimpleNamespace(init=lambda **options: calls.append(options) or run, Image=lambda pixels: "image")
    monkeypatch.setitem(sys.modules, "wandb", fake)
    trackers = Trackers(config_with(tmp_path, "wandb"))
    trackers.log(1, {"loss": 0.5})
    trackers.picture(1, np.zeros((4, 4, 3), np.uint8))
    trackers.close()
    assert calls[0]["mode"] == "offline" and calls[0]["dir"] == str(tmp_path) and calls[0]["project"] == "inkstream"
    assert calls[1:] == [("log", {"loss": 0.5}, 1), ("log", {"validation/pictures": "image"}, 1), "finish"]


def test_trackio_is_called_as_its_documentation_says(tmp_path, monkeypatch):
    calls = []
    run = types.SimpleNamespace(
        log=lambda figures, step: calls.append((figures, step)), finish=lambda: calls.append("finish")
    )
    fake = types.SimpleNamespace(init=lambda **options: calls.append(sorted(options)) or run)
    monkeypatch.setitem(sys.modules, "trackio", fake)
    trackers = Trackers(config_with(tmp_path, "trackio"))
    trackers.log(1, {"loss": 0.5})
    trackers.close()
    assert calls == [["config", "name", "project"], ({"loss": 0.5}, 1), "finish"]


def test_a_tracker_that_fails_does_not_end_the_training(tmp_path, monkeypatch, caplog):
    def broken(**_):
        raise ConnectionError("no network")

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=broken))
    trackers = Trackers(config_with(tmp_path, "wandb"))
    trackers.log(1, {"loss": 0.5})
    trackers.close()
    assert "wandb cannot be started and is left out: no network" in caplog.text
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1, "loss": 0.5}\n'


def test_seeds_differ_for_everything_that_is_drawn():
    drawn = {seeds.number(0, purpose, step) for purpose in range(5) for step in range(50)}
    assert len(drawn) == 250 and all(0 <= each < 2**63 for each in drawn)
