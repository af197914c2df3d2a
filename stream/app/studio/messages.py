"""What page and server say to each other in text: JSON, one mapping a message, told apart by ``type``.

docs/studio-protocol.md says when each is said. Pictures go beside them, in binary: ``frames``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from .document import Client, Op

PROTOCOL = 1
MOST_OPS = 256  # of one message
MOST_CHANGES = 64
Session = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
Number = Annotated[int, Field(ge=0, le=2**53)]


class _Message(BaseModel):
    model_config = ConfigDict(
        extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True, frozen=True, defer_build=True
    )


# --- what a page says


class Hello(_Message):
    """The first message of a socket; until it came, nothing else is taken."""

    type: Literal["hello"]
    protocol: int
    client: Client
    """Drawn by the page when it is loaded; two tabs, and two loads of one, have different ones."""
    session: Session | None = None
    """The drawing to go on with; None begins a new one. A viewer gives the name that viewers have."""
    role: Literal["draw", "view"] = "draw"
    token: Annotated[str, Field(max_length=200)] | None = None
    revision: Number = 0
    """Of the drawing, as far as the page has it; 0: nothing."""


class Ops(_Message):
    """What was drawn. ``client`` may be an earlier one of the same page, whose last operations were not kept yet."""

    type: Literal["ops"]
    client: Client
    ops: Annotated[list[Op], Field(min_length=1, max_length=MOST_OPS)]


class Set(_Message):
    """Change settings: all of them, or none. A JSON merge patch (RFC 7396) of the settings."""

    type: Literal["set"]
    request: Number
    changes: Annotated[dict[str, Any], Field(max_length=MOST_CHANGES)]


class Shown(_Message):
    """A render was drawn; the next one may come."""

    type: Literal["shown"]
    sequence: Number


class Freeze(_Message):
    """Keep the picture as it is, whatever is drawn, or go on."""

    type: Literal["freeze"]
    request: Number
    frozen: bool


class Keep(_Message):
    """Keep a picture in files: PNG with its recipe, the sketch, and both as layers."""

    type: Literal["keep"]
    request: Number
    moment: Number | None = None
    """Of the history; None: the newest."""


class Rewind(_Message):
    """Go back to the settings of a moment of the history."""

    type: Literal["rewind"]
    request: Number
    moment: Number


class Seed(_Message):
    """Another seed; None draws one."""

    type: Literal["seed"]
    request: Number
    seed: Annotated[int, Field(ge=0, le=2**53)] | None = None


class Vary(_Message):
    """Try other settings on what is drawn; ``variant`` messages follow, each with a picture."""

    type: Literal["vary"]
    request: Number
    count: int = Field(6, ge=1, le=12)


class Finish(_Message):
    """Make the still at its best of a picture; the status says how far it is, ``saved`` where it is."""

    type: Literal["finish"]
    request: Number
    moment: Number | None = None
    scale: Literal[1, 2, 4] = 2
    steps: Annotated[int, Field(ge=1, le=50)] | None = None


class Cancel(_Message):
    """End finishing."""

    type: Literal["cancel"]
    request: Number


class Read(_Message):
    """Ask what the model makes of a prompt."""

    type: Literal["read"]
    request: Number
    text: Annotated[str, Field(max_length=2000)]


FromPage = Annotated[
    Hello | Ops | Set | Shown | Freeze | Keep | Rewind | Seed | Vary | Finish | Cancel | Read,
    Field(discriminator="type"),
]
FROM_PAGE: TypeAdapter[Any] = TypeAdapter(FromPage, config=ConfigDict(defer_build=True))


# --- what the server says


class Limits(_Message):
    """How much may be sent."""

    text_bytes: int
    picture_bytes: int
    upload_bytes: int
    ops: int
    points: int
    document_bytes: int


class Preset(_Message):
    """Settings under a name."""

    name: str
    purpose: str = ""
    changes: dict[str, Any] = {}
    """For ``set``; empty: this stream cannot take them."""
    why: str = ""
    """Why it cannot."""
    start: str = ""
    """What starts a program that can."""


class Offers(_Message):
    """What the model brings along; empty while it is being loaded, and said again then."""

    type: Literal["offers"] = "offers"
    model: str = ""
    words: list[str] = []
    """Those that it knows; empty: it takes any."""
    tags: dict[str, list[str]] = {}
    """Words that can stand in the same place of a prompt, by what they say."""
    styles: list[str] = []
    """Names for ``lora_dict``."""
    classes: list[dict[str, Any]] = []
    """Of the palette: ``number``, ``name``, ``colour``."""
    presets: list[Preset] = []


class Status(_Message):
    """What the session is doing; said when it changes, and every second while pictures come."""

    type: Literal["status"] = "status"
    state: Literal[
        "loading", "waiting", "warming", "live", "settling", "idle", "stalled", "reconnecting", "frozen", "failed"
    ]
    """For programs, and for texts in other languages. waiting: nothing was drawn yet."""
    text: str = ""
    """In people's words; empty: nothing needs to be said."""
    done: float | None = None
    """Of loading: which share, 0 to 1; None where nobody knows."""
    fps: float = 0.0
    latency_ms: float = 0.0
    notes: list[str] = []
    """What the model makes of the prompt, line by line."""
    frozen: bool = False
    moment: int = -1
    """The newest of the history; -1: there is none."""
    finishing: str = ""
    finished: float | None = None
    """Of finishing: which share is done; None: nothing is being finished."""
    pages: int = 0
    viewers: int = 0


