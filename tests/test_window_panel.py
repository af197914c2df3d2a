"""The preview's panel, dice, favourites, cues and recording, with SDL's dummy driver."""

import types

import numpy as np
import pytest
from doubles.preview import BLUE, RED, Session, output, seen, toast_with

from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.cues import Cue, CueList, Length, read_cues
from inkstream.stream.base.errors import ConfigError
from inkstream.stream.base.frame import Size
from inkstream.stream.base.reading import Brings
from inkstream.stream.session.cues import CuePlayer
from inkstream.stream.sinks import Status
from inkstream.stream.sinks.window import WindowSink

CONFIG = StreamConfig.build(
    prompt="a red car", mode="sketch", controlnets=[{}], seed=3, t_index_list=[0, 25], num_inference_steps=50
)


def live(config: StreamConfig = CONFIG, **more) -> Status:
    values = {"prompt": config.prompt, "drawing_influence": config.drawing_influence}
    return Status(state="live", values=values, config=config, fps=20.0, **more)


class Model(Session):
    """A session that does what it is asked for, with a model that brings styles and step lists."""

    def __init__(self) -> None:
        super().__init__()
        self.config = CONFIG
        self.records = []

    def update(self, **changes) -> None:
        super().update(**changes)
        self.config = self.config.changed(**changes)

    def brings(self) -> Brings:
        return Brings((), ("night", "clay"), {1: (0,), 2: (0, 25), 4: (0, 2, 10, 18)})

    def record(self, open) -> None:
        self.records.append(open)


@pytest.fixture
def model(window) -> Model:
    window.controls = Model()
    return window.controls


@pytest.fixture
def use(press, model):
    """Press keys, with the settings that the model has by then."""

    def use(*names: str, shown=None, **more) -> None:
        press(*names, shown=shown, status=live(model.config, **more))

    return use


def rows(window) -> dict[str, str]:
    return {row.label: row.text for row in window.shown.tool.rows}


def mouse(pygame, kind: str, place, **more) -> None:
    pygame.event.post(pygame.event.Event(getattr(pygame, kind), pos=place, **more))


def test_the_panel_shows_what_the_model_has_and_keys_turn_it(window, use, model):
    use("c", shown=output())
    shown = rows(window)
    assert shown["influence of the drawing"] == "50"
    assert shown["style night"] == shown["style clay"] == "0.00"
    assert (shown["seed"], shown["steps"], shown["mode"]) == ("3", "2", "from lines")
    use("RIGHT", "RIGHT")
    assert model.updates[-1] == {"drawing_influence": 60.0}  # both, though nobody had answered to the first
    use("DOWN", "RIGHT")
    assert model.updates[-1] == {"lora_dict": {"night": 0.05}}
    use()
    assert rows(window)["style night"] == "0.05"
    use("DOWN", "DOWN", "DOWN", "RIGHT")
    assert model.updates[-1] == {"t_index_list": [0, 2, 10, 18]}
    use("ESCAPE")  # closes the panel, and nothing else
    assert window.shown.tool is None and window.shown.question == ""


def test_the_panel_is_drawn_over_the_picture_and_the_chosen_row_is_seen(window, use, pygame):
    use(shown=output(RED))
    bare = seen(pygame)
    use("c")
    panel = seen(pygame)
    box = window.shown.tool.box
    changed = (panel != bare).any(axis=2)
    assert changed[box.y : box.y + box.height, box.x : box.x + box.width].mean() > 0.9
    changed[box.y : box.y + box.height, box.x : box.x + box.width] = False
    assert changed.mean() < 0.02  # the words at the bottom fade
    use("DOWN")
    assert not np.array_equal(seen(pygame), panel)


