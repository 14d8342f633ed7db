"""Finding the pattern of a path among many: Django tries one after the other, and an API has dozens."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from django.urls import URLPattern, URLResolver

STEPS = 2  # of a path: a version, and whose it is, as in v1/services


class Beginning:
    """Stands before patterns that begin alike, as `include` does, but takes nothing away: they stay whole."""

    regex = re.compile("")  # what `reverse` writes before them
    converters: dict[str, Any] = {}

    def __init__(self, text: str) -> None:
        self.text = text

    def match(self, path: str) -> tuple[str, tuple[()], dict[str, Any]] | None:
        return (path, (), {}) if path.startswith(self.text) else None

    def check(self) -> list[Any]:
        return []

    def describe(self) -> str:
        return f"'{self.text}'"

    def __str__(self) -> str:
        return ""


def grouped(patterns: Sequence[URLPattern | URLResolver]) -> Iterator[URLResolver]:
    """The same patterns in the same order; those that begin alike are looked at for such paths only."""
    for beginning, some in groupby(patterns, _beginning):
        yield URLResolver(Beginning(beginning), [*some])  # type: ignore[arg-type]


def _beginning(pattern: URLPattern | URLResolver) -> str:
    """The first steps of its paths, as far as they are no values."""
    return "/".join(str(pattern.pattern).split("/")[:STEPS]).partition("<")[0]
