"""Who is let in: checked before anything is answered, and the same for every path.

A page of another site can make a browser ask for anything here, and with a name that is made to lead to this computer
(DNS rebinding) it even looks like its own site. So the Host must be one that this server is called by, and an Origin,
where there is one, the server's own: for sockets, which no CORS covers, as for everything else.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from .quotas import Quotas

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
    """Around an ASGI app. ``hosts`` are the names this server is called by, without a port. Where there is a ``token``,
    or ``users`` (token -> name), one is needed for everything but pages and what viewers see.
    """

    def __init__(
        self,
        app: App,
        hosts: set[str],
        token: str = "",
        most_sockets: int = MOST_SOCKETS,
        users: Mapping[str, str] | None = None,
        quotas: Quotas | None = None,
    ) -> None:
        self.sockets = 0
        self.refused = 0
        self._app, self._hosts, self._most_sockets = app, {each.lower() for each in hosts}, most_sockets
        self._tokens = {**(users or {}), **({token: ""} if token else {})}
        self._quotas = quotas or Quotas()

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
        elif self._tokens and not OPEN.fullmatch(scope["path"]) and not self._is_let_in(headers.get(b"authorization")):
            why = "expected Authorization: Bearer TOKEN, with the token of the address that the server printed"
            await self._refuse(scope, receive, send, 401, "token", why)
        else:
            await self._app(scope, _bounded(scope, receive), _with_headers(send))

    def knows(self, token: str | None) -> bool:
        """Whether a token lets in; where none is needed, anything does."""
        return self._user(token) is not None

    def who(self, address: str, token: str | None) -> str:
        """Whom quotas are of: whoever has a token of their own, else an address."""
        user = self._user(token)
        return f"user {user}" if user else address

    def _user(self, token: str | None) -> str | None:
        """The name that belongs to a token; empty: of everybody. None: it lets nobody in."""
        if not self._tokens:
            return ""
        said, found = (token or "").encode(), None
        for known, name in self._tokens.items():  # all of them, so that time tells nothing
            found = name if hmac.compare_digest(said, known.encode()) else found
        return found

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.sockets >= self._most_sockets:
            why = f"{self._most_sockets} sockets are open already; close a page, or try again later"
            await self._refuse(scope, receive, send, 503, "too_much", why)
            return
        address = address_of(scope)
        if not self._quotas.enter(address):
            why = f"{self._quotas.quota.sockets} pages of this address are open already; close one"
            await self._refuse(scope, receive, send, 503, "too_much", why)
            return
        self.sockets += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self.sockets -= 1
            self._quotas.leave(address)

    def _is_ours(self, scope: Scope, origin: str, host: str) -> bool:
        scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
        return origin.lower() == f"{scheme}://{host}".lower()

    def _is_let_in(self, said: bytes | None) -> bool:
        return self.knows(bearer((said or b"").decode("latin-1")))

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


def address_of(scope: Scope) -> str:
    """Where a request comes from; of a proxy on this computer, what that says."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def bearer(said: str) -> str:
    """The token of a header Authorization; empty: there is none."""
    scheme, _, token = said.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


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
