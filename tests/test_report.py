"""No number of the page on speed was typed by hand."""

import json
from pathlib import Path

import pytest

from inkstream.bench import report
from inkstream.stream.base.errors import ConfigError

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results" / "amd-epyc-2-cores"


def test_the_page_says_what_was_measured():
    page = (ROOT / "docs" / "speed.md").read_text("utf-8")
    assert report.written(page, report.markdown(RESULTS)) == page, (
        f"run: python -m inkstream.bench.report {RESULTS.relative_to(ROOT)} docs/speed.md"
    )


def test_every_kept_result_says_where_and_with_what_it_was_measured():
    found = sorted(RESULTS.glob("*.json"))
    assert {path.stem for path in found} >= set(report.SECTIONS)
    for path in found:
        result = json.loads(path.read_text("utf-8"))
        assert {"torch", "processor", "cores", "load", "platform"} <= result["machine"].keys(), path.name
        assert result["rows"] and result["configuration"], path.name


def test_a_folder_without_results_and_a_page_without_marks_are_named(tmp_path):
    with pytest.raises(ConfigError, match="got no results, expected some of: torch_vs_trt, compare"):
        report.markdown(tmp_path)
    with pytest.raises(ConfigError, match="expected the marks"):
        report.written("# nothing", "text")
    page = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    assert report.written(page, "new") == f"before\n{report.BEGIN}\n\nnew\n\n{report.END}\nafter\n"