def test_the_mouse_drags_sliders_throws_the_dice_and_the_wheel_turns(window, use, pygame, model):
    use("c", shown=output())
    view = window.shown.tool
    night = view.places[[row.label for row in view.rows].index("style night")]
    y = night.y + night.height // 2
    mouse(pygame, "MOUSEBUTTONDOWN", (night.x + night.width // 2, y), button=1)
    use()
    assert model.config.lora_dict["night"] == pytest.approx(0.5, abs=0.06)
    mouse(pygame, "MOUSEMOTION", (night.x + 4 * night.width, y), rel=(1, 0), buttons=(1, 0, 0))
    mouse(pygame, "MOUSEBUTTONUP", (0, 0), button=1)
    use()
    assert model.config.lora_dict["night"] == 1.0
    mouse(pygame, "MOUSEMOTION", (night.x, y), rel=(1, 0), buttons=(0, 0, 0))  # nobody drags it any more
    use()
    assert model.config.lora_dict["night"] == 1.0
    seed = view.places[[row.label for row in view.rows].index("seed")]
    mouse(pygame, "MOUSEBUTTONDOWN", (seed.x + 20, seed.y + 5), button=1)
    use()
    assert model.config.seed != 3


def test_a_low_window_shows_the_rows_around_the_chosen_one(pygame, tmp_path, clock):
    sink = WindowSink(size=Size(300, 120), clock=clock, state=tmp_path)
    sink.controls = Model()
    try:
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_c, mod=0, unicode="c"))
        sink.write(output(), live())
        first = sink.shown.tool
        assert len(first.places) < len(first.rows) and first.first == 0
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_UP, mod=0, unicode=""))
        sink.write(None, live())
        last = sink.shown.tool
        assert last.chosen == len(last.rows) - 1 == last.first + len(last.places) - 1
        bottom = last.places[-1]
        assert bottom.y + bottom.height <= 120
    finally:
        sink.close()


def test_dice_from_the_keyboard_draw_another_seed(use, model):
    use("d", shown=output())
    first = model.config.seed
    use("d")
    assert first != 3 and model.config.seed != first


def test_favourites_are_kept_for_the_next_time_and_bring_everything_back(window, use, model, tmp_path, pygame, clock):
    model.update(lora_dict={"night": 0.8}, drawing_influence=70.0)
    use("CTRL+2", shown=output())
    assert "kept as favourite 2: 'a red car'" in window.shown.toast
    model.update(prompt="a blue boat", lora_dict={"night": 0.0, "clay": 0.5}, seed=9)
    use("2")
    assert model.config.prompt == "a red car" and model.config.seed == 3
    assert model.config.lora_dict == {"night": 0.8, "clay": 0.0} and model.config.drawing_influence == 70.0
    use("5")
    assert "nothing is kept as 5; Ctrl+5" in window.shown.toast
    window.close()
    again = WindowSink(size=Size(400, 300), clock=clock, state=tmp_path)
    again.controls = Model()
    try:
        again.write(output(), live())
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_2, mod=0, unicode="2"))
        again.write(None, live())
        assert again.controls.config.lora_dict == {"night": 0.8}
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_c, mod=0, unicode="c"))
        again.write(None, live())
        assert rows(again)["favourite 2"] == "'a red car'"
    finally:
        again.close()


def test_digits_are_found_by_their_place_where_a_country_has_other_signs_there(use, model, pygame):
    use("CTRL+3", shown=output())
    model.update(seed=8)
    pygame.event.post(
        pygame.event.Event(pygame.KEYDOWN, key=pygame.K_QUOTEDBL, mod=0, unicode='"', scancode=pygame.KSCAN_3)
    )
    use()
    assert model.config.seed == 3


def test_a_damaged_file_of_favourites_is_as_good_as_none(pygame, tmp_path, clock):
    (tmp_path / "preview.json").write_text('{"favourites": {"ink-tiny": {"1": 7, "x": {}, "2": {"prompt": [[[]]]}}}}')
    sink = WindowSink(size=Size(400, 300), clock=clock, state=tmp_path)
    sink.controls = Model()
    try:
        for key in (pygame.K_1, pygame.K_c):
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key, mod=0, unicode=""))
            sink.write(output(), live())
        assert rows(sink)["favourite 2"] == "no prompt" and "favourite 1" not in rows(sink)
    finally:
        sink.close()


def test_cues_go_on_and_back_and_fade_in_their_seconds(pygame, tmp_path, clock):
    (tmp_path / "show.txt").write_text("# opening\na red car\n\n@2 a castle at night\n@0.5s a boat\n", encoding="utf-8")
    cues = read_cues(tmp_path / "show.txt")
    prompts = (("a red car", 0.0), ("a castle at night", 2.0), ("a boat", 0.5))
    assert cues == CueList(cues=tuple(Cue(prompt=prompt, fade=Length(fade)) for prompt, fade in prompts))
    sink = WindowSink(size=Size(400, 300), cues=cues, clean=True, clock=clock, state=tmp_path)
    session, said = Model(), [""]
    session.cues = CuePlayer(session.update, lambda: session.config, lambda: 20.0, said.append)
    sink.controls = session

    def press(mod=0):
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_n, mod=mod, unicode="n"))
        sink.write(None, live())
        sink.write(None, live(message=said[-1]))

    try:
        sink.write(output(), live())
        assert session.updates == [{"prompt": "a red car", "prompt_transition_frames": 0}]  # it begins with the first
        press()
        assert session.updates[-1] == {"prompt": "a castle at night", "prompt_transition_frames": 40}  # at 20 fps
        assert "cue 2 of 3: a castle at night" in sink.shown.title and sink.shown.toast == ""
        press(pygame.KMOD_SHIFT)
        assert session.updates[-1]["prompt"] == "a red car"
        press(pygame.KMOD_SHIFT)
        assert "that was the first cue" in sink.shown.title and len(session.updates) == 3
    finally:
        session.cues.close()
        sink.close()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "got 0 prompts, expected 1 to 1000"),
        ("a car\n@99 too slow\n", "line 2: got '@99 too slow', expected @SECONDS PROMPT with at most 60 seconds"),
        ("@soon a car\n", "line 1: got '@soon a car'"),
        ("a <lora:>\n", "line 1:"),
    ],
)
def test_a_wrong_list_of_cues_names_the_line(tmp_path, text, said):
    (tmp_path / "show.txt").write_text(text)
    with pytest.raises(ConfigError, match=r"^cues: ") as caught:
        read_cues(tmp_path / "show.txt")
    assert said in str(caught.value)


