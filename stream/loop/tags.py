"""LoRAs that a prompt names: ``<lora:name:0.8>`` becomes a scale of a LoRA's path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ...lora.styles import styles_of
from ..base.blends import shares, texts_of
from ..base.config import StreamConfig
from ..base.errors import ConfigError
from ..base.names import did_you_mean, quoted
from ..base.prompt import parse_prompt

SUFFIX = ".safetensors"
MOST_FILES = 10_000  # that are looked through for a name
MOST_LISTED = 8


class PromptLoras:
    """Finds the LoRAs that prompts name for one pipeline.

    A name is that of a file without ``.safetensors``, or its path, in capitals or not. It is looked for among the LoRAs
    of ``lora_dict``, then the styles that the model brings, then the files in ``lora_folder`` and the folders in it.
    """

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._found: dict[tuple[object, ...], str] = {}  # names that were found -> paths

    def scales(self, config: StreamConfig) -> dict[str, float]:
        """``lora_dict`` with what the prompt says: path -> scale, in the order in which they are named.

        What a prompt names has the prompt's scale in place of that of ``lora_dict``; a blend of prompts has the blended
        scale. Raises ConfigError for a name that nothing, or more than one file, is known by.
        """
        scales = dict(config.lora_dict)
        if not any(parse_prompt(text).loras for text in texts_of(config.prompt)):
            return scales
        blend = ((config.prompt, 1.0),) if isinstance(config.prompt, str) else config.prompt
        named = [(self._named(text, config), share) for text, share in shares(blend)]
        for path in {path: None for scales_of, _ in named for path in scales_of}:
            usual = config.lora_dict.get(path, 0.0)
            scales[path] = sum(share * scales_of.get(path, usual) for scales_of, share in named)
        return scales

    def _named(self, text: str, config: StreamConfig) -> dict[str, float]:
        """The LoRAs of one text; one that is named twice has the sum."""
        scales: dict[str, float] = {}
        for name, scale in parse_prompt(text).loras:
            key = (name, config.lora_folder, *config.lora_dict)
            if key not in self._found:
                self._found[key] = self._find(name, config)
            path = self._found[key]
            scales[path] = scales.get(path, 0.0) + scale
        return scales

    def _find(self, name: str, config: StreamConfig) -> str:
        known: dict[str, str] = {}  # what is shown to people -> path
        top = None if config.lora_folder is None else Path(config.lora_folder).expanduser()
        for paths in (config.lora_dict, styles_of(self._pipe), _files(config.lora_folder, top)):
            names = {path: _names(path, top) for path in paths}
            found = [path for path in names if name in names[path]]
            found = found or [path for path in names if name.casefold() in map(str.casefold, names[path])]
            if len(found) > 1:
                either = _listed([names[path][1] for path in found])
                raise ConfigError(
                    f"prompt: got the LoRA {quoted(name)}, which is {either}; name one of them by its path"
                )
            if found:
                return found[0]
            known |= {each[0]: path for path, each in names.items()}
        where = " or lora_folder" if top else "; set lora_folder"
        listed = f" ({_listed(known)})" if known else ""
        raise ConfigError(
            f"prompt: got the LoRA {quoted(name)}, expected one of lora_dict, the model's styles{where}"
            f"{listed}{did_you_mean(name, known)}"
        )


def _files(folder: str | None, top: Path | None) -> Iterator[str]:
    """The LoRAs in a folder and in those inside. Raises ConfigError where there is no folder."""
    if top is None:
        return
    if not top.is_dir():
        raise ConfigError(f"lora_folder: got {quoted(str(folder))}, expected a folder with LoRAs")
    for count, path in enumerate(sorted(top.rglob(f"*{SUFFIX}"))):
        if count >= MOST_FILES:
            raise ConfigError(f"lora_folder: got more than {MOST_FILES:,} files, expected a folder of fewer")
        yield str(path)


def _names(path: str, top: Path | None) -> list[str]:
    """What a LoRA is known by: its file's name, its path in the folder, and its whole path."""
    whole = path.replace("\\", "/").removesuffix(SUFFIX)
    inside = whole.removeprefix(f"{top.as_posix()}/") if top else whole
    return [whole.rpartition("/")[2].rpartition(":")[2], inside, whole, path]


def _listed(names: Iterable[str]) -> str:
    every = sorted(names)
    more = len(every) - MOST_LISTED
    return ", ".join(quoted(name, 60) for name in every[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
