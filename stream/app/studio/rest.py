"""What scripts ask for, and pages fetch: settings, pictures, uploads. ``api`` describes all of it for OpenAPI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from ...base.errors import FrameError, InkstreamError
from ...base.plain import one_line, reason
from . import bodies
from .backend import Full, LiveSession, NotNow
from .drawing import DrawingBusy, DrawingFull
from .guard import Scope, TooLarge, bearer
from .images import ImagesFull, put_image, the_image
from .room import Room
from .rooms import Rooms, Unknown
from .settings import Refused
from .sharing import qr_picture

WAIT = 5.0  # seconds for a change to be made; then it goes on, and 202 is answered
BODY_WITHIN = 30.0  # seconds
TYPES = {"jpg": "image/jpeg", "png": "image/png", "ora": "image/openraster", "sketch": "image/png"}
Handler = Callable[[Request], Awaitable[Response]]
Who = Callable[[Scope, str], str]  # whom quotas are of, by a request and its token


class Rest:
    """Answers requests about sessions. ``kept`` is the folder of kept pictures, ``address`` makes whole addresses.
    ``who`` says whom quotas are of.
    """

    def __init__(
        self, rooms: Rooms, kept: Path, address: Callable[[str], str], who: Who = lambda scope, token: ""
    ) -> None:
        self._rooms, self._kept, self._address, self._who_is = rooms, kept, address, who

    def routes(self) -> list[Route]:
        """For the app."""
        one = "/sessions/{session}"
        posts = ("freeze", "seed", "keep", "rewind", "undo", "redo", "finish", "cancel")
        return [
            Route("/sessions", _safe(self._make), methods=["POST"]),
            Route(one, _safe(_either(self._status, DELETE=self._remove)), methods=["GET", "DELETE"]),
            Route(f"{one}/params", _safe(_either(self._params, PATCH=self._change)), methods=["GET", "PATCH"]),
            *(Route(f"{one}/{name}", _safe(getattr(self, f"_{name}")), methods=["POST"]) for name in posts),
            Route(f"{one}/render.{{what}}", _safe(self._picture), methods=["GET"]),
            Route(f"{one}/sketch.png", _safe(self._sketch), methods=["GET"]),
            Route(f"{one}/document", _safe(self._document), methods=["GET"]),
            Route(f"{one}/history", _safe(self._history), methods=["GET"]),
            Route(f"{one}/history/{{moment:int}}.jpg", _safe(self._moment), methods=["GET"]),
            Route(f"{one}/history/{{moment:int}}-sketch.jpg", _safe(self._moment), methods=["GET"]),
            Route(f"{one}/images", _safe(self._put_image), methods=["POST"]),
            Route(f"{one}/images/{{image}}", _safe(self._image), methods=["GET"]),
            Route(f"{one}/kept", _safe(self._list_kept), methods=["GET"]),
            Route(f"{one}/kept/{{name}}", _safe(self._get_kept), methods=["GET"]),
            Route("/view/{view}.jpg", _safe(self._viewed), methods=["GET"]),
            Route("/view/{view}.svg", _safe(self._code), methods=["GET"]),
        ]

    # --- sessions

    async def _make(self, request: Request) -> Response:
        who = self._who(request)
        room = await self._rooms.make(who)
        await self._awake(room, who)
        about = {"session": room.session, "view": room.view}
        places = {"address": self._address(f"/s/{room.session}"), "viewers": self._address(f"/view/{room.view}")}
        return JSONResponse({**about, **places}, 201)

    async def _status(self, request: Request) -> Response:
        room = await self._room(request)
        if room.live is not None:
            room.heard(await asyncio.to_thread(room.live.doing))
        about = {"session": room.session, "view": room.view, "revision": room.drawing.revision}
        return JSONResponse({**about, **room.status.model_dump(exclude={"type"})})

    async def _remove(self, request: Request) -> Response:
        await self._rooms.remove(request.path_params["session"])
        return Response(status_code=204)

    async def _params(self, request: Request) -> Response:
        return JSONResponse((await self._live(request)).values().values)

    async def _change(self, request: Request) -> Response:
        live = await self._live(request)
        patch = await _json(request, b"")
        if not isinstance(patch, dict):
            raise Refused("setting", f"got {type(patch).__name__}, expected a mapping of settings")
        await self._rooms.moderation.check(patch)
        loop = asyncio.get_running_loop()
        made: asyncio.Future[str] = loop.create_future()

        def done(why: str) -> None:
            loop.call_soon_threadsafe(lambda: made.done() or made.set_result(why))

        live.change(patch, done)
        try:
            async with asyncio.timeout(WAIT):
                why = await made
        except TimeoutError:
            return JSONResponse(live.values().values, 202)
        if why:
            raise Refused("setting", why, next(iter(patch), ""))
        return JSONResponse(live.values().values)

    # --- what can be asked for

    async def _freeze(self, request: Request) -> Response:
        live, body = await self._live(request), await _body(request, bodies.Freeze)
        live.freeze(body.frozen)
        return JSONResponse({"frozen": body.frozen})

    async def _seed(self, request: Request) -> Response:
        live, body = await self._live(request), await _body(request, bodies.Seed)
        return JSONResponse({"seed": live.seed(body.seed)})

    async def _keep(self, request: Request) -> Response:
        live, body = await self._live(request), await _body(request, bodies.OfMoment)
        await asyncio.to_thread(live.keep, body.moment)
        return JSONResponse({}, 202)

    async def _rewind(self, request: Request) -> Response:
        live, body = await self._live(request), await _body(request, bodies.Rewind)
        await asyncio.to_thread(live.rewind, body.moment)
        return JSONResponse({}, 202)

    async def _undo(self, request: Request) -> Response:
        return JSONResponse({"of": (await self._room(request)).step("undo")})

    async def _redo(self, request: Request) -> Response:
        return JSONResponse({"of": (await self._room(request)).step("redo")})

    async def _finish(self, request: Request) -> Response:
        live, body = await self._live(request), await _body(request, bodies.Finish)
        await asyncio.to_thread(live.finish, body.moment, body.scale, body.steps)
        return JSONResponse({}, 202)

    async def _cancel(self, request: Request) -> Response:
        (await self._live(request)).cancel()
        return JSONResponse({}, 202)

    # --- pictures

    async def _picture(self, request: Request) -> Response:
        what = request.path_params["what"]
        if what not in ("jpg", "png", "ora"):
            raise Unknown(f"got render.{what[:20]}, expected render.jpg, render.png or render.ora")
        return await _file(await self._live(request), what, None, _side(request))

    async def _sketch(self, request: Request) -> Response:
        return await _file(await self._live(request), "sketch", None, _side(request))

    async def _moment(self, request: Request) -> Response:
        what = "sketch" if request.url.path.endswith("-sketch.jpg") else "jpg"
        return await _file(await self._live(request), what, request.path_params["moment"], _side(request))

    async def _viewed(self, request: Request) -> Response:
        room = await self._rooms.seen(request.path_params["view"])
        if room.live is None:
            raise NotNow("no_picture", "there is no picture yet; somebody has to draw")
        return await _file(room.live, "jpg", None, None)

    async def _code(self, request: Request) -> Response:
        room = await self._rooms.seen(request.path_params["view"])
        address = str(request.url.replace(path=f"/view/{room.view}", query=""))
        return Response(qr_picture(address), media_type="image/svg+xml", headers={"cache-control": "no-store"})

    async def _document(self, request: Request) -> Response:
        _, lines = (await self._room(request)).drawing.after(0)
        return Response(b"".join(line + b"\n" for line in lines), media_type="application/x-ndjson")

    async def _history(self, request: Request) -> Response:
        live = await self._live(request)
        before, count = _number(request, "before", 0, 2**53), _number(request, "count", 1, 500)
        return JSONResponse(await asyncio.to_thread(live.history, before, 60 if count is None else count))

    async def _put_image(self, request: Request) -> Response:
        room = await self._room(request)
        data = await _bytes(request)
        if not self._rooms.quotas.uploaded(self._who(request), len(data)):
            raise TooLarge("you have laid more pictures on drawings than one person may here; come again in an hour")
        found = await asyncio.to_thread(put_image, room.drawing.folder, data)
        return JSONResponse(found._asdict(), 201)

    async def _image(self, request: Request) -> Response:
        room = await self._room(request)
        path, kind = await asyncio.to_thread(the_image, room.drawing.folder, request.path_params["image"])
        return FileResponse(path, media_type=kind, headers={"cache-control": "private, max-age=31536000, immutable"})

    async def _list_kept(self, request: Request) -> Response:
        return JSONResponse((await self._room(request)).stored)

    async def _get_kept(self, request: Request) -> Response:
        room, name = await self._room(request), request.path_params["name"]
        stem = name.rpartition(".")[0].removesuffix("-input")
        if not any(each.rpartition(".")[0] == stem for each in room.stored):
            raise Unknown("there is no such picture among those that were kept of this drawing")
        path = self._kept / name
        if not path.is_file():
            raise Unknown(f"{one_line(name)} is not there any more")
        return FileResponse(path, filename=name)

    # --- how it finds them

    async def _room(self, request: Request) -> Room:
        return await self._rooms.get(request.path_params["session"])

    async def _live(self, request: Request) -> LiveSession:
        return await self._awake(await self._room(request), self._who(request))

    def _who(self, request: Request) -> str:
        return self._who_is(request.scope, bearer(request.headers.get("authorization", "")))

    async def _awake(self, room: Room, who: str) -> LiveSession:
        self._rooms.admit(room, who)
        return await room.waken()


def _either(otherwise: Handler, **handlers: Handler) -> Handler:
    """One path, asked for in several ways: so that the answer to any other says all that there are."""

    async def answering(request: Request) -> Response:
        return await handlers.get(request.method, otherwise)(request)

    return answering


def _safe(handler: Handler) -> Handler:
    """Whatever goes wrong is said in JSON, with the status that fits."""

    async def answering(request: Request) -> Response:
        try:
            return await handler(request)
        except Refused as error:
            return refusal(422, error.code, str(error), error.field)
        except NotNow as error:
            status = {"no_moment": 404, "failed": 503}.get(error.code, 409)
            return refusal(status, error.code, str(error))
        except Unknown as error:
            return refusal(404, "unknown", str(error))
        except (Full, DrawingBusy) as error:
            return refusal(503, "full", str(error))
        except (DrawingFull, ImagesFull) as error:
            return refusal(507, "document_full", str(error))
        except FrameError as error:
            return refusal(415, "picture", str(error))
        except TooLarge as error:
            return refusal(413, "too_much", str(error))
        except (InkstreamError, OSError) as error:
            return refusal(500, "failed", reason(error))

    return answering


def refusal(status: int, code: str, text: str, field: str = "") -> Response:
    """An error, as programs and people read it."""
    return JSONResponse({"code": code, "field": field, "text": text}, status)


async def _bytes(request: Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_WITHIN):
            return await request.body()
    except TimeoutError:
        raise TooLarge(f"got no whole body within {BODY_WITHIN:g} s, expected one") from None


async def _json(request: Request, otherwise: bytes = b"{}") -> Any:
    """The body; ``otherwise`` stands for one that is empty."""
    body = await _bytes(request)
    try:
        return json.loads(body or otherwise, parse_float=_number_of)
    except (ValueError, RecursionError) as error:
        raise Refused("setting", f"got {one_line(body[:40])}, expected JSON: {reason(error)}") from None


def _number_of(text: str) -> int | float:
    """JSON knows one kind of number: 1.0 is as whole as 1."""
    number = float(text)
    return int(number) if number.is_integer() else number


async def _body(request: Request, model: type[bodies.Body]) -> Any:
    try:
        return model.model_validate(await _json(request))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(each) for each in fault["loc"])
        raise Refused("setting", f"{field}: {fault['msg']}", field) from None


async def _file(live: LiveSession, what: str, moment: int | None, side: int | None) -> Response:
    data = await asyncio.to_thread(live.picture, what, moment, side)
    cache = "no-store" if moment is None else "private, max-age=3600"
    return Response(data, media_type=TYPES[what], headers={"cache-control": cache})


def _side(request: Request) -> int | None:
    return _number(request, "side", 16, 4096)


def _number(request: Request, name: str, least: int, most: int) -> int | None:
    said = request.query_params.get(name)
    if said is None:
        return None
    if not (said.isascii() and said.isdigit() and len(said) < 17 and least <= int(said) <= most):
        raise Refused("setting", f"{name}: got {said[:40]!r}, expected a whole number from {least} to {most}", name)
    return int(said)
