"""Go through the source's scene: the mouse turns the eye, keys move it, while the render goes on."""

from __future__ import annotations

from typing import Any, NamedTuple

from ...base.frame import Output
from .tools import Reach

TURN = 1.6  # radians that a drag over the window's height turns
KEYS = {
    "orbit": "drag: go round   wheel: nearer   W A S D, E C: move   Space: stand still   Home: back   Esc: done",
    "fly": "drag: look round   wheel: ahead   W A S D, E C: fly   Home: back   Esc: done",
    "path": "drag: look round   wheel, W S: along the path   Space: stand still   Home: back   Esc: done",
}
# Key -> right, up, ahead. Letters by their places, so that they lie as on a US keyboard.
PUSHES = {
    "KSCAN_D": (1, 0, 0),
    "KSCAN_A": (-1, 0, 0),
    "KSCAN_E": (0, 1, 0),
    "KSCAN_C": (0, -1, 0),
    "KSCAN_W": (0, 0, 1),
    "KSCAN_S": (0, 0, -1),
    "KSCAN_RIGHT": (1, 0, 0),
    "KSCAN_LEFT": (-1, 0, 0),
    "KSCAN_UP": (0, 0, 1),
    "KSCAN_DOWN": (0, 0, -1),
}


class WalkView(NamedTuple):
    """What is said below the picture."""

    keys: str


class Walk:
    """Opens on the key W."""

    def __init__(self, reach: Reach) -> None:
        self.open = False
        self._reach = reach
        self._ways = {getattr(reach.pygame, name): way for name, way in PUSHES.items()}
        self._held: set[int] = set()  # keys that are down, by their places
        self._way = "orbit"

    @property
    def _camera(self) -> Any:
        return getattr(self._reach.controls, "camera", None)

    def toggle(self) -> None:
        """Take hold of the eye, or let go of it where it is."""
        if self.open:
            self._let_go()
            self.open = False
        elif self._camera is None:
            self._reach.say("only through a 3D scene, as with --source scene:city, can you go")
        else:
            self.open, self._way = True, getattr(self._camera, "way", "orbit")

    def close(self) -> None:
        """Nothing moves on by itself."""
        self._let_go()

    def look(self) -> None:
        """Keys that are let go of in another window are not heard of here."""
        if self._held and not self._reach.pygame.key.get_focused():
            self._let_go()

    def picture(self) -> Output | None:
        """The newest one stays."""
        return None

    def seen(self) -> WalkView:
        """Which keys there are."""
        return WalkView(KEYS.get(self._way, KEYS["orbit"]))

    def handle(self, event: Any) -> bool:
        """Take keys and the mouse."""
        pygame, camera = self._reach.pygame, self._camera
        if camera is None:
            return False
        if event.type == pygame.MOUSEMOTION:
            if any(event.buttons):
                turn = TURN / max(1, pygame.display.get_surface().get_height())
                camera.turn(event.rel[0] * turn, event.rel[1] * turn)
        elif event.type == pygame.MOUSEWHEEL:
            camera.zoom(event.y)
        elif event.type in (pygame.KEYDOWN, pygame.KEYUP) and getattr(event, "scancode", 0) in self._ways:
            # A shortcut of the window (Ctrl+C copies) is none of the eye's.
            if event.type == pygame.KEYDOWN and event.mod & (pygame.KMOD_CTRL | pygame.KMOD_META | pygame.KMOD_ALT):
                return False
            (self._held.add if event.type == pygame.KEYDOWN else self._held.discard)(event.scancode)
            self._push()
        elif event.type == pygame.KEYDOWN and event.key == pygame.K_SPACE:
            self._reach.say("it stands still" if camera.pause() else "it goes on")
        elif event.type == pygame.KEYDOWN and event.key == pygame.K_HOME:
            camera.home()
        else:
            return event.type in (pygame.MOUSEBUTTONDOWN, pygame.MOUSEBUTTONUP)
        return True

    def _push(self) -> None:
        ways = [self._ways[key] for key in self._held]
        self._camera.push(*(max(-1, min(1, sum(way[axis] for way in ways))) for axis in range(3)))

    def _let_go(self) -> None:
        self._held.clear()
        if self._camera is not None:
            self._camera.push(0, 0, 0)
