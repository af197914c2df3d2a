"""For engineers: where the time of a frame goes.

python examples/engineer.py
"""

import json

from inkstream.stream import Session, Stream, load_config


def main(config_name: str = "ink-tiny", frames: int = 100):
    config = load_config(config_name)
    stream = Stream.from_pretrained(config.model, config.stream)
    session = Session("demo:live=0", stream, ["null"])
    session.run(frames=frames)
    return session.summary()


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
