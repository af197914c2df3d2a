"""What steers a frame: preprocessors make a drawing a condition image, bare paper is told apart from ink, and adapters
act on frames on their way."""

from .adapter import Adapter, Passage
from .opening import PREPROCESSORS, open_preprocessor
from .paper import Paper, fill_paper, find_paper, ink_matte
from .preprocessor import Preprocessor
from .registry import register, trust

__all__ = [
    "PREPROCESSORS",
    "Adapter",
    "Paper",
    "Passage",
    "Preprocessor",
    "fill_paper",
    "find_paper",
    "ink_matte",
    "open_preprocessor",
    "register",
    "trust",
]
