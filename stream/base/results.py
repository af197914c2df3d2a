"""Results: what was measured, with its configuration and its machine, ready for JSON and for a table.

A result is a mapping: ``bench`` (who measured), ``measured_at``, ``configuration``, ``machine``, ``rows``, ``keys``
(the fields that say what a row is about) and ``figures`` (the fields that were measured, each with ``less`` or
``more``: which is better).
"""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from rich.table import Table

Result = dict[str, Any]
Row = dict[str, Any]


def result_of(
    bench: str,
    configuration: dict[str, Any],
    device: torch.device | str,
    keys: tuple[str, ...],
    figures: dict[str, str],
) -> Result:
    """The beginning of a result, made before anything is measured; ``rows`` are still missing."""
    return {
        "bench": bench,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "configuration": configuration,
        "machine": machine(device),
        "keys": list(keys),
        "figures": figures,
        "rows": [],
    }


def table_of(title: str, left: tuple[str, ...], right: tuple[str, ...]) -> Table:
    """An empty table: columns of words, then columns of numbers."""
    from rich import box
    from rich.table import Table

    shown = Table(title=title, title_justify="left", caption_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in (*left, *right):
        shown.add_column(column, justify="left" if column in left else "right", no_wrap=True)
    return shown


def machine(device: torch.device | str = "cpu") -> dict[str, Any]:
    """Where and with what it is measured: system, processor, threads, load, ``device``, and versions."""
    import cv2
    import numpy as np
    import psutil
    import torch

    device = torch.device(device)
    about = {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "threads": torch.get_num_threads(),
        "load": round(psutil.getloadavg()[0], 2),  # of everything that ran beside it, when the bench began
        "device": str(device),
        **{name: version(name) for name in ("inkstream", "torch", "diffusers", "transformers")},
    }
    if device.type == "cuda":
        about |= {"gpu": torch.cuda.get_device_name(device), "cuda": torch.version.cuda}
    return about


def machine_name(about: dict[str, Any]) -> str:
    """What ``machine`` says in short, as the name of a folder: the GPU, else the CPU with its cores."""
    text = about.get("gpu") or f"{about['processor']} {about['cores']} cores"
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _processor() -> str:
    """The name of the CPU, as good as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        found = re.search(r"^model name\s*:\s*(.+)$", info.read_text("utf-8", "replace"), re.MULTILINE)
        if found:
            return found[1].strip()
    return platform.processor() or platform.machine()
