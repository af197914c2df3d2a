"""How a model behaves when something is missing, wrong or added. Each trial is one function.

A trial renders what it needs, in the steps that users get by default, and gives figures; it raises NotMeasured, with a
reason, where the data lack what it takes. PSNR is against the true picture, in dB, the mean over pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean
from typing import Any

import cv2
import numpy as np

from ..data.hand import drawn
from ..data.palette import control_image
from ..data.sample import Sample
from .blobs import hand_painted
from .colours import (
    HUED,
    class_colours,
    class_ious,
    colour_of,
    flat_painting,
    hue,
    learned_hues,
    nearest_hue,
    painted,
    recoloured,
    region_distance,
    segmented,
    swapped_colour,
)
from .measures import flicker, mean_change, nearness
from .steering import STEERING, STEERING_PASSES
from .trial import HAND_SEED, NotMeasured, Trial

UNFINISHED = 2 / 3  # of the strokes' length, in the trial of unfinished drawings
BEGUN = 1 / 3  # of it, in the second half of the trial of palettes
DISTINCT = 0.6  # IoU of a class in the true picture, from which on its colours tell it


def blank_sketch(trial: Trial) -> dict[str, Any]:
    """PSNR lost when nothing is drawn: what the drawing is worth to the model."""
    jobs = {index: (control_image(np.zeros_like(sample.sketch)), sample.captions[0]) for index, sample in trial.all()}
    return {"psnr_lost_blank_db": trial.lost(trial.psnr("blank sketch", jobs))}


def wrong_prompt(trial: Trial) -> dict[str, Any]:
    """PSNR lost with the prompt of another sample: what the prompt is worth to the model."""
    samples = trial.all()
    prompts = [sample.captions[0] for _, sample in samples]
    jobs = {}
    for index, sample in samples:
        others = [text for text in prompts[index + 1 :] + prompts[:index] if text not in sample.captions]
        if others:
            jobs[index] = control_image(sample.sketch), others[0]
    if not jobs:
        raise NotMeasured("all samples have the same caption")
    return {"psnr_lost_wrong_prompt_db": trial.lost(trial.psnr("wrong prompt", jobs))}


def colour_words(trial: Trial) -> dict[str, Any]:
    """How often the nearest hue is the right one after the colour word was swapped.

    The hue is that of the class that has the prompt's colour (a car's body). What hue a word has under each time of
    day is learned from true pictures.
    """
    hues = learned_hues(trial.data.hues)
    jobs, wanted, where = {}, {}, {}
    for index, sample in trial.all():
        place, old, when = painted(sample), colour_of(sample), sample.tags.get("time", "")
        choices = [each for each in HUED if each != old and (each, when) in hues]
        if place is None or not old or len(choices) < 2:
            continue
        new = choices[(7 * index) % len(choices)]
        caption = swapped_colour(sample.captions[0], old, new)
        if caption is not None:
            jobs[index], wanted[index], where[index] = (control_image(sample.sketch), caption), (new, when), place
    if not jobs:
        raise NotMeasured(
            "no sample has a colour tag, a caption with that colour, and labels that say where it is painted; or too "
            "few colours were seen to know their hues"
        )
    right = []
    for index, picture in trial.renders("another colour", jobs):
        colour, when = wanted[index]
        right.append(nearest_hue(hues, when, hue(picture, where[index])) == colour)
    return {"hue_right": mean(right), "hue_pictures": len(right)}


def unfinished(trial: Trial) -> dict[str, Any]:
    """PSNR lost when the horizon, or a third of the strokes, is not drawn; all three drawn by the same hand.

    It draws the exact lines, or those of the sketch where the data have no exact ones.
    """
    clean = {index: sample.sketch if sample.clean is None else sample.clean for index, sample in trial.all()}

    def psnrs(label: str, **how: Any) -> dict[int, float]:
        jobs = {}
        for index, lines in clean.items():
            sketch = drawn(lines, np.random.default_rng((HAND_SEED, index)), **how)
            jobs[index] = control_image(sketch), trial.data.samples[index].captions[0]
        return trial.psnr(label, jobs)

    whole, bare = psnrs("drawn again"), psnrs("no horizon", horizon=False)
    begun = psnrs("a third missing", complete=UNFINISHED)
    return {
        "psnr_lost_no_horizon_db": mean(whole[index] - bare[index] for index in whole),
        "psnr_lost_third_missing_db": mean(whole[index] - begun[index] for index in whole),
    }


def palette(trial: Trial) -> dict[str, Any]:
    """Whether class colours under the lines put things where they are: IoU with the palette on, and off.

    A picture is segmented by the nearest class colour; a class has the colours that it has in the true picture of the
    same sample. Counted are the classes that this finds in the true picture itself, with an IoU of at least 0.6: a
    black car's body and wheels are not told apart by colour. ``palette_iou_truth`` is that of the true pictures,
    which no render exceeds. A whole drawing with its prompt says nearly all of it by itself, and a drawing is begun
    longer than it is whole, so that all is measured again with a third of the strokes. A gain is on over off, less 1;
    ``palette_gain`` is that of both together.
    """
    samples, colours, told = {}, {}, {}
    for index, sample in trial.all():
        if sample.labels is None:
            continue
        known = class_colours(sample.picture, sample.labels)
        truth = class_ious(segmented(sample.picture, known), sample.labels, known)
        distinct = {each: value for each, value in truth.items() if value >= DISTINCT}
        if len(distinct) > 1:
            samples[index], colours[index], told[index] = (sample, sample.labels), known, distinct
    if not samples:
        raise NotMeasured("the data have no labels, or none whose classes are told apart by colour")

    def gain(on: float, off: float) -> float:
        return on / off - 1 if off else 0.0

    def iou(index: int, picture: np.ndarray) -> float:
        found = class_ious(segmented(picture, colours[index]), samples[index][1], told[index])
        return mean(found.values())

    def over(label: str, on: bool, drawings: dict[int, np.ndarray]) -> float:
        jobs = {
            index: (control_image(drawings[index], labels if on else None), sample.captions[0])
            for index, (sample, labels) in samples.items()
        }
        return mean(iou(index, picture) for index, picture in trial.renders(label, jobs))

    whole = {index: sample.sketch for index, (sample, _) in samples.items()}
    off, on = over("palette off", False, whole), over("palette on", True, whole)
    begun = {index: _begun(sample, index) for index, (sample, _) in samples.items()}
    begun_off, begun_on = over("palette off, begun", False, begun), over("palette on, begun", True, begun)
    return {
        "palette_iou_off": off,
        "palette_iou_on": on,
        "palette_gain": gain(on + begun_on, off + begun_off),
        "palette_gain_whole": gain(on, off),
        "palette_iou_begun_off": begun_off,
        "palette_iou_begun_on": begun_on,
        "palette_gain_begun": gain(begun_on, begun_off),
        "palette_iou_truth": mean(mean(each.values()) for each in told.values()),
    }


def _begun(sample: Sample, index: int) -> np.ndarray:
    """The first strokes of a drawing."""
    lines = sample.sketch if sample.clean is None else sample.clean
    return drawn(lines, np.random.default_rng((HAND_SEED, index)), complete=BEGUN)


def painting(trial: Trial) -> dict[str, Any]:
    """Whether img2img keeps colours: distance in CIELAB from a flat painting, one step from t = 499.

    Two more paintings tell where the colours came from, as the prompt stays the same. ``img2img_lab_grey``: painted
    in greys, and held against the painting in colours; where that is as near, the prompt did it alone.
    ``img2img_lab_other``: painted in other colours than the prompt has, and held against those.
    """
    flat = {index: flat_painting(sample.picture, sample.labels) for index, sample in trial.all()}
    prompts = {index: sample.captions[0] for index, sample in trial.all()}

    def distance(
        label: str, paint: Callable[[np.ndarray], np.ndarray], wanted: Callable[[np.ndarray], np.ndarray]
    ) -> float:
        jobs = {index: (paint(picture), prompts[index]) for index, (picture, _) in flat.items()}
        return mean(
            region_distance(render, wanted(flat[index][0]), flat[index][1])
            for index, render in trial.renders(label, jobs, paint=True)
        )

    return {
        "img2img_lab": distance("from a painting", _as_is, _as_is),
        "img2img_lab_grey": distance("from it in grey", _grey, _as_is),
        "img2img_lab_other": distance("from it in other colours", recoloured, recoloured),
    }


def moving(trial: Trial) -> dict[str, Any]:
    """Flicker while a camera moves around things, and how much the true pictures change, in levels of 255."""
    if not trial.data.moving:
        raise NotMeasured("the data hold no sequences; scenes:SEED:COUNT does")
    flickers, changes = [], []
    for number, sequence in enumerate(trial.data.moving):
        trial.at("moving camera", number / len(trial.data.moving))
        prompt = sequence[0].captions[0]
        jobs = [(control_image(sample.sketch if sample.clean is None else sample.clean), prompt) for sample in sequence]
        truths = [sample.picture for sample in sequence]
        flickers.append(flicker(list(trial.renderer.sketches(jobs, trial.steps)), truths))
        changes.append(mean_change(truths))
    return {"flicker": mean(flickers), "flicker_truth_change": mean(changes)}


def autoencoder(trial: Trial) -> dict[str, Any]:
    """PSNR of true pictures that went through the autoencoder: no render can be nearer."""
    import torch

    from ...engines.units import Decode, Encode
    from ...stream.loop.codec import to_image, to_pixels

    pipe, found = trial.renderer.pipe, []
    encode, decode = Encode(pipe.vae), Decode(pipe.vae)
    for index, sample in trial.all():
        trial.at("autoencoder", index / len(trial.data.samples))
        with torch.inference_mode():
            (picture,), _ = to_pixels(decode(encode(to_image([sample.picture], pipe.vae.device))))
        trial.show("autoencoder", index, picture)
        found.append(nearness(picture, sample.picture))
    return {"autoencoder_psnr_db": mean(found)}


TRIALS: dict[str, Callable[[Trial], dict[str, Any]]] = {
    "blank sketch": blank_sketch,
    "wrong prompt": wrong_prompt,
    "colour words": colour_words,
    "unfinished drawings": unfinished,
    "palette": palette,
    "hand-painted blobs": hand_painted,
    "img2img": painting,
    "moving camera": moving,
    "autoencoder": autoencoder,
    **STEERING,
}
PASSES = {
    "unfinished drawings": 3,
    "palette": 4,
    "hand-painted blobs": 2,
    "img2img": 3,
    **STEERING_PASSES,
}  # how often a trial renders all samples, if not once


def _as_is(picture: np.ndarray) -> np.ndarray:
    return picture


def _grey(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
