"""The API under load, beside the floor: what the same answers cost without a framework (bare.py).

Both run on granian with as many workers and threads, on one PostgreSQL, and are asked the same in short turns, one
after the other: so whatever else the machine does meets both. A copy of the database is used, and dropped at the end.
"""

import os
import pickle
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson
from django.conf import settings
from django.test import override_settings
from tests.load import bare, databases, driving, operations
from tests.load.app import App
from tests.load.driving import Figures, Target
from tests.load.operations import BOOK, OPERATIONS, Asker, Operation, Request
from tests.load.plots import Bar, bars
from tests.load.tables import machine, markdown, say, shown, write

MOST_BOOKINGS = 3_000  # a second: so many slots are at hand in a turn
COPY = "under_load"


class Setting(NamedTuple):
    """How the two are asked."""

    workers: int
    connections: int
    kept: bool = False  # the same requests again and again, which the public cache answers

    def __str__(self) -> str:
        return f"{self.workers} worker{'s'[: self.workers - 1]}, {self.connections} connections"


FIRST = Setting(1, 16)  # which the goals are for
type Pair = tuple[Figures, Figures]  # the system's, the floor's
type Results = dict[Setting, dict[Operation, Pair]]


def run(asked: Namespace) -> int:
    """Measure, print, and write where asked."""
    driving.require_wrk()
    databases.use(asked.services, providers=asked.providers, bookings=asked.bookings)
    with databases.copied(COPY):
        results = measured(asked)
        text = report(results, asked)
    sys.stdout.write(f"{text}\n")
    if asked.write:
        write(asked.document, "floor", text)
        (asked.document.parent / "images" / "performance.svg").write_text(plot(results[FIRST]))
    return 0


def measured(asked: Namespace) -> Results:
    asker, folder = Asker(), asked.data_dir / "load"
    folder.mkdir(exist_ok=True)
    chosen = [one for one in OPERATIONS if asked.only in one.name]
    say("the requests are made")
    requests = {one: one.ask(asker) for one in chosen}
    note(requests, folder / "notes")
    results: Results = {}
    for workers in asked.workers:
        with servers(workers, folder) as (system, floor):
            if not results:  # later on there are bookings that the notes do not know
                compare(system, floor, requests)
            for setting in settings_of(workers, asked.connections):
                mine = {one: some for one, some in requests.items() if one.is_kept or not setting.kept}
                results[setting] = take_turns(system, floor, setting, mine, asker, asked)
    return results


def settings_of(workers: int, connections: Sequence[int]) -> list[Setting]:
    return [*(Setting(workers, many) for many in connections), *([FIRST._replace(kept=True)] if workers == 1 else [])]


def note(requests: Mapping[Operation, list[Request]], file: Path) -> None:
    """Write down what the floor can't find by itself."""
    with override_settings(KIT={**settings.KIT, "PUBLIC_CACHE_SECONDS": 0}):
        app = App()
        notes = [operations.noted(some, app.get) for one, some in requests.items() if one.is_noted]
    file.write_bytes(pickle.dumps({name: value for part in notes for name, value in part.items()}))


@contextmanager
def servers(workers: int, folder: Path) -> Iterator[tuple[Target, Target]]:
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{COPY}").geturl()
    env = {"DATABASE_URL": url, bare.NOTES: str(folder / "notes")}
    system, floor = driving.system(workers, env, folder), driving.floor(workers, env, folder)
    with system.running(), floor.running():
        yield system, floor


def compare(system: Target, floor: Target, requests: Mapping[Operation, list[Request]]) -> None:
    """AssertionError unless both answer the same."""
    for one, some in requests.items():
        issued = operations.tokens_of({request.caller for request in some[:5]})
        for request in some[:5]:
            headers = {"Authorization": f"Bearer {issued[request.caller]}"} if request.caller else {}
            ours = orjson.loads(system.get(request.path, headers))
            bares = orjson.loads(floor.get(request.path, {"X-Caller": request.caller}))
            assert without_cursor(ours) == without_cursor(bares), (one.name, request.path)


def without_cursor(answer: Any) -> Any:
    return {name: value for name, value in answer.items() if name != "nextCursor"}


