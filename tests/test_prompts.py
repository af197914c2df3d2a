"""What is read in a prompt: weights, BREAK, LoRAs; and what is refused, with what words."""

import string

import pytest
from doubles.fuzz import fuzz_examples
from hypothesis import given, settings
from hypothesis import strategies as st

from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.errors import ConfigError
from inkstream.stream.base.prompt import MOST_CHARACTERS, escaped, parse_prompt


def read(text):
    """[(text, weight), ...] of a prompt in one part."""
    (part,) = parse_prompt(text).parts
    return [(fragment.text, pytest.approx(fragment.weight)) for fragment in part]


# Those of AUTOMATIC1111's own documentation, and compel's.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("normal text", [("normal text", 1)]),
        ("an (important) word", [("an ", 1), ("important", 1.1), (" word", 1)]),
        ("(unbalanced", [("unbalanced", 1.1)]),
        (r"\(literal\]", [("(literal]", 1)]),
        ("(unnecessary)(parens)", [("unnecessaryparens", 1.1)]),
        (
            "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
            [
                ("a ", 1),
                ("house", 1.573),
                (" ", 1.1),
                ("on", 1),
                (" a ", 1.1),
                ("hill", 0.55),
                (", sun, ", 1.1),
                ("sky", 1.4641),
                (".", 1.1),
            ],
        ),
        ("((word))", [("word", 1.21)]),
        ("[[word]] here", [("word", 1 / 1.21), (" here", 1)]),
        ("(a: 1.2 )", [("a", 1.2)]),
        ("(a b:.5)c", [("a b", 0.5), ("c", 1)]),
        ("a:b, 12:30, c)", [("a:b, 12:30, c)", 1)]),
        ("picking apricots+ now", [("picking ", 1), ("apricots", 1.1), (" now", 1)]),
        ("apricots--, ripe", [("apricots", 0.81), (", ripe", 1)]),
        ("(picking apricots+)++", [("picking ", 1.21), ("apricots", 1.331)]),
        ("(picking (apricots)1.3)1.1", [("picking ", 1.1), ("apricots", 1.43)]),
        ("(two words)1.3.", [("two words", 1.3), (".", 1)]),
        ("(red)1990s car", [("red", 1.1), ("1990s car", 1)]),
        ("spider-man++ in mid-air", [("spider-man", 1.21), (" in mid-air", 1)]),
        (r"C\+\+ and a \\ b", [("C++ and a \\ b", 1)]),
        ("a - b + c, half-timbered -- e", [("a - b + c, half-timbered -- e", 1)]),
        (r"C:\new\car <3 <cat-toy>", [(r"C:\new\car <3 <cat-toy>", 1)]),
        (r"\<lora:x:1>", [("<lora:x:1>", 1)]),
        ("", [("", 1)]),
        ("()", [("", 1)]),
    ],
)
def test_f14_weights_are_read_as_a1111_and_compel_write_them(text, expected):
    assert read(text) == expected


def test_f14_break_parts_a_prompt_and_weights_go_on():
    parts = parse_prompt("a (red BREAK\nblue:1.3) car BREAK BREAK BREAKfast").parts
    assert [[(words, round(weight, 3)) for words, weight in part] for part in parts] == [
        [("a ", 1), ("red ", 1.3)],
        [("\nblue", 1.3), (" car ", 1)],
        [(" BREAKfast", 1)],
    ]


def test_f14_loras_are_taken_out_of_the_text():
    parsed = parse_prompt("a car <lora:night train:0.8>, (red:1.2)<LORA:sub/clay><lora:x:-1>")
    assert parsed.loras == (("night train", 0.8), ("sub/clay", 1.0), ("x", -1.0))
    assert parsed.text == "a car , red"


