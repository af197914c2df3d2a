"""Bots that draw recorded strokes on the studio's page, come again when it is gone, and know what they have drawn."""

import contextlib
import itertools
import json
import statistics
import threading
import time

import numpy as np
from websockets.exceptions import ConnectionClosed

from doubles.studio import SIDE, Talk, plain
from inkstream.stream.sources.drawing.hand import draw_by_hand
from inkstream.stream.sources.drawing.subjects import NAMES, subject

UNIT, PRESSURE = 16, 1023
PIECE = 6  # points of one message
BATCH = 100  # operations of one message, when they are said again
NEAR = 12  # levels that JPEG may be off


def strokes_of(number):
    """What a bot draws, for ever: for each stroke lists of points as the page sends them, a few at a time."""
    for turn in itertools.count():
        drawing = subject(NAMES[(number + turn) % len(NAMES)])
        for trace in draw_by_hand(drawing.strokes, np.random.default_rng((number, turn))):
            widths = np.clip(trace.widths / 2, 0, 1) * PRESSURE
            places = np.column_stack([trace.points * SIDE * UNIT, widths, (trace.times - trace.times[0]) * 1000])
            steps = np.diff(places.round().astype(int), axis=0, prepend=np.zeros((1, 4), int))
            yield [steps[at : at + PIECE].ravel().tolist() for at in range(0, len(steps), PIECE)]


def colour_of(number):
    """Another one for each bot; they differ by 50 levels."""
    return tuple(20 + 50 * (number // 5**place % 5) for place in range(3))


class Bot(threading.Thread):
    """Draws a piece of a stroke every ``period`` seconds until ``finish``; ``servers`` are tried one after another, as
    one who balances between them would.
    """

    def __init__(self, number, servers, period):
        super().__init__(daemon=True)
        self.number, self.servers, self.period = number, servers, period
        self.client, self.session = f"bot{number:05}", None
        self.ops, self.kept = [], 0
        self.seen = []  # (when a render came, milliseconds after its picture was sent)
        self.wrong, self.away, self.errors = [], [], []
        self.same = True  # it has been the same drawing, all the time
        self._strokes, self._pieces, self._of = strokes_of(number), [], ""
        self._at, self._sent, self._frame = number % len(servers), {}, 0
        self._ending, self._done = threading.Event(), threading.Event()

    # --- for the test

    def finish(self, within):
        """End the stroke, and wait until all of it is kept and its last picture seen; whether that was so."""
        self._ending.set()
        return self._done.wait(within)

    def first_after(self, moment):
        """When the first render came after a moment; None: none did."""
        return next((when for when, _ in list(self.seen) if when > moment), None)

    def longest(self, began, ended):
        """Seconds between two renders, or to the first one, at most."""
        came = [began, *(when for when, _ in list(self.seen) if began < when <= ended)]
        return max((after - before for before, after in itertools.pairwise(came)), default=ended - began)

    def drawn(self):
        """The strokes by their names: all points of each."""
        return folded({"client": self.client, **op} for op in self.ops)

    # --- its life

    def run(self):
        try:
            while not self._done.is_set():
                try:
                    with self._come() as page:
                        self._draw(page)
                except (ConnectionClosed, OSError, TimeoutError, EOFError):
                    self._at = (self._at + 1) % len(self.servers)
                    time.sleep(0.05)
        except BaseException as error:
            self.errors.append(error)
            raise

    @contextlib.contextmanager
    def _come(self):
        began = time.monotonic()
        with Talk(self.servers[self._at], self.client, self.session, revision=0) as page:
            if self.seen:
                self.away.append(time.monotonic() - began)
            self.same = self.same and self.session in (None, page.session)
            self.session = page.session
            page.sequence = self._frame
            self._again(page, page.welcome["kept"])
            yield page

    def _again(self, page, kept):
        left = [op for op in self.ops if op["number"] > kept]
        for at in range(0, len(left), BATCH):
            page.say(type="ops", client=self.client, ops=left[at : at + BATCH])

    def _draw(self, page):
        due = time.monotonic()
        last = 0  # the sequence of the last picture
        while True:
            now = time.monotonic()
            if now >= due:
                if self._ending.is_set() and not self._pieces:
                    if self.kept == len(self.ops) and last and self._sent.get(last, 0) is None:
                        self._done.set()
                        return
                else:
                    self._op(page)
                last = self._picture(page)
                due = max(due + self.period, now)
            with contextlib.suppress(TimeoutError):
                self._heard(page, page.once(max(0.001, due - time.monotonic())))

    def _op(self, page):
        if not self._pieces:
            self._pieces = next(self._strokes)
            self._of = f"{self.client}.{len(self.ops) + 1}"
            op = {"op": "begin", "layer": "sketch", "points": self._pieces.pop(0)}
        elif len(self._pieces) == 1 and self._pieces[0] == []:
            op = {"op": "end", "of": self._of}
            self._pieces = []
        else:
            op = {"op": "points", "of": self._of, "points": self._pieces.pop(0)}
            self._pieces = self._pieces or [[]]
        self.ops.append({"number": len(self.ops) + 1, **op})
        page.say(type="ops", client=self.client, ops=self.ops[-1:])

    def _picture(self, page):
        pixels = plain(self._frame * 67 % 200)  # as different as a stroke is, so that each is rendered
        pixels[: SIDE // 2] = colour_of(self.number)
        self._frame = page.draw(pixels)
        self._sent[self._frame] = time.monotonic()
        return self._frame

    def _heard(self, page, got):
        now = time.monotonic()
        if isinstance(got, dict):
            if got["type"] == "kept" and got["client"] == self.client:
                self.kept = max(self.kept, got["number"])
            elif got["type"] == "missing":
                self._again(page, got["number"] - 1)
            page.heard.clear()
            return
        head, pixels = page.pixels(got)
        page.frames.clear()
        expected = 255 - np.array(colour_of(self.number))
        if head.tag != page.tag or np.abs(pixels[4].astype(int) - expected).max() > NEAR:
            self.wrong.append((self._frame, head, pixels[4, 0].tolist()))
        sent = self._sent.get(head.of)
        if sent is not None:
            self.seen.append((now, 1000 * (now - sent)))
            self._sent[head.of] = None
            for old in [of for of in self._sent if of < head.of - 50]:
                del self._sent[old]


def folded(ops):
    """Strokes of operations, whole or in pieces: by name, the points of each."""
    strokes = {}
    for op in ops:
        if op["op"] == "begin":
            strokes[f"{op['client']}.{op['number']}"] = list(op.get("points", ()))
        elif op["op"] == "points":
            strokes[op["of"]] += op["points"]
    return strokes


def document(rest, session):
    """The strokes of a drawing as a server has it, in their order."""
    return folded(map(json.loads, rest.get(f"/sessions/{session}/document").content.splitlines()))


def p95(bots, began, ended):
    """Milliseconds from pen to render of those in that time, of all bots together."""
    took = [late for bot in bots for when, late in bot.seen if began <= when <= ended]
    return statistics.quantiles(took, n=20)[-1] if len(took) > 1 else float("nan")
