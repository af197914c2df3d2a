"""Writing a prompt in the preview, with SDL's dummy driver."""

import pytest
from doubles.preview import VALUES, output, typed

from inkstream.stream.sinks import Status
from inkstream.stream.sinks.window.prompt import PromptLine
from inkstream.stream.sinks.window.scene import Line


@pytest.mark.parametrize("key", ["p", "TAB", "/"])
def test_a_prompt_is_written_and_applied(window, pygame, press, key):
    press(key, shown=output())
    assert window.shown.prompt == Line("a fox", 5, selected=(5, 5))
    typed(pygame, " in snow, квест")
    press("q", "s", "SPACE")  # letters now, not actions
    press("RETURN")
    assert window.controls.updates == [{"prompt": "a fox in snow, квест"}]
    assert window.shown.prompt is None
    press("i")  # a key again
    assert window.shown.inset == "small"


def test_escape_leaves_the_prompt_as_it_was(window, pygame, press):
    press("p", shown=output())
    typed(pygame, " gone")
    press("ESCAPE")
    assert window.shown.prompt is None
    assert window.controls.updates == []


def test_f14_a_prompt_that_cannot_be_read_stays_in_its_line_with_the_reason(window, pygame, press):
    press("p", shown=output())
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
    typed(pygame, " <lora:nihgt:1>")
    press("RETURN")
    said = "not changed: prompt: got the LoRA 'nihgt', expected one of lora_dict; did you mean 'night'?"
    press("p", shown=output(), status=Status(state="live", values=VALUES, message=said))
    assert window.shown.toast == said
    assert window.shown.prompt.text == "a fox <lora:nihgt:1>"
    press("ESCAPE", "p")
    assert window.shown.prompt.text == "a fox", "after Esc it is forgotten"
    typed(pygame, " in snow")
    press("RETURN")
    press("p", shown=output(), status=Status(state="live", values={**VALUES, "prompt": "from a program"}))
    assert window.shown.prompt.text == "from a program"


def test_a_long_message_is_wrapped_and_not_cut(window, pygame, press):
    painter = window._painter
    press(shown=output())
    words = "not changed: prompt: got the LoRA 'nihgt', expected one of lora_dict; did you mean 'night'?"
    lines = painter._wrapped(words, 200, 0.95)
    assert len(lines) > 1 and " ".join(lines) == words
    assert all(painter._font(line, 0.95).size(line)[0] <= 200 for line in lines)


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
