"""Bodies of requests: what page and script may ask for has the same fields and limits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from .messages import Number


class Body(BaseModel):
    """The body of a request, in JSON."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True)


class Freeze(Body):
    """Keep the picture as it is, whatever is drawn, or go on."""

    frozen: bool = True


class Seed(Body):
    """Another seed."""

    seed: Annotated[int, Field(ge=0, le=2**53)] | None = None
    """None draws one."""


class OfMoment(Body):
    """A picture."""

    moment: Number | None = None
    """Of the history; None: the newest."""


class Rewind(Body):
    """Go back to the settings of a moment of the history."""

    moment: Number


class Finish(OfMoment):
    """Make the still at its best of a picture."""

    scale: Literal[1, 2, 4] = 2
    steps: Annotated[int, Field(ge=1, le=50)] | None = None
