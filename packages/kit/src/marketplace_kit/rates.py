"""Rates as settings write them: `5/m`. Imports nothing of Django, so that a settings file can import it."""

import re
from functools import cache
from typing import NamedTuple

_WRITTEN = re.compile(r"([1-9]\d*)/([1-9]\d*)?([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Rate(NamedTuple):
    """A number of requests in a number of seconds."""

    quota: int
    seconds: int


@cache
def parse(text: str) -> Rate:
    """The rate that is written as `5/m`, `100/10m` or `10/h`. ValueError, with a sentence, for anything else."""
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a rate: write it as 5/m, 100/10m or 10/h.")
    return Rate(int(match[1]), int(match[2] or 1) * _SECONDS[match[3]])
