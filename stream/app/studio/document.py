"""The drawing: an ordered list of operations, of which pictures are made by whoever shows them.

An operation belongs to a *client* (one life of a page) and has a *number* that this client counts up from 1. Both
together are its name, ``client.number``; an operation that comes again under a name that is known changes nothing. The
server gives each a *revision*, which counts all operations of a drawing.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

UNIT = 16  # steps of a coordinate in one pixel of the paper
PRESSURE = 1023  # of a pen that is pressed as hard as it can be
MOST_POINTS = 4096  # of one operation
MOST_OPTIONS = 16
REACH = 1 << 20  # of any number in a list of points

Client = Annotated[str, Field(pattern=r"^[0-9a-z]{8,32}$")]
Name = Annotated[str, Field(pattern=r"^[0-9a-z]{8,32}\.[1-9][0-9]{0,9}$")]
LayerName = Annotated[str, Field(pattern=r"^[0-9a-z-]{1,32}$")]
Colour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Place = Annotated[float, Field(ge=-65536.0, le=65536.0)]
Length = Annotated[float, Field(gt=0.0, le=65536.0)]
Step = Annotated[int, Field(ge=-REACH, le=REACH)]
Class = Annotated[int, Field(ge=0, le=254)]
Instance = Annotated[int, Field(ge=0, le=65535)]
Steps = Annotated[list[Step], Field(max_length=4 * MOST_POINTS)]


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True, frozen=True, defer_build=True
    )


class _Op(_Part):
    number: int = Field(ge=1, le=10**9)
    """Counted by the client, from 1, without a gap."""


class _Points(_Op):
    points: Steps = []
    """Four numbers a point, each the difference to the point before (the first of a stroke: to 0): x and y in
    sixteenths of a pixel of the paper, pressure from 0 to 1023, time in milliseconds."""
    tilt: Annotated[list[Step], Field(max_length=2 * MOST_POINTS)] = []
    """Empty, or two numbers a point: how the pen leans to x and to y, in degrees, as differences."""

    @model_validator(mode="after")
    def _whole(self) -> Any:
        if len(self.points) % 4:
            raise ValueError(f"points: got {len(self.points)} numbers, expected four a point")
        if self.tilt and len(self.tilt) * 2 != len(self.points):
            raise ValueError(f"tilt: got {len(self.tilt)} numbers, expected two a point, or none")
        return self


class Begin(_Points):
    """A stroke begins; its name is the name of this operation."""

    op: Literal["begin"]
    layer: LayerName
    tool: Literal["pencil", "ink", "marker", "eraser"] = "ink"
    shape: Literal["free", "line", "ellipse", "rectangle"] = "free"
    """Of all but free the first point and the last one count."""
    colour: Colour = "#000000"
    size: Length = 4.0
    """Width at full pressure, in pixels of the paper."""
    opacity: Share = 1.0
    pen: bool = False
    """Whether pressure was felt; else it is 512 throughout, and means nothing."""
    of_class: Class | None = None
    """On a layer of labels: what is painted."""
    instance: Instance = 0
    """Which thing of that class; 0: no thing in particular."""
    options: Annotated[dict[str, float | bool | str], Field(max_length=MOST_OPTIONS)] = {}
    """What a page knows of its brush besides, so that it can draw it again: stabiliser, taper, symmetry."""


class Points(_Points):
    """A stroke goes on."""

    op: Literal["points"]
    of: Name


class End(_Op):
    """A stroke is complete; one that never is counts all the same."""

    op: Literal["end"]
    of: Name


class Mask(_Part):
    """Pixels of the paper, so that a fill is the same wherever it is drawn again."""

    x: int = Field(ge=0, le=65535)
    y: int = Field(ge=0, le=65535)
    width: int = Field(ge=1, le=8192)
    height: int = Field(ge=1, le=8192)
    bits: str = Field(max_length=65536, pattern=r"^[A-Za-z0-9+/]*={0,2}$")
    """One bit a pixel, rows one after the other, the highest bit first; deflated (zlib), in base64."""


class Fill(_Op):
    """An area in one colour, or of one class."""

    op: Literal["fill"]
    layer: LayerName
    x: Place
    y: Place
    colour: Colour = "#000000"
    opacity: Share = 1.0
    of_class: Class | None = None
    instance: Instance = 0
    tolerance: int = Field(32, ge=0, le=255)
    mask: Mask | None = None


class Image(_Op):
    """A picture that was uploaded lies on a layer; with ``of`` it is one that lies there already, and moves."""

    op: Literal["image"]
    layer: LayerName
    image: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    of: Name | None = None
    x: Place = 0.0
    y: Place = 0.0
    width: Length
    height: Length
    turn: float = Field(0.0, ge=-360.0, le=360.0)
    opacity: Share = 1.0


class Layer(_Op):
    """A layer is made, or what is named of one that there is changes."""

    op: Literal["layer"]
    layer: LayerName
    kind: Literal["sketch", "colour", "photo", "labels"] | None = None
    """A photo is a reference: it is seen on the page, and not rendered. It stays what it was made as."""
    title: Annotated[str, Field(max_length=80)] | None = None
    opacity: Share | None = None
    visible: bool | None = None
    locked: bool | None = None
    place: Annotated[int, Field(ge=0, le=63)] | None = None
    """0 is the lowest; by default a new one lies on top."""
    gone: bool | None = None


class Clear(_Op):
    """Nothing is on a layer any more, or on any."""

    op: Literal["clear"]
    layer: LayerName | None = None


class Paper(_Op):
    """Size and colour of the paper. What was drawn stays where it was."""

    op: Literal["paper"]
    width: int = Field(ge=64, le=8192)
    height: int = Field(ge=64, le=8192)
    colour: Colour = "#ffffff"


class Undo(_Op):
    """An operation does not count any more; of a stroke, all of it. What cannot be undone stays as it is."""

    op: Literal["undo"]
    of: Name


class Redo(_Op):
    """An operation that was undone counts again, in its old place."""

    op: Literal["redo"]
    of: Name


Op = Annotated[
    Begin | Points | End | Fill | Image | Layer | Clear | Paper | Undo | Redo,
    Field(discriminator="op"),
]
UNDOABLE = ("begin", "fill", "image", "layer", "clear", "paper")
OPS: TypeAdapter[Any] = TypeAdapter(Op, config=ConfigDict(defer_build=True))
