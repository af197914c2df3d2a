"""For designers: draw in any program; the render appears in a window beside it.

python examples/designer.py "screen:window=Krita" "a matte green suv car, side view, on sand, sunset"
"""

import sys

from inkstream.stream import Session, Stream, load_config


def main(source: str = "screen:pick", prompt: str | None = None, *, sink: str = "window", frames: int | None = None):
    config = load_config("ink-tiny")
    stream = Stream.from_pretrained(config.model, config.stream.changed(prompt=prompt))
    session = Session(source, stream, [sink])
    session.run(frames=frames)
    return session.summary()


if __name__ == "__main__":
    main(*sys.argv[1:])
