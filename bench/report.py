"""The speed section of the README, from the results that are kept: ``python -m inkstream.bench.report RESULTS README``.

``RESULTS`` is a folder of ``bench/results``; what stands between the two marks of the README is written anew from it,
so that no number there was typed by hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from ..stream.base.errors import ConfigError

BEGIN, END = "<!-- speed: written by inkstream.bench.report -->", "<!-- end of speed -->"
Result = dict[str, Any]


def markdown(folder: Path) -> str:
    """Every section whose result is in ``folder``; raises ConfigError where there is none."""
    parts = []
    for name, section in SECTIONS.items():
        path = folder / f"{name}.json"
        if path.is_file():
            parts.append(section(json.loads(path.read_text("utf-8"))))
    if not parts:
        raise ConfigError(f"{folder}: got no results, expected some of: {', '.join(SECTIONS)}; bench with --keep")
    return "\n\n".join(parts)


def written(readme: str, text: str) -> str:
    """The README with ``text`` between its marks; raises ConfigError where a mark is missing."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ConfigError(f"README: expected the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _machine(result: Result) -> str:
    about = result["machine"]
    where = about.get("gpu") or f"{about['cores']} cores of an {about['processor']}"
    return f"{where}, torch {about['torch']}, {result['measured_at'][:10]}"


def _engines(result: Result) -> str:
    stream = result["configuration"]["stream"]
    nets = "with its ControlNet" if stream["controlnets"] else "without ControlNet"
    what = f"{stream['width']}x{stream['height']}, {len(stream['t_index_list'])} steps, {nets}"
    rows = []
    for row in result["rows"]:
        against = f"{row['ratio']:.2f}x" if "ratio" in row else "1"
        times = (f"{row['fps']:.1f}", f"{row['p50_ms']:.1f}", f"{row['p99_ms']:.1f}")
        rows.append((f"{row['engine']}, {row['dtype']}", *times, against, f"{row['compile_s']:.1f}"))
    head = ("engine", "fps", "p50 ms", "p99 ms", "time against the last row, in turns", "start s, engine kept")
    return f"End to end, the embedded model, {what} ({_machine(result)}):\n\n{_table(head, rows)}"


def _compare(result: Result) -> str:
    cases: dict[tuple[str, int], dict[str, Result]] = {}
    for row in result["rows"]:
        if "skipped_because" not in row:
            cases.setdefault((row["cfg_type"], row["steps"]), {})[row["contender"]] = row
    others = {name for case in cases.values() for name in case if name.startswith("inkstream ")}
    # The fastest of ours is inkstream as it is installed.
    fastest = min(others, key=lambda name: sum(case[name]["p50_ms"] for case in cases.values()))
    rows = []
    for (cfg_type, steps), case in cases.items():
        theirs, laid = case["streamdiffusion"]["p50_ms"], case["streamdiffusion channels_last"]["p50_ms"]
        ours, best = case["inkstream eager"]["p50_ms"], case[fastest]["p50_ms"]
        plain = f"{case['diffusers']['p50_ms'] / ours:.2f}x" if "diffusers" in case else "-"
        ratios = (f"{theirs / ours:.2f}x", f"{laid / ours:.2f}x", plain, f"{theirs / best:.2f}x")
        rows.append((f"{cfg_type}, {steps}", *ratios))
    head = (
        "guidance, steps",
        "streamdiffusion 0.1.1 / our eager",
        "the same in channels_last / our eager",
        "diffusers img2img / our eager",
        f"streamdiffusion 0.1.1 / {fastest}",
    )
    dtype = result["configuration"]["dtype"]
    return f"How many times as long others take ({dtype}, the same weights, in turns; medians):\n\n{_table(head, rows)}"


def _fidelity(result: Result) -> str:
    rows = []
    for row in result["rows"]:
        if "skipped_because" in row:
            continue
        figures = (f"{row['psnr_db']:.1f}", f"{row['worst_db']:.1f}", f"{row['ssim']:.3f}", f"{row['edge_f1']:.3f}")
        rows.append((f"{row['engine']}, {row['dtype']}", *figures, f"{row['goal_db']:g}"))
    count = result["configuration"]["sketches"]
    head = ("engine", "PSNR dB", "worst picture dB", "SSIM", "edge F1", "goal dB")
    return f"Pictures of {count} sketches against eager float32:\n\n{_table(head, rows)}"


def _quantize(result: Result) -> str:
    rows = [
        (
            row["precision"],
            f"{row['median_ms']:.1f}",
            f"{row['size_mb']:.0f}",
            f"{row['memory_mb']:.0f}",
            f"{row['psnr_db']:.1f}",
        )
        for row in result["rows"]
    ]
    head = (result["engine"], "ms a frame", "MB of graphs or weights", "MB of memory", "PSNR dB")
    calibrating = f"{result['samples']} frames calibrating, " if result["samples"] else ""
    verdicts = [
        f"{each['precision']} is {'' if each['recommended'] else 'not '}recommended" for each in result["verdicts"]
    ]
    text = f"`inkstream quantize`, {calibrating}{result['judged']} judging: {', '.join(verdicts)}"
    return f"{text}.\n\n{_table(head, rows)}"


def _changes(result: Result) -> str:
    rows = [
        (
            row["engine"],
            f"{row['p50_ms']:.1f}",
            f"{row['max_ms']:.1f}",
            f"{row['max_over_p50']:.2f}",
            f"{row['max_ms_without'] / row['p50_ms_without']:.2f}",
            str(row["rebuilt"]),
            str(row["frames_lost"]),
        )
        for row in result["rows"]
        if "skipped_because" not in row
    ]
    head = ("engine", "p50 ms", "slowest ms", "slowest / p50", "without changes", "rebuilt", "frames lost")
    count = result["configuration"]["changes"]
    return f"{count} live changes of prompt, every scale and seed at once:\n\n{_table(head, rows)}"


def _goals(result: Result) -> str:
    rows = []
    for row in result["rows"]:
        here = "not measured" if "skipped_because" in row else f"{row['ms_per_frame']:.2f}"
        rows.append((row["case"], *(f"{row[f'{goal}_ms']:.2f}" for goal in ("gate", "target", "stretch")), here))
    head = (f"512x512, one {result['configuration']['goals_for']}", "gate ms", "target ms", "stretch ms", "measured ms")
    return f"Goals on an NVIDIA GPU, which `inkstream bench goals` measures all at once:\n\n{_table(head, rows)}"


SECTIONS: dict[str, Callable[[Result], str]] = {
    "torch_vs_trt": _engines,
    "compare": _compare,
    "fidelity": _fidelity,
    "quantize": _quantize,
    "changes": _changes,
    "goals": _goals,
}


def main(
    results: Annotated[Path, typer.Argument(file_okay=False, exists=True, help="A folder of bench/results.")],
    readme: Annotated[Path, typer.Argument(dir_okay=False, exists=True, help="The README to write into.")],
) -> None:
    """Write the speed section of the README anew from results that were kept."""
    readme.write_text(written(readme.read_text("utf-8"), markdown(results)), "utf-8")


if __name__ == "__main__":
    typer.run(main)
