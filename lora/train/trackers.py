"""Where figures and pictures of a training go: a file always, and wandb, trackio or tensorboard when asked for.

A tracker that fails is left out after one warning, and the file tried again: training goes on.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...stream.base.files import png, write_whole
from .config import TrainConfig

logger = logging.getLogger(__name__)
FILE, PICTURES = "metrics.jsonl", "pictures"


class Tracker(Protocol):
    """One place for figures."""

    def log(self, step: int, figures: dict[str, float]) -> None: ...
    def picture(self, step: int, pixels: np.ndarray) -> None: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


class Jsonl:
    """``metrics.jsonl``, one line for each step, and ``pictures/step-00001200.png``.

    Lines after ``step``, where a resumed run goes on, are taken out first: they will be written again.
    """

    def __init__(self, folder: Path, step: int = 0) -> None:
        self.folder = folder
        path = folder / FILE
        if path.is_file() and step:
            _cut(path, step)
        else:
            path.unlink(missing_ok=True)
        self._file = path.open("a", encoding="utf-8")

    def log(self, step: int, figures: dict[str, float]) -> None:
        self._file.write(json.dumps({"step": step, **figures}) + "\n")

    def picture(self, step: int, pixels: np.ndarray) -> None:
        target = self.folder / PICTURES / f"step-{step:08d}.png"
        target.parent.mkdir(exist_ok=True)
        write_whole(target, png(pixels))

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def _cut(path: Path, step: int) -> None:
    """Keep the lines of a log up to a step; a line that was broken off by a kill goes, too."""
    kept = []
    for line in path.read_text("utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line)
        except (ValueError, KeyError, TypeError):
            break
    write_whole(path, "".join(f"{line}\n" for line in kept).encode())


class Service:
    """A run of a library that is called as wandb is."""

    def __init__(self, library: Any, config: TrainConfig, **options: Any) -> None:
        about = {"project": config.tracker_project_name, "name": config.folder.name}
        self._library = library
        self._run = library.init(**about, config=config.model_dump(mode="json"), **options)

    def log(self, step: int, figures: dict[str, float]) -> None:
        self._run.log(figures, step=step)

    def picture(self, step: int, pixels: np.ndarray) -> None:
        self._run.log({"validation/pictures": self._library.Image(pixels)}, step=step)

    def flush(self) -> None:
        """It writes by itself."""

    def close(self) -> None:
        self._run.finish()


class Wandb(Service):
    """Weights & Biases (https://docs.wandb.ai); offline, it writes into the output folder, for ``wandb sync``."""

    def __init__(self, config: TrainConfig) -> None:
        import wandb  # pyright: ignore[reportMissingImports]

        mode = "offline" if config.tracker_offline else "online"
        super().__init__(wandb, config, dir=str(config.folder), mode=mode)


class Trackio(Service):
    """Hugging Face's trackio (https://huggingface.co/docs/trackio), which stays on this computer."""

    def __init__(self, config: TrainConfig) -> None:
        import trackio  # pyright: ignore[reportMissingImports]

        super().__init__(trackio, config)


class Tensorboard:
    """Event files in ``OUTPUT/tensorboard``, for ``tensorboard --logdir``."""

    def __init__(self, config: TrainConfig) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(config.folder / "tensorboard"))

    def log(self, step: int, figures: dict[str, float]) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)

    def picture(self, step: int, pixels: np.ndarray) -> None:
        self._writer.add_image("validation/pictures", pixels, step, dataformats="HWC")

    def flush(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


KINDS: dict[str, Callable[[TrainConfig], Tracker]] = {"wandb": Wandb, "trackio": Trackio, "tensorboard": Tensorboard}


class Trackers:
    """All trackers of a run, and the means of what was logged since somebody last asked."""

    def __init__(self, config: TrainConfig, step: int = 0) -> None:
        self._trackers: list[Tracker] = [Jsonl(config.folder, step)]
        self._recent: dict[str, list[float]] = {}
        self._failed: set[Tracker] = set()
        for name in config.report_to:
            if name in KINDS:
                self._add(name, config)

    def _add(self, name: str, config: TrainConfig) -> None:
        try:
            self._trackers.append(KINDS[name](config))
        except Exception as error:  # noqa: BLE001 - a service that does not answer is no reason not to train
            logger.warning("report_to: %s cannot be started and is left out: %s", name, error)

    def log(self, step: int, figures: dict[str, float]) -> None:
        """Figures of a step."""
        for name, value in figures.items():
            if not name.startswith("validation/"):
                self._recent.setdefault(name, []).append(value)
        self._each("log", step, figures)

    def picture(self, step: int, pixels: np.ndarray) -> None:
        """A sheet, (H, W, 3) uint8."""
        self._each("picture", step, pixels)

    def flush(self) -> None:
        """Put on the disk what was logged."""
        self._each("flush")

    def close(self) -> None:
        """End all of them."""
        self._each("close")
        self._trackers = []

    def means(self) -> dict[str, float]:
        """Means of all figures since the last call."""
        found = {name: sum(values) / len(values) for name, values in self._recent.items()}
        self._recent = {}
        return found

    def _each(self, what: str, *arguments: Any) -> None:
        for tracker in list(self._trackers):
            try:
                getattr(tracker, what)(*arguments)
            except Exception as error:  # noqa: BLE001 - libraries and services of others
                if tracker not in self._failed:
                    logger.warning("%s: %s failed; training goes on: %s", type(tracker).__name__, what, error)
                    self._failed.add(tracker)
                if not isinstance(tracker, Jsonl):
                    self._trackers.remove(tracker)
