"""Maps the top-level folders into the namespace package ``inkstream`` (there is no root ``__init__.py``)."""

from setuptools import find_packages, setup

PARTS = ["stream", "adapters", "engines", "lora", "bench", "configs", "models"]

setup(
    packages=[
        f"inkstream.{name}" for part in PARTS for name in (part, *(f"{part}.{each}" for each in find_packages(part)))
    ],
    package_dir={f"inkstream.{part}": part for part in PARTS},
    package_data={
        "": ["py.typed"],
        "inkstream.adapters.palettes": ["*.csv"],
        "inkstream.bench": ["shapes/*.json"],
        "inkstream.configs": ["*.yaml"],
        "inkstream.stream.app.control": ["devices/*.yaml"],
        "inkstream.stream.app.start": ["*.webp"],
        "inkstream.stream.app.studio": ["page/**"],
        "inkstream.lora": ["names/*.txt"],
        "inkstream.models": ["ink-tiny/*", "ink-tiny/*/*"],
    },
)
