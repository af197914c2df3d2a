"""How many examples a fuzzing test draws: few in every run, many in a long one."""

import os


def fuzz_examples(usual: int) -> int:
    """``usual`` examples, times the environment variable INKSTREAM_FUZZ (a whole number, 1 when it is not set)."""
    return usual * int(os.environ.get("INKSTREAM_FUZZ", "1"))
