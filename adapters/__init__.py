"""What steers a frame: preprocessors make a drawing a condition image, and bare paper is told apart from ink."""

from .opening import PREPROCESSORS, open_preprocessor
from .paper import Paper, fill_paper, find_paper, ink_matte
from .preprocessor import Preprocessor

__all__ = ["PREPROCESSORS", "Paper", "Preprocessor", "fill_paper", "find_paper", "ink_matte", "open_preprocessor"]
