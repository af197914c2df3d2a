"""Writing a prompt in the preview, with SDL's dummy driver."""

import os
import re

import numpy as np
import pytest
from doubles.preview import VALUES, Session, output, seen, typed

from inkstream.stream.base.reading import Brings, Reading
from inkstream.stream.sinks import Status
from inkstream.stream.sinks.window import fonts
from inkstream.stream.sinks.window.brush import Brush
from inkstream.stream.sinks.window.prompt import PromptLine
from inkstream.stream.sinks.window.scene import Line


@pytest.mark.parametrize("key", ["p", "TAB", "/"])
def test_a_prompt_is_written_and_applied(window, pygame, press, key):
    press(key, shown=output())
    assert window.shown.prompt == Line("a fox", 5, selected=(0, 5))
    press("END")
    typed(pygame, " in snow, квест")
    press("q", "s", "SPACE")  # letters now, not actions
    press("RETURN")
    assert window.controls.updates == [{"prompt": "a fox in snow, квест"}]
    assert window.shown.prompt is None
    press("i")  # a key again
    assert window.shown.inset == "small"


def test_new_words_take_the_place_of_the_prompt_and_keys_that_go_through_it_keep_it(window, pygame, press):
    press("p", shown=output())
    typed(pygame, "a castle")
    press("RETURN")
    assert window.controls.updates == [{"prompt": "a castle"}]
    for key, expected in (("END", "a fox!"), ("RIGHT", "a fox!"), ("HOME", "!a fox"), ("LEFT", "!a fox")):
        press("p", status=Status(state="live", values={**VALUES, "prompt": "a fox"}))
        press("ESCAPE", "p", key)
        typed(pygame, "!")
        press()
        assert window.shown.prompt.text == expected
        press("ESCAPE")
    press("p")
    assert window.shown.prompt.selected == (0, 5)
    pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONDOWN, button=1, pos=(50, 50)))
    typed(pygame, "!")
    press()
    assert window.shown.prompt.text == "a fox!"


def test_escape_leaves_the_prompt_as_it_was(window, pygame, press):
    press("p", shown=output())
    press("END")
    typed(pygame, " gone")
    press("ESCAPE")
    assert window.shown.prompt is None
    assert window.controls.updates == []


def test_f14_a_prompt_that_cannot_be_read_stays_in_its_line_with_the_reason(window, pygame, press):
    press("p", shown=output())
    press("END")
    typed(pygame, " (red:1.2.3)")
    press("RETURN")
    assert window.controls.updates == [] and window.shown.prompt.text == "a fox (red:1.2.3)"
    assert window.shown.toast == "got the weight '1.2.3', expected a number, as in (words:1.3)"
    press("BACKSPACE", "BACKSPACE", "BACKSPACE")
    typed(pygame, ")")
    press("RETURN")
    assert window.controls.updates == [{"prompt": "a fox (red:1.2)"}] and window.shown.prompt is None


def test_f14_a_refused_prompt_is_there_to_be_mended(window, pygame, press):
    press("p", shown=output())
    press("END")
    typed(pygame, " <lora:nihgt:1>")
    press("RETURN")
    said = "not changed: prompt: got the LoRA 'nihgt', expected one of lora_dict; did you mean 'night'?"
    press("p", shown=output(), status=Status(state="live", values=VALUES, message=said))
    assert window.shown.toast == said
    assert window.shown.prompt.text == "a fox <lora:nihgt:1>"
    press("ESCAPE", "p")
    assert window.shown.prompt.text == "a fox", "after Esc it is forgotten"
    press("END")
    typed(pygame, " in snow")
    press("RETURN")
    press("p", shown=output(), status=Status(state="live", values={**VALUES, "prompt": "from a program"}))
    assert window.shown.prompt.text == "from a program"


def test_a_long_message_is_wrapped_and_not_cut(window, pygame, press):
    press(shown=output())
    brush = Brush(pygame)
    words = "not changed: prompt: got the LoRA 'nihgt', expected one of lora_dict; did you mean 'night'?"
    lines = brush.wrapped(words, 200, 0.95)
    assert len(lines) > 1 and " ".join(lines) == words
    assert all(brush.font(line, 0.95).size(line)[0] <= 200 for line in lines)


