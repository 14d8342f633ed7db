"""Lists, search and slots at each size: how long the whole answer takes, and that no plan reads the whole table.

Kept answers are off, so that each question reaches PostgreSQL; categories come from django-cachalot, as they do in
production.
"""

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from time import perf_counter
from typing import Any

from django.conf import settings
from django.db import connection
from django.test import override_settings
from tests.load import databases
from tests.load.app import App
from tests.load.questions import KINDS, Catalog, Kind, Vocabulary
from tests.load.tables import machine, markdown, percentile, say, shown, write

SERVICES = "marketplace_catalog_service"

type Query = tuple[str, Any]
type Questions = dict[Kind, list[str]]  # the paths of each kind


@dataclass
class Figures:
    """Of one kind of question, at one size."""

    total: list[float] = field(default_factory=list)  # milliseconds
    database: list[float] = field(default_factory=list)  # of them
    pages: list[int] = field(default_factory=list)  # that PostgreSQL touched, 8 kB each

    def p50(self) -> float:
        return percentile(self.total, 0.5)

    def p95(self) -> float:
        return percentile(self.total, 0.95)


def run(asked: Namespace) -> int:
    """Measure, print, and write where asked. The number of questions for which the whole table is read."""
    kinds = [kind for kind in KINDS if asked.only in kind.name]
    with override_settings(KIT={**settings.KIT, "PUBLIC_CACHE_SECONDS": 0}):
        questions = {size: {kind: [*kind.ask(catalog)] for kind in kinds} for size, catalog in catalogs(asked.services)}
        figures = measured(questions, asked.rounds)
        bad = [
            f"- {size:,}: {path}" for size in questions for path in looked_into(size, questions[size], figures[size])
        ]
    text = report(figures, asked.rounds, bad)
    sys.stdout.write(f"{text}\n")
    if asked.write:
        write(asked.document, "search", text)
    return len(bad)


def catalogs(sizes: Sequence[int]) -> Iterator[tuple[int, Catalog]]:
    """Each database, with the words of the smallest, so that the same is asked of all."""
    words = None
    for size in sorted(sizes):
        databases.use(size)
        words = words or Vocabulary()
        yield size, Catalog(words)


def measured(questions: dict[int, Questions], rounds: int) -> dict[int, dict[Kind, Figures]]:
    """Each question so often, at all sizes in turn: so whatever else the machine does meets them all."""
    figures = {size: {kind: Figures() for kind in kinds} for size, kinds in questions.items()}
    chance = Random(1)
    for number in range(rounds):
        for size, kinds in questions.items():
            databases.use(size)
            turns = [(kind, path) for kind, paths in kinds.items() for path in paths]
            chance.shuffle(turns)
            take_turns(turns, figures[size])
        say(f"round {number + 1} of {rounds}")
    return figures


def take_turns(turns: Sequence[tuple[Kind, str]], figures: dict[Kind, Figures]) -> None:
    app = App()
    for path in dict(turns).values():
        app.get(path)  # for nothing: the connection is new, and the caches are another database's
    for kind, path in turns:
        with clocked() as spent:
            began = perf_counter()
            app.get(path)
            figures[kind].total.append((perf_counter() - began) * 1000)
        figures[kind].database.append(sum(spent))


@contextmanager
def clocked() -> Iterator[list[float]]:
    """How long each query takes, in milliseconds."""
    spent: list[float] = []

    def clock(execute: Callable[..., Any], *args: Any) -> Any:
        began = perf_counter()
        try:
            return execute(*args)
        finally:
            spent.append((perf_counter() - began) * 1000)

    with connection.execute_wrapper(clock):
        yield spent


# --- plans ---


def looked_into(size: int, questions: Questions, figures: dict[Kind, Figures]) -> Iterator[str]:
    """The questions for which PostgreSQL reads all services; what each touches is noted in its figures."""
    databases.use(size)
    app = App()
    for kind, paths in questions.items():
        for path in paths:
            found = [*plans(app, path)]
            figures[kind].pages.append(sum(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] for plan in found))
            if any(reads_all(node) for plan in found for node in nodes(plan)):
                yield path


def plans(app: App, path: str) -> Iterator[dict[str, Any]]:
    """The plan of each query that a question leads to, as PostgreSQL runs it."""
    queries: list[Query] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        queries.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        app.get(path)
    with connection.cursor() as cursor:
        for sql, params in queries:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
            yield cursor.fetchone()[0][0]["Plan"]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def reads_all(node: dict[str, Any]) -> bool:
    return node["Node Type"] == "Seq Scan" and node["Relation Name"] == SERVICES


# --- the table ---


def report(figures: dict[int, dict[Kind, Figures]], rounds: int, bad: Sequence[str]) -> str:
    sizes = sorted(figures)
    command = f"python -m tests.load search --services {','.join(map(str, sizes))} --rounds {rounds}"
    head = ["", *(f"{size:,}" for size in sizes), "growth", "in PostgreSQL", "pages"]
    rows = [row(kind, [figures[size][kind] for size in sizes]) for kind in KINDS if kind in figures[sizes[0]]]
    verdict = "\n".join(["Plans that read the whole table of services:", "", *bad])
    return "\n\n".join(
        [
            f"`python3 -m uv run {command}`, on {machine()}.",
            markdown(head, rows),
            verdict if bad else "No plan reads the whole table of services.",
        ]
    )


def row(kind: Kind, figures: Sequence[Figures]) -> list[str]:
    """At each size p50 (p95), and how p50 grows; at the largest what of it is PostgreSQL, and the pages it touches."""
    largest = figures[-1]
    return [
        kind.name,
        *(f"{shown(one.p50())} ({shown(one.p95())})" for one in figures),
        f"{largest.p50() / figures[0].p50():.1f} x",
        shown(percentile(largest.database, 0.5)),
        f"{percentile(largest.pages, 0.5):,}",
    ]
