"""What a cluster says of itself: figures for Prometheus, a dashboard that names them, and lines of a log."""

import contextlib
import json
import logging
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from doubles.cluster import Near, gateway, page_of, until
from doubles.studio import Talk, asking, plain, studio

from inkstream.stream.app.studio import traces
from inkstream.stream.app.studio.figures import HELP
from inkstream.stream.base.errors import ConfigError
from inkstream.stream.base.logs import logged

BOARD = Path(__file__).parent.parent / "examples" / "cluster" / "grafana.json"
LINE = re.compile(r'(inkstream_\w+)(\{(?:\w+="(?:[^"\\\n]|\\.)*",?)+\})? (-?[\d.e+-]+|NaN)')


def read(text):
    """{(name, labels): value} of what Prometheus would take; everything else fails."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP inkstream_\w+ \S.*|TYPE inkstream_\w+ (counter|gauge))", line), line
            continue
        name, labels, value = LINE.fullmatch(line).groups()
        assert (name, labels or "") not in found, line
        found[name, labels or ""] = float(value)
    return found


def test_a_gateway_says_what_its_workers_do(tmp_path):
    workers = Near("a", slots=1), Near("b", slots=1)
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(gateway(*workers))
        until(lambda: len(made._ledger.workers) == 2)
        server = stack.enter_context(page_of(made, tmp_path))
        rest = stack.enter_context(asking(server))
        pages = [stack.enter_context(Talk(server, f"drawer{number:03}")) for number in range(2)]
        for page in pages:
            page.see(of=page.draw(plain(50)))
        assert rest.post("/sessions").status_code == 503  # the third finds no place
        of = '{worker="a"}'
        figures = lambda: read(rest.get("/metrics").text)
        until(lambda: figures()["inkstream_worker_memory_bytes", '{worker="a",of="used"}'] > 0)
        found = figures()
        assert found["inkstream_slots", ""] == 2 and found["inkstream_worker_slots", of] == 1
        assert found["inkstream_worker_drawings", of] == 1 and found["inkstream_worker_measured_fps", of] == 100
        assert found["inkstream_queue", ""] == 1 and found["inkstream_turned_away_total", ""] >= 1
        assert found["inkstream_renders_total", ""] >= 2
        assert 0 < found["inkstream_render_milliseconds", '{quantile="0.95"}'] < 10_000
        assert {name for name, _ in found} <= set(HELP)
        dead = next(worker for worker in workers if worker.taken)
        dead.kill()
        until(lambda: figures()["inkstream_workers_lost_total", ""] == 1)
        assert figures()["inkstream_waiting", ""] == 1 and figures()["inkstream_moved_total", ""] == 1


def test_a_studio_without_a_cluster_says_the_same_of_itself(tmp_path):
    with studio(tmp_path, most=3) as server, asking(server) as rest, Talk(server) as page:
        page.see(of=page.draw(plain(50)))
        found = read(rest.get("/metrics").text)
        assert found["inkstream_slots", ""] == 3 and found["inkstream_renders_total", ""] == 1
        assert found["inkstream_memory_bytes", ""] > 1e6


def test_every_figure_of_the_dashboard_exists():
    board = json.loads(BOARD.read_text("utf-8"))
    said = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    named = {name for expression in said for name in re.findall(r"inkstream_\w+", expression)}
    assert named <= set(HELP) and len(named) > 15
    for expression in said:  # only what grows has a rate
        for name in re.findall(r"(?:rate|increase)\((\w+)", expression):
            assert name.endswith("_total"), expression
    places = [tuple(panel["gridPos"][side] for side in "xy") for panel in board["panels"]]
    assert len(set(places)) == len(places)


def test_a_log_has_lines_with_the_drawing_and_no_name_that_lets_draw(tmp_path):
    path = tmp_path / "logs" / "studio.jsonl"
    before = logging.getLogger("inkstream").level
    with logged(path), studio(tmp_path) as server, Talk(server) as page:
        page.see(of=page.draw(plain(50)))
    assert logging.getLogger("inkstream").level == before
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    mine = [line for line in lines if line.get("drawing") == page.welcome["tag"]]
    assert {"a page came", "a stream is opened", "a page left"} <= {line["text"] for line in mine}
    assert all({"time", "level", "from", "text"} <= set(line) for line in lines)
    assert page.session not in path.read_text("utf-8")


def test_a_log_has_traces_and_what_cannot_be_written_is_said(tmp_path):
    path = tmp_path / "x.jsonl"
    with logged(path):
        try:
            raise ValueError("broken")
        except ValueError:
            logging.getLogger("inkstream.stream.app.studio.x").warning("no %s", "luck", exc_info=True, extra={"n": 1})
    line = json.loads(path.read_text("utf-8"))
    assert (line["text"], line["level"], line["from"], line["n"]) == ("no luck", "warning", "studio.x", 1)
    assert "ValueError: broken" in line["trace"]
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--log"), logged(tmp_path / "file" / "x"):
        pass


def test_each_picture_is_a_span_where_opentelemetry_is(tmp_path, monkeypatch):
    spans = []

    class Span:
        def __init__(self, name, start_time, attributes):
            self.name, self.start, self.about = name, start_time, attributes

        def end(self, end_time):
            spans.append((self, end_time))

    api = ModuleType("opentelemetry.trace")
    api.get_tracer = lambda name: SimpleNamespace(start_span=Span)
    monkeypatch.setitem(sys.modules, "opentelemetry", ModuleType("opentelemetry"))
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", api)
    traces._tracer.cache_clear()
    try:
        with studio(tmp_path) as server, Talk(server) as page:
            page.see(of=page.draw(plain(50)))
        (span, end), *more = spans
        assert not more and span.name == traces.NAME and span.about["inkstream.drawing"] == page.welcome["tag"]
        assert 0 < end - span.start < 10e9 and span.about["inkstream.bytes"] > 100
    finally:
        traces._tracer.cache_clear()
