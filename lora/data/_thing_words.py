"""What things can be: their names, what they are made of, in which colours, and how that is said."""

from __future__ import annotations

from collections.abc import Mapping

NONE = "none"  # of a colour: the material has its own
THING = "thing"  # the name of what has no other
TABLE = "table"
TWO_COLOURED = 0.35  # of things that have a part for a second colour
NAMELESS = 0.33  # of all things
_ANIMALS = ("cat", "dog", "rabbit", "horse", "elephant", "dinosaur", "bird", "fish", "pig", "turtle", "snail", "whale")
_TOYS = ("duck", "owl", "teddy", "robot", "rocket", "boat", "mask", "snowman")
_PLANTS = ("leaf", "flower", "cactus", "plant", "mushroom", "apple", "pear", "cherries")
_VESSELS = ("cup", "bottle", "vase", "teapot", "bowl", "lamp")
_THINGS = ("shoe", "boot", "chair", "stool", "hat", "umbrella", "guitar", "key", "crown", "spoon")
_SIGNS = ("letter", "number", "heart", "star", "arrow", "moon", "cloud")
NAMES = (*_ANIMALS, *_TOYS, *_PLANTS, *_VESSELS, *_THINGS, *_SIGNS)
SEVERAL = ("cherries",)
MATTER = {  # material -> its colours
    "clay": ("brown", "white", "grey", "red", "beige"),
    "plaster": ("white",),
    "bronze": (NONE, "green"),
    "gold": (NONE,),
    "chrome": (NONE,),
    "wood": ("brown", "beige", "black"),
    "stone": ("grey", "beige", "brown"),
    "marble": ("white", "black", "green"),
    "glass": (NONE, "blue", "green", "red", "purple", "orange"),
    "ice": (NONE,),
    "plastic": ("red", "orange", "yellow", "green", "teal", "blue", "purple", "pink", "white", "black"),
    "ceramic": ("white", "blue", "teal", "green", "yellow", "black"),
    "plush": ("brown", "beige", "white", "grey", "pink", "red", "blue", "yellow", "green"),
    "fabric": ("red", "blue", "green", "beige", "grey", "purple", "yellow", "pink"),
    "paper": ("white", "red", "blue", "yellow", "green", "pink", "orange"),
    "chocolate": (NONE,),
    "neon": ("red", "pink", "blue", "green", "yellow", "orange", "purple", "white"),
}
PAINTED = ("clay", "plastic", "ceramic", "plush", "fabric", "paper", "wood", "neon")  # can have a second colour
WORDS = ("made", "of", "and", "on", "in", "a", "an", "the")


def a(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def sentences(tags: Mapping[str, str]) -> tuple[str, ...]:
    """True sentences about a thing, the one of the grammar first."""
    name, material, colour, second = (tags[key] for key in ("name", "material", "colour", "second"))
    tint = "" if colour == NONE else colour if second == NONE else f"{colour} and {second}"
    made = f"{tint} {material}".strip()
    ground, time = tags["ground"], tags["time"]
    if time == "studio":
        place, otherwise, loose = "in a studio", "in the studio", "in a studio"
    else:
        where = f"on a {TABLE}" if ground == TABLE else f"on {ground}"
        place, otherwise, loose = f"on {ground}, {time}", f"{time}, {where}", f"{where}, {time}"
    one = made if name in SEVERAL else a(made)
    called = (
        f"{one} {name}, {place}",
        f"{a(made)} thing, {place}",
        f"{name if name in SEVERAL else a(name)} made of {made}, {otherwise}",
        f"{name} of {made}, {loose}",
        f"{one} {name} {loose}",
    )
    return called if name != THING else (*called[1:4], f"thing, {made}, {loose}")
