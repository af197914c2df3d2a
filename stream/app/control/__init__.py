"""What steers a running stream from outside: ``inkstream run --control osc:9000 --control midi:learn``.

``desk`` is where all of it comes together, one change after the other, and ``front`` the same for a studio's drawings;
``addresses`` says how parameters are called.
``osc``, ``midi`` with its ``mapping``, ``http`` and ``hotkeys`` each listen to something, and answer there.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...base.errors import ConfigError
from ...base.spec import Kind, Spec, check_kind

if TYPE_CHECKING:
    from ...base.configfile import RunConfig
    from ..studio.steering import Steering
    from .desk import Desk

# kind -> module that has ``KIND``; what that makes is called with the desk and the options, and has ``close``
KINDS = {"osc": ".osc", "midi": ".midi", "http": ".http", "keys": ".hotkeys"}
FOLDER = Path("inkstream-output")


def check_control(text: str, name: str = "--control") -> Spec:
    """Parse a specification; raises ConfigError that begins with ``name`` for an unknown kind."""
    return check_kind(text, KINDS, {}, name)


def kinds_of_control() -> dict[str, Kind]:
    """Every kind of control, as its module declares it."""
    return {name: _kind(name) for name in KINDS}


def check_controls(texts: Sequence[str]) -> None:
    """Refuse what is misspelt before anything is loaded; raises ConfigError."""
    for text in texts:
        spec = check_control(text)
        options = spec.take(_kind(spec.kind).options)
        if spec.kind in ("osc", "http") and "path" not in options:
            raise ConfigError(f"--control {text}: got no port, expected for example {_kind(spec.kind).examples[0]}")


@contextmanager
def steered(
    texts: Sequence[str], run: RunConfig, page: Steering | None, feeds: bool, progress: Callable[[], tuple[str, None]]
) -> Iterator[Desk | None]:
    """The desk of a run and all that steers it, from now on until the end; None, and nothing loaded, without any.

    ``page`` is what steers the run's page, where it has one; ``feeds`` as for ``Desk``. Raises ConfigError.
    """
    if not texts:
        yield None
        return
    from ..studio.steering import Steering as Steers
    from .desk import Desk as Made

    owned = page is None
    steering = page or Steers(run.stream, lambda news: None, progress=progress, model=str(run.model), folder=FOLDER)
    desk = Made(steering, run.stream, owned, feeds)
    with ExitStack() as opened:
        if owned:
            opened.callback(steering.end)
            opened.callback(steering.canvas.close)
        opened.enter_context(surfaces(texts, desk))
        yield desk


@contextmanager
def surfaces(texts: Sequence[str], desk: Any) -> Iterator[None]:
    """All that is to steer a ``Desk`` or a ``Front``, from now on until the end. Raises ConfigError."""
    with ExitStack() as opened:
        for text in texts:
            spec = check_control(text)
            kind = _kind(spec.kind)
            surface = kind.makes(desk, **spec.take(kind.options))
            opened.callback(surface.close)
            desk.surfaces.append(surface)
        yield


def _kind(name: str) -> Kind:
    try:
        return importlib.import_module(KINDS[name], __name__).KIND
    except ImportError as error:
        hint = 'pip install "inkstream[studio]"' if name == "http" else 'pip install "inkstream[control]"'
        raise ConfigError(f"--control {name}: {error.name or error} is missing; run: {hint}") from error
