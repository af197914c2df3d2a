"""Depth of plain pictures, guessed by a tiny random network of the kind of Depth Anything V2."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

from inkstream.adapters import open_preprocessor
from inkstream.adapters.estimate import Estimator, normals_of, open_estimator, seen
from inkstream.stream.base.errors import ConfigError, FrameError
from inkstream.stream.base.passes import Passes

PICTURE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    backbone = Dinov2Config(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        mlp_ratio=2,
        image_size=28,
        out_features=["stage1", "stage2", "stage3", "stage4"],
        reshape_hidden_states=False,
        apply_layernorm=True,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=16,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        head_hidden_size=4,
    )
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("depth")
    DepthAnythingForDepthEstimation(config).save_pretrained(path)
    yield str(path)
    open_estimator(str(path)).close()
    open_estimator.cache_clear()


def test_a_picture_without_depth_gets_a_guess_and_one_with_it_keeps_its_own(folder):
    depth = open_preprocessor("depth", {"model": folder})
    made = depth(PICTURE)
    assert made.shape == PICTURE.shape
    assert made.std() > 1
    known = Passes(np.full((48, 64), 0.5, np.float32))
    assert (depth(PICTURE, known) == 128).all()
    normal = open_preprocessor("normal", {"model": folder})(PICTURE)
    assert normal.shape == PICTURE.shape
    assert normal[..., 2].min() >= 127  # nothing that is seen faces away


def test_a_model_that_is_not_here_is_refused_with_how_to_get_it(tmp_path):
    with pytest.raises(ConfigError, match="the model 'nobody/nothing' is not here; get it with: hf download nobody/n"):
        open_preprocessor("depth", {"model": "nobody/nothing"})
    with pytest.raises(ConfigError, match="cannot be loaded"):
        open_preprocessor("depth", {"model": str(tmp_path)})
    with pytest.raises(FrameError, match="have it guessed"):
        open_preprocessor("depth")(PICTURE)


class Slow(torch.nn.Module):
    """Says of each picture how bright it is, when it is let."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.may, self.seen = threading.Semaphore(1), []

    def forward(self, pixel_values):
        self.may.acquire()
        if not self.seen:
            self.seen.append(0.0)
        self.seen.append(float(pixel_values.mean()))
        ramp = torch.linspace(0, 1, 28).expand(28, 28)
        return SimpleNamespace(predicted_depth=(ramp if len(self.seen) % 2 == 0 else ramp.flip(1))[None])


def test_only_the_first_picture_waits_and_the_newest_one_is_next():
    network = Slow()
    estimator = Estimator(network)
    pictures = [np.full((48, 64, 3), level, np.uint8) for level in (0, 60, 120, 180)]
    first = estimator(pictures[0])
    assert first.shape == (48, 64)
    assert first[0, 0] < 0.1 < 0.9 < first[0, -1]
    for picture in pictures[1:]:
        assert (estimator(picture) == first).all()  # the network stands still, and nobody waits for it
    network.may.release(4)
    estimator.settle()
    assert len(network.seen) <= 4  # the first, perhaps the second, the last: what was overtaken is left out
    assert network.seen[-1] == pytest.approx(float(seen(pictures[3]).mean()), abs=1e-4)
    estimator.close()


def test_a_network_that_fails_says_so():
    class Broken(Slow):
        def forward(self, pixel_values):
            raise RuntimeError("out of everything")

    with pytest.raises(RuntimeError, match="out of everything"):
        Estimator(Broken())(PICTURE)


def test_a_slope_that_comes_nearer_to_the_right_faces_left():
    depth = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (48, 1))
    normal = normals_of(depth)[24, 32]
    assert normal[0] > 145  # red is left
    assert abs(int(normal[1]) - 128) <= 1
    floor = normals_of(np.ascontiguousarray(depth.T))[32, 24]
    assert floor[1] > 145  # nearer towards the lower edge: it faces up
