"""What moves takes its picture along: where everything was is known or found, and what nobody saw before is new."""

import cv2
import numpy as np
import pytest
import torch
from doubles.tiny_models import tiny_sd
from test_whole import Recorder

from inkstream.adapters.adapter import Passage
from inkstream.adapters.moving import kept_at
from inkstream.adapters.steadiness import Steadiness, moved
from inkstream.adapters.still import OVER, QUIET
from inkstream.adapters.weave import weave
from inkstream.stream import Stream
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.frame import Frame, Origin, Size
from inkstream.stream.base.motion import Motion
from inkstream.stream.base.passes import Passes

MOVES, STANDS = Origin(goes_on=True, moves=True), Origin(goes_on=True)
SMALL = {"width": 64, "height": 64, "warmup": 0, "acceleration": "eager", "use_tiny_vae": False, "prompt": "a car"}
SIDE = 128


def texture(side=SIDE + 64, seed=0):
    """Smooth and strong enough that optical flow can follow it: (side, side, 3) uint8."""
    noise = np.random.default_rng(seed).normal(0, 1, (side, side, 3)).astype(np.float32)
    return (cv2.GaussianBlur(noise, (0, 0), 3) * 400 + 128).clip(0, 255).astype(np.uint8)


def pan(number, step=2):
    """A view that goes right over a texture, ``step`` pixels a picture."""
    return np.ascontiguousarray(texture()[:SIDE, step * number : step * number + SIDE])


def panned(number, step=2):
    """What a scene knows of such a view."""
    return Passes(
        flow=np.dstack([np.full((SIDE, SIDE), step, np.float32), np.zeros((SIDE, SIDE), np.float32)]), number=number
    )


