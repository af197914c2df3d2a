"""What paint and seed do to a picture, and whether a thing stands out where its outline was drawn. Each trial is one
function, as in ``behaviour.py``."""

from __future__ import annotations

from statistics import mean
from typing import Any

import cv2
import numpy as np

from ..data.hand import drawn
from ..data.hints import hinted
from ..data.palette import NUMBER, control_image
from ..data.sample import Sample
from ..words import vocabulary_of
from .colours import lab, recoloured
from .measures import LINE
from .trial import HAND_SEED, NotMeasured, Trial

LEAST_PAINTED, MOST_PAINTED = 0.03, 0.5  # of the picture; who hints at a colour paints neither a speck nor all of it
SEEDS = (11, 12)
NEAR_LINES = 1 / 170  # of the side; nearer than that to a line is not outside of it
THINGS, THINGS_SEED = 60, 2_000_000
UNSURE = 0.35  # of a thing's inner radius: so far from its outline the segmentation looks for it
ROUNDS = 4  # of GrabCut


def painted_colour(trial: Trial) -> dict[str, Any]:
    """How far an area is from the colour that was painted there, in CIELAB: ``painted_lab``, and without the paint.

    The largest area that is no more than half of the picture is painted whole in the colour that it has in the true
    picture, its hue turned by a quarter of a circle, so that neither lines nor prompt say it. ``painted_left`` is what
    is left of the distance, 0 to 1 and more: 1 for a model that does not see the paint.
    """
    jobs, bare, wanted, places = {}, {}, {}, {}
    for index, sample in trial.all():
        area = _area(sample)
        if area is None:
            continue
        colour = recoloured(sample.picture)[area].mean(0).round().astype(np.uint8)
        places[index], wanted[index] = _inside(area), lab(colour[None, None])[0, 0]
        jobs[index] = hinted(sample.sketch, area, colour), sample.captions[0]
        bare[index] = control_image(sample.sketch), sample.captions[0]
    if not jobs:
        raise NotMeasured("the data have no labels, or no area that somebody would paint")

    def distance(label: str, of: dict[int, Any]) -> float:
        found = [
            float(np.linalg.norm(lab(picture)[places[index]].mean(0) - wanted[index]))
            for index, picture in trial.renders(label, of)
        ]
        return mean(found)

    with_paint, without = distance("painted", jobs), distance("not painted", bare)
    return {"painted_lab": with_paint, "unpainted_lab": without, "painted_left": with_paint / max(without, 1e-6)}


def _area(sample: Sample) -> np.ndarray | None:
    """The largest area of one class that somebody would paint, (H, W) bool."""
    if sample.labels is None:
        return None
    best, found = 0, None
    for name in np.unique(sample.labels).tolist():
        count, number, stats, _ = cv2.connectedComponentsWithStats((sample.labels == name).astype(np.uint8))
        for each in range(1, count):
            size = int(stats[each, cv2.CC_STAT_AREA])
            if max(best, LEAST_PAINTED * number.size) < size <= MOST_PAINTED * number.size:
                best, found = size, number == each
    return found


def seeds(trial: Trial) -> dict[str, Any]:
    """How much two seeds differ beside the lines, in levels of 255: with few words, and with all of them said.

    What words leave open is filled in by the seed, as ``complete_prompt`` does, from the shortest caption and from the
    longest. Lines stay where they are, so that pixels on and beside them are not counted.
    """
    short = {index: (control_image(each.sketch), min(each.captions, key=len)) for index, each in trial.all()}
    full = {index: (control_image(each.sketch), max(each.captions, key=len)) for index, each in trial.all()}
    found = {}
    for name, jobs in (("seeds_few_words", short), ("seeds_all_words", full)):
        pictures = []
        for seed in SEEDS:
            with trial.renderer.changed(seed=seed, complete_prompt=True):
                pictures.append(dict(trial.renders(f"{name.replace('_', ' ')}, seed {seed}", jobs)))
        one, other = pictures
        found[name] = mean(
            float(np.abs(one[index].astype(np.int16) - other[index])[_beside(sample.sketch)].mean())
            for index, sample in trial.all()
        )
    return found


def _inside(area: np.ndarray) -> np.ndarray:
    """An area without its border, where lines are."""
    inner = cv2.erode(area.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return inner if inner.any() else area


def _beside(sketch: np.ndarray) -> np.ndarray:
    """Where no line is near, (H, W) bool; everywhere if lines are everywhere."""
    reach = 2 * round(len(sketch) * NEAR_LINES) + 1
    free = cv2.dilate((sketch > LINE).astype(np.uint8), np.ones((reach, reach), np.uint8)) == 0
    return free if free.any() else np.ones_like(free)


def things(trial: Trial) -> dict[str, Any]:
    """Whether things of all sorts stand out where they were drawn: IoU of what a segmentation finds with the thing.

    Sixty that no training saw (animals, letters, shoes, faces, chairs, ...), or as many as there are samples, drawn by
    another hand. ``things_iou_truth`` is that of the fast painter's own pictures of them.
    """
    from ..data.render import render
    from ..data.scenes import sample_scene, samples

    words = vocabulary_of(trial.renderer.pipe)
    if words is not None and "thing" not in words.known:
        raise NotMeasured("the model was not taught things")
    side, count = trial.renderer.side, min(THINGS, len(trial.data.samples))
    scenes = [sample_scene(THINGS_SEED + number, "thing") for number in range(count)]
    jobs, masks, truth = {}, {}, []
    for number, scene in enumerate(scenes):
        sample = samples(render([scene], side), [scene])[0]
        assert sample.labels is not None and sample.clean is not None
        mask = sample.labels == NUMBER["thing"]
        if not mask.any():
            continue
        lines = drawn(sample.clean, np.random.default_rng((HAND_SEED, number)))
        masks[number] = mask
        jobs[number] = control_image(lines), sample.captions[0]
        truth.append(standing_out(sample.picture, mask))
    found = []
    for index, picture in zip(jobs, trial.renderer.sketches(jobs.values(), trial.steps), strict=True):
        trial.at("things", len(found) / len(jobs))
        found.append(standing_out(picture, masks[index]))
    return {"things_iou": mean(found), "things_iou_truth": mean(truth)}


def standing_out(picture: np.ndarray, mask: np.ndarray) -> float:
    """IoU of ``mask`` (H, W) bool with the thing that stands out of a picture (H, W, 3) uint8 near it.

    GrabCut (Rother et al. 2004) is told the mask's core and what is far from it, and looks for the border between.
    """
    inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    reach = max(2.0, UNSURE * float(inside.max()))
    told = np.where(mask, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    told[inside > reach], told[outside > reach] = cv2.GC_FGD, cv2.GC_BGD
    if not (told == cv2.GC_BGD).any():  # it fills the picture
        return 1.0
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    picture = np.ascontiguousarray(picture[..., ::-1])
    cv2.grabCut(picture, told, (0, 0, 0, 0), *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = (told == cv2.GC_FGD) | (told == cv2.GC_PR_FGD)
    return np.count_nonzero(found & mask) / max(1, np.count_nonzero(found | mask))


STEERING = {"painted colour": painted_colour, "seeds": seeds, "things": things}
STEERING_PASSES = {"painted colour": 2, "seeds": 4}
