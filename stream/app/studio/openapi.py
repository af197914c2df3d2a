"""What the server can be asked, as OpenAPI 3.1: from the same models that check it."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any, NamedTuple

from pydantic import BaseModel, TypeAdapter

from ...base.config import StreamConfig
from . import bodies
from .images import KINDS
from .messages import FROM_PAGE, ToPage

JSON, TEXT = "application/json", "text/plain"
SESSION = ("session", "path", {"type": "string", "pattern": "^[0-9a-f]{32}$"})
VIEW = ("view", "path", {"type": "string"})
MOMENT = ("moment", "path", {"type": "integer", "minimum": 0})
SIDE = ("side", "query", {"type": "integer", "minimum": 16, "maximum": 4096})
HISTORY = (
    ("before", "query", {"type": "integer", "minimum": 0}),
    ("count", "query", {"type": "integer", "minimum": 1, "maximum": 500}),
)


class Call(NamedTuple):
    """One thing that can be asked."""

    method: str
    path: str
    about: str
    answers: dict[int, str]
    """Status -> type of the body; empty: there is none."""
    also: tuple[tuple[str, str, dict[str, Any]], ...] = ()
    """Parameters: name, where it is said, schema."""
    body: type[BaseModel] | str = ""
    """A model, the name of a schema, or a type of bytes."""


_ONE = "/sessions/{session}"
CALLS = (
    Call("get", "/healthz", "Whether the server is alive.", {200: TEXT}),
    Call("get", "/readyz", "Whether a model is loaded.", {200: TEXT, 503: TEXT}),
    Call("get", "/metrics", "What is measured, for Prometheus.", {200: TEXT}),
    Call("get", "/about", "Version, model, and whether a token is needed.", {200: JSON}),
    Call("get", "/schema/params", "JSON Schema of the settings.", {200: JSON}),
    Call("get", "/schema/messages", "JSON Schema of what is said by the socket.", {200: JSON}),
    Call("post", "/sessions", "Begin a new drawing.", {201: JSON, 503: JSON}),
    Call("get", _ONE, "What it is doing.", {200: JSON}, (SESSION,)),
    Call("delete", _ONE, "Remove the drawing, for good.", {204: ""}, (SESSION,)),
    Call("get", f"{_ONE}/params", "All settings.", {200: JSON}, (SESSION,)),
    Call(
        "patch",
        f"{_ONE}/params",
        "Change settings by a merge patch: all or nothing. 202: they are being prepared.",
        {200: JSON, 202: JSON, 422: JSON},
        (SESSION,),
        "Settings",
    ),
    Call("post", f"{_ONE}/freeze", "Keep the picture, or go on.", {200: JSON}, (SESSION,), bodies.Freeze),
    Call("post", f"{_ONE}/seed", "Another seed.", {200: JSON}, (SESSION,), bodies.Seed),
    Call("post", f"{_ONE}/keep", "Keep a picture in files.", {202: JSON, 409: JSON}, (SESSION,), bodies.OfMoment),
    Call("post", f"{_ONE}/rewind", "Go back to a moment.", {202: JSON, 404: JSON}, (SESSION,), bodies.Rewind),
    Call("post", f"{_ONE}/undo", "Undo the newest operation.", {200: JSON, 409: JSON}, (SESSION,)),
    Call("post", f"{_ONE}/redo", "Redo what was undone last.", {200: JSON, 409: JSON}, (SESSION,)),
    Call("post", f"{_ONE}/finish", "Make the still at its best.", {202: JSON, 409: JSON}, (SESSION,), bodies.Finish),
    Call("post", f"{_ONE}/cancel", "End finishing.", {202: JSON}, (SESSION,)),
    Call("get", f"{_ONE}/render.jpg", "The newest render.", {200: "image/jpeg", 409: JSON}, (SESSION, SIDE)),
    Call("get", f"{_ONE}/render.png", "With its recipe.", {200: "image/png", 409: JSON}, (SESSION, SIDE)),
    Call("get", f"{_ONE}/render.ora", "In layers.", {200: "image/openraster", 409: JSON}, (SESSION,)),
    Call("get", f"{_ONE}/sketch.png", "What it was rendered from.", {200: "image/png", 409: JSON}, (SESSION, SIDE)),
    Call("get", f"{_ONE}/document", "The operations, a line each.", {200: "application/x-ndjson"}, (SESSION,)),
    Call("get", f"{_ONE}/history", "The last minutes, the newest first.", {200: JSON}, (SESSION, *HISTORY)),
    Call(
        "get", f"{_ONE}/history/{{moment}}.jpg", "One of them.", {200: "image/jpeg", 404: JSON}, (SESSION, MOMENT, SIDE)
    ),
    Call(
        "get",
        f"{_ONE}/history/{{moment}}-sketch.jpg",
        "What it was rendered from.",
        {200: "image/png", 404: JSON},
        (SESSION, MOMENT, SIDE),
    ),
    Call(
        "post",
        f"{_ONE}/images",
        "Upload a picture.",
        {201: JSON, 413: JSON, 415: JSON, 507: JSON},
        (SESSION,),
        "image/*",
    ),
    Call("get", f"{_ONE}/images/{{image}}", "It.", {200: "image/*"}, (SESSION, ("image", "path", {"type": "string"}))),
    Call("get", f"{_ONE}/kept", "Names of pictures that were kept.", {200: JSON}, (SESSION,)),
    Call("get", f"{_ONE}/kept/{{name}}", "One.", {200: "image/*"}, (SESSION, ("name", "path", {"type": "string"}))),
    Call("get", "/view/{view}.jpg", "For viewers.", {200: "image/jpeg"}, (VIEW,)),
    Call("get", "/view/{view}.svg", "Their address as a QR code.", {200: "image/svg+xml"}, (VIEW,)),
)
FAULTS = {
    401: "token",
    403: "host or origin",
    404: "unknown",
    409: "not now",
    422: "setting",
    500: "failed",
    503: "full",
}


@cache
def described() -> dict[str, Any]:
    """The document."""
    paths: dict[str, dict[str, Any]] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method] = _operation(call)
    models = [each.body for each in CALLS if not isinstance(each.body, str)]
    schemas = {model.__name__: _plain(model.model_json_schema()) for model in models}
    error = {"type": "object", "properties": {name: {"type": "string"} for name in ("code", "field", "text")}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "inkstream studio", "version": version("inkstream")},
        "paths": paths,
        "components": {
            "schemas": {**schemas, **_settings(), "Error": error},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}, {}],
    }


@cache
def messages_schema() -> dict[str, Any]:
    """JSON Schema of all messages: ``from_page``, ``to_page``."""
    to_page: TypeAdapter[Any] = TypeAdapter(ToPage)
    return {"from_page": FROM_PAGE.json_schema(), "to_page": to_page.json_schema(mode="serialization")}


def as_markdown() -> str:
    """All calls as a table, for the page on the protocol."""
    lines = ["| | | answers |", "|---|---|---|"]
    for call in CALLS:
        body = call.body if isinstance(call.body, str) else "{" + ", ".join(call.body.model_fields) + "}"
        asked = [name for name, where, _ in call.also if where == "query"]
        path = call.path + ("?" + "&".join(f"{name}=" for name in asked) if asked else "")
        sent = {"": "", "Settings": " with a merge patch", "image/*": " with a file"}.get(body, f" `{body}`")
        lines.append(f"| `{call.method.upper()} {path}`{sent} | {call.about} | {', '.join(map(str, call.answers))} |")
    return "\n".join(lines)


def _operation(call: Call) -> dict[str, Any]:
    made: dict[str, Any] = {"summary": call.about, "operationId": f"{call.method} {call.path}"}
    if call.also:
        made["parameters"] = [
            {"name": name, "in": where, "required": where == "path", "schema": each} for name, where, each in call.also
        ]
    if call.body == "image/*":
        content = {kind: {"schema": {"type": "string", "format": "binary"}} for _, kind in KINDS.values()}
        made["requestBody"] = {"required": True, "content": content}
    elif call.body:
        name = call.body if isinstance(call.body, str) else call.body.__name__
        needed = isinstance(call.body, str) or any(each.is_required() for each in call.body.model_fields.values())
        content = {JSON: {"schema": {"$ref": f"#/components/schemas/{name}"}}}
        made["requestBody"] = {"required": needed, "content": content}
    faults = [number for number in FAULTS if number not in call.answers]
    answers = {**call.answers, **dict.fromkeys(faults, JSON)}
    made["responses"] = {str(number): _answer(number, kind) for number, kind in sorted(answers.items())}
    return made


def _answer(number: int, kind: str) -> dict[str, Any]:
    about = FAULTS.get(number, "done" if number < 300 else "refused")
    if not kind:
        return {"description": about}
    what: dict[str, Any] = {"$ref": "#/components/schemas/Error"} if number >= 400 and kind == JSON else {}
    return {"description": about, "content": {kind: {"schema": what}}}


def _settings() -> dict[str, Any]:
    """A merge patch of the settings: any of them, or null."""
    made = StreamConfig.model_json_schema(ref_template="#/components/schemas/{model}")
    fields = {name: {"anyOf": [field, {"type": "null"}]} for name, field in made["properties"].items()}
    patch = {"type": "object", "properties": fields, "additionalProperties": False}
    return {"Settings": patch, **made.get("$defs", {})}


def _plain(made: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in made.items() if name != "$defs"}