NUMBERS = count(1)


def take_turns(
    system: Target,
    floor: Target,
    setting: Setting,
    requests: Mapping[Operation, list[Request]],
    asker: Asker,
    asked: Namespace,
) -> dict[Operation, Pair]:
    """A short one for nothing, so that connections are open and code is warm; then those that count."""
    figures: dict[Operation, Pair] = {one: (Figures(), Figures()) for one in requests}
    for number in range(asked.rounds + 1):
        seconds = asked.seconds if number else 1
        for one, some in requests.items():
            for target, its in zip((system, floor), figures[one], strict=True):
                turn = take_turn(target, one, some, setting, asker, seconds)
                its.turns += [turn] if number else []
        say(f"{setting}{', kept' if setting.kept else ''}: round {number} of {asked.rounds}")
    return figures


def take_turn(
    target: Target, one: Operation, some: list[Request], setting: Setting, asker: Asker, seconds: int
) -> driving.Turn:
    if one.name == BOOK:
        some = asker.bookings(MOST_BOOKINGS * seconds)
    issued = operations.tokens_of({request.caller for request in some})
    lines = [request.line(issued[request.caller]) for request in some[: 5 if setting.kept else None]]
    differ = "" if setting.kept or one.name == BOOK else f"{next(NUMBERS)}x"
    turn = target.driven(lines, connections=setting.connections, seconds=seconds, differ=differ)
    if one.name == BOOK:
        sent = turn.requests + setting.connections
        assert sent <= len(some), "more were booked than there were slots"
        asker.give_back(some[sent:])
    return turn


# --- the document ---

HEAD = ("", "requests/s", "p50 ms", "p99 ms", "CPU ms", "MiB", "floor: requests/s", "p50 ms", "p99 ms", "CPU ms", "MiB")


def report(results: Results, asked: Namespace) -> str:
    sizes = f"--services {asked.services} --providers {asked.providers} --bookings {asked.bookings}"
    command = f"python -m tests.load floor {sizes} --seconds {asked.seconds} --rounds {asked.rounds}"
    parts = [f"`python3 -m uv run {command}`, on {machine()}."]
    if FIRST in results:
        parts += ["![Requests a second](images/performance.svg)"]
    for setting, figures in sorted(results.items(), key=lambda item: item[0]):
        parts += [heading(setting), markdown([*HEAD, "ratio", *goals(setting)], rows(setting, figures))]
    return "\n\n".join(parts)


def heading(setting: Setting) -> str:
    return f"### {setting}{', answered by the cache' if setting.kept else ''}"


def goals(setting: Setting) -> list[str]:
    return ["goal", "met"] if setting == FIRST else []


def rows(setting: Setting, figures: Mapping[Operation, Pair]) -> list[list[str]]:
    return [
        [one.name, *figures_of(ours), *figures_of(bares), f"{ratio(ours, bares):.2f}", *verdict(setting, one, figures)]
        for one, (ours, bares) in figures.items()
    ]


def figures_of(its: Figures) -> list[str]:
    return [
        shown(its.median("rate")),
        shown(its.median("p50")),
        shown(its.median("p99")),
        f"{its.median('cpu'):.2f}",
        shown(its.median("memory")),
    ]


def ratio(ours: Figures, bares: Figures) -> float:
    return ours.median("rate") / bares.median("rate")


def verdict(setting: Setting, one: Operation, figures: Mapping[Operation, Pair]) -> list[str]:
    if setting != FIRST:
        return []
    ours, bares = figures[one]
    goal = one.goal
    met = ratio(ours, bares) >= goal.ratio and ours.median("rate") >= goal.rate
    met = met and (not goal.p99 or ours.median("p99") < goal.p99)
    return [str(goal), ("yes" if met else "no") if any(goal) else ""]


def plot(figures: Mapping[Operation, Pair]) -> str:
    """Requests a second of both, by operation."""
    pairs = [(one.name, ours.median("rate"), bares.median("rate")) for one, (ours, bares) in figures.items()]
    return bars(
        f"Requests a second, {FIRST}",
        [Bar(name, (("the API", ours), ("the floor", bares))) for name, ours, bares in pairs],
    )
