"""What scenes can be, and how that is said: one grammar, and paraphrases in the same words.

Colours of buildings depend on the material, materials and roofs on the style. Words may be added here; models were
trained on those that are there.
"""

from __future__ import annotations

from collections.abc import Mapping

from . import _place_words as places
from . import _thing_words as things
from ._place_words import BUILDING_COLOURS as BUILDING_COLOURS
from ._place_words import BUILDING_STYLES as BUILDING_STYLES
from ._place_words import FARS as FARS
from ._place_words import MATERIALS as MATERIALS
from ._place_words import NEARS as NEARS
from ._place_words import NONE as NONE
from ._place_words import ROOFS as ROOFS
from ._place_words import WITH_BALCONIES as WITH_BALCONIES
from ._thing_words import MATTER as MATTER
from ._thing_words import TABLE as TABLE

KINDS = ("car", "building", "landscape", "thing")
FINISHES = ("glossy", "matte", "metallic", "two-tone", "chrome")
CAR_COLOURS = (
    *("red", "orange", "yellow", "green", "teal", "blue", "purple", "white", "black", "silver"),
    *("brown", "beige", "gold", "grey", "pink", "navy"),
)
CAR_STYLES = {  # with their shares
    "sedan": 0.11,
    "coupe": 0.12,
    "hatchback": 0.08,
    "suv": 0.10,
    "pickup": 0.07,
    "van": 0.06,
    "wagon": 0.07,
    "sports car": 0.12,
    "supercar": 0.10,
    "roadster": 0.06,
    "classic car": 0.04,
    "limousine": 0.03,
    "race car": 0.02,
    "bus": 0.02,
}
VIEWS = {"side": 0.36, "front three-quarter": 0.27, "rear three-quarter": 0.22, "front": 0.08, "rear": 0.07}
GROUNDS = ("road", "grass", "sand", "snow")
CAR_GROUNDS = {"road": 0.26, "grass": 0.13, "sand": 0.11, "snow": 0.10, "city street": 0.16, "mountain road": 0.12,
               "coast": 0.12}  # fmt: skip
TIMES = ("day", "sunset", "overcast", "night", "morning", "dusk", "fog", "rain")
SUNNY = ("day", "sunset", "morning")  # the sun shines
LAMPS_ON = ("night", "dusk")  # windows and lamps are lit
OPEN = (*SUNNY, "dusk")  # the sky is seen
SKIES = ("clear sky", "cloudy sky")
SIDES = {"left": 0.5, "right": 0.3, "behind": 0.2}  # where the sun is, as the picture is seen
STUDIO = "studio"
INSIDE = (STUDIO, "showroom", "garage")  # where there is no time of day
_WITH_ARTICLE = ("city street", "mountain road")
_SMALL_WORDS = ("a", "an", "and", "at", "from", "in", "of", "on", "the")
_NO_CARS = ("bus", "roadster", "limousine")  # nobody calls them cars in the same breath


def vocabulary() -> dict[str, tuple[str, ...]]:
    """Every tag with the words it can have in a caption; ``grammar`` holds the words between them."""
    made_of = (*BUILDING_COLOURS.values(), *things.MATTER.values())
    colours = dict.fromkeys((*CAR_COLOURS, *(word for words in made_of for word in words if word != NONE)))
    return {
        "kind": KINDS,
        "style": (*CAR_STYLES, *BUILDING_STYLES),
        "finish": FINISHES,
        "colour": tuple(colours),
        "view": tuple(VIEWS),
        "ground": (*CAR_GROUNDS, things.TABLE, *INSIDE),
        "time": (*TIMES, *INSIDE),
        "sky": SKIES,
        "light": tuple(SIDES),
        **places.words(),
        "material": tuple(dict.fromkeys((*BUILDING_COLOURS, *things.MATTER))),
        "name": things.NAMES,
        "grammar": (*_SMALL_WORDS, *places.BETWEEN, "light", "made", "roof", "seen", "view", "with"),
    }


def sentences(tags: Mapping[str, str]) -> tuple[str, ...]:
    """True sentences about a scene, the one of the grammar first; all but the last say the light, too."""
    *full, short = _SENTENCES[tags["kind"]](tags)
    sky, side = tags.get("sky", NONE), tags.get("light", NONE)
    light = "" if side == NONE else f", light from {side if side == 'behind' else f'the {side}'}"
    said = ("" if sky == NONE else f", {sky}") + light
    return (*(text + said for text in full), short)


def _place(tags: Mapping[str, str]) -> tuple[str, str]:
    """Where it is, in the grammar's words and in others."""
    if tags["time"] in INSIDE:
        return f"in a {tags['time']}", f"in the {tags['time']}"
    if tags["ground"] in _WITH_ARTICLE:
        return f"on a {tags['ground']}, {tags['time']}", f"{tags['time']}, on a {tags['ground']}"
    if tags["ground"] == "coast":
        return f"at the coast, {tags['time']}", f"{tags['time']}, at the coast"
    return f"on {tags['ground']}, {tags['time']}", f"{tags['time']}, on {tags['ground']}"


def _a(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def _car(tags: Mapping[str, str]) -> tuple[str, ...]:
    finish, colour, style, view = (tags[name] for name in ("finish", "colour", "style", "view"))
    place, otherwise = _place(tags)
    whole = style if style.endswith("car") or style in _NO_CARS else f"{style} car"
    return (
        f"a {finish} {colour} {whole}, {view} view, {place}",
        f"{_a(colour)} {style}, {finish}, {otherwise}, {view} view",
        f"{finish} {colour} {whole} seen from the {view}, {place}",
        f"{_a(colour)} {whole}, {finish}, {place}",
    )


_SENTENCES = {
    "car": _car,
    "building": places.building_sentences,
    "landscape": places.landscape_sentences,
    "thing": things.sentences,
}
