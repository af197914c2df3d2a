"""A machine that claims to test everything cannot skip in silence."""

from pathlib import Path

pytest_plugins = ["pytester"]

TESTS = """
import pytest

def test_lacks_it():
    pytest.skip("needs xvfb: none here")

def test_lacks_something_else():
    pytest.skip("needs a GPU")

@pytest.mark.xfail
def test_is_known_to_fail():
    assert False

@pytest.fixture
def display():
    pytest.skip("needs xvfb")

def test_lacks_it_in_a_fixture(display):
    pass
"""

MODULE = """
import pytest
pytest.skip("needs xvfb", allow_module_level=True)
"""


def test_skips_for_want_of_what_is_required_are_failures(pytester, monkeypatch):
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text("utf-8"))
    pytester.makepyfile(test_some=TESTS, test_module=MODULE)
    monkeypatch.delenv("INKSTREAM_REQUIRE", raising=False)
    pytester.runpytest_inprocess().assert_outcomes(skipped=4, xfailed=1)
    monkeypatch.setenv("INKSTREAM_REQUIRE", "mtpaint, xvfb")
    result = pytester.runpytest_inprocess("--continue-on-collection-errors")
    outcomes = result.parseoutcomes()
    assert outcomes["skipped"] == 1
    assert outcomes["xfailed"] == 1
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) == 3
    result.stdout.fnmatch_lines(["*skipped, but INKSTREAM_REQUIRE asks for it: needs xvfb: none here*"])
