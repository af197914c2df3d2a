"""Every error a user can meet. A message says what was got, what was expected, and what to do next.

```text
InkstreamError
├── ConfigError          a setting is wrong (the command line exits with 2)
├── ModelError           a model, or a part of it, cannot be loaded or does not fit
│   ├── UnsafeWeightsError   a file format that can carry code
│   └── LoraError            a LoRA that does not fit, or is damaged
├── EngineError          the network gave no usable picture, or an engine cannot run (engines: PlanRefused, PlanUnfit)
│   └── MemoryFull           the device has no memory left; a smaller configuration may run
├── StreamClosed         a stream was asked for more after close()
├── DataError            pictures or pairs to train on are damaged, missing, or of no use
├── FrameError           one frame is unusable: it is counted and left out
├── SourceError
│   ├── SourceUnavailable    cannot be opened; the message holds a hint
│   ├── SourceLost           was open and went away; the session tries again
│   └── SourceEnded          no more frames will come; not a fault
└── SinkError
    ├── SinkUnavailable      cannot be opened, or failed for good; the other sinks go on
    └── SinkClosed           the user closed it; not a fault
```
"""

from __future__ import annotations

from .plain import one_line


class InkstreamError(Exception):
    """Root of all errors that inkstream raises on purpose.

    Each argument is one line of the message. Whatever names of files bring along, a line end or a terminal's escapes,
    is shown as an escape, so that no name looks like a message.
    """

    def __init__(self, *lines: object) -> None:
        super().__init__(*map(one_line, lines))

    def __str__(self) -> str:
        return "\n".join(self.args)

    def after(self, words: str) -> tuple[str, ...]:
        """Its lines, the first of them after ``words``: for an error that says more of the place."""
        first, *rest = self.args or ("",)
        return (f"{words}{first}", *rest)


class ConfigError(InkstreamError, ValueError):
    """A setting is wrong."""


class ModelError(InkstreamError):
    """A model cannot be loaded or does not fit."""


class UnsafeWeightsError(ModelError):
    """A weights file in a format that can carry code."""


class LoraError(ModelError):
    """A LoRA that does not fit the model, or is damaged."""


class EngineError(InkstreamError):
    """The network gave no usable picture, or an engine cannot run."""


class MemoryFull(EngineError):
    """The device has no memory left for the configuration."""


class StreamClosed(InkstreamError):
    """A stream was asked for more after it was closed; another one has to be made."""


class DataError(InkstreamError):
    """Pictures or pairs to train on are damaged, missing, or of no use."""


class FrameError(InkstreamError, ValueError):
    """One frame is unusable."""


class SourceError(InkstreamError):
    """A source of frames failed."""


class SourceUnavailable(SourceError):
    """A source cannot be opened."""


class SourceLost(SourceError):
    """A source that was open went away."""


class SourceEnded(SourceError):
    """No more frames will come."""


class SinkError(InkstreamError):
    """A sink failed."""


class SinkUnavailable(SinkError):
    """A sink cannot be opened, or failed for good."""


class SinkClosed(SinkError):
    """The user closed a sink."""
