"""Pictures become tensors and come back, on the host as on a device."""

import numpy as np
import pytest
import torch

from inkstream.stream.loop import codec

RNG = np.random.default_rng(0)
PICTURES = [RNG.integers(0, 256, (8, 16, 3), np.uint8) for _ in range(2)]


def test_levels_become_numbers():
    image = codec.to_image(PICTURES, "cpu")
    expected = torch.from_numpy(np.stack(PICTURES)).permute(0, 3, 1, 2).float()
    assert torch.equal(image, expected / 127.5 - 1.0)
    assert image.is_contiguous(memory_format=torch.channels_last)
    conditions = codec.to_condition([PICTURES, PICTURES[::-1]], "cpu")  # two frames, two ControlNets
    assert conditions.shape == (2, 2, 3, 8, 16)
    assert torch.equal(conditions[0], expected / 255.0)
    assert torch.equal(conditions[1], expected.flip(0) / 255.0)
    assert codec.to_condition([(), ()], "cpu").shape == (0, 2)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_numbers_become_levels(layout):
    image = codec.to_image(PICTURES, "cpu").to(memory_format=layout)
    pixels, usable = codec.to_pixels(image)
    assert np.array_equal(pixels, np.stack(PICTURES))
    assert pixels.flags.c_contiguous
    assert usable.tolist() == [True, True]
    beyond = torch.tensor([-3.0, -1.0, -0.5 / 127.5, 0.5 / 127.5, 1.0, 3.0]).view(1, 1, 1, 6).expand(1, 3, 2, 6)
    assert codec.to_pixels(beyond)[0][0, 0, :, 0].tolist() == [0, 0, 127, 128, 255, 255]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_picture_with_one_unusable_number_is_not_shown(value):
    image = codec.to_image(PICTURES, "cpu").clone()
    image[1, 2, 5, 3] = value
    assert codec.to_pixels(image)[1].tolist() == [True, False]


def test_a_black_picture_is_not_shown():
    image = torch.full((3, 3, 8, 8), -1.0)
    image[1, 0, 0, 0] = -0.9
    image[2] = -1.0 + 1.0 / 127.5
    assert codec.to_pixels(image)[1].tolist() == [False, True, False]


def test_host_and_device_agree():
    """Rounding may differ by a level where a product ends exactly between two."""
    image = torch.randn((2, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    on_host = codec.to_pixels(image)[0]
    on_device = (image * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    assert np.abs(on_host.astype(int) - on_device).max() <= 1
    assert (on_host == on_device).mean() > 0.999
