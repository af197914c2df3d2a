"""Speed in a page of the documentation, from results that are kept: ``python -m inkstream.bench.report RESULTS PAGE``.

``RESULTS`` is a folder of ``bench/results``; what stands between the two marks of ``PAGE`` is written anew from it, so
that no number there was typed by hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from ..stream.base.errors import ConfigError
from ..stream.base.files import write_whole
from ..stream.base.results import Result, Row
from .rows import Columns, cells, measured

BEGIN, END = "<!-- speed: written by inkstream.bench.report -->", "<!-- end of speed -->"


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


def written(page: str, text: str) -> str:
    """The page with ``text`` between its marks; raises ConfigError where a mark is missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ConfigError(f"the page: expected the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _filled(columns: Columns, rows: Iterable[Row]) -> str:
    return _table(columns, (cells(columns, row) for row in rows))


def _machine(result: Result) -> str:
    about = result["machine"]
    where = about.get("gpu") or f"{about['cores']} cores of an {about['processor']}"
    return f"{where}, torch {about['torch']}, {result['measured_at'][:10]}"


def _engines(result: Result) -> str:
    stream = result["configuration"]["stream"]
    nets = "with its ControlNet" if stream["controlnets"] else "without ControlNet"
    what = f"{stream['width']}x{stream['height']}, {len(stream['t_index_list'])} steps, {nets}"
    columns = {
        "engine": "{engine}, {dtype}",
        "fps": "{fps:.1f}",
        "p50 ms": "{p50_ms:.1f}",
        "p99 ms": "{p99_ms:.1f}",
        "time against the last row, in turns": "{against}",
        "start s, engine kept": "{compile_s:.1f}",
    }
    rows = [{**row, "against": f"{row['ratio']:.2f}x" if "ratio" in row else "1"} for row in result["rows"]]
    return f"End to end, the embedded model, {what} ({_machine(result)}):\n\n{_filled(columns, rows)}"


def _compare(result: Result) -> str:
    cases: dict[tuple[str, int], dict[str, Row]] = {}
    for row in measured(result):
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
    columns = {
        "engine": "{engine}, {dtype}",
        "PSNR dB": "{psnr_db:.1f}",
        "worst picture dB": "{worst_db:.1f}",
        "SSIM": "{ssim:.3f}",
        "edge F1": "{edge_f1:.3f}",
        "goal dB": "{goal_db:g}",
    }
    count = result["configuration"]["sketches"]
    return f"Pictures of {count} sketches against eager float32:\n\n{_filled(columns, measured(result))}"


def _quantize(result: Result) -> str:
    columns = {
        result["engine"]: "{precision}",
        "ms a frame": "{median_ms:.1f}",
        "MB of graphs or weights": "{size_mb:.0f}",
        "MB of memory": "{memory_mb:.0f}",
        "PSNR dB": "{psnr_db:.1f}",
    }
    calibrating = f"{result['samples']} frames calibrating, " if result["samples"] else ""
    verdicts = [
        f"{each['precision']} is {'' if each['recommended'] else 'not '}recommended" for each in result["verdicts"]
    ]
    text = f"`inkstream quantize`, {calibrating}{result['judged']} judging: {', '.join(verdicts)}"
    return f"{text}.\n\n{_filled(columns, result['rows'])}"


def _changes(result: Result) -> str:
    columns = {
        "engine": "{engine}",
        "p50 ms": "{p50_ms:.1f}",
        "slowest ms": "{max_ms:.1f}",
        "slowest / p50": "{max_over_p50:.2f}",
        "without changes": "{calm:.2f}",
        "rebuilt": "{rebuilt}",
        "frames lost": "{frames_lost}",
    }
    rows = [{**row, "calm": row["max_ms_without"] / row["p50_ms_without"]} for row in measured(result)]
    count = result["configuration"]["changes"]
    return f"{count} live changes of prompt, every scale and seed at once:\n\n{_filled(columns, rows)}"


def _goals(result: Result) -> str:
    columns = {
        f"512x512, one {result['configuration']['goals_for']}": "{case}",
        "gate ms": "{gate_ms:.2f}",
        "target ms": "{target_ms:.2f}",
        "stretch ms": "{stretch_ms:.2f}",
        "measured ms": "{here}",
    }
    here = lambda row: "not measured" if "skipped_because" in row else f"{row['ms_per_frame']:.2f}"
    rows = [{**row, "here": here(row)} for row in result["rows"]]
    return f"Goals on an NVIDIA GPU, which `inkstream bench goals` measures all at once:\n\n{_filled(columns, rows)}"


def _start(result: Result) -> str:
    columns = {
        "": "{case}",
        "first window s": "{first_window_s:.1f}",
        "first render s": "{first_render_s:.1f}",
    }
    count = result["configuration"]["count"]
    busy = f"while {result['machine']['load']:.1f} processes wanted a core"
    ways = "From the command `inkstream run`, or from the choice on the start page, to what is seen"
    what = f"{ways}, median of {count}, {busy} ({_machine(result)})"
    return f"{what}:\n\n{_filled(columns, result['rows'])}"


def _influence(result: Result) -> str:
    columns = {
        "influence of the drawing": "{drawing_influence:g}",
        "mean change, grey levels": "{changed}",
        "lines kept": "{lines:.2f}",
    }
    rows = [{**row, "changed": "-" if row["change"] is None else f"{row['change']:.1f}"} for row in result["rows"]]
    count = result["configuration"]["sketches"]
    return f"What each quarter of `drawing_influence` does, {count} sketches:\n\n{_filled(columns, rows)}"


SECTIONS: dict[str, Callable[[Result], str]] = {
    "torch_vs_trt": _engines,
    "compare": _compare,
    "fidelity": _fidelity,
    "influence": _influence,
    "quantize": _quantize,
    "changes": _changes,
    "goals": _goals,
    "start": _start,
}


def main(
    results: Annotated[Path, typer.Argument(file_okay=False, exists=True, help="A folder of bench/results.")],
    page: Annotated[Path, typer.Argument(dir_okay=False, exists=True, help="The Markdown file to write into.")],
) -> None:
    """Write the speed section of a page anew from results that were kept."""
    write_whole(page, written(page.read_text("utf-8"), markdown(results)).encode())


if __name__ == "__main__":
    typer.run(main)
