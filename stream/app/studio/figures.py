"""What is measured, for Prometheus."""

from __future__ import annotations

from .guard import Guard
from .rooms import Rooms

HELP = {
    "inkstream_ready": "Whether a model is loaded.",
    "inkstream_drawings": "Drawings that are open.",
    "inkstream_streams": "Drawings that have a stream.",
    "inkstream_pages": "Pages that draw.",
    "inkstream_viewers": "Viewers.",
    "inkstream_sockets": "Sockets that are open.",
    "inkstream_refused_total": "Requests and sockets that were not let in.",
    "inkstream_frames_total": "Frames by what became of them, of streams that are open.",
    "inkstream_stage_milliseconds": "Duration of each stage, of streams that are open.",
}


def as_prometheus(rooms: Rooms, guard: Guard) -> str:
    """In the text format 0.0.4. Sessions are told apart by a number: their names let people draw."""
    opened = list(rooms.open.values())
    live = [room for room in opened if room.live is not None]
    found: dict[str, list[tuple[str, float]]] = {
        "inkstream_ready": [("", float(rooms.backend.ready))],
        "inkstream_drawings": [("", len(opened))],
        "inkstream_streams": [("", len(live))],
        "inkstream_pages": [("", sum(len(room.pages) for room in opened))],
        "inkstream_viewers": [("", sum(len(room.viewers) for room in opened))],
        "inkstream_sockets": [("", guard.sockets)],
        "inkstream_refused_total": [("", guard.refused)],
        "inkstream_frames_total": [],
        "inkstream_stage_milliseconds": [],
    }
    for number, room in enumerate(live):
        figures = room.live.figures() if room.live is not None else {}
        for name, value in figures.items():
            if name.startswith(("frames_", "outputs_")):
                found["inkstream_frames_total"].append((f'{{session="{number}",fate="{name}"}}', value))
        for stage, row in figures.get("stages", {}).items():
            for part in ("p50", "p95", "p99"):
                if row.get("count"):
                    labels = f'{{session="{number}",stage="{stage}",quantile="0.{part[1:]}"}}'
                    found["inkstream_stage_milliseconds"].append((labels, row[f"{part}_ms"]))
    lines: list[str] = []
    for name, rows in found.items():
        kind = "counter" if name.endswith("_total") else "gauge"
        lines += [f"# HELP {name} {HELP[name]}", f"# TYPE {name} {kind}"]
        lines += [f"{name}{labels} {value:g}" for labels, value in rows]
    return "\n".join(lines) + "\n"
