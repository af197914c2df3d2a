"""HTTP: a small API on a running stream, for scripts and for buttons that can ask for an address. ``http:7860``.

What the studio does for many drawings is done here for the one stream that there is, by the same code: addresses are
those of ``/sessions/ID`` without it. Beyond this computer a token is needed, as there.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Awaitable, Callable
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ...base.errors import ConfigError, InkstreamError
from ...base.metrics import Metrics
from ...base.places import Place, is_here, place
from ...base.plain import reason
from ...base.progress import note
from ...base.spec import Kind, Option
from ..studio import sharing
from ..studio.connections import careful
from ..studio.figures import as_prometheus
from ..studio.guard import Guard, TooLarge
from ..studio.moderation import Moderation
from ..studio.openapi import described
from ..studio.rest import BODY_WITHIN, Rest, refusal
from ..studio.rooms import Unknown
from ..studio.serve import HERE, bound, everywhere, is_address
from ..studio.settings import Refused, schema
from .desk import Desk

log = logging.getLogger(__name__)
NAME = "run"  # what the one stream is called for the studio's code
ENDS_WITHIN = 3.0
PREFIX = "/sessions/{session}"
SERVED = (
    *("params", "freeze", "seed", "keep", "rewind", "finish", "cancel"),
    *("render.{what}", "sketch.png", "history", "history/{moment:int}.jpg", "history/{moment:int}-sketch.jpg"),
)


class Alone:
    """The one stream, where the studio's code looks for a drawing among others."""

    def __init__(self, desk: Desk) -> None:
        self.live, self.pages, self.viewers = desk, (), ()
        self.metrics, self.moderation = Metrics(), Moderation()
        self.open = {NAME: self}
        self.backend = SimpleNamespace(ready=False, measured=list)

    async def get(self, session: str) -> Alone:
        """It, by its name; raises Unknown."""
        if session != NAME:
            raise Unknown("there is one stream here; leave /sessions/ out")
        return self

    def admit(self, room: Alone, who: str) -> None:
        """It runs already, for whoever steers it."""

    async def waken(self) -> Desk:
        """Its stream."""
        return self.live


