"""How many can draw: the simulation is held to Erlang's formulas, and to what can be counted by hand."""

import importlib.util
import json
from pathlib import Path
from random import Random

import pytest
from annotated_types import Le
from typer.testing import CliRunner

from inkstream.bench import cluster_sim
from inkstream.bench.hands import Hand, Times, draw
from inkstream.bench.queueing import (
    erlang_b,
    erlang_c,
    exponential,
    lognormal,
    offered_at,
    places_for,
    simulate,
)
from inkstream.stream.app.cli import app
from inkstream.stream.app.cluster.config import ClusterConfig
from inkstream.stream.app.cluster.rays import GROUPS
from inkstream.stream.base.errors import ConfigError

KEPT = Path(__file__).parent.parent / "bench" / "results" / "amd-epyc-2-cores" / "scale.json"


def test_the_formulas_give_the_figures_of_the_tables():
    assert erlang_b(10, 5) == pytest.approx(0.018385, abs=1e-6)
    assert erlang_b(1, 1) == 0.5 and erlang_b(0, 3) == 1 and erlang_b(5, 0) == 0
    assert erlang_c(1, 0.7) == pytest.approx(0.7) and erlang_c(2, 1) == pytest.approx(1 / 3) and erlang_c(3, 3) == 1
    assert erlang_b(50, offered_at(50, 0.01)) == pytest.approx(0.01) and offered_at(50, 0.01) == pytest.approx(
        37.9, abs=0.05
    )
    assert places_for(37.9, 0.01) == 50 and erlang_b(49, 37.9) > 0.01
    for wrong in (lambda: erlang_b(-1, 2), lambda: erlang_b(2, float("nan")), lambda: offered_at(5, 1.0)):
        with pytest.raises(ValueError, match="got"):
            wrong()


@pytest.mark.parametrize("stay", [exponential(60), lognormal(60)], ids=["exponential", "lognormal"])
def test_people_who_come_by_chance_find_places_as_erlang_says(stay):
    came = simulate(13, 10.4 / 60, stay, 30_000, Random(1))
    assert came.refused == pytest.approx(erlang_b(13, 10.4), abs=0.008)


def test_people_who_wait_do_so_as_erlang_says():
    came = simulate(13, 10.4 / 60, exponential(60), 60_000, Random(2))
    assert came.waited == pytest.approx(erlang_c(13, 10.4), abs=0.03)
    assert came.wait == pytest.approx(erlang_c(13, 10.4) * 60 / (13 - 10.4), rel=0.15)


def test_one_hand_alone_waits_for_nobody():
    times = Times("x", "here", {1: 20.0}, 3, True)
    done = draw(times, Hand(fps=10, duty=0.5), 1, 60, Random(0))
    assert done.sent > 200 and done.replaced == 0
    # A picture that comes in the middle of a turn of the one before waits for its end, and no longer.
    assert min(done.latencies) == pytest.approx(0.06) and max(done.latencies) < 0.08 + 1e-9


def test_too_many_hands_get_the_newest_of_their_pictures_and_all_that_the_worker_has():
    times = Times("x", "here", {1: 20.0, 2: 30.0, 4: 50.0}, 1, True)
    done = draw(times, Hand(fps=12, duty=1.0), 16, 30, Random(0))
    assert done.sent == len(done.latencies) + done.replaced and done.busy > 0.99
    assert len(done.latencies) / 30 == pytest.approx(4 / 0.05, rel=0.02)
    assert max(done.latencies) < 1 / 12 + 16 / 4 * 0.05 + 0.05  # no queue grows: a newer picture takes the place
    assert times.seconds(3) == 0.05 and times.seats == 4 and times.fps == 50


def test_it_reads_what_was_measured_and_says_what_was_not():
    times = cluster_sim.times_of(KEPT)
    assert times.steps == 2 and times.measured and times.turn_ms[8] > 4 * times.turn_ms[1]
    result = cluster_sim.measure([times], cells=(1, 4), loads=(0.5,), seconds=20, people=500, price=2.0, price_of="x")
    cells = [row for row in result["rows"] if row["what"] == "cell"]
    assert cells[1]["users_per_worker"] > 2 * cells[0]["users_per_worker"]  # a large cell wastes less
    assert cells[1]["cost"] == pytest.approx(2.0 * cells[1]["hours"])
    assert cluster_sim.table(json.loads(json.dumps(result, allow_nan=False))).row_count == len(result["rows"])
    if importlib.util.find_spec("matplotlib"):
        assert len(cluster_sim.draw(result).axes) == 3


def test_a_price_names_its_source_and_other_results_are_refused():
    said = CliRunner().invoke(app, ["bench", "cluster_sim", "--price", "2"])
    assert said.exit_code == 2 and "--price-of" in said.output
    with pytest.raises(ConfigError, match="no drawings in one batch"):
        cluster_sim.times_of(KEPT.with_name("fps.json"))


def test_what_a_cell_is_made_of_is_what_the_cluster_has():
    limit = next(each for each in ClusterConfig.model_fields["workers"].metadata if isinstance(each, Le))
    assert limit.le == cluster_sim.MOST_WORKERS
    assert GROUPS["news"] == cluster_sim.GATEWAYS
