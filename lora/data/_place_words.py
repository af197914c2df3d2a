"""The words of buildings and landscapes: what they can be, what goes together, and how it is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

NONE = "none"  # the word of a tag whose thing is not there
MATERIALS = {  # style -> what it can be made of
    "house": ("brick", "wood", "stone", "concrete", "plaster"),
    "cottage": ("wood", "stone", "brick", "plaster"),
    "warehouse": ("brick", "concrete", "wood"),
    "apartment block": ("brick", "concrete", "stone", "glass", "plaster"),
    "skyscraper": ("glass", "concrete", "stone"),
    "villa": ("plaster", "concrete", "wood"),
    "barn": ("wood", "stone"),
    "garage": ("concrete", "brick", "wood", "plaster"),
    "church": ("stone", "plaster", "brick", "wood"),
    "castle": ("stone", "brick"),
    "tower": ("stone", "brick"),
    "lighthouse": ("plaster", "stone", "brick"),
    "temple": ("stone", "plaster"),
    "bridge": ("stone", "brick", "concrete"),
    "suspension bridge": ("steel",),
    "street": ("plaster", "brick", "stone"),
}
BUILDING_STYLES = tuple(MATERIALS)
BUILDING_COLOURS = {
    "brick": ("red", "brown", "beige", "grey"),
    "wood": ("brown", "white", "yellow", "blue", "green", "red"),
    "concrete": ("grey", "white", "beige"),
    "glass": ("blue", "grey", "green"),
    "stone": ("grey", "beige", "brown"),
    "plaster": ("white", "beige", "yellow", "red", "grey"),
    "steel": ("red", "grey", "green"),
}
ROOFS = {
    "house": ("gable", "hip"),
    "cottage": ("gable", "hip"),
    "warehouse": ("gable", "flat"),
    "apartment block": ("flat", "hip"),
    "skyscraper": ("flat",),
    "villa": ("flat",),
    "barn": ("gable",),
    "garage": ("flat", "gable"),
    "church": ("gable",),
    "castle": ("pointed", "flat"),
    "tower": ("pointed", "flat"),
    "lighthouse": ("dome",),
    "temple": ("gable", "flat"),
    "bridge": (NONE,),
    "suspension bridge": (NONE,),
    "street": (NONE,),
}
BRIDGES = ("bridge", "suspension bridge")
WITH_BALCONIES = ("apartment block", "skyscraper")
WITH_YARD = ("house", "cottage", "villa", "barn", "garage", "church")  # a path, a fence, bushes
TREES = {"trees": 0.54, "birches": 0.20, "conifers": 0.18, "bare trees": 0.08, "palms": 0.0}
BEHIND = {"hills": 0.26, "a forest": 0.22, "mountains": 0.12, "a city": 0.1, NONE: 0.3}
BEHIND_CLASSES = {"hills": "hill", "a forest": "tree", "mountains": "mountain", "a city": "house"}
FENCES = {"a fence": 0.28, "a hedge": 0.18, NONE: 0.54}
PLANTS = {"bushes": 0.40, "flowers": 0.18, NONE: 0.42}
PATHS = {"a path": 0.72, NONE: 0.28}

FARS = {  # words -> class
    "snowy mountains": "mountain",
    "green hills": "hill",
    "the sea": "sea",
    "a forest": "tree",
    "dunes": "sand",
    "cliffs": "rock",
}
NEARS = ("grass", "sand", "snow", "rocks", "flowers")
COASTS = ("the sea", "cliffs")
NEAR_SHARES = {  # far -> near -> its share; what has none is there only where it is asked for
    "snowy mountains": {"grass": 0.34, "flowers": 0.26, "snow": 0.24, "rocks": 0.16, "sand": 0.0},
    "green hills": {"grass": 0.55, "flowers": 0.33, "rocks": 0.12, "snow": 0.0, "sand": 0.0},
    "the sea": {"sand": 0.50, "grass": 0.20, "rocks": 0.18, "flowers": 0.12, "snow": 0.0},
    "a forest": {"grass": 0.44, "flowers": 0.28, "snow": 0.18, "rocks": 0.10, "sand": 0.0},
    "dunes": {"sand": 0.80, "rocks": 0.20},
    "cliffs": {"grass": 0.36, "sand": 0.26, "rocks": 0.20, "flowers": 0.18, "snow": 0.0},
}
GROVES = {  # where a landscape is -> what grows there, and its share
    "dunes": {"palms": 0.42, "bare trees": 0.13, "trees": 0.0, "conifers": 0.0, "birches": 0.0, NONE: 0.45},
    "beach": {"palms": 0.62, "bare trees": 0.08, "trees": 0.0, "conifers": 0.0, "birches": 0.0, NONE: 0.30},
    "coast": {"trees": 0.38, "conifers": 0.24, "bare trees": 0.08, "birches": 0.0, "palms": 0.0, NONE: 0.30},
    "snow": {"conifers": 0.56, "bare trees": 0.16, "birches": 0.12, "trees": 0.0, "palms": 0.0, NONE: 0.16},
    "mountains": {"conifers": 0.62, "birches": 0.12, "trees": 0.08, "bare trees": 0.02, "palms": 0.0, NONE: 0.16},
    "meadow": {"trees": 0.50, "birches": 0.22, "conifers": 0.06, "bare trees": 0.05, "palms": 0.0, NONE: 0.17},
}
WATERS = {"a river": 0.20, "a lake": 0.20, NONE: 0.60}
WAYS = {"a road": 0.24, "a path": 0.32, NONE: 0.44}
VILLAGE = {"a village": 0.24, NONE: 0.76}
THICKETS = {"bushes": 0.42, NONE: 0.58}  # of a landscape
BOUNDS = {"a fence": 0.26, "a hedge": 0.14, NONE: 0.60}  # of its meadows

BETWEEN = (
    "behind",
    "building",
    "houses",
    "landscape",
    "no",
    "over",
    "people",
    "river",
    "street",
    "under",
    "village",
    "without",
)


def ground_of(tags: Mapping[str, str]) -> str:
    """What a landscape's nearest ground is, of NEARS; rocks lie on sand at coasts and among dunes, and on grass."""
    if tags["near"] != "rocks":
        return tags["near"]
    return "sand" if tags["far"] in (*COASTS, "dunes") else "grass"


