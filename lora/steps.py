"""The steps that a model is best in: ``steps.json`` in its folder, number of steps -> ``t_index_list`` of 50.

``{"2": [0, 13], "4": [0, 4, 12, 16]}`` for example. A model that was trained to answer in one step gains nothing from
steps at little noise, which copy what they get; between the first and the middle they make the picture anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..stream.base.errors import ModelError
from ..stream.base.files import write_whole
from ..stream.base.names import short
from .safety import read_config
from .styles import model_folder

FILE = "steps.json"
TOTAL = 50  # timesteps that the lists count in: num_inference_steps


def read_steps(folder: str | Path) -> dict[int, tuple[int, ...]]:
    """Those of a model's folder, fewest first; none where there is no such file. Raises ModelError for a wrong one."""
    path = Path(folder) / FILE
    if not path.is_file():
        return {}
    found = {}
    for count, listed in read_config(path).items():
        if not _right(count, listed):
            raise ModelError(
                f"{path}: {short(count)}: got {short(listed)}, expected as many indices as that, rising from 0 "
                f"or more to {TOTAL - 1} or less"
            )
        found[int(count)] = tuple(listed)
    return dict(sorted(found.items()))


def write_steps(folder: str | Path, steps: Mapping[int, Sequence[int]]) -> Path:
    """Write a model's step lists into its folder; gives the path. Raises OSError when it cannot be written."""
    path = Path(folder) / FILE
    lines = ",\n".join(f'  "{count}": {json.dumps(list(listed))}' for count, listed in sorted(steps.items()))
    return write_whole(path, f"{{\n{lines}\n}}\n".encode())


def steps_of(pipe: Any, total: int = TOTAL) -> dict[int, tuple[int, ...]]:
    """Those of a loaded pipeline's model; none where it counts in another ``total``. Raises ModelError."""
    folder = model_folder(pipe)
    return {} if folder is None or total != TOTAL else read_steps(folder)


def _right(count: str, listed: Any) -> bool:
    if not isinstance(listed, list) or not all(type(index) is int for index in listed):
        return False
    rising = all(before < after for before, after in pairwise(listed))
    return bool(listed) and count == str(len(listed)) and rising and listed[0] >= 0 and listed[-1] < TOTAL
