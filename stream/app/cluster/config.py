"""The file of a cluster: how many workers there are, and what each of them gets."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from ...base import safeyaml
from ...base.configfile import build


class ClusterConfig(BaseModel):
    """Workers of one model."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    run: str = "ink-tiny"
    """What is rendered: a configuration, by its name or file, as --config of inkstream run."""
    workers: int = Field(2, ge=1, le=256)
    """Processes that hold the model."""
    limit: int = Field(0, ge=0, le=256)
    """So many at most: more than ``workers`` are begun while somebody waits or hardly any place is free, and end when
    nobody has needed them for ten minutes. 0: there are always ``workers``."""
    cores: int = Field(1, ge=1, le=256)
    """Cores of each worker."""
    gpus: float = Field(0, ge=0, le=16)
    """GPUs of each worker: 0 renders on its cores, 1 on a GPU of its own."""
    spare: int = Field(1, ge=0, le=64)
    """So many workers' places are kept for drawings whose worker is lost."""
    fps: float = Field(12, gt=0, le=240)
    """Pictures a second that a drawing is to have while its hand moves; with ``duty`` it says how many a worker
    takes."""
    duty: float = Field(0.4, gt=0, le=1)
    """The share of the time in which a hand moves."""
    most: int = Field(16, ge=1, le=256)
    """Drawings of one worker, however fast it is."""
    silence: float = Field(3.0, ge=0.5, le=60)
    """Seconds without a word after which a worker is lost."""
    tls: str = ""
    """A folder with certificates of the nodes (``inkstream cluster certificates``). Empty: nothing between them is
    encrypted."""
    logs: str = ""
    """A folder of each worker's machine, for lines of JSON with the drawing that each is about, in a file of the
    worker's name. Empty: workers write none."""
    address: str = ""
    """Of a Ray cluster that runs already, HOST:PORT; this machine must be one of its nodes. Empty: one is started
    here."""


def load_cluster(path: Path | None) -> ClusterConfig:
    """Raises ConfigError with the place in the file. None: everything as it is by default."""
    return build(safeyaml.read("{}", "cluster") if path is None else safeyaml.read_file(path), ClusterConfig)
