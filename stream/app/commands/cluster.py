"""``inkstream cluster``: workers for the studio, and its page before them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...base.errors import ConfigError
from ...base.options import (
    ModelOption,
    PromptOption,
    SeedOption,
    SetOption,
    load_run,
)
from ...base.progress import note
from .common import console
from .recording import MEGABYTES, HistoryOption
from .studio import (
    FOLDER,
    HostOption,
    LogOption,
    ModerateOption,
    PortOption,
    QuotaOption,
    ShareOption,
    TlsOption,
    UsersOption,
    check_installed,
    opened,
    rules_of,
    serve,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..cluster.link import Link

app = typer.Typer(no_args_is_help=True, help="The studio for many: workers that render, on this machine or on several.")
LOOK_AT = "see inkstream cluster status"
LOOK = 0.5  # seconds between looks at a worker that is being emptied
AddressOption = Annotated[
    str,
    typer.Option(
        "--address", metavar="HOST:PORT", help="Of a Ray cluster; else the one that was begun on this machine."
    ),
]
TlsFolderOption = Annotated[
    str, typer.Option("--certificates", metavar="FOLDER", help="Where that cluster's nodes have theirs.")
]


@app.command()
def up(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            dir_okay=False,
            help="A YAML file: run, workers, limit, cores, gpus, spare, fps, duty, tls.",
        ),
    ] = None,
    model: ModelOption = None,
    prompt: PromptOption = None,
    seed: SeedOption = None,
    sets: SetOption = None,
    host: HostOption = None,
    port: PortOption = None,
    share: ShareOption = False,
    tls: TlsOption = False,
    sessions: Annotated[int, typer.Option(min=1, max=4096, help="So many drawings may be rendered at once.")] = 64,
    folder: Annotated[
        Path, typer.Option("--folder", file_okay=False, help="Where kept pictures go; all workers must see it.")
    ] = FOLDER,
    open_page: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True,
    history: HistoryOption = MEGABYTES,
    moderate: ModerateOption = None,
    quota: QuotaOption = "",
    users: UsersOption = None,
    log_file: LogOption = None,
) -> None:
    """Begin workers, and serve the page before them, until it is interrupted.

    Everything runs on this machine, unless the file names the address of a Ray cluster. How many may draw is measured
    by each worker when its model is loaded.

    Examples:

        inkstream cluster up
        inkstream cluster up --config cluster.yaml --share --tls
    """
    check_installed()
    from ..cluster import rays
    from ..cluster.config import load_cluster
    from ..cluster.courier import Courier
    from ..cluster.gateway import Gateway
    from ..cluster.growth import Grows, Growth

    plan = load_cluster(config)
    chosen = load_run(plan.run, sets, model=model, prompt=prompt, seed=seed)
    rays.ray_module(local=not plan.address, certificates=plan.tls)  # what is missing is said before the page is there
    kept = folder.expanduser()
    rules = rules_of(moderate, quota, users, sessions)

    courier = Courier(
        rays.Raised(chosen, plan, kept, history), lambda address: note(f"cluster: Ray at {address}; {LOOK_AT}")
    )

    def resized(count: int) -> Sequence[Link]:
        return courier.renew(rays.Raised(chosen, plan.model_copy(update={"workers": count}), kept, history))

    grows = Grows(Growth(plan.workers, plan.limit, plan.spare), resized) if plan.limit > plan.workers else None
    about: dict[str, Any] = {"spare": plan.spare, "sessions": sessions, "silence": plan.silence}
    gateway = Gateway(chosen, courier.links, **about, end=courier.close, grows=grows)
    serve(
        gateway,
        opened(gateway, host=host, port=port, share=share, tls=tls, kept=kept, rules=rules),
        share=share,
        open_page=open_page,
        log_file=log_file,
    )


@app.command("certificates")
def make_certificates(
    folder: Annotated[Path, typer.Argument(file_okay=False, help="Where they go; made where it is not there.")],
    host: Annotated[
        list[str] | None,
        typer.Option("--host", metavar="NAME|ADDRESS", help="A node's name or address; else this computer's own."),
    ] = None,
) -> None:
    """Make certificates for the nodes of a cluster, so that what goes between them is encrypted.

    Each node gets ca.pem, node.pem and node-key.pem, and the cluster's file names their folder (tls). Keep ca-key.pem
    here: with it, more of them are made.

    Examples:

        inkstream cluster certificates tls --host 10.0.0.4 --host 10.0.0.5
    """
    check_installed()
    from ..cluster.tls import make
    from ..studio.sharing import own_names

    names = host or sorted(each.strip("[]") for each in own_names())
    note(f"certificates for {', '.join(names)}: {make(folder, names)}")


@app.command()
def status(address: AddressOption = "", certificates: TlsFolderOption = "") -> None:
    """List the workers of a cluster."""
    from rich.table import Table

    from ..cluster import rays

    rays.connect(address, certificates)
    table = Table(box=None, pad_edge=False)
    for head in ("worker", "drawings", "places", "pictures/s", "process", "state"):
        table.add_column(head, justify="left" if head in ("worker", "state") else "right")
    for link in rays.found_workers():
        hello = rays.greeted(link)
        if isinstance(hello, str):
            table.add_row(link.name, "", "", "", "", hello)
            continue
        step = " ".join(hello.progress[0].split())
        state = hello.failed or ("being emptied" if hello.draining else "ready" if hello.ready else step)
        numbers = (hello.taken, hello.slots, f"{hello.fps:.1f}", hello.process)
        table.add_row(link.name, *map(str, numbers), state)
    console().print(table)
    rays.disconnect()


@app.command()
def drain(
    worker: Annotated[str, typer.Argument(metavar="WORKER", help="As inkstream cluster status calls it.")],
    within: Annotated[float, typer.Option(min=0, help="Seconds to wait for it to be empty.")] = 60.0,
    address: AddressOption = "",
    certificates: TlsFolderOption = "",
) -> None:
    """Take all drawings away from a worker; it takes no more of them."""
    from ..cluster import rays

    rays.connect(address, certificates)
    try:
        links = {link.name: link for link in rays.found_workers()}
        if worker not in links:
            raise ConfigError(f"got {worker!r}, expected one of: {', '.join(links)}")
        link, end = links[worker], time.monotonic() + within
        link.begin("drain")
        while True:
            hello = rays.greeted(link)
            if not isinstance(hello, str) and hello.draining and not hello.taken:
                note(f"{worker} is empty")
                return
            if time.monotonic() > end:
                had = hello if isinstance(hello, str) else f"{hello.taken} drawings are there: others have no places"
                raise ConfigError(f"{worker}: not empty after {within:g} s; {had}")
            time.sleep(LOOK)
    finally:
        rays.disconnect()


@app.command()
def down(address: AddressOption = "", certificates: TlsFolderOption = "") -> None:
    """End the workers of a Ray cluster that runs anyway, which outlive the pages before them. Drawings stay."""
    from ..cluster import rays

    rays.connect(address, certificates)
    ended = rays.end_workers()
    rays.disconnect()
    note(f"ended: {', '.join(ended) or 'nothing, there are no workers'}")
