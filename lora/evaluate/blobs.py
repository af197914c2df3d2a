"""What pages of blobs, painted by hand, are worth to a model."""

from __future__ import annotations

from statistics import mean
from typing import Any

import numpy as np

from ..data.blobs import condition_of, painted_page
from ..data.hand import drawn
from ..data.palette import control_image
from .colours import class_colours, class_ious, segmented
from .trial import NotMeasured, Trial

PAGES = 12
HAND_SEED = 30_000  # of the hand that paints
BEGUN = 1 / 3  # of the strokes' length: the lines that are there, with paint and without
DISTINCT = 0.6  # IoU of a class in the true picture, from which on its colours tell it


def hand_painted(trial: Trial) -> dict[str, Any]:
    """Whether blobs put things where they are: IoU with the paint of hand-painted pages, and with their lines alone.

    IoUs as in the trial of palettes, of up to 12 pages; the paint goes through the ``palette`` preprocessor.
    """
    nets = [each.preprocessor_params for each in trial.renderer.config.controlnets if each.preprocessor == "palette"]
    params = nets[0] if nets else {"bare": "near"}
    pages, known, told = {}, {}, {}
    for index, sample in trial.all():
        if sample.labels is None or len(pages) == PAGES:
            continue
        colours = class_colours(sample.picture, sample.labels)
        truth = class_ious(segmented(sample.picture, colours), sample.labels, colours)
        distinct = [each for each, value in truth.items() if value >= DISTINCT]
        if len(distinct) < 2:
            continue
        rng = np.random.default_rng((HAND_SEED, index))
        lines = drawn(sample.sketch if sample.clean is None else sample.clean, rng, complete=BEGUN)
        page = painted_page(sample.labels, lines, rng)
        pages[index], known[index], told[index] = (page, lines, sample), colours, distinct
        trial.show("hand-painted page", index, page)
    if not pages:
        raise NotMeasured("the data have no labels, or none whose classes are told apart by colour")

    def iou(label: str, conditions: dict[int, np.ndarray]) -> float:
        jobs = {index: (condition, pages[index][2].captions[0]) for index, condition in conditions.items()}
        found = []
        for index, picture in trial.renders(label, jobs):
            labels = pages[index][2].labels
            found.append(mean(class_ious(segmented(picture, known[index]), labels, told[index]).values()))
        return float(mean(found))

    off = iou("blobs off", {index: control_image(lines) for index, (_, lines, _) in pages.items()})
    on = iou("blobs on", {index: condition_of(page, params) for index, (page, _, _) in pages.items()})
    return {"blobs_iou_off": off, "blobs_iou_on": on, "blobs_gain": on / off - 1 if off else 0.0}
