"""The notebooks in examples/ run from top to bottom, and show pictures."""

import os
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
JUPYTER = 'needs Jupyter: pip install "inkstream[notebooks]"'


@pytest.mark.slow  # one of them trains
@pytest.mark.timeout(1200)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore")  # kernels leave sockets open
@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_pictures(path, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason=JUPYTER)
    nbformat = pytest.importorskip("nbformat", reason=JUPYTER)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")  # the same inkstream
    book = nbformat.read(path, 4)
    assert not any(cell.get("outputs") for cell in book.cells), "kept without what this computer measured"
    nbclient.NotebookClient(book, timeout=900, kernel_name="python3").execute(cwd=str(EXAMPLES))
    shown = [each for cell in book.cells for each in cell.get("outputs", ()) if "image/png" in each.get("data", {})]
    said = [each.get("text", "") for cell in book.cells for each in cell.get("outputs", ())]
    assert len(shown) >= 3 and not [text for text in said if "error:" in text]
    if kept := os.environ.get("INKSTREAM_NOTEBOOKS"):  # to look at
        nbformat.write(book, Path(kept) / path.name)
