"""The result of an evaluation for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...stream.base.results import table_of

if TYPE_CHECKING:
    from rich.table import Table

_two = lambda value: f"{value:.2f}"
_three = lambda value: f"{value:.3f}"
_decibels = lambda value: f"{value:.2f} dB"
_percent = lambda value: f"{value:.0%}"
_gain = lambda value: f"{value:+.0%}"

# figure -> (what it is, how it is written)
LABELS: dict[str, tuple[str, Callable[[float], str]]] = {
    "edge_f1": ("edge F1 against the sketch", _three),
    "edge_f1_truth": ("  of the truth", _three),
    "edge_margin": ("  margin over other sketches", _three),
    "psnr_db": ("PSNR against the truth", _decibels),
    "ssim": ("SSIM against the truth", _three),
    "sharpness": ("sharpness, of the truth's", _two),
    "perceptual": ("perceptual distance, {features}", _three),
    "frechet": ("Fréchet distance, {features}", _two),
    "patch_frechet": ("Fréchet distance of patches", _three),
    "p50_ms": ("a frame, median", lambda value: f"{value:.1f} ms"),
    "psnr_lost_blank_db": ("PSNR lost with a blank sketch", _decibels),
    "psnr_lost_wrong_prompt_db": ("PSNR lost with a wrong prompt", _decibels),
    "hue_right": ("hue right after a colour swap", _percent),
    "psnr_lost_no_horizon_db": ("PSNR lost without the horizon", _decibels),
    "psnr_lost_third_missing_db": ("PSNR lost, a third not drawn", _decibels),
    "palette_iou_off": ("IoU of classes, palette off", _three),
    "palette_iou_on": ("  palette on", _three),
    "palette_iou_truth": ("  of the truth", _three),
    "palette_gain_whole": ("  on against off", _gain),
    "palette_iou_begun_off": ("  a third drawn, palette off", _three),
    "palette_iou_begun_on": ("  a third drawn, palette on", _three),
    "palette_gain_begun": ("  on against off", _gain),
    "palette_gain": ("  on against off, both", _gain),
    "blobs_iou_off": ("IoU of classes, a third drawn", _three),
    "blobs_iou_on": ("  with hand-painted blobs", _three),
    "blobs_gain": ("  on against off", _gain),
    "img2img_lab": ("Lab distance from a flat painting", _two),
    "img2img_lab_grey": ("  when it is painted in greys", _two),
    "img2img_lab_other": ("  when in other colours than said", _two),
    "flicker": ("flicker, levels of 255", _two),
    "flicker_truth_change": ("  change of the truth", _two),
    "painted_lab": ("Lab distance of an area from its paint", _two),
    "unpainted_lab": ("  when it is not painted", _two),
    "painted_left": ("  painted, of unpainted", _two),
    "seeds_few_words": ("two seeds beside the lines, few words, levels", _two),
    "seeds_all_words": ("  all words", _two),
    "things_iou": ("IoU of things with their outline", _three),
    "things_iou_truth": ("  of the fast painter's", _three),
    "autoencoder_psnr_db": ("autoencoder PSNR", _decibels),
    "psnr_gain_4_over_1_db": ("4 steps against 1: PSNR", lambda value: f"{value:+.2f} dB"),
    "sharpness_4_over_1": ("  sharpness", lambda value: f"{value:.2f}x"),
    "patch_frechet_4_over_1": ("  Fréchet distance of patches", lambda value: f"{value:.2f}x"),
}


def table(result: dict[str, Any]) -> Table:
    """Every figure that was measured, by number of steps; goals beside it where it was held to some."""
    rows, about = result["rows"], result["configuration"]
    by_steps = {row["steps"]: row for row in rows if row["about"] == "pictures"}
    behaviour = next(row for row in rows if row["about"] == "behaviour")
    goals = {goal["figure"]: goal for goal in result["goals"]}
    heads = [f"{steps} step{'s' * (steps > 1)}" for steps in by_steps]
    right = (*heads, *(("goal", "with a GPU", "reached") if goals else ()))
    shown = table_of(f"{about['model']} on {about['data']}, {about['samples']} samples", ("",), right)
    for figure, (label, write) in LABELS.items():
        if figure in behaviour:  # of one number of steps alone
            values = [write(behaviour[figure]) if steps == behaviour["steps"] else "" for steps in by_steps]
        elif any(figure in row for row in by_steps.values()):
            values = [write(row[figure]) if figure in row else "" for row in by_steps.values()]
        else:
            continue
        goal = goals.get(figure)
        held = (write(goal["goal"]), write(goal["goal_gpu"]), goal["reached"]) if goal else ("",) * 3
        style = "red" if goal and goal["reached"] == "missed" else None
        shown.add_row(label.format(features=about["features"]), *values, *(held if goals else ()), style=style)
    notes = [f"not measured: {name}: {why}" for name, why in result["not_measured"].items()]
    notes += [f"{about['unusable']} renders were unusable, and count as black"] if about["unusable"] else []
    shown.caption = "\n".join(notes)
    return shown
