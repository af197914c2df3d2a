"""The card of the embedded model: what it is, what made it, what it was measured to do, and where it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..data import looks
from ..data.palette import CLASSES, colours
from ..data.scenes import vocabulary

USE = """\
# ink-tiny

Sketch and prompt to picture, 256x256, in 1 to 4 steps, shaped like Stable Diffusion: UNet, ControlNet, CLIP text
encoder and AutoencoderTiny. It ships with inkstream, and loads without a network:

```python
from diffusers import StableDiffusionControlNetPipeline

pipe = StableDiffusionControlNetPipeline.from_pretrained("models/ink-tiny", local_files_only=True)
picture = pipe(
    "a red brick house with a gable roof, on grass, day",
    image=sketch,
    num_inference_steps=2,
    guidance_scale=1.0,
    height=256,
    width=256,
).images[0]
```

v prediction, `LCMScheduler`, 50 original steps, trained without guidance: use `guidance_scale` 1 or less.

## Drawings

256x256 RGB: white lines, 2 to 3 px wide, on black; the `scribble` preprocessor makes this of any drawing. It looks for
the outline of a thing, the borders of its parts (windows, doors, wheels, lamps), and the horizon. The ControlNet also
reads a palette: areas filled with the colour of their class, lines on top, the whole picture or none of it.
"""
LIMITS = """\
## Limits

It knows cars, buildings and landscapes as one renderer shows them, and the words above; other words mean nothing to it.
One thing to a picture, lit from the left, a sun in the sky or not. Bricks are laid upon the picture: in one size, and
without perspective. Very fine structure (spokes, the panes of far windows) is suggested, not drawn. A blank page is a
blur, and what is not drawn yet a soft guess, until a palette or more lines say what is there. Further steps make it
hardly better than one. Edges have some more contrast than a mean of all that could be there would have: it was taught
with sharpened pictures.
It was judged on drawings of the same renderer by another hand, not on people's.

Licence: Apache-2.0, like the project. No outside picture, text or weight went into it.
"""
FIGURES = (
    ("edge_f1", "edge F1 against the sketch", "{:.3f}"),
    ("edge_margin", "margin over other sketches", "{:.3f}"),
    ("psnr_db", "PSNR, dB", "{:.2f}"),
    ("ssim", "SSIM", "{:.3f}"),
    ("sharpness", "sharpness, of the truth's", "{:.2f}"),
)


def text(recipe: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    """The card, of what ``course.assemble`` keeps: the recipe with every part's notes, and an evaluation's result."""
    styles = [name.removeprefix("style ") for name in recipe["parts"] if name.startswith("style ")]
    parts = [USE, _classes(), _words(), _styles(styles), _making(recipe), _measured(figures), LIMITS]
    return "\n".join(filter(None, parts))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _classes() -> str:
    shown = [f"{name} `{' '.join(map(str, colour))}`" for name, colour in zip(CLASSES, colours(), strict=True)]
    return "Classes (RGB): " + ", ".join(shown) + ".\n"


def _words() -> str:
    rows = [(tag, ", ".join(words)) for tag, words in vocabulary().items()]
    return "## Words\n\nLower case, at most 32 tokens.\n\n" + _table(("tag", "words"), rows)


def _styles(names: Sequence[str]) -> str:
    if not names:
        return ""
    listed = [f"- `{name}`: {looks.look_of(name).about}." for name in names]
    first = f"LoRAs in `styles/`; with inkstream `--set lora_dict.{names[0]}=0.8`, in diffusers `load_lora_weights`."
    return f"## Styles\n\n{first}\n\n" + "\n".join(listed) + "\n"


def _making(recipe: Mapping[str, Any]) -> str:
    course, rows = recipe["course"], []
    for name, notes in recipe["parts"].items():
        for label, each in _trainings(name, notes):
            rows.append((label, f"{each['steps']:,}", f"{each['samples']:,}", f"{each['minutes']:.1f}"))
    one = next(iter(recipe["parts"].values()))
    versions = f"torch {one['torch']}, diffusers {one['diffusers']}, Python {one['python']}"
    return (
        "## How it was made\n\n"
        f"`inkstream train ink-tiny`, on {course['budget']}, from {course['scenes']:,} scenes that the project's own "
        f"code\nrenders, each drawn by three simulated hands; a style from {course['pairs']} pairs. No outside weights "
        f"or pictures.\n`recipe.json` has every setting{_earlier(recipe)}. {versions}.\n\n"
        + _table(("part", "steps", "samples", "minutes"), rows)
    )


def _trainings(name: str, notes: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """A part's trainings, the first one first: those that it began from, unless they are a part of the course, and it.

    Each comes with its label, which counts them where there are several.
    """
    found = [notes]
    while isinstance(began := found[0].get("began_from"), Mapping):
        found.insert(0, began)
    if len(found) == 1:
        return [(name, notes)]
    return [(f"{name}, {number} of {len(found)}", each) for number, each in enumerate(found, 1)]


def _earlier(recipe: Mapping[str, Any]) -> str:
    """That some settings were others at first, where they were."""
    every = [each for name, notes in recipe["parts"].items() for each in _trainings(name, notes)]
    parts = [name for name, notes in every if notes.get("earlier")]
    return f"; those of {' and '.join(parts)} were others at first, which is under `earlier`" if parts else ""


def _measured(result: Mapping[str, Any]) -> str:
    rows = {row["steps"]: row for row in result["rows"] if row["about"] == "pictures"}
    heads = ("", *(f"{steps} step{'s' * (steps > 1)}" for steps in rows))
    table = [(label, *(form.format(row[name]) for row in rows.values())) for name, label, form in FIGURES]
    about = result["configuration"]
    goals = [(goal["figure"], f"{goal['got']:.3f}", f"{goal['goal']:g}", goal["reached"]) for goal in result["goals"]]
    return (
        "## Measured\n\n"
        f"`inkstream evaluate ink-tiny` on {about['samples']} drawings of scenes that it never saw; `figures.json` has "
        "all of it.\n\n"
        + _table(heads, table)
        + ("\n" + _table(("figure", "got", "goal", "reached"), goals) if goals else "")
    )