def test_a_list_of_cues_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "show.txt").write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(ConfigError, match="expected text in UTF-8"):
        read_cues(tmp_path / "show.txt")
    with pytest.raises(ConfigError, match="No such file"):
        read_cues(tmp_path / "none.txt")


def test_record_begins_and_ends_with_a_key_and_is_seen(window, use, pygame, model, tmp_path):
    use("r")
    assert "nothing to record yet" in toast_with(window, "record") and model.records == []
    use("r", shown=output())
    (opener,) = model.records
    sink = opener()
    sink.close()
    assert sink.path.parent == tmp_path / "kept" and sink.path.suffix == ".mp4"
    before = seen(pygame)
    use(recording=str(sink.path))
    assert window.shown.recording and not np.array_equal(seen(pygame), before)
    use("r", recording=str(sink.path))
    assert model.records[-1] is None


def test_a_mirror_turns_what_is_seen_and_not_what_is_kept(window, use, pygame, tmp_path):
    picture = output(RED)
    picture.pixels[:, :32] = BLUE
    use("m", shown=picture)
    assert (seen(pygame)[150, 90] == RED).all() and (seen(pygame)[150, 310] == BLUE).all()
    use("m")
    assert (seen(pygame)[150, 90] == BLUE).all()


class Finishing:
    """Finishes one picture at a time, as far as the test says."""

    def __init__(self) -> None:
        self.begun, self.part = [], None

    def start(self, output, scale, folder) -> bool:
        assert folder.name == "kept"
        self.begun.append((output.source_id, scale))
        self.part = 0.0
        return True

    def progress(self):
        return None if self.part is None else ("larger", self.part)

    def cancel(self) -> None:
        self.part = None


def test_f_finishes_the_picture_that_is_looked_at_and_f_again_cancels(window, use, model, pygame):
    use("f", shown=output())
    assert window.shown.toast == "pictures cannot be finished here"
    model.finishing = Finishing()
    before = seen(pygame)
    use("f")
    assert model.finishing.begun == [(1, 2)] and window.shown.busy == "finishing 0 %"
    model.finishing.part = 0.42
    use()
    assert window.shown.busy == "finishing 42 %" and not np.array_equal(seen(pygame), before)
    use("f")
    assert model.finishing.part is None and window.shown.busy == "" and "nothing was saved" in window.shown.toast
    use("SHIFT+f")
    assert model.finishing.begun[-1] == (1, 4)


def test_in_modes_that_start_from_a_picture_the_panel_has_feedback(window, use, model):
    model.feedback = types.SimpleNamespace(amount=0.0, zoom=1.02, turn=0.0, right=0.0, down=0.0)
    use("c", shown=output())
    assert "feedback" not in rows(window)
    model.update(mode="paint")
    use()
    assert rows(window)["feedback"] == "0.00" and rows(window)["feedback zooms by"] == "1.020"
    names = list(rows(window))
    use(*["DOWN"] * names.index("feedback"), "RIGHT", "RIGHT")
    assert model.feedback.amount == 0.1


def test_the_panel_shows_all_of_a_sheet_of_another_shape(window, use, model):
    use("c", shown=output())
    labels = list(rows(window))
    assert rows(window)["fit"] == "crop, the rest is cut off"
    use(*["DOWN"] * labels.index("fit"), "RIGHT")
    assert model.updates == [{"fit": "letterbox"}]
    use()
    assert rows(window)["fit"] == "letterbox, all of it"
    model.config = model.config.changed(mode="txt2img")
    use()
    assert "fit" not in rows(window), "nothing is taken of the sheet"
