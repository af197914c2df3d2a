"""Models that ship with the package, in diffusers layout: ``ink-tiny`` runs on any CPU with no download."""

from pathlib import Path


def embedded() -> dict[str, Path]:
    """Names of the embedded models, with their folders."""
    here = Path(__file__).resolve().parent
    return {index.parent.name: index.parent for index in sorted(here.glob("*/model_index.json"))}
