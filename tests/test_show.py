"""A streamer's show from beginning to end, captured as OBS does: the picture of the clean window itself."""

import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import av
import cv2
import mss
import numpy as np
import pytest
from doubles.x11 import Painter, window_manager, x_server
from PIL import Image

from inkstream.stream.base.errors import SourceUnavailable
from inkstream.stream.sinks.slate import BACKGROUND
from inkstream.stream.sources.screen.x11 import X11Windows

WIDTH, HEIGHT = 1280, 720
SIDE = (WIDTH - HEIGHT) // 2  # pixels left and right of a square render
SHEET = 300
FOREIGN = (255, 0, 255)  # of the window that is laid over everything; no render and no drawing has it
CUES = (
    "# the show",
    "@{fade} a red sports car on a road, day",
    "@{fade} a yellow sports car on a beach, sunset",
    "@{fade} a blue sports car in snow, winter",
    "@{fade} a green sports car in a city, night",
)
CAR = [[(40, 190), (60, 150), (110, 140), (140, 105), (210, 105), (240, 145), (270, 160), (270, 190), (40, 190)]]


class Broadcast(threading.Thread):
    """What OBS would have sent: every picture of one window, and what is wrong with it."""

    def __init__(self, display, window, folder):
        super().__init__(daemon=True)
        self.display, self.window, self.folder = display, int(window), folder
        self.faults, self.count = [], 0
        self.on_air = self.alone = False  # what is on air has been rendered; it is the render alone
        self.seen = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        self.came = threading.Condition()
        self.over = threading.Event()

    def run(self):
        with closing(X11Windows(self.display)) as desktop:
            while not self.over.wait(0.04):
                try:
                    window = desktop.look(self.window)
                    picture = None if window is None else desktop.picture(window, False)
                except SourceUnavailable as error:
                    picture = None
                    self.faults.append(str(error))
                with self.came:
                    self.check(picture)
                    self.came.notify_all()

    def check(self, picture):
        self.count += 1
        wrong = self.wrong(picture) if self.on_air else ""
        if wrong:
            self.faults.append(f"picture {self.count}: {wrong}")
            if picture is not None and len(self.faults) < 9:
                self.keep(f"wrong-{self.count}", picture)
        if picture is not None:
            self.seen = picture

    def wrong(self, picture):
        if picture is None or picture.shape != (HEIGHT, WIDTH, 3):
            return "there is none, or it has another size"
        small = cv2.resize(picture, (160, 90), interpolation=cv2.INTER_AREA)
        render = small[:, 40:120] if self.alone else small
        if render.max(2).mean() < BACKGROUND + 12 or (render.max(2) < 6).mean() > 0.3:
            return "black"
        if cv2.inRange(picture, (215, 0, 215), (255, 40, 255)).any():  # FOREIGN, or nearly
            return "foreign pixels"
        beside = np.concatenate([picture[:, : SIDE - 1], picture[:, WIDTH - SIDE + 1 :]], 1)
        if self.alone and not (beside == BACKGROUND).all():
            return "something beside the render"
        return ""

    def keep(self, name, picture=None):
        self.folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(self.seen if picture is None else picture).save(self.folder / f"{name}.png")

    def until(self, wanted, what, limit=60):
        """Wait for a picture that is as it should be."""
        with self.came:
            assert self.came.wait_for(lambda: wanted(self.seen), limit), f"{what}: not within {limit} s"

    def pictures(self, count):
        """So many pictures, one after another."""
        found = []
        with self.came:
            for _ in range(count):
                assert self.came.wait(10), "nothing is captured any more"
                found.append(self.seen)
        return found

    def rest(self, seconds=0.5, limit=60):
        """Wait until all pictures of so long a time are equal, and give the last."""
        (last,) = self.pictures(1)
        since = start = time.monotonic()
        while time.monotonic() - since < seconds:
            assert time.monotonic() - start < limit, f"it still changes after {limit} s"
            (seen,) = self.pictures(1)
            if not np.array_equal(seen, last):
                last, since = seen, time.monotonic()
        return last


def away(a, b):
    """How far two pictures are from each other, in grey levels."""
    return float(cv2.absdiff(a, b).mean())


