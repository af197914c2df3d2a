"""For streamers: renders go to a virtual camera, and the window is for you.

python examples/streamer.py "screen:region=0,0,1080,1080"
"""

import sys

from inkstream.stream import Session, Stream, load_config


def main(
    source: str = "screen:pick", *, sinks: tuple[str, ...] = ("virtualcam:fps=30", "window"), frames: int | None = None
):
    config = load_config("ink-tiny")
    stream = Stream.from_pretrained(config.model, config.stream)
    session = Session(source, stream, list(sinks))
    session.run(frames=frames)
    return session.summary()


if __name__ == "__main__":
    main(*sys.argv[1:])