class Along:
    """The adapter alone: pictures and renders go in, pictures come out."""

    def __init__(self, **settings):
        self.adapter, self.config, self.first = Steadiness(), StreamConfig.build(**settings), True
        self.adapter.meet(MOVES)
        self.adapter.rows((4, SIDE // 8, SIDE // 8), 2)

    def __call__(self, seen, render, passes=None, begins=False):
        self.frame = Passage(self.config, self.first or begins, MOVES, passes)
        self.first = False
        self.adapter.image_before(seen, self.frame)
        return self.adapter.image_after(render, self.frame)


@pytest.mark.parametrize("known", [True, False], ids=["by a scene", "by optical flow"])
def test_what_flickers_is_steady_where_it_moves_and_its_own_where_it_was_never_seen(known):
    along, rng = Along(), np.random.default_rng(1)
    errors = {"own": [], "held": []}
    before = {}
    for number in range(12):
        flicker = cv2.GaussianBlur(rng.normal(0, 1, (SIDE, SIDE, 3)).astype(np.float32), (0, 0), 4) * 60
        render = (pan(number) * 0.5 + 60 + flicker).clip(0, 255).astype(np.uint8)
        held = along(pan(number), render, panned(number) if known else None)
        for name, picture in (("own", render), ("held", held)):
            if number > 3:
                apart = cv2.absdiff(picture[:, 8:-8], np.roll(before[name], -2, axis=1)[:, 8:-8])
                errors[name].append(apart.mean())
            before[name] = picture
        if number and known:
            assert not along.frame.notes["change"].motion.seen[:, -2:].any()
            assert (held[:, -2:] == render[:, -2:]).all(), "what came in at the side is new"
    assert np.mean(errors["held"]) < 0.5 * np.mean(errors["own"])
    flow = along.frame.rows["flow"]
    assert np.abs(flow[0, 2:-2, 2:-2] - 2 / 8).max() < 0.05 and np.abs(flow[1, 2:-2, 2:-2]).max() < 0.05  # in cells


def test_still_paper_before_a_camera_does_not_move_and_goes_over_to_its_render():
    along, rng = Along(), np.random.default_rng(0)
    shown = []
    for number in range(QUIET + OVER + 1):
        seen = (pan(0) * 0.8 + 20 + rng.normal(0, 4, (SIDE, SIDE, 3))).clip(0, 255).astype(np.uint8)
        shown.append(along(seen, np.full((SIDE, SIDE, 3), 100 + number % 7, np.uint8)))
        assert not along.frame.rows["flow"].any()
    assert all((each == shown[0]).all() for each in shown[: QUIET + 1])
    assert (shown[-1] == 100 + (QUIET + OVER) % 7).all() and not along.frame.held and not along.adapter.unsettled


def test_a_stroke_before_a_camera_is_new_and_a_cut_begins_anew():
    along = Along()
    page = np.full((SIDE, SIDE, 3), 230, np.uint8)
    along(page, np.full_like(page, 90))
    drawn = cv2.line(page.copy(), (30, 30), (60, 34), (20, 20, 20), 3)
    held = along(drawn, np.full_like(page, 98))
    assert (held[31:33, 40:50] == 98).all() and held[100:, 100:].max() <= 91
    along(pan(5), np.full_like(page, 120))
    assert not along.frame.held


def test_how_long_it_is_held_grows_with_steadiness():
    shares = [kept_at(steadiness) for steadiness in (0, 25, 50, 100)]
    assert shares[0] == 0 and shares == sorted(shares) and shares[3] < 0.95
    assert shares[2] / (1 - shares[2]) == pytest.approx(shares[3] / (1 - shares[3]) / 2)


def test_detail_that_is_another_is_not_mixed_and_what_is_lost_is_given_back():
    rng = np.random.default_rng(0)
    one, two = (rng.normal(128, 30, (SIDE, SIDE, 3)).astype(np.float32).clip(0, 255) for _ in range(2))
    share = np.full((SIDE, SIDE), 0.1, np.float32)
    made = weave(one, two, share)
    assert np.corrcoef(made.ravel(), one.ravel())[0, 1] > 0.95 and made.std() > 0.95 * one.std()
    soft = cv2.GaussianBlur(one, (0, 0), 0.6)
    made = weave(one, soft, share)
    assert np.abs(cv2.Laplacian(made, cv2.CV_32F)).mean() > 1.2 * np.abs(cv2.Laplacian(soft, cv2.CV_32F)).mean()
    ghost = np.full_like(one, 60.0)
    ghost[:, 60:] = 200
    assert weave(np.full_like(one, 60.0), ghost, share).max() <= 68, "what nobody sees there any more is gone"
    whole = weave(one, two, np.ones_like(share))
    assert np.abs(whole - one).max() < 1e-3, "what must be new is new"


def test_latents_move_by_cells_and_stay_to_the_bit_where_they_do_not():
    latent = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    flow = torch.zeros(2, 2, 8, 8)
    assert (moved(latent, flow) == latent).all()
    flow[1, 0] = 1.5
    found = moved(latent, flow)
    assert (found[0] == latent[0]).all()
    assert torch.allclose(found[1, :, :, :6], (latent[1, :, :, 1:7] + latent[1, :, :, 2:8]) / 2)


def test_motion_of_a_picture_that_turned_is_that_of_opencv():
    picture = pan(0)
    turned = Motion.turned(Size(SIDE, SIDE), 1.05, 3.0, 0.02, -0.01)
    matrix = cv2.getRotationMatrix2D(((SIDE - 1) / 2, (SIDE - 1) / 2), 3.0, 1.05)
    matrix[:, 2] += 2.56, -1.28
    expected = cv2.warpAffine(picture, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    assert np.abs(turned.warp(picture)[8:-8, 8:-8].astype(int) - expected[8:-8, 8:-8]).max() <= 4
    half = turned.at(Size(SIDE // 2, SIDE // 2))
    assert np.abs(half.flow - turned.flow[::2, ::2] / 2).max() < 0.1


# --- in a stream


def frames(count, origin=MOVES):
    known = [Passes(flow=np.full((64, 64, 2), (2, 0), np.float32), number=number) for number in range(count)]
    wide = texture(96)
    return [
        Frame(np.ascontiguousarray(wide[:64, 2 * number : 2 * number + 64]), number, 0.0, origin, known[number])
        for number in range(count)
    ]


def rendered(stream, given):
    found = [stream(each, gated=False) for each in given]
    return [each for each in [*found, *stream.drain()] if each is not None]


SHAPES = [
    {"t_index_list": [30]},
    {"t_index_list": [10, 20, 40], "cfg_type": "none"},
    {"t_index_list": [10, 30], "frame_buffer_size": 2},
    {"t_index_list": [10, 30], "use_denoising_batch": False},
]


@pytest.mark.parametrize("settings", SHAPES, ids=["1 step", "3 steps", "in buffers", "in turn"])
def test_a_stream_takes_along_what_moves_whatever_runs_it(settings, monkeypatch):
    from dataclasses import replace

    from doubles.units import change_units

    with Stream(tiny_sd(), **SMALL, **settings, steadiness=0) as stream:
        own = rendered(stream, frames(6))
    with Stream(tiny_sd(), **SMALL, **settings) as stream:
        held = rendered(stream, frames(6))
        assert [each.held for each in held] == [False, *[True] * 5]
        drawn = rendered(stream, frames(3, STANDS))  # another source: what belongs to rows is another, too
        assert [each.source_id for each in drawn] == [0, 1, 2] and (drawn[0].pixels == own[0].pixels).all()
    assert [each.source_id for each in held] == list(range(6)) and (held[0].pixels == own[0].pixels).all()
    assert not any(each.held for each in own)
    assert any((one.pixels != two.pixels).any() for one, two in zip(own, held, strict=True))
    if settings == SHAPES[1]:
        monkeypatch.undo()
        change_units(monkeypatch, lambda units: replace(units, record=Recorder()))
        with Stream(tiny_sd(), **SMALL, **settings) as stream:
            again = rendered(stream, frames(6))
    elif len(settings["t_index_list"]) == 2:
        with Stream(tiny_sd(), **SMALL, t_index_list=[10, 30]) as stream:
            again = rendered(stream, frames(6))
    else:
        return
    for one, two in zip(held, again, strict=True):
        assert np.abs(one.pixels.astype(int) - two.pixels).max() <= 1


def test_row_k_has_the_motion_of_its_own_frame(monkeypatch):
    seen = []

    def noted(latent, flow):
        seen.append(flow[:, 0, 0, 0].tolist())
        return moved(latent, flow)

    monkeypatch.setattr("inkstream.adapters.steadiness.moved", noted)
    grey = np.full((64, 64, 3), 128, np.uint8)
    given = [Frame(grey, each.id, 0.0, MOVES, each.passes) for each in frames(5)]
    for number, each in enumerate(given):
        each.passes.flow[..., 0] = 8.0 * number / 4  # in cells: a quarter of the number
    with Stream(tiny_sd(), **SMALL, t_index_list=[10, 20, 40], cfg_type="none") as stream:
        rendered(stream, given)
    assert seen[2:5] == [[0.5, 0.25], [0.75, 0.5], [1.0, 0.75]] and seen[5][1] == 1.0
