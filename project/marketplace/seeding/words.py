"""The words of titles, descriptions, names and notes: tables in TOML, one a language."""

import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent / "words"


class Words(NamedTuple):
    """A language; `titles` and `details` are by the slug of their category."""

    patterns: list[str]
    touches: list[str]
    openings: list[str]
    closings: list[str]
    bios: list[str]
    notes: list[str]
    reasons: list[str]
    praise: list[str]
    complaints: list[str]
    replies: list[str]
    titles: dict[str, list[str]]
    details: dict[str, list[str]]


class Names(NamedTuple):
    first: list[str]
    last: list[str]


@cache
def words_of(language: str) -> Words:
    return Words(**tomllib.loads((HERE / f"{language}.toml").read_text("utf-8")))


@cache
def names() -> dict[str, Names]:
    """By where people come from."""
    return {name: Names(**pool) for name, pool in tomllib.loads((HERE / "names.toml").read_text("utf-8")).items()}