class Stage:
    """A display with a paint program, the streamer's program, and the hand that uses both."""

    def __init__(self, display, home):
        self.environment = {**os.environ, "DISPLAY": display, "SDL_VIDEODRIVER": "x11"}
        self.environment |= {"XDG_STATE_HOME": str(home / "state"), "OMP_NUM_THREADS": "1"}
        for name in ("WAYLAND_DISPLAY", "XDG_SESSION_TYPE", "WINDOWID"):
            self.environment.pop(name, None)
        self.display, self.home = display, home
        self.running = []

    def start(self, command, **environment):
        with (self.home / "log.txt").open("a") as log:
            process = subprocess.Popen(
                [str(word) for word in command],
                env={**self.environment, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.running.append(process)
        return process

    def hand(self, *words):
        done = subprocess.run(
            ["xdotool", *map(str, words)], env=self.environment, capture_output=True, text=True, timeout=30
        )
        return done.stdout.split()

    def find(self, *words, limit=90):
        end = time.monotonic() + limit
        while not (found := self.hand(*words)):
            assert time.monotonic() < end, f"no answer to {words}: {(self.home / 'log.txt').read_text()[-2000:]}"
            time.sleep(0.05)
        return found[0]

    def paint(self):
        """Open the drawing in the paint program; gives its process and where the sheet is."""
        process = self.start(["mtpaint", self.home / "drawing.png"], HOME=str(self.home))
        window = self.find("search", "--onlyvisible", "--name", "mtPaint [0-9]")
        for tools in self.hand("search", "--onlyvisible", "--name", "Settings Toolbar"):
            self.hand("windowunmap", tools)
        self.hand("windowsize", "--sync", window, 560, 620, "windowmove", window, 4, 24, "windowfocus", window)
        self.hand("mousemove", 700, 760)
        return process, window

    def stroke(self, window, points):
        """Draw in the middle of the sheet, which lies in the middle of the view."""
        with closing(X11Windows(self.display)) as desktop:
            x, y, _, _ = desktop.look(int(window)).content
        left, top = x + 92 + (468 - SHEET) // 2, y + 98 + (503 - SHEET) // 2
        self.hand("windowfocus", window, "mousemove", x + 17, y + 79, "sleep", 0.1, "click", 1)  # the pencil
        self.hand("mousemove", x + 38, y + 167, "sleep", 0.1, "click", 1, "sleep", 0.1)  # black
        for nudge in (0, 1, 2):  # the pencil is one pixel wide
            places = [("mousemove", left + x + nudge, top + y + nudge) for x, y in points]
            words = [word for place in places for word in (*place, "sleep", 0.03)]
            self.hand(*places[0], "mousedown", 1, *words, "mouseup", 1)
        self.hand("mousemove", 700, 760)

    @contextmanager
    def covered(self):
        """A window of another program lies over everything."""
        painter = Painter(self.display)
        try:
            painter.window("mail: a secret", (0, 0, 1900, 780), 0xFF00FF)
            end = time.monotonic() + 20
            while not (self.screen()[60:700, 20:1800] == FOREIGN).all():
                assert time.monotonic() < end, "it covers nothing"
                time.sleep(0.05)
            yield
        finally:
            painter.close()

    def screen(self):
        with mss.MSS(display=self.display) as grabber:
            return np.asarray(grabber.grab(grabber.monitors[0]))[..., 2::-1]

    def close(self):
        for process in reversed(self.running):
            process.kill()
            process.wait(20)


def show(stage, manager, pace):
    """The whole evening; ``pace`` times as long as it must be."""
    home, folder = stage.home, Path("artifacts", "show")
    if manager:
        window_manager(home, stage.start)
    drawing = np.full((SHEET, SHEET, 3), 255, np.uint8)
    for stroke in CAR:
        cv2.polylines(drawing, [np.array(stroke)], False, (0, 0, 0), 3)
    Image.fromarray(drawing).save(home / "drawing.png")
    (home / "show.txt").write_text("\n".join(CUES).format(fade=0.4 * pace))
    painting, paper = stage.paint()
    sink = f"window:clean,size={WIDTH}x{HEIGHT},layout=stage,cues={home / 'show.txt'},save_dir={home / 'kept'}"
    command = [sys.executable, "-c", "from inkstream.stream.app.cli import main; main()", "run"]
    command += ["--source", "screen:window=mtPaint", "--sink", sink, "--prompt", "a white sports car, day"]
    program = stage.start([*command, "--set", "acceleration=none"])
    window = stage.find("search", "--onlyvisible", "--class", "inkstream")
    stage.hand("windowmove", window, 590, 30)

    def key(*names):
        stage.hand("windowfocus", "--sync", window, "sleep", 0.05, "key", *names)

    broadcast = Broadcast(stage.display, window, folder)
    broadcast.start()
    try:
        broadcast.until(
            lambda seen: (seen[:400, 800:] > 240).mean() > 0.2, "the sketch is seen beside the first render"
        )
        broadcast.on_air = True
        before = broadcast.rest()
        broadcast.keep("0-first")
        colours = []
        for number in range(4):
            if number:  # the first is there from the beginning
                key("n")
                broadcast.until(lambda seen, old=before: away(seen, old) > 4, f"cue {number + 1}")
            before = broadcast.rest(0.4 * pace if number != 1 else pace)
            colours.append(before)
            broadcast.keep(f"1-cue{number + 1}")
            if number == 0:
                key("r")
            if number == 1:
                with stage.covered():
                    covered = broadcast.pictures(round(16 * pace))
                assert away(covered[-1], before) == 0, "what lay over the drawing is in the render"
        assert min(away(one, other) for one in colours for other in colours if one is not other) > 4
        key("l")
        broadcast.until(lambda seen: (seen[:, : SIDE - 1] == BACKGROUND).all(), "the render alone")
        broadcast.rest()
        broadcast.alone = True

        key("space")
        held = broadcast.rest(1)
        stage.stroke(paper, [(60, 60), (120, 40), (200, 60), (240, 40)])
        assert all(np.array_equal(each, held) for each in broadcast.pictures(round(12 * pace))), "it does not hold"
        key("space")
        broadcast.until(lambda seen: away(seen, held) > 0.5, "what was drawn while it was held")
        shown = broadcast.rest(1)
        broadcast.keep("2-drawn")
        key("r")

        painting.kill()
        painting.wait(20)
        assert away(broadcast.pictures(round(26 * pace))[-1], shown) == 0, "without its source it changes"
        painting, paper = stage.paint()
        broadcast.until(lambda seen: away(seen, shown) > 0.5, "the drawing as it was kept is back")
        back = broadcast.rest()
        stage.stroke(paper, [(30, 230), (150, 240), (280, 230)])
        broadcast.until(lambda seen: away(seen, back) > 0.2, "a stroke after the source was back")
        last = broadcast.rest(1)
        broadcast.keep("3-back")

        key("Escape", "Escape", "Escape")
        assert all(np.array_equal(each, last) for each in broadcast.pictures(12)) and program.poll() is None
        broadcast.over.set()
        broadcast.join(20)
        key("Return")
        assert program.wait(20) == 0, (home / "log.txt").read_text()[-2000:]
    finally:
        broadcast.over.set()
        broadcast.join(20)
    assert broadcast.faults == [] and broadcast.count > 80 * pace
    return broadcast


def check_recording(home):
    (path,) = (home / "kept").glob("*.mp4")
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) > 10 and frames[0].shape == (HEIGHT, WIDTH, 3), "the stage is recorded as the window has it"
    assert all(frame.mean() > BACKGROUND and np.ptp(frame) > 60 for frame in frames), "a black picture was recorded"
    assert away(frames[0], frames[-1]) > 4, "the cues are not in it"
    return len(frames)


def test_what_would_be_wrong_is_seen(tmp_path):
    broadcast = Broadcast("", 0, tmp_path)
    render = np.full((HEIGHT, HEIGHT, 3), (90, 140, 60), np.uint8)
    good = cv2.copyMakeBorder(render, 0, 0, SIDE, SIDE, cv2.BORDER_CONSTANT, value=(BACKGROUND,) * 3)
    broadcast.alone = True
    assert broadcast.wrong(good) == ""
    assert "none" in broadcast.wrong(None) and "size" in broadcast.wrong(render)
    assert broadcast.wrong(np.zeros_like(good)) == "black" == broadcast.wrong(np.full_like(good, BACKGROUND))
    half = good.copy()
    half[:400] = 0
    assert broadcast.wrong(half) == "black"
    leak, pill = good.copy(), good.copy()
    leak[300:303, 600:603] = FOREIGN
    pill[20:40, 30:90] = 200
    assert broadcast.wrong(leak) == "foreign pixels" and broadcast.wrong(pill) == "something beside the render"


def needed():
    for program in ("xdotool", "mtpaint"):
        if not shutil.which(program):
            pytest.skip(f"needs {program}")


@pytest.mark.slow
@pytest.mark.desktop
@pytest.mark.timeout(200)
def test_a_short_show_has_no_black_and_no_foreign_picture(tmp_path):
    needed()
    with x_server(screen="1920x800x24") as (display, _):
        stage = Stage(display, tmp_path)
        try:
            show(stage, False, 1)
        finally:
            stage.close()
    check_recording(tmp_path)


@pytest.mark.slow
@pytest.mark.desktop_full
@pytest.mark.timeout(400)
def test_a_show_of_two_minutes_under_a_window_manager(tmp_path):
    needed()
    if not shutil.which("openbox"):
        pytest.skip("needs openbox")
    with x_server(screen="1920x800x24") as (display, _):
        stage, start = Stage(display, tmp_path), time.monotonic()
        try:
            broadcast = show(stage, True, 14)
        finally:
            stage.close()
    seconds = time.monotonic() - start
    print(f"{seconds:.0f} s: {broadcast.count} pictures captured, {check_recording(tmp_path)} recorded")
