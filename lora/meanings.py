"""What a word means among the words that a small model knows: "crimson" is red, "dawn" is a sunset.

A table of our own for the subjects of the embedded model and of those that people train like it; no network and no
dictionary of a language. A meaning counts only where the model at hand knows all of its words.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache

# what a model may know -> words that mean it, or the nearest that can be said with its words
MEANINGS = {
    "red": "crimson scarlet ruby cherry vermilion maroon burgundy carmine blood wine",
    "orange": "amber tangerine apricot coral rust rusty peach ginger terracotta",
    "yellow": "gold golden lemon canary mustard blond blonde",
    "green": "emerald lime olive mint jade moss mossy viridian",
    "teal": "turquoise cyan aqua aquamarine petrol",
    "blue": "navy azure cobalt sapphire indigo ultramarine cerulean",
    "purple": "violet magenta lilac lavender mauve plum pink fuchsia rose",
    "white": "ivory pearl chalk snowwhite pale",
    "black": "ebony jet onyx pitch",
    "silver": "chrome chromed platinum steel aluminium aluminum titanium",
    "brown": "chocolate bronze copper chestnut coffee tan mahogany sepia umber",
    "beige": "cream creamy khaki ecru",
    "grey": "gray slate charcoal ash graphite anthracite",
    "glossy": "shiny shining gleaming polished lacquered glittering sparkling sleek",
    "matte": "mat dull satin frosted",
    "metallic": "metal metals iron",
    "car": "automobile auto vehicle motorcar motor autocar",
    "sedan": "saloon limousine limo taxi cab",
    "coupe": "sportscar sports sporty roadster convertible cabriolet supercar racecar racer racing ferrari porsche",
    "hatchback": "compact mini supermini",
    "suv": "jeep offroader crossover",
    "pickup": "truck lorry ute",
    "van": "minivan bus camper minibus transporter",
    "wagon": "estate kombi",
    "house": "home villa mansion residence dwelling farmhouse",
    "cottage": "cabin hut bungalow shack chalet lodge",
    "warehouse": "factory barn hangar shed storehouse depot mill",
    "apartment block": "flats condo condominium tenement hotel residential",
    "skyscraper": "tower highrise office offices",
    "stone house": "castle fortress palace church chapel cathedral temple monastery fort ruin manor",
    "building": "architecture edifice structure school museum",
    "brick": "brickwork masonry",
    "wood": "wooden timber log logs plank planks oaken",
    "concrete": "cement brutalist",
    "glass": "glazed glassy crystal",
    "stone": "marble granite limestone sandstone cobblestone",
    "gable": "pitched pointed",
    "balconies": "terrace terraces veranda loggia",
    "side": "profile sideways lateral",
    "front": "frontal facade facing",
    "rear": "back behind backside",
    "road": "street highway asphalt avenue lane tarmac track motorway",
    "grass": "lawn meadow field fields park garden pasture prairie",
    "sand": "beach desert dune dunes",
    "snow": "ice icy winter wintry frost frozen arctic",
    "studio": "indoors showroom backdrop interior",
    "day": "daylight noon midday sunlight daytime bright sunshine afternoon summer",
    "sunset": "dawn dusk sunrise evening twilight morning sundown",
    "overcast": "cloud rain fog mist storm thunderstorm drizzle haze hazy gloomy autumn",
    "night": "midnight nighttime dark moonlight nocturnal moon moonlit starry darkness",
    "snowy mountains": "mountain alps alpine peak peaks glacier summit",
    "green hills": "hill valley countryside highlands",
    "the sea": "ocean lake river coast shore waves wave bay harbour harbor seaside water",
    "rocks": "boulder boulders cliff cliffs pebbles stones",
    "trees": "forest woods woodland jungle grove oak pine palm bush bushes spruce birch",
    "landscape": "scenery nature panorama vista",
}
# What none of these models draws, so that nobody is offered a house for a horse.
FOREIGN = frozenset(
    [
        "horse",
        "horses",
        "mouse",
        "cat",
        "cats",
        "cow",
        "goat",
        "dog",
        "dogs",
        "fox",
        "bear",
        "bird",
        "birds",
        "fish",
        "lion",
        "tiger",
        "dragon",
        "dragons",
        "unicorn",
        "animal",
        "man",
        "men",
        "woman",
        "women",
        "boy",
        "girl",
        "child",
        "person",
        "people",
        "face",
        "hand",
        "king",
        "queen",
        "knight",
        "robot",
        "bride",
        "ship",
        "boat",
        "boats",
        "plane",
        "train",
        "bike",
        "bicycle",
        "motorcycle",
        "flower",
        "flowers",
        "table",
        "chair",
        "book",
        "apple",
        "food",
        "sword",
        "heart",
        "star",
        "letter",
    ]
)
SHORTEST = 4  # letters of a word whose misspelling is told
TWO_FROM = 8  # letters from which two may be wrong


def meant(word: str, known: Collection[str]) -> str | None:
    """What can be said in place of ``word``, in lower case, with ``known`` single words; None where nothing is known.

    First by meaning, then another form of a known word ("tree" for "trees"), then a misspelling by a letter or two.
    """
    phrase = _by_meaning().get(word)
    if phrase and _all_known(phrase, known):
        return phrase
    for form in forms(word):
        if form in known:
            return form
    for form in forms(word):
        phrase = _by_meaning().get(form)
        if phrase and _all_known(phrase, known):
            return phrase
    if word in FOREIGN or phrase or word in _by_meaning() or len(word) < SHORTEST:
        return None
    most = 2 if len(word) >= TWO_FROM else 1
    near = [(distance(word, each), each) for each in known if abs(len(each) - len(word)) <= most and len(each) > 2]
    return min((each for each in near if each[0] <= most), default=(0, None))[1]


def forms(word: str) -> list[str]:
    """Other forms of an English word, with and without what is put behind it; most of them are no words at all."""
    found: list[str] = []
    for end in ("s", "es", "y", "ed", "d", "ing", "er", "est", "en", "ish", "ly", "like"):
        if word.endswith(end) and len(word) > len(end) + 2:
            stem = word[: -len(end)]
            found += [stem, f"{stem}e"]
            if len(stem) > 2 and stem[-1] == stem[-2]:  # redd-ish
                found.append(stem[:-1])
    if word.endswith("ies"):
        found.append(f"{word[:-3]}y")
    if word.endswith("y"):
        found.append(f"{word[:-1]}ies")
    found += [f"{word}s", f"{word}es"]
    return list(dict.fromkeys(each for each in found if each != word))


def distance(one: str, other: str) -> int:
    """How many letters were put in, left out, exchanged for another or with their neighbour (Damerau 1964)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, b in enumerate(other, 1):
            least = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                least = min(least, older[j - 2] + 1)
            row.append(least)
    return row[-1]


def _all_known(phrase: str, known: Collection[str]) -> bool:
    return all(word in known for word in re.findall(r"\w+", phrase) if word != "the")


@cache
def _by_meaning() -> dict[str, str]:
    return {word: phrase for phrase, words in MEANINGS.items() for word in words.split()}
