"""The WebSocket of a page: its messages, in order, and what becomes of each."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from ...base.errors import FrameError, InkstreamError
from ...base.plain import reason
from . import messages
from .backend import Full, NotNow
from .client import Client, Rate, Slow
from .document import MOST_POINTS
from .drawing import MOST_BYTES, DrawingFull
from .guard import MOST_BODY, Scope
from .messages import FROM_PAGE, PROTOCOL, Bye, Done, Hello, Limits, Refused
from .moderation import Moderation
from .room import Room
from .rooms import Rooms, Unknown
from .settings import Refused as SettingRefused

log = logging.getLogger(__name__)
MOST_TEXT = 256 << 10
MOST_PICTURE = 2 << 20
HELLO_WITHIN = 5.0  # seconds
TEXTS, PICTURES = 400.0, 120.0  # a second
LETTERS, LETTERS_AT_ONCE = 2e6, 8e6  # of texts, a second: a pen gives two thousand
LIMITS = Limits(
    text_bytes=MOST_TEXT,
    picture_bytes=MOST_PICTURE,
    upload_bytes=MOST_BODY,
    ops=messages.MOST_OPS,
    points=MOST_POINTS,
    document_bytes=MOST_BYTES,
)


class End(Exception):
    """The socket is closed: with a code, and what is said before."""

    def __init__(self, number: int, code: str, text: str, retry: float | None = None) -> None:
        super().__init__(text)
        self.number, self.bye = number, Bye(code=code, text=text, retry=retry)


class Door:
    """Answers sockets of pages. ``knows`` says whether a token lets in, ``server`` is this server's life, ``who`` says
    whom quotas are of.
    """

    def __init__(
        self, rooms: Rooms, knows: Callable[[str | None], bool], server: str, who: Callable[[Scope, str | None], str]
    ) -> None:
        self._rooms, self._knows, self._server, self._who = rooms, knows, server, who
        self._clients: dict[tuple[str, str], Client] = {}  # pages, by session and name

    async def answer(self, socket: WebSocket) -> None:
        """One socket, from its beginning to its end."""
        await socket.accept()
        try:
            hello = await self._hello(socket)
            who = self._who(socket.scope, hello.token)
            room = await self._room(hello, who)
            await self._serve(socket, hello, room, who)
        except End as end:
            await _close(socket, end.number, end.bye)
        except WebSocketDisconnect:
            return

    async def end(self) -> None:
        """Every page is told that the server ends, and comes again when there is one."""
        bye = Bye(code="restart", text="the server ends", retry=0.0)
        for room in list(self._rooms.open.values()):
            for client in room.everybody:
                client.end(1012, bye)

    async def _hello(self, socket: WebSocket) -> Hello:
        try:
            async with asyncio.timeout(HELLO_WITHIN):
                message = _read(await socket.receive())
        except TimeoutError:
            raise End(4408, "late", f"no hello came within {HELLO_WITHIN:g} s", 0.0) from None
        if not isinstance(message, Hello):
            raise End(4400, "garbage", "the first message must be hello")
        if message.protocol != PROTOCOL:
            expected = f"got protocol {message.protocol}, expected {PROTOCOL}; reload the page"
            raise End(4409, "protocol", expected)
        if message.role == "draw" and not self._knows(message.token):
            raise End(4401, "token", "got no token, or a wrong one; open the address that the server printed")
        return message

    async def _room(self, hello: Hello, who: str) -> Room:
        try:
            if hello.role == "view":
                return await self._rooms.seen(hello.session or "")
            return await (self._rooms.make(who) if hello.session is None else self._rooms.get(hello.session))
        except Unknown as error:
            raise End(4404, "unknown_session", str(error)) from None
        except Full as error:
            raise End(4503, "full", str(error), 5.0) from None
        except (InkstreamError, OSError) as error:
            raise End(4503, "full", reason(error), 5.0) from None

    async def _serve(self, socket: WebSocket, hello: Hello, room: Room, who: str) -> None:
        client = Client(hello.client, hello.role == "draw", socket.send_text, socket.send_bytes)
        key = (room.session, client.name)
        if client.draws and (before := self._clients.pop(key, None)) is not None:
            before.end(4410, Bye(code="replaced", text="the page came again by another socket"))
        await self._enter(room, client, hello, who)
        if client.draws:
            self._clients[key] = client
        reader = asyncio.create_task(_Reader(socket, room, client, self._rooms.moderation).run())
        writer = asyncio.create_task(client.run())
        try:
            done, _ = await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                error = task.exception()
                if isinstance(error, Slow):
                    raise End(4408, "late", "pictures were not acknowledged, so this page was left", 0.0)
                if error is not None:
                    raise error
            if client.farewell is not None:
                await _close(socket, *client.farewell)
            elif writer in done:
                raise End(4429, "too_much", "this page does not keep up; come again", 1.0)
        finally:
            room.leave(client)
            if self._clients.get(key) is client:
                del self._clients[key]
            for task in (reader, writer):
                task.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)

    async def _enter(self, room: Room, client: Client, hello: Hello, who: str) -> None:
        if client.draws and await room.failed():  # whoever comes again wants it tried again
            await room.park()
        try:
            if client.draws:
                self._rooms.admit(room, who)
                await room.waken()
            room.enter(client, hello.revision, self._server, LIMITS)
        except Full as error:
            raise End(4503, "full", str(error), 5.0) from None


class _Reader:
    """Reads one socket until it is closed, or what comes is no message."""

    def __init__(self, socket: WebSocket, room: Room, client: Client, moderation: Moderation) -> None:
        self._socket, self._room, self._client, self._moderation = socket, room, client, moderation
        self._texts, self._pictures, self._letters = Rate(TEXTS), Rate(PICTURES), Rate(LETTERS, LETTERS_AT_ONCE)

    async def run(self) -> None:
        """Raises End, or WebSocketDisconnect."""
        while True:
            received = await self._socket.receive()
            if received["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(received.get("code", 1005))
            data = received.get("bytes")
            few = self._letters.takes(len(received.get("text") or ""))
            if not few or not (self._texts if data is None else self._pictures).takes():
                raise End(4429, "too_much", "got more messages than a pen makes; come again more slowly", 1.0)
            if data is None:
                await self._message(_read(received))
            else:
                self._picture(data)

    def _picture(self, data: bytes) -> None:
        if not self._client.draws:
            self._refuse(None, "read_only", "viewers look on; who draws has another address")
            return
        try:
            self._room.incoming.take(self._client, data)
        except FrameError as error:
            self._refuse(None, "picture", str(error))

    async def _message(self, message: Any) -> None:
        request = getattr(message, "request", None)
        if isinstance(message, messages.Shown):
            self._client.shown(message.sequence)
        elif not self._client.draws or isinstance(message, Hello):
            self._refuse(request, "read_only", "viewers look on; who draws has another address")
        else:
            try:
                await self._do(message)
            except SettingRefused as error:
                self._refuse(request, error.code, str(error), error.field)
            except NotNow as error:
                self._refuse(request, error.code, str(error))
            except DrawingFull as error:
                self._refuse(request, "document_full", str(error))
            except (InkstreamError, OSError) as error:
                self._refuse(request, "failed", reason(error))

    async def _do(self, message: Any) -> None:
        room, client = self._room, self._client
        if isinstance(message, messages.Ops):
            room.add(client, message.client, message.ops)
            return
        live = await room.waken()
        result: dict[str, Any] = {}
        match message:
            case messages.Set():
                await self._moderation.check(message.changes)
                live.change(message.changes, self._answer(message.request))
                return
            case messages.Freeze():
                live.freeze(message.frozen)
            case messages.Keep():
                await asyncio.to_thread(live.keep, message.moment)
            case messages.Rewind():
                await asyncio.to_thread(live.rewind, message.moment)
            case messages.Seed():
                result["seed"] = live.seed(message.seed)
            case messages.Vary():
                await asyncio.to_thread(live.vary, message.request, message.count)
            case messages.Finish():
                await asyncio.to_thread(live.finish, message.moment, message.scale, message.steps)
            case messages.Cancel():
                live.cancel()
            case messages.Read():
                result = await asyncio.to_thread(live.read, message.text)
        client.say(Done(request=message.request, result=result))

    def _answer(self, request: int) -> Callable[[str], None]:
        """What tells the page how its change went, from any thread."""
        loop = asyncio.get_running_loop()

        def done(why: str) -> None:
            said = Refused(request=request, code="setting", text=why) if why else Done(request=request)
            loop.call_soon_threadsafe(self._client.say, said)

        return done

    def _refuse(self, request: int | None, code: str, text: str, field: str = "") -> None:
        self._client.say(Refused(request=request, code=code, field=field, text=text))


def _read(received: Any) -> Any:
    """The message in what came; raises End for anything else."""
    text = received.get("text")
    if received["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(received.get("code", 1005))
    if text is None:
        raise End(4400, "garbage", "got a picture, expected a message")
    if len(text) > MOST_TEXT:
        raise End(1009, "garbage", f"got a message of {len(text):,} characters, expected at most {MOST_TEXT:,}")
    try:
        return FROM_PAGE.validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(each) for each in fault["loc"])
        raise End(4400, "garbage", f"got no message of this protocol: {place}: {fault['msg']}"[:300]) from None


async def _close(socket: WebSocket, number: int, bye: BaseModel) -> None:
    try:
        async with asyncio.timeout(2.0):
            await socket.send_text(bye.model_dump_json())
            await socket.close(number)
    except (RuntimeError, TimeoutError, WebSocketDisconnect):  # it has gone already
        log.debug("a socket was gone before its end was said, at %s", time.strftime("%X"))
