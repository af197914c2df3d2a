"""What is measured, for Prometheus."""

from __future__ import annotations

from collections.abc import Mapping

import psutil

from .guard import Guard
from .room import RENDER
from .rooms import Rooms

HELP = {
    "inkstream_ready": "Whether a model is loaded.",
    "inkstream_drawings": "Drawings that are open.",
    "inkstream_streams": "Drawings that have a stream.",
    "inkstream_pages": "Pages that draw.",
    "inkstream_viewers": "Viewers.",
    "inkstream_sockets": "Sockets that are open.",
    "inkstream_refused_total": "Requests and sockets that were not let in.",
    "inkstream_slots": "Drawings that may have a stream at once.",
    "inkstream_queue": "Pages that found no place, and ask again.",
    "inkstream_waiting": "Drawings that have a place, and no worker yet.",
    "inkstream_turned_away_total": "Wishes for a place when there was none.",
    "inkstream_moved_total": "Drawings that were opened again at another worker.",
    "inkstream_workers_lost_total": "Workers that said nothing any more.",
    "inkstream_worker_slots": "Drawings that a worker takes, as it measured at its start.",
    "inkstream_worker_drawings": "Drawings that a worker has.",
    "inkstream_worker_draining": "Whether a worker is being emptied.",
    "inkstream_worker_measured_fps": "Pictures a second of one stream, as the worker measured at its start.",
    "inkstream_worker_fps": "Pictures a second now, of this gateway's drawings at the worker.",
    "inkstream_worker_latency_milliseconds": "From a picture to its render at the worker, of its slowest drawing.",
    "inkstream_worker_memory_bytes": "Memory that a worker has, and that is free: of its GPU where it has one.",
    "inkstream_render_milliseconds": "From a page's picture to its render, both at this server.",
    "inkstream_renders_total": "Pictures of pages that were rendered.",
    "inkstream_memory_bytes": "Memory of this process.",
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
    for name, labels, value in rooms.backend.measured():
        found.setdefault(name, []).append((_labelled(labels), float(value)))
    took = rooms.metrics.summary()["stages"].get(RENDER, {"count": 0})
    found["inkstream_renders_total"] = [("", took["count"])]
    if took["count"]:
        quantiles = (("0.5", "p50_ms"), ("0.95", "p95_ms"), ("0.99", "p99_ms"))
        found["inkstream_render_milliseconds"] = [(f'{{quantile="{at}"}}', took[key]) for at, key in quantiles]
    found["inkstream_memory_bytes"] = [("", psutil.Process().memory_info().rss)]
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


def _labelled(labels: Mapping[str, str]) -> str:
    """As they stand behind a name; what has a meaning in the format is written out."""
    written = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
    inner = ",".join(f'{name}="{text.translate(written)}"' for name, text in labels.items())
    return f"{{{inner}}}" if inner else ""
