"""How many can draw, by simulation: on one worker, in a cell of many, a million at once; and what breaks first.

Nothing is rendered here. How long a worker takes comes from results of ``inkstream bench scale`` (``--times``), and,
where nobody has measured it with inkstream yet, from what others published, which is said in every row. Hands are made
up (``hands.py``); places and queues are Erlang's (``queueing.py``), simulated beside the formula. A cell is one
cluster: its workers, its gateways, and nothing that another cell must know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer
from rich.table import Table

from ..stream.base.capacity import Measured, slots_of
from ..stream.base.errors import ConfigError
from ..stream.base.metrics import percentiles
from ..stream.base.options import numbers
from ..stream.base.progress import Progress, silent
from ..stream.base.results import Result, Row
from . import _plot
from .bench import Bench
from .hands import Hand, Times
from .hands import draw as drawn
from .older import read_result
from .queueing import erlang_b, erlang_c, lognormal, offered_at, simulate
from .rows import filled_table

BENCH = Bench("cluster_sim", ("what", "model", "at"), {"p95_ms": "less", "users": "more"})
COLUMNS = {
    "what": "{what}",
    "model": "{model}",
    "at": "{at}",
    "pictures/s": "{fps_each:.1f}",
    "p50 ms": "{p50_ms:.0f}",
    "p95 ms": "{p95_ms:.0f}",
    "busy": "{busy:.2f}",
    "refused": "{refused:.3f}",
    "Erlang B": "{erlang_b:.3f}",
    "waits": "{waited:.3f}",
    "Erlang C": "{erlang_c:.3f}",
    "users": "{users:,.0f}",
    "of a worker": "{users_per_worker:.2f}",
    "worker hours": "{hours:.3f}",
    "cost": "{cost:.3f}",
}
# Of one drawing at a time: how others batch them they do not say. github.com/cumulo-autumn/StreamDiffusion, README.
THEIRS = "published by StreamDiffusion, RTX 4090"
PUBLISHED = (
    Times("SD-Turbo, 1 step", THEIRS, {1: 1e3 / 93.897}, 1, False),
    Times("SD 1.5 with LCM, 4 steps", THEIRS, {1: 1e3 / 37.133}, 4, False),
)
LOADS = (0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25)  # of what a worker renders, one turn a picture
OFFERED = (0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.1, 1.25)  # erlangs a place
CELLS = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # workers
# What a cell is made of, from stream/app/cluster; a test holds them to it.
MOST_WORKERS = 256
GATEWAYS = 16  # that a worker answers at once
KM_A_MS = 100.0  # that light goes in a fibre and back, in a millisecond


@dataclass(frozen=True)
class Plan:
    """What people do, and what is wanted for them."""

    stay: float = 1200.0
    """Seconds that a drawing is open, on average; lognormal."""
    refused: float = 0.01
    """The share of those who come that may find no place."""
    users: int = 1_000_000
    """That draw at once."""
    workers: int = 64
    """Of one cell."""
    budget: float = 80.0
    """Milliseconds from the pen to the render, 95 of 100."""
    added: float = 11.0
    """Milliseconds of it that gateway and Ray add, 95 of 100."""
    gateway_ms: float = 0.0
    """Milliseconds of a core that a gateway takes for a picture and its render; 0: not measured."""
    most: int = 16
    """Drawings of one worker at most, as in the file of a cluster."""


def times_of(path: Path) -> Times:
    """What ``inkstream bench scale`` measured of drawings in one batch. Raises ConfigError."""
    result = read_result(path)
    rows = [row for row in result["rows"] if row.get("what") == "sessions"]
    if result["bench"] != "scale" or not any(row["value"] == 1 for row in rows):
        raise ConfigError(f"--times: {path} has no drawings in one batch; measure with: inkstream bench scale --json")
    about, said = result["machine"], result["configuration"]
    stream = said["stream"]
    where = about.get("gpu") or f"{about['cores']} cores of an {about['processor']}"
    turn = {int(row["value"]): row["ms_per_frame"] * int(row["value"]) for row in rows}
    steps = len(stream["t_index_list"])
    model = f"{said['model']}, {steps} steps, {stream['width']}x{stream['height']}"
    return Times(model, f"measured, {where}", turn, steps, True)


def measure(
    times: Sequence[Times],
    hand: Hand | None = None,
    plan: Plan | None = None,
    *,
    loads: Sequence[float] = LOADS,
    cells: Sequence[int] = CELLS,
    seconds: float = 240.0,
    people: int = 60_000,
    price: float | None = None,
    price_of: str = "",
    seed: int = 0,
    progress: Progress = silent,
) -> Result:
    """Everything. ``seconds`` are simulated of each worker, ``people`` come to each number of places. ``price`` is that
    of a worker and hour, ``price_of`` says whose and when.
    """
    hand, plan = hand or Hand(), plan or Plan()
    about = {**asdict(hand), **asdict(plan), "seconds": seconds, "people": people, "seed": seed}
    about |= {"price": price, "price_of": price_of or None}
    about["times"] = {each.model: {"source": each.source, "turn_ms": dict(each.turn_ms)} for each in times}
    result = BENCH.begin(about, "cpu")
    for each in times:
        progress(f"{each.model}: hands at one worker")
        slots = slots_of(Measured(each.fps, 0, 0), hand.fps, hand.duty, plan.most)
        workers = [_worker(each, hand, count, seconds, seed) for count in _counts(each, hand, loads, slots)]
        result["rows"] += [{**row, "slots": slots} for row in workers]
        full = next(row for row in workers if row["drawings"] == slots)
        found = [_cell(each, slots, count, plan, price) for count in cells]
        result["rows"] += found
        result["rows"] += _whole(each, slots, full["p95_ms"], hand, plan)
    progress("people who come and find no place")
    for places in (13, 13 * 8):
        result["rows"] += [_came(places, load * places, plan, people, seed) for load in OFFERED]
    return result


def _counts(times: Times, hand: Hand, loads: Sequence[float], slots: int) -> list[int]:
    """Numbers of drawings with such loads, and the number of places."""
    return sorted({slots} | {max(1, round(load * times.fps / (hand.fps * hand.duty))) for load in loads})


def _worker(times: Times, hand: Hand, count: int, seconds: float, seed: int) -> Row:
    done = drawn(times, hand, count, seconds, Random(seed))
    row: Row = {"what": "worker", "model": times.model, "at": f"{count} draw", "drawings": count}
    row |= {"source": times.source, "load": count * hand.fps * hand.duty / times.fps, "busy": done.busy}
    row["fps_each"] = hand.fps * (1 - done.replaced / max(1, done.sent))
    return {**row, **percentiles(done.latencies)}


def _cell(times: Times, slots: int, workers: int, plan: Plan, price: float | None) -> Row:
    """Drawings that are open at once in a cell, so many that ``refused`` of those who come find no place."""
    users = offered_at(slots * workers, plan.refused) * (1 - plan.refused)
    row: Row = {"what": "cell", "model": times.model, "at": f"{workers} workers", "workers": workers, "users": users}
    row |= {"places": slots * workers, "users_per_worker": users / workers, "hours": workers / users}
    return {**row, "cost": None if price is None else price * workers / users}


def _whole(times: Times, slots: int, p95: float, hand: Hand, plan: Plan) -> list[Row]:
    """A million at once, how far from its people a cell may be, and the first things that end."""
    a_cell = offered_at(slots * plan.workers, plan.refused) * (1 - plan.refused)
    cells = -(-plan.users // int(max(1, a_cell)))
    reach = (plan.budget - plan.added - p95) * KM_A_MS
    ends = {f"{MOST_WORKERS} workers of one file": offered_at(slots * MOST_WORKERS, plan.refused)}
    if plan.gateway_ms:
        a_gateway = 1e3 / (plan.gateway_ms * hand.fps * hand.duty)
        ends |= {"one core of a gateway": a_gateway, f"{GATEWAYS} gateways": GATEWAYS * a_gateway}
    whole = {"cells": cells, "workers": cells * plan.workers, "reach_km": max(0.0, reach)}
    first: Row = {"what": "everybody", "model": times.model, "at": f"{cells:,} cells", "users": plan.users, **whole}
    return [first] + [
        {"what": "what ends", "model": times.model, "at": what, "users": users} for what, users in ends.items()
    ]


def _came(places: int, offered: float, plan: Plan, people: int, seed: int) -> Row:
    """People at so many places, simulated and by the formulas."""
    came = simulate(places, offered / plan.stay, lognormal(plan.stay), people, Random(seed))
    row: Row = {"what": "admission", "model": f"{places} places", "at": f"{offered:.1f} erlangs", "places": places}
    row |= {"offered": offered, **came._asdict(), "erlang_b": erlang_b(places, offered)}
    if offered >= places:  # then the queue grows without end, and its figures say how long it was looked at
        row |= {"waited": None, "wait": None}
        return row
    return {**row, "erlang_c": erlang_c(places, offered)}


def table(result: Result) -> Table:
    """The result for people."""
    about = result["configuration"]
    what = f"{about['fps']:g} pictures/s while a hand moves, {about['duty']:.0%} of the time"
    shown = filled_table(f"How many can draw: {what}", COLUMNS, result["rows"])
    notes = [f"{name}: {each['source']}" for name, each in about["times"].items()]
    far = [row for row in result["rows"] if row["what"] == "everybody"]
    notes += [f"{row['model']}: {row['workers']:,} workers, at most {row['reach_km']:,.0f} km away" for row in far]
    notes.append(f"cost: of an hour, {about['price_of']}" if about["price"] else "cost: give --price and --price-of")
    shown.caption = "\n".join(notes)
    return shown


def draw(result: Result) -> Any:
    """Waiting by load, refusals by load, and drawings of a worker by the size of its cell."""
    figure, (first, second, third) = _plot.figure(result, "How many can draw", panels=3, width=13.0)
    rows = lambda what, model: [row for row in result["rows"] if (row["what"], row["model"]) == (what, model)]
    models = list(result["configuration"]["times"])
    late = {model: rows("worker", model) for model in models}
    _plot.lines(first, {model: _line(each, "load", "p95_ms") for model, each in late.items()})
    first.set_yscale("log")
    marks = [10, 20, 50, 100, 200, 500, 1000]
    first.set_yticks(marks, [str(each) for each in marks])
    first.set_yticks([], minor=True)
    first.set_ylim(8, 1200)
    budget = result["configuration"]["budget"]
    _plot.level(first, budget)
    first.annotate(f"{budget:g} ms", (1.3, budget), (0, -3), textcoords="offset points", size=6.5, va="top", ha="right")
    _plot.name(first, "pen to render at a worker, 95 of 100, ms", "load: 1 is one turn a picture, all the time")
    kinds = list(dict.fromkeys(row["model"] for row in result["rows"] if row["what"] == "admission"))
    for number, kind in enumerate(kinds):
        each, colour = rows("admission", kind), _plot.COLOURS[3 + number]  # the first three are the models'
        loads = [row["offered"] / row["places"] for row in each]
        second.plot(loads, [row["erlang_b"] for row in each], color=colour, linewidth=1.4)
        second.plot(loads, [row["refused"] for row in each], "o", color=colour, markersize=4, markerfacecolor="white")
        end = (loads[-1], each[-1]["erlang_b"])
        second.annotate(kind, end, (-8, 2), textcoords="offset points", size=6.5, ha="right")
    second.set_ylim(bottom=0)
    _plot.name(second, "who finds no place: Erlang B, and simulated (rings)", "erlangs a place")
    grown = {model: rows("cell", model) for model in models}
    _plot.lines(third, {model: _line(each, "workers", "users_per_worker") for model, each in grown.items()})
    third.set_xscale("log", base=2)
    third.set_xticks([row["workers"] for row in grown[models[0]]], [str(row["workers"]) for row in grown[models[0]]])
    third.set_ylim(bottom=0)
    refused = f"{result['configuration']['refused']:.0%}"
    _plot.name(third, f"drawings of a worker, {refused} refused", "workers of a cell")
    _plot.legend(figure, first)
    return figure


def _line(rows: list[Row], x: str, y: str) -> tuple[list[float], list[float]]:
    return [row[x] for row in rows], [row[y] for row in rows]


@BENCH.command(table, draw)
def main(
    times: Annotated[
        list[Path] | None,
        typer.Option("--times", metavar="FILE", help="A result of inkstream bench scale, from --json; several may be."),
    ] = None,
    published: Annotated[bool, typer.Option(help="Also what others published of their models.")] = True,
    fps: Annotated[float, typer.Option(min=0.1, help="Pictures a second while a hand moves.")] = Hand.fps,
    duty: Annotated[float, typer.Option(min=0.01, max=1.0, help="Share of the time in which it moves.")] = Hand.duty,
    stroke: Annotated[float, typer.Option(min=0.05, help="Seconds that it moves at once.")] = Hand.stroke,
    stay: Annotated[float, typer.Option(min=1.0, help="Seconds that a drawing is open.")] = Plan.stay,
    refused: Annotated[float, typer.Option(min=1e-6, max=0.5, help="Share that may find no place.")] = Plan.refused,
    users: Annotated[int, typer.Option(min=1, help="How many draw at once, of all cells.")] = Plan.users,
    workers: Annotated[int, typer.Option(min=1, max=MOST_WORKERS, help="Workers of a cell.")] = Plan.workers,
    cells: Annotated[str, typer.Option(metavar="N,N", help="Workers of cells that are compared.")] = ",".join(
        map(str, CELLS)
    ),
    most: Annotated[int, typer.Option(min=1, max=256, help="Drawings of a worker at most.")] = Plan.most,
    gateway_ms: Annotated[float, typer.Option(min=0.0, help="Of a core, for a picture and its render.")] = 0.0,
    seconds: Annotated[float, typer.Option(min=1.0, help="Simulated of each worker.")] = 240.0,
    price: Annotated[float | None, typer.Option(min=0.0, help="Of a worker and hour; needs --price-of.")] = None,
    price_of: Annotated[str, typer.Option(metavar="TEXT", help="Whose price it is, in what money, of what day.")] = "",
    seed: Annotated[int, typer.Option(help="Of chance.")] = 0,
    progress: Progress = silent,
) -> Result:
    """Simulate how many can draw: at a worker, in a cell, a million at once.

    Examples:

        inkstream bench cluster_sim --times bench/results/amd-epyc-2-cores/scale.json

        inkstream bench cluster_sim --price 2.10 --price-of "EUR, somebody's list of 2026-11-30"
    """
    if (price is None) != (not price_of):
        raise ConfigError("--price and --price-of: got one of them, expected both: a price, and whose it is and when")
    found = [*map(times_of, times or ()), *(PUBLISHED if published else ())]
    if not found:
        raise ConfigError("--times: got none, expected a result of inkstream bench scale, or --published")
    plan = Plan(stay, refused, users, workers, gateway_ms=gateway_ms, most=most)
    hand, sizes = Hand(fps, duty, stroke), numbers("--cells", cells)
    about = {"price": price, "price_of": price_of, "seed": seed, "progress": progress}
    return measure(found, hand, plan, cells=sizes, seconds=seconds, **about)