REFUSED = [
    ("caf\udce9", r"got text that is not UTF-8 at 'caf\udce9', expected UTF-8"),
    ("(word:1.3.4)", "got the weight '1.3.4', expected a number, as in (words:1.3)"),
    ("(word:99)", "got the weight 99 of 'word', expected -10 to 10"),
    ("(" * 60 + "word", "got the weight 304 of 'word', expected -10 to 10"),
    ("[" * 65, "got more than 64 open '[', expected fewer"),
    ("a [cat:dog:0.5]", "got '[cat:dog:0.5]', expected (words:1.3) for a weight"),
    ("[word:1.3]", "got '[word:1.3]', expected (words:1.3) for a weight"),
    ("[cat|dog]", "got '[cat|dog]', expected one of them"),
    ('("a", "b").blend(1, 0.8)', "got ').blend(', expected text, or a blend of texts"),
    ("<lora:x:y>", "got '<lora:x:y>', expected one number for its scale"),
    ("<lora:x:0.8:0.6>", "got '<lora:x:0.8:0.6>', expected one number for its scale"),
    ("<lora:x:99>", "got '<lora:x:99>', expected a scale from -10 to 10"),
    ("<lora:>", "got '<lora:>', expected the name of a LoRA"),
    ("a car AND sunset :0.5", "got 'AND sunset :0.5', expected text, or a blend of texts"),
    ("(red:1,4) car", "got '(red:1,4)', expected a point in a weight, as in (words:1.3)"),
    ("a car <lora:night:1", "got '<lora:night:1', expected <lora:name:0.8>, with its end"),
    ("<hypernet:x:1>", "got '<hypernet:x:1>', expected <lora:name:0.8>, or text"),
    ("x" * 50_001, "got 50,001 characters, expected at most 50,000"),
    ("a BREAK b", "got BREAK, which makes 2 parts of it, expected at most prompt_chunks = 1; set prompt_chunks"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
@pytest.mark.parametrize("name", ["prompt", "negative_prompt"])
def test_f14_what_cannot_be_meant_is_refused_by_name(name, text, message):
    with pytest.raises(ConfigError) as caught:
        StreamConfig.build(**{name: text})
    said = str(caught.value)
    assert said.startswith(f"{name}: {message}")
    assert len(said) < 200 and said.isprintable()
    with pytest.raises(ConfigError, match=f"^{name}: "):
        StreamConfig.build().changed(**{name: text})


def test_f14_one_text_of_a_blend_is_refused_like_a_prompt():
    with pytest.raises(ConfigError, match=r"^prompt: got the weight '1.2.3'"):
        StreamConfig.build(prompt=[("a", 1), ("(b:1.2.3)", 1)])
    with pytest.raises(ConfigError, match=r"^prompt: got 5, expected text"):
        StreamConfig.build(prompt=[("a", 1), (5, 1)])
    with pytest.raises(ConfigError, match=r"^negative_prompt: got the LoRA 'x', expected text; name LoRAs"):
        StreamConfig.build(negative_prompt="<lora:x:1>")


MARKED = st.text(st.sampled_from("()[]\\<>:+-., |BREAKlora019\n\"'") | st.characters(), max_size=60)
PIECES = st.lists(
    st.sampled_from(
        [
            "(",
            ")",
            "[",
            "]",
            ":",
            "1.3",
            ":1.3)",
            "++",
            "--",
            " ",
            "word",
            "BREAK",
            "<lora:x:0.8>",
            "\\",
            "|",
            ",",
            "\ud800",
        ]
    ),
    max_size=30,
).map("".join)
PLAIN = st.text(st.characters(exclude_characters="()[]\\<+-", codec="utf-8"), max_size=80).filter(
    lambda text: "BREAK" not in text
)


@settings(max_examples=fuzz_examples(300))
@given(MARKED | PIECES | st.text(max_size=200))
def test_any_text_is_read_or_refused_with_got_and_expected(text):
    try:
        parsed = parse_prompt(text)
    except ValueError as error:
        assert type(error) is ValueError
        assert str(error).startswith("got ") and "expected" in str(error) and str(error).isprintable()
    else:
        assert parsed.parts and all(abs(weight) <= 10 for part in parsed.parts for _, weight in part)
        assert "<lora:" not in parsed.text or "\\<" in text


@settings(max_examples=fuzz_examples(100))
@given(PLAIN)
def test_text_without_marks_is_itself(text):
    assert (parse_prompt(text).parts, parse_prompt(text).loras) == ((((text, 1.0),),), ())


@settings(max_examples=fuzz_examples(100))
@given(
    (MARKED | PIECES | st.text(max_size=60)).map(lambda text: text.encode("utf-8", "ignore").decode()).filter(str.strip)
)
def test_escaped_text_is_itself(text):
    assert parse_prompt(escaped(text)).parts == (((text, 1.0),),)


WORDS = st.text(string.ascii_letters + " ()[]\\:+-,", min_size=1, max_size=12).filter(str.strip)


@settings(max_examples=fuzz_examples(100))
@given(st.lists(st.tuples(WORDS, st.sampled_from([0.5, 0.9, 1.2, -1.0])), min_size=1, max_size=6))
def test_weights_that_are_written_read_back(fragments):
    (part,) = parse_prompt("".join(f"({escaped(words)}:{weight})" for words, weight in fragments)).parts
    assert "".join(words for words, _ in part) == "".join(words for words, _ in fragments)
    weights = [weight for words, weight in part for _ in words]
    assert weights == [weight for words, weight in fragments for _ in words]


@pytest.mark.parametrize(
    "piece", ["(", "[a", "(a:1.1)", "a++ ", "+", "a-", "<lora:x:1>", "<", "\\", "[a:", "(((a)))", ") ", "x"]
)
def test_long_prompts_are_read_in_no_time(piece):
    with_end = (piece * MOST_CHARACTERS)[: MOST_CHARACTERS - 1] + "("
    try:
        parse_prompt.__wrapped__(with_end)
    except ValueError as error:
        assert "expected" in str(error)


def test_captions_of_pictures_are_text_and_nothing_more():
    assert escaped("a car") == "a car"
    for caption in ("miku (vocaloid), [a|b]", "C++ BREAK <lora:x:1> (a:9.9.9)", r"\(^_^)/"):
        assert parse_prompt(escaped(caption)).parts == (((caption, 1.0),),)
        assert StreamConfig.build(prompt=escaped(caption)).prompt == escaped(caption)
