"""The server as one ASGI app: pages, the socket, REST, and what machines ask."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import mimetypes
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from ...base.config import StreamConfig
from ...base.configfile import presets
from .backend import SessionBackend, Values
from .figures import as_prometheus
from .guard import MOST_SOCKETS, Guard, address_of, bearer
from .messages import PROTOCOL
from .moderation import Moderation
from .openapi import described, messages_schema
from .presets import offered
from .quotas import ORDINARY, Quota, Quotas
from .rest import Rest, refusal
from .rooms import Rooms
from .settings import schema
from .sketches import classes
from .socket import Door

log = logging.getLogger(__name__)
for _ending, _kind in (
    (".js", "text/javascript"),
    (".mjs", "text/javascript"),
    (".css", "text/css"),
    (".svg", "image/svg+xml"),
):
    mimetypes.add_type(_kind, _ending)  # where a system thinks otherwise, browsers would refuse modules
PAGE = Path(__file__).parent / "page"
KEEP = {"cache-control": "no-cache"}  # it is asked every time whether it is still the same


@dataclass(frozen=True)
class Rules:
    """What people may do at a server. ``users`` are names by their tokens, beside the token of everybody."""

    users: Mapping[str, str] = field(default_factory=dict)
    quota: Quota = ORDINARY
    moderation: Moderation = field(default_factory=Moderation)
    sockets: int = MOST_SOCKETS
    """At once, of everybody."""


class Site(NamedTuple):
    """A server, ready to be served."""

    app: Guard
    rooms: Rooms
    door: Door


def site(
    backend: SessionBackend,
    *,
    hosts: set[str],
    token: str = "",
    folder: Path | None = None,
    kept: Path = Path("inkstream-output"),
    address: Callable[[str], str] = lambda path: path,
    page: Path = PAGE,
    certificate: Path | None = None,
    rules: Rules | None = None,
) -> Site:
    """``hosts`` and ``token`` as for ``Guard``, ``folder`` holds the drawings, ``kept`` the kept pictures; ``address``
    makes a whole address of a path. ``certificate`` is that of the authority that signed this server's, where there is.

    To be called on the event loop that serves it.
    """
    rules = rules or Rules()
    quotas, asks = Quotas(rules.quota), bool(token or rules.users)
    offers = lambda values, styles: brought(backend.model, values, styles)
    rooms = Rooms(backend, folder, offers, quotas, rules.moderation)
    rest = Rest(rooms, kept, address, lambda scope, said: guard.who(address_of(scope), said))

    async def health(request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def ready(request: Request) -> Response:
        return PlainTextResponse("ready\n") if backend.ready else PlainTextResponse("loading\n", 503)

    async def metrics(request: Request) -> Response:
        return PlainTextResponse(as_prometheus(rooms, guard), media_type="text/plain; version=0.0.4")

    async def about(request: Request) -> Response:
        known: dict[str, Any] = {
            "inkstream": version("inkstream"),
            "protocol": PROTOCOL,
            "token": asks,
        }
        if guard.knows(bearer(request.headers.get("authorization", ""))):
            known |= {"model": backend.model, "ready": backend.ready, "presets": list(presets())}
        return JSONResponse(known)

    async def settings(request: Request) -> Response:
        return JSONResponse(schema(), headers=KEEP)

    async def spoken(request: Request) -> Response:
        return JSONResponse(messages_schema(), headers=KEEP)

    async def api(request: Request) -> Response:
        return JSONResponse(described(), headers=KEEP)

    async def draw(request: Request) -> Response:
        return _page(page / "index.html")

    async def view(request: Request) -> Response:
        return _page(page / "view.html")

    async def authority(request: Request) -> Response:
        if certificate is None:
            return refusal(404, "unknown", "this server has no certificates of its own; start it with --tls")
        return FileResponse(certificate, media_type="application/x-x509-ca-cert", filename="inkstream-ca.pem")

    knows = lambda said: guard.knows(said)
    door = Door(rooms, knows, secrets.token_hex(8), lambda scope, said: guard.who(address_of(scope), said))

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        looking = asyncio.create_task(rooms.run())
        try:
            yield
        finally:
            looking.cancel()
            await rooms.close()

    routes = [
        Route("/", draw),
        Route("/s/{session}", draw),
        *rest.routes(),  # /view/NAME.jpg before /view/NAME
        Route("/view/{view}", view),
        WebSocketRoute("/ws", door.answer),
        Route("/healthz", health),
        Route("/readyz", ready),
        Route("/metrics", metrics),
        Route("/about", about),
        Route("/schema/params", settings),
        Route("/schema/messages", spoken),
        Route("/openapi.json", api),
        Route("/ca.pem", authority),
        *([Mount("/page", _Files(directory=page))] if page.is_dir() else []),
    ]
    app = Starlette(routes=routes, lifespan=life, exception_handlers={HTTPException: _http})
    guard = Guard(app, hosts, token, rules.sockets, rules.users, quotas)
    return Site(guard, rooms, door)


class _Files(StaticFiles):
    """Files of the page, which a browser asks for again each time, so that a new version is seen at once."""

    def file_response(self, *args: Any, **more: Any) -> Response:
        response = super().file_response(*args, **more)
        response.headers.setdefault("cache-control", "no-cache")
        return response


def brought(model: str, values: Values, styles: Sequence[str]) -> dict[str, Any]:
    """What a page is offered beside what the model itself brings."""
    return {"classes": classes(), "presets": offered(model, StreamConfig(**values), styles)}


def _page(path: Path) -> Response:
    if not path.is_file():
        return PlainTextResponse("the page is not part of this installation; the server works\n", 404)
    return FileResponse(path, media_type="text/html; charset=utf-8", headers=KEEP)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "unknown", 405: "unknown"}.get(error.status_code, "failed")
    answer = refusal(error.status_code, code, str(error.detail))
    answer.headers.update(error.headers or {})  # which methods there are
    return answer
