"""``inkstream studio``: a page to draw on, in any browser."""

from __future__ import annotations

import contextlib
import logging
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...base.errors import ConfigError
from ...base.logs import logged
from ...base.options import (
    DEFAULT_CONFIG,
    AdapterOption,
    ConfigOption,
    LikeOption,
    ModelOption,
    PromptOption,
    SeedOption,
    SetOption,
    chosen_config,
    load_run,
)
from ...base.progress import note
from ...base.signals import INTERRUPTED, interrupts, saving
from ...base.terminal import stderr
from ..control import check_controls, surfaces
from .common import with_adapters
from .recording import MEGABYTES, HistoryOption
from .start import display_there
from .steered import ControlOption, CuesOption, read_show

if TYPE_CHECKING:
    from ...base.configfile import RunConfig
    from ..studio.backend import SessionBackend
    from ..studio.serve import Server
    from ..studio.site import Rules

log = logging.getLogger(__name__)
PAGE = "The page"
SLICE = 0.1  # seconds after which the main thread looks for signals, which do not end a wait on Windows
FOLDER = Path("inkstream-output")
SOCKETS = 3  # of a drawing: a page, another when it is loaded anew, a viewer

HostOption = Annotated[
    str | None,
    typer.Option(
        "--host",
        metavar="NAME|ADDRESS",
        rich_help_panel=PAGE,
        help="Listen at this address, or be called by this name; else this computer alone reaches it.",
    ),
]
PortOption = Annotated[
    int | None,
    typer.Option(
        "--port", min=0, max=65535, rich_help_panel=PAGE, help="Listen at this port; else 7860 or a free one."
    ),
]
ShareOption = Annotated[
    bool,
    typer.Option(
        "--share", rich_help_panel=PAGE, help="Let other devices draw: prints an address with a token, and a QR code."
    ),
]
TlsOption = Annotated[
    bool,
    typer.Option(
        "--tls",
        rich_help_panel=PAGE,
        help="Encrypt, with certificates of your own: browsers on other devices ask you to trust them once.",
    ),
]


ModerateOption = Annotated[
    list[str] | None,
    typer.Option(
        "--moderate",
        metavar="FILE",
        rich_help_panel=PAGE,
        help="Refuse prompts: with a word of this file, or that FILE.py:FUNCTION gives a reason against. Repeatable.",
    ),
]
QuotaOption = Annotated[
    str,
    typer.Option(
        "--quota",
        metavar="NAME=N,...",
        rich_help_panel=PAGE,
        help="What one person may have: drawings, sockets, new (a minute), uploads (MB an hour).",
    ),
]
UsersOption = Annotated[
    Path | None,
    typer.Option(
        "--users",
        metavar="FILE",
        dir_okay=False,
        rich_help_panel=PAGE,
        help="Names with tokens of their own (YAML, name: token); quotas are of each name.",
    ),
]
LogOption = Annotated[
    Path | None,
    typer.Option(
        "--log",
        metavar="FILE",
        dir_okay=False,
        rich_help_panel=PAGE,
        help="Add what happens to a file, as lines of JSON with the drawing that each is about.",
    ),
]


def studio(
    config: ConfigOption = DEFAULT_CONFIG,
    like: LikeOption = None,
    model: ModelOption = None,
    prompt: PromptOption = None,
    seed: SeedOption = None,
    sets: SetOption = None,
    adapter: AdapterOption = None,
    host: HostOption = None,
    port: PortOption = None,
    share: ShareOption = False,
    tls: TlsOption = False,
    sessions: Annotated[
        int, typer.Option(min=1, max=64, rich_help_panel=PAGE, help="So many drawings may be rendered at once.")
    ] = 8,
    folder: Annotated[
        Path, typer.Option("--folder", file_okay=False, rich_help_panel=PAGE, help="Where kept pictures go.")
    ] = FOLDER,
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", rich_help_panel=PAGE, help="Open the page in the browser.")
    ] = True,
    controls: ControlOption = None,
    cues: CuesOption = None,
    history: HistoryOption = MEGABYTES,
    moderate: ModerateOption = None,
    quota: QuotaOption = "",
    users: UsersOption = None,
    log_file: LogOption = None,
    backend: Annotated[
        str | None,
        typer.Option(
            "--backend",
            metavar="ray[://HOST:PORT]",
            rich_help_panel=PAGE,
            help="Let the workers of a cluster render: the one of this machine, or at this address of Ray.",
        ),
    ] = None,
) -> None:
    """Draw in the browser, on this computer or on a tablet, with the render beside it.

    The page works while the model is still being loaded, and what is drawn is kept: after a reload, a cut or a restart
    it goes on where it was. What steers it (--control) is for the drawing that somebody drew on last.

    Examples:

        inkstream studio
        inkstream studio --share --tls
        inkstream studio -c sd-turbo -p "a watercolour of a lighthouse"
        inkstream studio --control midi:learn --control osc:9000
        inkstream studio --backend ray
    """
    check_controls(controls or [])
    show = None if cues is None else read_show(cues)
    chosen = with_adapters(load_run(chosen_config(config, like), sets, model=model, prompt=prompt, seed=seed), adapter)
    named = tuple(text.partition("=")[0].strip() for text in sets or ()) + (("mode",) if like else ())
    check_installed()
    kept = folder.expanduser()
    rules = rules_of(moderate, quota, users, sessions)
    if backend is not None:
        if controls or show:
            raise ConfigError("--backend: --control and --cues steer streams of this process; leave them out")
        far = _far(backend, chosen, sessions)
        server = opened(far, host=host, port=port, share=share, tls=tls, kept=kept, rules=rules)
        serve(far, server, share=share, open_page=open_page, log_file=log_file)
        return
    from ..studio.inprocess import InProcess

    front = None
    if controls or show:
        from ..control.front import Front

        front = Front(chosen.stream, show)
    place = front.place if front else None
    near = InProcess(chosen, most=sessions, history=history, folder=kept, named=named, steered=place)
    server = opened(near, host=host, port=port, share=share, tls=tls, kept=kept, rules=rules)
    with ExitStack() as opening:
        if front is not None:
            opening.enter_context(surfaces(controls or [], front))
        serve(near, server, share=share, open_page=open_page, log_file=log_file)