def words() -> dict[str, tuple[str, ...]]:
    """The tags of buildings and landscapes with the words that they can have in a caption."""
    return {
        "material": tuple(BUILDING_COLOURS),
        "roof": ("gable", "hip", "flat", "pointed", "dome"),
        "balconies": ("balconies",),
        "behind": tuple(BEHIND_CLASSES),
        "fence": ("a fence", "a hedge"),
        "plants": ("bushes", "flowers"),
        "path": ("a path",),
        "far": tuple(FARS),
        "near": NEARS,
        "water": ("a river", "a lake", "water"),
        "way": ("a road", "a path"),
        "houses": ("a village",),
        "trees": tuple(TREES),
    }


def listed(things: Sequence[str]) -> str:
    """``a, b and c``, without those that are not there."""
    there = [thing for thing in things if thing != NONE]
    return there[0] if len(there) == 1 else f"{', '.join(there[:-1])} and {there[-1]}" if there else ""


def building_sentences(tags: Mapping[str, str]) -> tuple[str, ...]:
    """True sentences about a building, the fullest first."""
    colour, material, style, time = (tags[name] for name in ("colour", "material", "style", "time"))
    extras = listed([tags["trees"], tags["plants"], tags["fence"], tags["path"]])
    behind = "" if tags["behind"] == NONE else f"{tags['behind']} behind"
    more = "".join(f", {each}" for each in (extras, behind) if each)
    dressed = "" if tags["balconies"] == NONE else " and balconies"
    roof = "a dome" if tags["roof"] == "dome" else f"a {tags['roof']} roof"
    if style == "street":
        made, other = f"a street of {colour} {material} houses", f"{material} street, {colour}"
        short, place, turned = f"a {colour} street", time, time
    elif style in BRIDGES:
        made, other = f"a {colour} {material} {style} over a river", f"{style} made of {colour} {material}, river"
        short, place, turned = f"a {colour} {material} bridge", f"on {tags['ground']}, {time}", time
    else:
        made = f"a {colour} {material} {style} with {roof}{dressed}"
        other = f"{_a(style)} made of {colour} {material}, {roof[2:]}{dressed}"
        short = f"a {colour} {material} building{dressed.replace(' and', ' with')}"
        place, turned = f"on {tags['ground']}, {time}", f"{time}, on {tags['ground']}"
    under = "" if tags["roof"] == NONE else f" under {roof}{dressed}"
    said = (
        f"{made}, {place}{more}",
        f"{other}, {turned}{more}",
        f"{style} of {colour} {material}{under}, {place}",
        f"{short}, {place}",
        f"{short}, {time}, {_absent(tags, ('trees', 'fence', 'path'))}",
    )
    return tuple(dict.fromkeys(said))


def landscape_sentences(tags: Mapping[str, str]) -> tuple[str, ...]:
    """True sentences about a landscape, the fullest first."""
    far, near, time = tags["far"], tags["near"], tags["time"]
    things = [tags[name] for name in ("water", "way", "houses", "fence", "plants", "trees")]
    said = (
        f"a landscape with {listed([far, near, *things])}, {time}",
        f"{listed([near, *things])}, {far}, {time}",
        f"{_a(time)} landscape of {far} with {listed([near, *things])}",
        f"a landscape with {far} and {near}, {time}",
        f"{far}, {near}, {time}, {_absent(tags, ('trees', 'water', 'houses'))}",
    )
    return tuple(dict.fromkeys(said))


def _absent(tags: Mapping[str, str], asked: Sequence[str]) -> str:
    """What is not there, of what might be; people never are."""
    names = {"houses": "village"}
    missing = [names.get(name, name) for name in asked if tags[name] == NONE]
    count = sum(map(ord, "".join(tags.values())))  # the same scene says the same
    word = [*missing, "people"][count % (len(missing) + 1)]
    return f"{'no' if count % 2 else 'without'} {word}"


def _a(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"