class Http:
    """Serves a desk. Raises ConfigError where it cannot listen; ``port`` is where it does."""

    def __init__(self, desk: Desk, path: Place, kept: Path = Path("inkstream-output")) -> None:
        host = path.host if is_address(path.host) or is_here(path.host) else everywhere(path.host)
        away = not is_here(path.host)
        try:
            self._socket = bound(HERE if host == "localhost" else host, path.port)
        except ConfigError as error:
            why = f"{path} {str(error).partition(f':{path.port} ')[2].partition(';')[0] or 'cannot be listened at'}"
            raise ConfigError(f"--control http:{path.port}: {why}; name another port: http:7861") from error
        self.port: int = self._socket.getsockname()[1]
        self.token = sharing.kept_token() if away else ""
        hosts = sharing.own_names() | {path.host} if away else {"localhost", HERE, "[::1]"}
        self._rooms = Alone(desk)
        self._desk, self._kept = desk, kept
        self._guard = Guard(self._app(), hosts, self.token)
        self._server = _Uvicorn(self._config())
        self._thread = threading.Thread(target=self._run, name="inkstream http", daemon=True)
        self._thread.start()
        self._server.up.wait(ENDS_WITHIN)
        note(f"HTTP: http://{path.host}:{self.port}/params")
        if away:
            note(f"HTTP: others need -H 'Authorization: Bearer {self.token}', and nothing is encrypted")

    def close(self) -> None:
        """Answer no more."""
        self._server.should_exit = True
        self._thread.join(ENDS_WITHIN)
        self._socket.close()

    def _config(self) -> uvicorn.Config:
        return uvicorn.Config(
            self._guard,
            http=careful(),
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=16 << 10,
        )

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        except Exception as error:  # noqa: BLE001 - the stream goes on without it
            log.warning("--control http ended: %s", reason(error))
        finally:
            self._server.up.set()

    def _app(self) -> Starlette:
        rest = Rest(cast(Any, self._rooms), self._kept, lambda path: path)
        routes = [_here(each) for each in rest.routes() if each.path.removeprefix(f"{PREFIX}/") in SERVED]
        more: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
            ("GET", "/healthz", self._health),
            ("GET", "/readyz", self._ready),
            ("GET", "/metrics", self._metrics),
            ("GET", "/status", self._status),
            ("GET", "/cue", self._cue),
            ("POST", "/cue", self._go),
            ("POST", "/tap", self._tap),
            ("POST", "/midi/learn", self._learn),
            ("GET", "/schema/params", self._schema),
            ("GET", "/openapi.json", self._described),
        ]
        made = [Route(path, handler, methods=[method]) for method, path, handler in more]
        return Starlette(routes=[*routes, *made], exception_handlers={HTTPException: _http})

    # --- what only a run has

    async def _health(self, request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def _ready(self, request: Request) -> Response:
        return PlainTextResponse("ready\n") if self._desk.ready else PlainTextResponse("loading\n", 503)

    async def _metrics(self, request: Request) -> Response:
        self._rooms.backend.ready = self._desk.ready
        text = as_prometheus(cast(Any, self._rooms), self._guard)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    async def _status(self, request: Request) -> Response:
        doing = await asyncio.to_thread(self._desk.doing)
        said = {"state": doing.state, "text": doing.text, "fps": round(doing.fps, 2)}
        revision = self._desk.values().revision
        return JSONResponse({**said, "latency_ms": round(doing.latency_ms, 1), "revision": revision})

    async def _cue(self, request: Request) -> Response:
        return await self._did(self._desk.cue)

    async def _go(self, request: Request) -> Response:
        """``{"go": "next"}``, ``"back"`` or a number; nothing is the next. ``{"tempo": 96}`` as well."""
        body = await _body(request)
        if isinstance(body, Response):
            return body
        if not isinstance(body, dict) or not body.keys() <= {"go", "tempo"}:
            return refusal(422, "setting", 'expected {"go": "next"}, "back" or a number, or {"tempo": 96}', "go")

        def work() -> dict[str, Any]:
            if "tempo" in body:
                self._desk.command("tempo", [body["tempo"]], "http")
            go = body.get("go", None if "tempo" in body else "next")
            if go in ("next", "back"):
                self._desk.command(f"cue/{go}", [], "http")
            elif go is not None:
                self._desk.command("cue/go", [go], "http")
            return self._desk.cue()

        return await self._did(work)

    async def _tap(self, request: Request) -> Response:
        def work() -> dict[str, Any]:
            self._desk.command("tap", [], "http")
            return self._desk.cue()

        return await self._did(work)

    async def _learn(self, request: Request) -> Response:
        """``{"address": "drawing_influence"}``: what the MIDI control is for that was moved last."""
        body = await _body(request)
        if isinstance(body, Response):
            return body
        address = body.get("address") if isinstance(body, dict) else None
        if not isinstance(address, str) or not address:
            return refusal(422, "setting", 'expected {"address": "drawing_influence"}', "address")
        self._desk.touched(address.strip("/"), "name")
        return JSONResponse({}, 202)

    async def _schema(self, request: Request) -> Response:
        return JSONResponse(schema())

    async def _described(self, request: Request) -> Response:
        return JSONResponse(openapi())

    async def _did(self, work: Callable[[], dict[str, Any]]) -> Response:
        try:
            return JSONResponse(await asyncio.to_thread(work))
        except Refused as error:
            return refusal(422, error.code, str(error), error.field)
        except ConfigError as error:
            return refusal(422, "setting", str(error), "go")
        except InkstreamError as error:
            return refusal(409, getattr(error, "code", "failed"), str(error))


def openapi() -> dict[str, Any]:
    """What is served, as OpenAPI 3.1: the studio's description, of the one stream."""
    made = deepcopy(described())
    served = [each.replace(":int", "") for each in SERVED]
    paths: dict[str, Any] = {}
    for path, calls in made["paths"].items():
        short = path.removeprefix(f"{PREFIX}/")
        if short in served or short in ("render.jpg", "render.png", "render.ora"):
            for call in calls.values():
                call["parameters"] = [each for each in call.get("parameters", ()) if each["name"] != "session"]
            paths[f"/{short}"] = calls
        elif path in ("/healthz", "/readyz", "/metrics", "/schema/params"):
            paths[path] = calls
    answer = {"200": {"description": "done"}, "409": {"description": "not now"}, "422": {"description": "refused"}}
    go = {"type": "object", "properties": {"go": {"type": ["string", "integer"]}, "tempo": {"type": "number"}}}
    body = {"content": {"application/json": {"schema": go}}}
    paths["/status"] = {"get": {"summary": "What it is doing.", "responses": {"200": answer["200"]}}}
    paths["/cue"] = {
        "get": {"summary": "Which cue is on.", "responses": answer},
        "post": {"summary": "Go to another cue.", "requestBody": body, "responses": answer},
    }
    paths["/tap"] = {"post": {"summary": "Tap the tempo.", "responses": answer}}
    paths["/midi/learn"] = {"post": {"summary": "What the MIDI control is for that was moved.", "responses": answer}}
    made["paths"], made["info"]["title"] = paths, "inkstream run"
    return made


def _here(route: Route) -> Route:
    """A route of the studio's sessions, for the one that there is."""

    async def answer(request: Request) -> Response:
        request.scope["path_params"] = {**request.path_params, "session": NAME}
        return await route.endpoint(Request(request.scope, request.receive))

    methods = [each for each in route.methods or () if each != "HEAD"]
    return Route(route.path.removeprefix(PREFIX), answer, methods=methods)


async def _body(request: Request) -> Any:
    """What JSON says, nothing is an empty mapping; or the answer to what is none, or too much, or does not come."""
    try:
        async with asyncio.timeout(BODY_WITHIN):
            return json.loads(await request.body() or b"{}")
    except (ValueError, RecursionError):
        return refusal(422, "setting", "got something else, expected JSON")
    except TooLarge as error:
        return refusal(413, "too_much", str(error))
    except TimeoutError:
        return refusal(413, "too_much", f"got no whole body within {BODY_WITHIN:g} s, expected one")


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refusal(error.status_code, "unknown", str(error.detail))


class _Uvicorn(uvicorn.Server):
    """Says when it is up. Signals are left to the main thread, where this one never runs."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.up.set()


KIND = Kind(
    "HTTP: settings and commands for scripts (needs inkstream[studio])",
    ("http:7860", "http:0.0.0.0:7860"),
    {"path": Option(place, "PORT|HOST:PORT", "where it listens; else this computer alone reaches it")},
    Http,
)