class Settings(_Message):
    """All settings, as they are now; said to everybody after each change."""

    type: Literal["settings"] = "settings"
    revision: int
    values: dict[str, Any]
    request: int | None = None
    """Whose change that was, for the page that asked."""


class Welcome(_Message):
    """The answer to ``hello``."""

    type: Literal["welcome"] = "welcome"
    protocol: int = PROTOCOL
    session: str
    """Empty for viewers."""
    view: str
    """The name that viewers have for it: /view/NAME."""
    tag: str
    """Of the session in binary frames, 16 hexadecimal digits."""
    role: Literal["draw", "view"]
    revision: int
    """Of the drawing, on the server."""
    kept: int
    """The number of this client's last operation that is kept; 0: none is."""
    reset: bool
    """Whether the page must forget what it has, because ``ops`` come from the beginning."""
    width: int
    height: int
    """Of renders; a new drawing's paper has these."""
    canvas: bool = True
    """Whether what is drawn is rendered; else the pictures come from elsewhere, and a page sees and steers alone."""
    schema_url: str
    limits: Limits
    server: str
    """Drawn when the server starts: another one means that it was restarted."""


class Kept(_Message):
    """Operations of a client are on the disk, up to and with ``number``."""

    type: Literal["kept"] = "kept"
    client: str
    number: int
    revision: int


class Missing(_Message):
    """Operations came whose predecessors did not: send again from ``number`` on."""

    type: Literal["missing"] = "missing"
    client: str
    number: int


class Drawn(_Message):
    """Operations, in order: what a page lacks when it comes, and what other pages draw."""

    type: Literal["drawn"] = "drawn"
    ops: list[dict[str, Any]]
    """Each with ``client`` and ``revision`` beside what it has as an operation."""


class Took(_Message):
    """A picture of the drawing has been taken; the next one may come."""

    type: Literal["took"] = "took"
    sequence: int


class Done(_Message):
    """What was asked for is done, or has begun."""

    type: Literal["done"] = "done"
    request: int
    result: dict[str, Any] = {}


class Refused(_Message):
    """Something was not done, and nothing has changed."""

    type: Literal["refused"] = "refused"
    request: int | None = None
    code: str
    """For programs, and for texts in other languages; docs/studio-protocol.md lists them."""
    field: str = ""
    text: str
    """Got, expected, and what to do."""


class Variant(_Message):
    """One picture that was tried, or why there is none; its picture is a binary frame with ``of`` = ``index``."""

    type: Literal["variant"] = "variant"
    request: int
    index: int
    count: int
    label: str
    changes: dict[str, Any]
    """For ``set``, by whom wants to go on with it."""
    text: str = ""


class Saved(_Message):
    """A picture is in a file."""

    type: Literal["saved"] = "saved"
    name: str
    """Below /sessions/SESSION/kept/; with .png, -input.png and .ora. Empty: not saved, and ``text`` says why."""
    text: str
    finished: bool = False


class Notice(_Message):
    """Something that people should know, for a while."""

    type: Literal["notice"] = "notice"
    text: str
    good: bool = False


class Bye(_Message):
    """The last message before the server closes a socket."""

    type: Literal["bye"] = "bye"
    code: str
    text: str
    retry: float | None = None
    """Seconds after which it is worth to come again; None: not without another token, name or page."""


ToPage = (
    Welcome
    | Offers
    | Status
    | Settings
    | Kept
    | Missing
    | Drawn
    | Took
    | Done
    | Refused
    | Variant
    | Saved
    | Notice
    | Bye
)
