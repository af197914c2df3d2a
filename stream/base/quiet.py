"""Keep the libraries underneath from talking about things that are so on purpose."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# Who talks while torchao is imported, which diffusers and PEFT do wherever it is installed.
_AROUND_TORCHAO = ("torchao", "torch.utils._pytree")


@contextmanager
def quiet() -> Iterator[None]:
    """Silence warnings and progress bars of diffusers, transformers and PEFT; errors still come as exceptions.

    It covers, among others, that a tiny autoencoder is not the class a pipeline names, that ``torchvision`` is missing,
    that a scheduler's configuration is of an older form, and that torchao has kernels for other devices than this one.
    """
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    libraries = (diffusers_logging, transformers_logging)
    levels = {logger: logger.level for logger in map(logging.getLogger, _AROUND_TORCHAO)}
    before = [(library, library.get_verbosity(), library.is_progress_bar_enabled()) for library in libraries]
    try:
        for logger in levels:
            logger.setLevel(logging.ERROR)
        for library in libraries:
            library.set_verbosity(40)  # logging.ERROR
            library.disable_progress_bar()
        with warnings.catch_warnings():
            for module in ("diffusers", "transformers", "peft", "huggingface_hub"):
                warnings.filterwarnings("ignore", module=rf"{module}(\..*)?$")
            yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)
        for library, level, bars in before:
            library.set_verbosity(level)
            if bars:
                library.enable_progress_bar()