def test_an_input_method_composes_in_the_line(window, pygame, press):
    press("p", "CTRL+u")
    pygame.event.post(pygame.event.Event(pygame.TEXTEDITING, text="すみ", start=0, length=2))
    press("RETURN")  # takes the composition, not the line
    line = window.shown.prompt
    assert (line.text, line.cursor, line.composing) == ("", 0, "すみ")
    typed(pygame, "墨")
    press("RETURN")
    assert window.controls.updates == [{"prompt": "墨"}]


def test_a_blend_of_prompts_starts_an_empty_line(window, press):
    press("p", status=Status(values={"prompt": (("a", 1.0), ("b", 2.0))}))
    assert window.shown.prompt == Line("", 0)


class Board:
    """A clipboard."""

    def __init__(self) -> None:
        self.text = "  pasted\ntext "

    def clipboard(self) -> str:
        return self.text

    def copy(self, text: str) -> None:
        self.text = text


def test_editing_a_line(pygame):
    line = PromptLine("one two")

    def key(name: str, mod: int = 0) -> None:
        event = pygame.event.Event(pygame.KEYDOWN, key=getattr(pygame, f"K_{name}"), mod=mod, unicode="")
        assert line.handle(pygame, event, Board()) is None

    key("BACKSPACE")
    assert line.text == "one tw"
    key("BACKSPACE", pygame.KMOD_CTRL)
    assert line.text == "one "
    key("HOME")
    key("LEFT")
    key("DELETE")
    key("RIGHT")
    line.insert("-")
    assert (line.text, line.cursor) == ("n-e ", 2)
    key("END")
    key("v", pygame.KMOD_CTRL)
    assert line.text == "n-e pasted text"
    key("u", pygame.KMOD_CTRL)
    key("BACKSPACE")
    assert (line.text, line.cursor) == ("", 0)


BETTER = {"crimson": "red", "castle": "stone house", "fox": ""}


class Reader(Session):
    """Knows a few words."""

    def brings(self) -> Brings:
        return Brings(("red", "rear", "a stone house"))

    def read_prompt(self, text: str) -> Reading:
        unknown = [(word, BETTER[word]) for word in re.findall(r"\w+", text.lower()) if word in BETTER]
        return Reading(tuple(unknown), cut="end" if "end" in text else "")


def test_what_the_model_makes_of_a_prompt_stands_under_it_while_it_is_written(window, pygame, press):
    window.controls = Reader()
    press("p", shown=output())
    assert window.shown.prompt.notes == ('"fox" is not known, and left out',)
    low = seen(pygame)
    press("END")
    typed(pygame, " crimson")
    press()
    assert window.shown.prompt.notes == ("not known, and left out: fox, crimson (red)",)
    assert not np.array_equal(seen(pygame), low)
    press("TAB")
    assert window.shown.prompt.text == "a fox red"
    typed(pygame, " re")
    press("TAB")
    assert window.shown.prompt.text == "a fox red red"
    press("TAB")
    assert window.shown.prompt.text == "a fox red rear"
    press("TAB", "TAB")  # what was typed, and around again
    assert window.shown.prompt.text == "a fox red red"
    typed(pygame, " end")
    press()
    assert window.shown.prompt.notes[-1] == 'too long: what comes from "end" on is cut'


def test_tab_at_the_end_takes_what_stands_below_one_after_the_other(window, pygame, press):
    window.controls = Reader()
    press("p", "CTRL+u", shown=output())
    typed(pygame, "a Crimson rear castle, fox ")
    press("TAB")
    assert window.shown.prompt.text == "a red rear castle, fox " and window.shown.prompt.cursor == 23
    press("TAB")
    assert window.shown.prompt.text == "a red rear stone house, fox "
    assert window.shown.prompt.notes == ('"fox" is not known, and left out',)
    press("TAB")
    assert window.shown.prompt.text == "a red rear stone house, fox "
    assert window.shown.prompt.notes[-1] == "Tab has nothing to put in here"
    press("BACKSPACE")
    assert len(window.shown.prompt.notes) == 1, "said until the next key"


