"""What is imported before it is needed says nothing by itself."""

import logging
import sys
import types

import diffusers.utils  # noqa: F401 - the stand-in below has none
from transformers.utils import logging as library

from inkstream.stream.app import ahead


def test_what_is_imported_ahead_lets_no_library_talk(monkeypatch):
    levels = []

    class Talkative(types.ModuleType):
        def __getattr__(self, name):
            levels.append(library.get_verbosity())
            raise ImportError(name)

    monkeypatch.setattr(ahead, "_importing", None)
    before = library.get_verbosity()
    library.set_verbosity_warning()
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "diffusers", Talkative("diffusers"))
        ahead.import_aside().join(20)
    library.set_verbosity(before)
    assert levels and set(levels) == {logging.ERROR}
