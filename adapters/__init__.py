"""What steers a frame: preprocessors that turn a drawing into a condition image, and the paper that is left undecided."""

from .paper import Paper, fill_paper, find_paper, ink_matte, paper_colour
from .preprocess import PREPROCESSORS, Preprocessor, open_preprocessor

__all__ = [
    "PREPROCESSORS",
    "Paper",
    "Preprocessor",
    "fill_paper",
    "find_paper",
    "ink_matte",
    "open_preprocessor",
    "paper_colour",
]
