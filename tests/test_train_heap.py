"""A training on a CPU keeps the memory that it frees."""

import platform
import subprocess
import sys

import pytest

from inkstream.lora.train import devices, heap
from inkstream.lora.train.from_scratch import AutoencoderConfig

MEGABYTES = 512
SETTINGS = AutoencoderConfig.model_validate({"output_dir": "out", "data": {"path": "none"}, "max_train_steps": 1})
FREED = f"""
import psutil, torch
from inkstream.lora.train.heap import keep_freed_memory
resident = lambda: psutil.Process().memory_info().rss >> 20
kept = {{keep}} and keep_freed_memory()
before = resident()
block = torch.ones({MEGABYTES} << 18)
held = resident() - before
del block
print(kept, held, resident() - before)
"""


def freed(keep):
    """Whether it said that it keeps, and MB that a process has more with a large tensor, and after freeing it."""
    done = subprocess.run(
        [sys.executable, "-c", FREED.format(keep=keep)], capture_output=True, text=True, timeout=120, check=True
    )
    kept, held, after = done.stdout.split()
    return kept == "True", int(held), int(after)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_what_is_freed_stays_for_the_next_step():
    usual, kept = freed(False), freed(True)
    assert usual[0] is False and kept[0] is True
    assert usual[1] >= MEGABYTES * 0.9 and usual[2] < MEGABYTES * 0.1
    assert kept[1] >= MEGABYTES * 0.9 and kept[2] >= MEGABYTES * 0.9


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert heap.keep_freed_memory() is False


@pytest.mark.parametrize(("device", "times"), [("cpu", 1), ("cuda", 0)])
def test_only_a_training_on_a_cpu_asks_for_it(monkeypatch, device, times):
    import torch

    asked = []
    monkeypatch.setattr(devices, "keep_freed_memory", lambda: asked.append(True))
    devices.settle_process(SETTINGS, torch.device(device))
    assert len(asked) == times
