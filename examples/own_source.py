"""A source of your own is one method plus ``close``: here a bouncing ball, as line art.

python examples/own_source.py
"""

import cv2
import numpy as np

from inkstream.stream import Session, SourceEnded, Stream, load_config


class Ball:
    live = False  # it waits for the engine, and every frame is rendered

    def __init__(self, frames: int) -> None:
        self.frames, self.number = frames, 0

    def read(self) -> np.ndarray:
        if self.number == self.frames:
            raise SourceEnded("the ball has stopped")
        page = np.full((256, 256, 3), 255, np.uint8)
        height = int(60 + 100 * abs(np.cos(self.number / 8)))
        cv2.line(page, (0, 180), (255, 180), (0, 0, 0), 2, cv2.LINE_AA)
        cv2.circle(page, (40 + 3 * self.number % 180, height), 24, (0, 0, 0), 2, cv2.LINE_AA)
        self.number += 1
        return page

    def close(self) -> None:
        self.frames = self.number


def main(sink: str = "video:ball.mp4", frames: int = 120):
    config = load_config("ink-tiny")
    stream = Stream.from_pretrained(
        config.model, config.stream.changed(prompt="a landscape with the sea, sand, sunset")
    )
    session = Session(Ball(frames), stream, [sink])
    session.run()
    return session.summary()


if __name__ == "__main__":
    main()