def test_tab_behind_a_known_word_mends_the_line_and_behind_half_a_word_completes_it(window, pygame, press):
    window.controls = Reader()
    press("p", "CTRL+u", shown=output())
    typed(pygame, "crimson, red")
    press("TAB")
    assert window.shown.prompt.text == "red, red"
    press("CTRL+u")
    typed(pygame, "crimson, re")
    press("TAB", "TAB")
    assert window.shown.prompt.text == "crimson, rear"
    press("CTRL+u")
    typed(pygame, "a crimson")
    press("HOME", "TAB")
    assert window.shown.prompt.text == "a red" and window.shown.prompt.cursor == 5


def test_an_article_follows_what_tab_puts_behind_it():
    line = PromptLine("a crimson car", instead=lambda text: [("crimson", "orange")] if "crimson" in text else [])
    line.complete()
    assert (line.text, line.cursor) == ("an orange car", 13)
    line = PromptLine("an or", words=("orange", "red orange"))
    line.complete()
    assert (line.text, line.cursor) == ("an orange", 9)
    line = PromptLine("a o", words=("orange", "ochre"))
    for expected in ("an orange", "an ochre", "an o", "an orange"):
        line.complete()
        assert line.text == expected and line.cursor == len(expected)


def test_notes_of_a_prompt_that_came_from_elsewhere_are_said(window, press):
    notes = ('"crimson" is not known, and left out; try "red"', "two")
    press(shown=output(), status=Status(state="live", values=VALUES, notes=notes))
    assert window.shown.toast == "\n".join(notes)


def test_selecting_going_by_words_and_the_clipboard(pygame):
    line, board = PromptLine("a red house on grass"), Board()

    def key(name: str, *mods: str) -> None:
        mod = sum(getattr(pygame, f"KMOD_{each}") for each in mods)
        event = pygame.event.Event(pygame.KEYDOWN, key=getattr(pygame, f"K_{name}"), mod=mod, unicode="")
        line.handle(pygame, event, board)

    key("LEFT", "CTRL")
    key("LEFT", "CTRL", "SHIFT")
    assert line.selected == (12, 15)
    key("x", "CTRL")
    assert (line.text, board.text) == ("a red house grass", "on ")
    key("HOME")
    key("RIGHT", "CTRL")
    key("DELETE", "CTRL")
    assert line.text == "a house grass"
    key("END", "SHIFT")
    key("LEFT")
    assert line.selected == (1, 1), "to where the selection began"
    key("a", "CTRL")
    assert line.selected == (0, 13)
    key("c", "CTRL")
    typed_over = "teal"
    line.insert(typed_over)
    assert (line.text, board.text) == ("teal", "a house grass")
    key("w", "CTRL")
    key("v", "CTRL")
    assert line.text == "a house grass"


def test_earlier_prompts_come_back_and_are_remembered(window, pygame, press):
    for text in (" in snow", " at night"):
        press("p", "END")
        typed(pygame, text)
        press("RETURN")
    press("p", "END")
    typed(pygame, "!")
    press("UP", "UP")
    assert window.shown.prompt.text == "a fox in snow"
    press("DOWN")
    assert window.shown.prompt.text == "a fox in snow at night"
    press("DOWN", "DOWN")
    assert window.shown.prompt.text.endswith("!"), "what was being written is still there"


def test_where_no_font_has_a_glyph_the_line_says_so(window, pygame, press, monkeypatch):
    monkeypatch.setattr(fonts, "system_font", lambda character: "")
    press("p")
    press("END")
    typed(pygame, " 墨")
    press()
    assert window.shown.prompt.notes == ("no font on this computer shows 墨: what is written is right",)
    face = os.path.join(os.path.dirname(pygame.__file__), pygame.font.get_default_font())
    monkeypatch.setattr(fonts, "system_font", lambda character: face)  # any file will do
    assert fonts.Fonts(pygame).of("墨", 16).get_height() > 0
