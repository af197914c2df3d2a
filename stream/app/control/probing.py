"""What of this computer could steer a run, for ``inkstream doctor``; nothing is kept open."""

from __future__ import annotations

import socket
from typing import Any

from ...base.errors import ConfigError, SourceUnavailable
from ...base.plain import plain, reason


def port_free(kind: str, port: int) -> str:
    """Why a usual port of this computer cannot be listened at; empty: it can."""
    how = socket.SOCK_DGRAM if kind == "osc" else socket.SOCK_STREAM
    try:
        with socket.socket(socket.AF_INET, how) as probe:
            probe.bind(("127.0.0.1", port))
    except OSError as error:
        return reason(error)
    return ""


def midi_devices(backend: Any = None) -> tuple[list[str], str]:
    """Names of the devices, and why there cannot be any."""
    from .midi import system_midi

    try:
        names = (backend or system_midi()).get_input_names()
    except ConfigError as error:
        return [], str(error).removeprefix("--control midi: ")
    return [plain(each, 80) for each in dict.fromkeys(names)], ""


def keys_there() -> str:
    """Why no keys can be taken for the whole desktop; empty: they can."""
    from ...sources.screen.x11_link import XLink
    from .hotkeys import display

    try:
        XLink(display()).close()
    except (ConfigError, SourceUnavailable) as error:
        return str(error).removeprefix("--control keys: ")
    return ""
