"""A paint program in miniature, for the latency bench: a program of its own, so that its time is not ours.

    python -m inkstream.bench._canvas TITLE SIDE

Each press of a mouse button turns the spot under the pointer from white to black, or back. For each it writes one line
to standard output when the spot is on the screen: the moment, in seconds of ``time.perf_counter``, which on Linux is
one clock for all programs.
"""

from __future__ import annotations

import sys
import time
from typing import Any

SPOT = 12  # half of its side in pixels


def main(title: str, side: int) -> None:
    """Until the window is closed, or the program ended."""
    import pygame

    pygame.display.init()
    pygame.display.set_caption(title)
    page = pygame.display.set_mode((side, side))
    page.fill((255, 255, 255))
    pygame.display.flip()
    print("ready", flush=True)
    while (event := pygame.event.wait()).type != pygame.QUIT:
        if event.type == pygame.MOUSEBUTTONDOWN:
            _turn(pygame, page, event.pos)
            print(time.perf_counter(), flush=True)
        elif event.type == pygame.WINDOWEXPOSED:
            pygame.display.flip()


def _turn(pygame: Any, page: Any, at: tuple[int, int]) -> None:
    white = page.get_at(at)[:3] == (255, 255, 255)
    spot = pygame.Rect(at[0] - SPOT, at[1] - SPOT, 2 * SPOT, 2 * SPOT)
    page.fill((0, 0, 0) if white else (255, 255, 255), spot)
    pygame.display.flip()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
