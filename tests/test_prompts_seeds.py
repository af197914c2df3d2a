"""Seeds: one, one that is drawn, and blends of several."""

import numpy as np
import pytest
import torch
from doubles.pages import growing_pages
from doubles.tiny_models import tiny_sd

from inkstream.stream.base import blends
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.configfile import dump_yaml, parse_config
from inkstream.stream.base.errors import ConfigError
from inkstream.stream.loop.noise import SeedNoise
from inkstream.stream.loop.stream import Stream

SHAPE = (3, 4, 64, 64)
SMALL = {"width": 64, "height": 64, "acceleration": "eager"}


def noise(seed, **settings):
    return SeedNoise(StreamConfig.build(seed=seed, **settings)).draw(*SHAPE)


def plain(seed):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


def test_one_seed_is_the_noise_of_torch_however_it_is_written():
    assert torch.equal(noise(5), plain(5))
    assert torch.equal(noise([(5, 0.3)]), plain(5))
    assert torch.equal(noise([(5, 1), (6, 0)], seed_interpolation_method="slerp"), plain(5))


@pytest.mark.parametrize("how", ["linear", "slerp"])
@pytest.mark.parametrize("blend", [[(1, 1), (2, 1)], [(1, 0.9), (2, 0.1)], [(1, 3), (2, 2), (3, 1)], [(4, 1), (4, 2)]])
def test_blended_noise_has_the_variance_of_one(how, blend):
    blended = noise(blend, seed_interpolation_method=how)
    assert blended.flatten(1).std(1).tolist() == pytest.approx([1.0] * 3, abs=0.02)
    assert not torch.equal(blended[0], blended[1])
    heaviest = max(blend, key=lambda pair: pair[1])[0]
    towards = [torch.corrcoef(torch.stack([blended.flatten(), plain(seed).flatten()]))[0, 1] for seed, _ in blend]
    assert max(towards) == towards[[seed for seed, _ in blend].index(heaviest)] or blend[0][1] == blend[1][1]


def test_blends_follow_their_formulas():
    a, b = plain(1).flatten(1), plain(2).flatten(1)
    angle = torch.nn.functional.cosine_similarity(a, b, dim=1).acos()[:, None]
    arc = (0.75 * angle).sin() * a / a.norm(dim=1, keepdim=True) + (0.25 * angle).sin() * b / b.norm(
        dim=1, keepdim=True
    )
    arc = arc / angle.sin() * (0.75 * a.norm(dim=1, keepdim=True) + 0.25 * b.norm(dim=1, keepdim=True))
    pair = [(1, 3), (2, 1)]
    assert torch.allclose(noise(pair, seed_interpolation_method="slerp").flatten(1), arc, atol=1e-4)
    mean = 0.75 * a + 0.25 * b
    assert torch.allclose(
        noise(pair).flatten(1),
        mean
        / mean.norm(dim=1, keepdim=True)
        * (0.75 * a.norm(dim=1, keepdim=True) + 0.25 * b.norm(dim=1, keepdim=True)),
        atol=1e-4,
    )
    assert torch.allclose(noise(pair, normalize_seed_weights=False).flatten(1), 3 * a + b, atol=1e-4)


def test_minus_one_draws_a_seed_when_the_configuration_is_made(monkeypatch):
    drawn = iter(range(100, 110))
    monkeypatch.setattr(blends.secrets, "randbelow", lambda most: next(drawn))
    config = StreamConfig.build(seed=-1)
    assert config.seed == 100
    assert config.changed(prompt="a").seed == 100, "only a seed that is asked for is drawn"
    assert config.changed(seed=-1).seed == 101
    assert StreamConfig.build(seed=[(-1, 1), (7, 2)]).seed == ((102, 1.0), (7, 2.0))
    run = parse_config("model: m\nstream: {seed: -1}\n")
    assert run.stream.seed == 103 and parse_config(dump_yaml(run)).stream.seed == 103
    stream = Stream(tiny_sd(), seed=-1, **SMALL)
    assert stream.config.seed == 104


def test_drawn_seeds_differ():
    assert len({StreamConfig.build(seed=-1).seed for _ in range(8)}) > 1


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        (-2, "seed: got -2, expected a whole number from 0 to 2^63 - 1, or -1 for one that is drawn"),
        (2**63, f"seed: got {2**63}, expected a whole"),
        (True, "seed: got True, expected a whole"),
        (1.5, "seed: got 1.5, expected a whole"),
        ("x", "seed: got 'x', expected a whole"),
        ([], "seed: got [], expected a whole number from 0 to 2^63 - 1, or -1 for one that is drawn, or a blend"),
        ([(1, -1), (2, 2)], "seed: got the weights [-1.0, 2.0], expected none below 0"),
        ([(1, 0)], "seed: got the weights [0.0], expected none below 0; their sum must be above 0"),
        ([("a", 1)], "seed: got 'a', expected a whole"),
        ([(1, 1e308), (2, 1e308)], "seed: got [(1, 1e+308), (2, 1e+308)], expected"),
    ],
)
def test_wrong_seeds_are_named(seed, message):
    with pytest.raises(ConfigError) as caught:
        StreamConfig.build(seed=seed)
    assert str(caught.value).startswith(message)


def test_a_seed_may_be_numpys_or_a_float_without_a_fraction():
    assert (StreamConfig.build(seed=np.int64(4)).seed, StreamConfig.build(seed=4.0).seed) == (4, 4)


def test_seeds_blend_in_pictures_and_change_live():
    frame = next(growing_pages(1))

    def picture(seed):
        stream.update(seed=seed)
        return stream(frame, gated=False).pixels

    stream = Stream(tiny_sd(), t_index_list=(5,), **SMALL)
    one, other = picture(1), picture(2)
    assert np.array_equal(picture([(1, 1), (2, 0)]), one)
    between = picture([(1, 1), (2, 1)])
    assert not np.array_equal(between, one) and not np.array_equal(between, other)
    assert np.array_equal(picture([(2, 5)]), other)


def test_txt2img_draws_new_noise_of_a_blend_too():
    settings = {"mode": "txt2img", "t_index_list": (0,), "seed": [(1, 1), (2, 1)], **SMALL}
    first, again = Stream(tiny_sd(), **settings), Stream(tiny_sd(), **settings)
    pictures = [first.txt2img().pixels for _ in range(2)]
    assert not np.array_equal(*pictures)
    assert np.array_equal(again.txt2img().pixels, pictures[0])
