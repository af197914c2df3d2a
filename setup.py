"""Maps the top-level folders into the namespace package ``inkstream`` (there is no root ``__init__.py``)."""

from setuptools import setup

PARTS = ["stream", "adapters", "engines", "lora", "bench", "configs", "models"]

setup(
    packages=[f"inkstream.{part}" for part in PARTS]
    + ["inkstream.stream.sources", "inkstream.stream.sinks", "inkstream.stream.commands"]
    + ["inkstream.lora.data", "inkstream.lora.train", "inkstream.lora.evaluate"],
    package_dir={f"inkstream.{part}": part for part in PARTS},
    package_data={
        "inkstream.bench": ["shapes/*.json"],
        "inkstream.configs": ["*.yaml"],
        "inkstream.models": ["ink-tiny/*", "ink-tiny/*/*"],
    },
)
