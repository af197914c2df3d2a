"""Everything that can break in a cluster breaks, again and again, and no drawing suffers: ``pytest -m cluster -s``.

INKSTREAM_CHAOS_BOTS, _WORKERS, _MINUTES (before the faults), _FAULTS, _SEED and _MS (a picture's time) say how much;
INKSTREAM_CHAOS_GOALS=1 holds the times to what they should be on a machine that does nothing else.
"""

import importlib.util
import json
import os
import time
from types import SimpleNamespace

import pytest
from doubles.bots import document, p95
from doubles.chaos import Chaos, program, said
from doubles.nodes import Nodes
from doubles.studio import asking

BOTS = int(os.environ.get("INKSTREAM_CHAOS_BOTS", "4"))
MINUTES = float(os.environ.get("INKSTREAM_CHAOS_MINUTES", "0.2"))
FAULTS = int(os.environ.get("INKSTREAM_CHAOS_FAULTS", "5"))
SEED = int(os.environ.get("INKSTREAM_CHAOS_SEED", "0"))
PICTURE = float(os.environ.get("INKSTREAM_CHAOS_MS", "10")) / 1000
PERIOD = 0.2  # seconds between pieces of a stroke
WORKERS = int(os.environ.get("INKSTREAM_CHAOS_WORKERS", "3"))
GATES = 2
GROWS = 48.0  # megabytes that a process may
GOALS = {"worker": 1.5, "node": 4.0, "gateway": 2.0}  # seconds
TOGETHER = 1.3  # times as long as one who is alone


def servers_of(nodes, folder):
    """Servers of pages on one disk, as behind something that balances."""
    folder.mkdir()
    host = nodes.networks.address(2)
    for number in range(GATES):
        port = 7860 + number
        address = lambda path="", port=port: f"http://{host}:{port}{path}"
        yield SimpleNamespace(name=f"gate{number}", port=port, address=address)
        words = (nodes.address, host, port, folder, WORKERS, PICTURE)
        nodes.serve(f"gate{number}", *program(*words))


@pytest.mark.cluster
@pytest.mark.timeout(1200 + 120 * FAULTS + 120 * MINUTES)
def test_whatever_breaks_no_stroke_and_no_drawing_is_lost(tmp_path):
    if importlib.util.find_spec("ray") is None:
        pytest.skip("needs ray")
    with Nodes(tmp_path, WORKERS) as nodes:
        chaos = Chaos(nodes, list(servers_of(nodes, tmp_path / "shared")), SEED)
        try:
            chaos.well()
            chaos.draw(1, PERIOD)
            times = [time.monotonic()]
            for count in (1, BOTS):
                chaos.draw(count, PERIOD)
                began = time.monotonic()
                time.sleep(30 * MINUTES)
                times += [began, time.monotonic()]
            alone, together = p95(chaos.bots[:1], *times[1:3]), p95(chaos.bots, *times[3:5])
            for kind in chaos.order(FAULTS):
                chaos.fault(kind)
            ended = [bot.finish(60) for bot in chaos.bots]
            grown = chaos.grown()
            kept = {}
            with asking(chaos.servers[0]) as one, asking(chaos.servers[1]) as other:
                for bot in chaos.bots:
                    kept[bot.number] = document(one if bot._at == 0 else other, bot.session)
        finally:
            chaos.close()
    pictures = sum(len(bot.seen) for bot in chaos.bots)
    strokes = sum(len(bot.drawn()) for bot in chaos.bots)
    print(f"{BOTS} bots, {strokes} strokes, {pictures} pictures; networks of their own: {nodes.cables}")
    print(f"pen to render p95 {alone:.0f} ms alone, {together:.0f} ms together")
    for kind, costs in chaos.costs.items():
        print(f"{kind}: from one picture to the next, {said(costs)}")
    print(f"grown, MB: {json.dumps(grown)}")
    assert not any(bot.errors for bot in chaos.bots)
    assert not any(bot.wrong for bot in chaos.bots)
    assert all(ended) and all(bot.same for bot in chaos.bots)
    for bot in chaos.bots:
        assert list(kept[bot.number].items()) == list(bot.drawn().items()), bot.number
    assert len({bot.session for bot in chaos.bots}) == BOTS
    assert max(grown.values(), default=0) < GROWS
    if os.environ.get("INKSTREAM_CHAOS_GOALS"):
        late = {kind: max(costs) for kind, costs in chaos.costs.items() if max(costs) > GOALS.get(kind, 60.0)}
        assert not late and together <= TOGETHER * alone, (late, alone, together)
