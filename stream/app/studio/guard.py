"""Who is let in: checked before anything is answered, and the same for every path.

A page of another site can make a browser ask for anything here, and with a name that is made to lead to this computer
(DNS rebinding) it even looks like its own site. So the Host must be one that this server is called by, and an Origin,
where there is one, the server's own: for sockets, which no CORS covers, as for everything else.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_SOCKETS = 128
MOST_BODY = 20 << 20  # bytes, of an upload
MOST_JSON = 256 << 10
OPEN = re.compile(r"/(healthz|readyz|about|view/.*|page/.*|s/[0-9a-zA-Z_-]*|ca\.pem|favicon\.ico|)")  # need no token
CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "font-src 'self'",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = [
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
]


class TooLarge(Exception):
    """A body has more bytes than may be sent."""


class Guard:
    """Around an ASGI app. ``hosts`` are the names this server is called by, without a port; ``token`` is needed for
    everything but pages and what viewers see, empty: none is.
    """

    def __init__(self, app: App, hosts: set[str], token: str = "", most_sockets: int = MOST_SOCKETS) -> None:
        self.sockets = 0
        self.refused = 0
        self._app, self._hosts, self._token, self._most_sockets = (
            app,
            {each.lower() for each in hosts},
            token,
            most_sockets,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name: value for name, value in scope["headers"] if name in (b"host", b"origin", b"authorization")}
        counted = [name for name, _ in scope["headers"]]
        host, origin = headers.get(b"host", b"").decode("latin-1"), headers.get(b"origin")
        if counted.count(b"host") != 1 or _name(host) not in self._hosts:
            why = f"got the host {host[:80]!r}, expected one that this server is called by; start it with --host NAME"
            await self._refuse(scope, receive, send, 403, "host", why)
        elif origin is not None and not self._is_ours(scope, origin.decode("latin-1"), host):
            await self._refuse(
                scope, receive, send, 403, "origin", "got a page of another site, expected one of this server"
            )
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        elif self._token and not OPEN.fullmatch(scope["path"]) and not self._is_let_in(headers.get(b"authorization")):
            why = "expected Authorization: Bearer TOKEN, with the token of the address that the server printed"
            await self._refuse(scope, receive, send, 401, "token", why)
        else:
            await self._app(scope, _bounded(scope, receive), _with_headers(send))

    def knows(self, token: str | None) -> bool:
        """Whether a token lets in; where none is needed, anything does."""
        return not self._token or hmac.compare_digest((token or "").encode(), self._token.encode())

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.sockets >= self._most_sockets:
            why = f"{self._most_sockets} sockets are open already; close a page, or try again later"
            await self._refuse(scope, receive, send, 503, "too_much", why)
            return
        self.sockets += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self.sockets -= 1

    def _is_ours(self, scope: Scope, origin: str, host: str) -> bool:
        scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
        return origin.lower() == f"{scheme}://{host}".lower()

    def _is_let_in(self, said: bytes | None) -> bool:
        scheme, _, token = (said or b"").decode("latin-1").partition(" ")
        return scheme.lower() == "bearer" and self.knows(token.strip())

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, status: int, code: str, text: str) -> None:
        self.refused += 1
        body = json.dumps({"code": code, "field": "", "text": text}).encode()
        prefix = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
        if scope["type"] == "websocket":
            await receive()  # the wish to connect
            if "websocket.http.response" not in scope.get("extensions", {}):
                await send({"type": "websocket.close", "code": 1008})  # which is a 403 then
                return
        length = (b"content-length", str(len(body)).encode())
        headers = [(b"content-type", b"application/json"), length, *HEADERS]
        await send({"type": f"{prefix}.start", "status": status, "headers": headers})
        await send({"type": f"{prefix}.body", "body": body})


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]@/\s]+)(?::\d{1,5})?", host)
    return found[1].lower() if found else ""


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            had = {name for name, _ in message.get("headers", ())}
            more = [(name, value) for name, value in HEADERS if name not in had]
            message = {**message, "headers": [*message.get("headers", ()), *more]}
        await send(message)

    return sending


def _bounded(scope: Scope, receive: Receive) -> Receive:
    """Bodies end where they are too large, whatever their length says."""
    most = MOST_BODY if scope["path"].endswith("/images") else MOST_JSON
    got = 0

    async def receiving() -> Message:
        nonlocal got
        message = await receive()
        if message["type"] == "http.request":
            got += len(message.get("body", b""))
            if got > most:
                raise TooLarge(f"got a body of more than {most:,} bytes, expected less")
        return message

    return receiving