def serve(
    backend: SessionBackend, server: Server, *, share: bool, open_page: bool, log_file: Path | None = None
) -> None:
    """Serve the page until a signal comes, which ends backend and server; meanwhile what happens goes to ``log_file``.

    Raises ConfigError where that cannot be written.
    """
    ended, numbers = threading.Event(), list[int]()
    with logged(log_file), interrupts(numbers.append, halt=ended.set):
        server.start()
        say_where(server, share)
        backend.start()
        if open_page and display_there():
            _open(server.with_token(server.address("/")))
        while not (ended.wait(SLICE) or numbers):
            if server.ended:
                break
        with saving():
            server.stop()
            backend.close()
    if server.error is not None:
        raise server.error
    if numbers:
        raise typer.Exit(INTERRUPTED)


def _far(address: str, run: RunConfig, sessions: int) -> SessionBackend:
    """The workers of a cluster that runs. Raises ConfigError."""
    if address != "ray" and not address.startswith("ray://"):
        raise ConfigError(f"--backend: got {address!r}, expected ray, or ray://HOST:PORT")
    from ..cluster import rays
    from ..cluster.courier import Courier
    from ..cluster.gateway import Gateway

    where = "" if address == "ray" else address.removeprefix("ray://")
    rays.located(where)
    courier = Courier(rays.Found(where))
    courier.links()  # what is wrong is said before the page is there
    return Gateway(run, courier.links, sessions=sessions, end=courier.close)


def check_installed() -> None:
    """Raises ConfigError that says how to install what the server needs."""
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
        import websockets  # noqa: F401
    except ImportError as error:
        hint = 'pip install "inkstream[studio]"'
        raise ConfigError(f"studio: {error.name or error} is missing, expected it to be installed: {hint}") from error


def rules_of(moderate: list[str] | None, quota: str, users: Path | None, sessions: int) -> Rules:
    """What people may do, as options say it. Raises ConfigError, OSError."""
    from ..studio.guard import MOST_SOCKETS
    from ..studio.moderation import read_moderation
    from ..studio.quotas import read_quota, read_users
    from ..studio.site import Rules

    known = {} if users is None else read_users(users.expanduser())
    sockets = max(MOST_SOCKETS, SOCKETS * sessions)
    return Rules(known, read_quota(quota), read_moderation(moderate or ()), sockets)


def opened(
    backend: SessionBackend,
    *,
    host: str | None,
    port: int | None,
    share: bool,
    tls: bool,
    kept: Path,
    rules: Rules | None = None,
) -> Server:
    """A server that listens, and does not serve yet. Raises ConfigError, OSError."""
    from ..studio import serve, sharing

    away = share or (host is not None and host not in (serve.HERE, "localhost", "::1"))
    listening = serve.bound(serve.everywhere(host) if away else host or serve.HERE, port)
    hosts = sharing.own_names() | ({host} if host else set()) if away else {"localhost", serve.HERE, "[::1]"}
    return serve.Server(
        backend,
        listening,
        hosts=hosts,
        token=sharing.kept_token() if away or (rules and rules.users) else "",
        certificates=sharing.certificates(hosts) if tls else None,
        kept=kept,
        rules=rules,
        called=host if host and not serve.is_address(host) else "localhost" if away else "",
    )


def say_where(server: Server, share: bool) -> None:
    """Say where the page is: for this computer, and with ``share`` for others, as a QR code too."""
    from ..studio import sharing

    note(f"studio: {server.with_token(server.address('/'))}")
    if not share:
        return
    addresses = sharing.own_addresses()
    if not addresses:
        note("this computer has no address that others could reach: join a network, or name one with --host")
        return
    host = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
    whole = server.with_token(server.address("/", host))
    stderr().write(sharing.qr(whole))
    note(f"other devices: {whole}")
    if server.encrypted:
        note(f"once on each: trust the certificate at {server.address('/ca.pem', host)}, or go on past the warning")
    else:
        note("whoever is in this network can read along; --tls encrypts, and a tablet's pen and camera want it")


def _open(address: str) -> None:
    """In the browser, which may take its time."""
    import webbrowser

    def work() -> None:
        with contextlib.suppress(webbrowser.Error, OSError):
            webbrowser.open(address)

    threading.Thread(target=work, name="inkstream browser", daemon=True).start()
