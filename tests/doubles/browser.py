"""A browser for tests: real Chromium, and a hand that draws in it with a pen, a mouse or fingers."""

from __future__ import annotations

import base64
import contextlib
import io
import itertools
import shutil
import time

import numpy as np
import pytest
from PIL import Image

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Of the paper in the window: left, top, side.
PAPER = """(() => {
  const { stage, studio } = inkstream, box = stage.getBoundingClientRect(), { scale, left, top } = stage.place;
  return [box.left + left, box.top + top, scale * studio.raster.paper.width];
})()"""
WITHIN = 20.0  # seconds for anything to come
# Of the paper, from 0 to 1.
CAR = (
    ((0.12, 0.62), (0.16, 0.55), (0.28, 0.52), (0.36, 0.42), (0.5, 0.38), (0.64, 0.41), (0.74, 0.51), (0.88, 0.56)),
    ((0.88, 0.56), (0.9, 0.66), (0.12, 0.67), (0.12, 0.62)),
    ((0.24, 0.67), (0.28, 0.61), (0.34, 0.61), (0.38, 0.67), (0.34, 0.73), (0.28, 0.73), (0.24, 0.67)),
    ((0.64, 0.67), (0.68, 0.61), (0.74, 0.61), (0.78, 0.67), (0.74, 0.73), (0.68, 0.73), (0.64, 0.67)),
)
HOUSE = (
    ((0.2, 0.85), (0.2, 0.5), (0.8, 0.5), (0.8, 0.85), (0.2, 0.85)),
    ((0.14, 0.52), (0.5, 0.22), (0.86, 0.52)),
    ((0.45, 0.85), (0.45, 0.66), (0.56, 0.66), (0.56, 0.85)),
)


@contextlib.contextmanager
def chromium():
    """A browser without a window; the test is skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("needs chromium: the page is tried in it")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        try:
            yield browser
        finally:
            browser.close()


class Artist:
    """Somebody at a page. ``wrong`` is what the browser complained of: a test that leaves something there fails."""

    def __init__(
        self, browser, address, size=(1100, 760), scheme="dark", touch=False, language="en-US", expected=(), script=""
    ):
        self.context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            has_touch=touch,
            locale=language,
            accept_downloads=True,
        )
        if script:
            self.context.add_init_script(script)
        self.page = self.context.new_page()
        self.address, self.expected = address, expected
        self.wrong: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.wrong.append(error.stack or error.message))
        self.touches = self.context.new_cdp_session(self.page)

    def __enter__(self):
        self.open(self.address)
        return self

    def __exit__(self, kind, *_):
        self.context.close()
        if kind is None:
            assert not self.wrong, "\n".join(self.wrong)

    def _heard(self, message):
        if message.type in ("error", "warning") and not any(each in message.text for each in self.expected):
            self.wrong.append(f"{message.type}: {message.text} ({message.location})")

    def open(self, address):
        """Go there and wait until the server has answered."""
        self.page.goto(address)
        self.until("window.inkstream?.studio.connection.link === 'open'")
        self.until("inkstream.studio.settings.prompt !== undefined")

    def reload(self):
        """The page again."""
        self.page.reload()
        self.until("window.inkstream?.studio.connection.link === 'open'")
        self.until("inkstream.studio.connection.revision >= inkstream.studio.connection.welcome.revision")
        self.settled()

    def get(self, expression):
        """The value of an expression of JavaScript."""
        return self.page.evaluate(f"() => ({expression})")

    def until(self, expression, within=WITHIN):
        """Wait until an expression is true. (Playwright's own way evaluates text, which the page's policy forbids.)"""
        end = time.monotonic() + within
        while not self.page.evaluate(f"() => Boolean({expression})"):
            assert time.monotonic() < end, f"never came true: {expression}; {self.wrong}"
            self.page.wait_for_timeout(10)

    def settled(self):
        """Wait until all is kept, the newest picture is rendered, and the screen shows it."""
        self.until("inkstream.studio.connection.waiting.length === 0")
        self.until("!inkstream.studio.pictures.dirty && !inkstream.studio.pictures.busy")
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def rendered(self):
        """Wait until the render of the newest picture of the drawing is seen."""
        self.settled()
        self.until("inkstream.studio.renders.head?.of >= inkstream.studio.pictures.sequence")

    @property
    def session(self):
        """Name of the drawing."""
        return self.get("inkstream.studio.connection.session")

    def place(self, x, y):
        """Of a point of the paper (0 to 1) in the window."""
        left, top, side = self.get(PAPER)
        return left + x * side, top + y * side

    def pen(self, points, pressures=(0.5,), tilt=(0, 0), steps=3):
        """A stroke of a pen through points of the paper; the pressure goes through ``pressures``."""
        way = [self.place(*each) for each in points]
        dense = [way[0]]
        for one, other in itertools.pairwise(way):
            for share in (step / steps for step in range(1, steps + 1)):
                dense.append((one[0] + (other[0] - one[0]) * share, one[1] + (other[1] - one[1]) * share))
        at = np.linspace(0, len(pressures) - 1, len(dense))
        felt = np.interp(at, np.arange(len(pressures)), pressures)
        common = {"button": "left", "buttons": 1, "pointerType": "pen", "tiltX": tilt[0], "tiltY": tilt[1]}
        for index, ((x, y), force) in enumerate(zip(dense, felt, strict=True)):
            kind = "mousePressed" if index == 0 else "mouseMoved"
            self._mouse(kind, x, y, clickCount=int(index == 0), force=float(force), **common)
        self._mouse("mouseReleased", *dense[-1], clickCount=1, **{**common, "buttons": 0})

    def _mouse(self, kind, x, y, **more):
        self.touches.send("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, **more})

    def fingers(self, *moments):
        """Each moment is a list of places of the paper, one a finger; an empty one lifts all."""
        held = 0
        for moment in [[self.place(*each) for each in moment] for moment in moments]:  # asked before: a tap is quick
            kind = "touchEnd" if not moment else "touchStart" if len(moment) > held else "touchMove"
            points = [dict(zip("xy", each, strict=True), id=number) for number, each in enumerate(moment)]
            self.touches.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
            held = len(moment)

    def draw(self, strokes):
        """Several strokes, firm in the middle."""
        for each in strokes:
            self.pen(each, (0.3, 0.9, 0.4))

    def key(self, name):
        """A key, as if the paper had been touched last."""
        self.page.evaluate("() => inkstream.stage.focus()")
        self.page.keyboard.press(name)

    def colour(self, name):
        """Take a colour, or a class, from the palette."""
        self.key("c")
        self.page.get_by_role("dialog", name="Colour").or_(self.page.locator(".palette")).get_by_role(
            "button", name=name, exact=True
        ).click()

    def click(self, x, y):
        """With the mouse, at a place of the paper."""
        self.page.mouse.click(*self.place(x, y))

    def canvas(self, which):
        """(H, W, 3) uint8 of what a canvas of the page shows: "paper" or "render"."""
        selector = {"paper": "ink-stage .paper", "render": "ink-screen canvas"}[which]
        data = self.page.evaluate(f"() => document.querySelector('{selector}').toDataURL('image/png')")
        image = Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2])))
        return np.asarray(image.convert("RGB"))
