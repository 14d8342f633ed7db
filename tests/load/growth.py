"""Booking with more and more bookings there: how long requests take, and what of it is PostgreSQL.

The application in this process, all but the network and rate limits. Some book at providers who have a hundred times as
many bookings as others, and as they call off at the end of each round, the next one meets what this one met.
"""

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import uuid4

import orjson
from django.conf import settings
from django.db import connection
from django.test import override_settings
from tests.load import bookings, databases, search
from tests.load.app import App
from tests.load.operations import apart, tokens_of
from tests.load.questions import LIST
from tests.load.tables import machine, markdown, percentile, say, shown, write

from marketplace.seeding.plan import Plan
from marketplace_accounts.models import User
from marketplace_billing import tasks as billing
from marketplace_booking import tasks as booking
from marketplace_catalog.models import Service
from marketplace_kit.clock import instant, now

BOOKINGS = "/api/v1/bookings"
PEOPLE = {"services": 20_000, "providers": 10_000, "customers": 100_000, "bookings": 0}
ASKING = 16  # who look at their lists

CREATE, CONFIRM, RESCHEDULE, CANCEL = "create a booking", "confirm it", "reschedule it", "cancel it"
HISTORY, SLOTS = "the history of a booking", "free slots of a month of a busy provider"
# What lists are asked for; a number is a moment so many days from now.
OF_PROVIDERS: Mapping[str, Mapping[str, str | int]] = {
    "a busy provider's bookings, the newest": {"role": "provider"},
    "… the next ones": {"role": "provider", "sort": "scheduledAt", "from": 0},
    "… those of last month that were done": {"role": "provider", "status": "completed", "from": -60, "to": -30},
    "… those that wait for him": {"role": "provider", "status": "pending"},
    "… on either side": {},
}
OF_CUSTOMERS: Mapping[str, Mapping[str, str | int]] = {
    "a customer's bookings, the newest": {"role": "customer"},
    "… on either side of him": {},
}
TASKS: Mapping[str, Callable[..., None]] = {
    "each minute: call off what lapsed": booking.cancel_lapsed.func,
    "each minute: remind of what is due": booking.remind.func,
    "each minute: settle payments": billing.reconcile.func,
}
NAMES = (CREATE, CONFIRM, RESCHEDULE, CANCEL, *OF_PROVIDERS, SLOTS, *OF_CUSTOMERS, HISTORY, *TASKS)


@dataclass
class Figures:
    """Of one operation, at one size."""

    total: list[float] = field(default_factory=list)  # milliseconds
    database: list[float] = field(default_factory=list)  # of them
    pages: list[float] = field(default_factory=list)  # that PostgreSQL touched for one, 8 kB each: of each round
    scans: int = 0  # of a whole table of bookings, reservations or history


type Results = dict[int, dict[str, Figures]]


def run(asked: Namespace) -> int:
    """Measure, print, and write where asked. How often a whole table was read at the largest size."""
    with override_settings(KIT={**settings.KIT, "PUBLIC_CACHE_SECONDS": 0}):
        results, sizes = measured(asked)
    text = report(results, sizes, asked)
    sys.stdout.write(f"{text}\n")
    if asked.write:
        write(asked.document, "growth", text)
    return sum(one.scans for one in results[max(results)].values())


def measured(asked: Namespace) -> tuple[Results, dict[int, float]]:
    """All sizes in turn, again and again: so whatever else the machine does meets them all."""
    sizes = sorted(asked.bookings)
    results: Results = {size: {name: Figures() for name in NAMES} for size in sizes}
    scenes, gigabytes = dict[int, Scene](), dict[int, float]()
    for size in sizes:
        use(size)
        scenes[size], gigabytes[size] = Scene.found(asked.each), weight()
    for number in range(asked.rounds + 1):
        for size, scene in scenes.items():
            use(size)
            # The first time for nothing: code and caches are cold.
            take_turn(scene, results[size] if number else {name: Figures() for name in NAMES})
        say(f"round {number} of {asked.rounds}")
    return results, gigabytes


def use(size: int) -> None:
    """Connect to the database with so many bookings, made unless it is there."""
    plan = Plan.of(**PEOPLE, today=now().date())
    databases.made("growth_people", partial(databases.fill, plan))
    databases.made(f"growth_{size}", partial(bookings.fill, size), template="growth_people")


def weight() -> float:
    """Gigabytes of bookings, reservations and history, with their indexes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(pg_total_relation_size(t)) / 1e9 FROM unnest(%s::regclass[]) t", [[*bookings.TABLES]]
        )
        return float(cursor.fetchone()[0])


# --- who does what ---


class Plot(NamedTuple):
    """Who books what, when, and to when it is moved."""

    customer: str
    provider: str
    service: str
    start: datetime
    moved: datetime


@dataclass(frozen=True)
class Scene:
    """Those of a database who do something."""

    plots: list[Plot]
    busy: list[str]  # providers who have the most
    idle: list[str]  # customers like any other
    services: list[str]  # of the busy ones

    @classmethod
    def found(cls, each: int) -> "Scene":
        """With so many who book, one in two at a provider who is busy. AssertionError where too little is free."""
        busy = bookings.busy_providers()
        customers = User.objects.filter(role="customer").order_by("pk").values_list("pk", flat=True)[: each + ASKING]
        offered = Service.objects.listed().filter(auto_confirm=False).select_related("schedule")
        offered = offered.order_by("provider", "id").distinct("provider")
        free = [*taken(offered.filter(provider__in=busy), each // 2)]
        free += taken(offered.exclude(provider__in=busy), each - each // 2)
        assert len(free) == each, "There are too few services with free slots."
        plots = [
            Plot(str(customer), str(service.provider_id), str(service.pk), start, moved)
            for customer, (service, start, moved) in zip(customers, free, strict=False)
        ]
        return cls(
            plots,
            [*map(str, busy[:ASKING])],
            [*map(str, customers[each:])],
            [*map(str, Service.objects.listed().filter(provider__in=busy).values_list("pk", flat=True)[:ASKING])],
        )


def taken(services: Any, count: int) -> Iterator[tuple[Service, datetime, datetime]]:
    """So many of the services, with two starts that are free."""
    for service in services.iterator(chunk_size=count):
        _, starts = apart(service)
        if count and len(starts) > 1:
            count -= 1
            yield service, starts[0], starts[1]
        if not count:
            return


def take_turn(scene: Scene, figures: Mapping[str, Figures]) -> None:
    """Book, confirm, move and call off, each step for all before the next; look at it meanwhile."""
    callers = {plot.customer for plot in scene.plots} | {plot.provider for plot in scene.plots}
    asker = Asker(figures, tokens_of(callers | {*scene.busy, *scene.idle}))
    plots = scene.plots
    booked = [{"serviceId": plot.service, "scheduledAt": instant(plot.start)} for plot in plots]
    made = asker.posts(CREATE, [(plot.customer, "", body) for plot, body in zip(plots, booked, strict=True)])
    keys = [answer["id"] for answer in made]
    mine = [*zip(plots, keys, strict=True)]
    asker.posts(CONFIRM, [(plot.provider, f"/{key}/confirm", {}) for plot, key in mine])
    moved = [(plot.provider, f"/{key}/reschedule", {"scheduledAt": instant(plot.moved)}) for plot, key in mine]
    asker.posts(RESCHEDULE, moved)
    look(asker, scene, [(plot.customer, f"{BOOKINGS}/{key}/history") for plot, key in mine])
    asker.posts(CANCEL, [(plot.customer, f"/{key}/cancel", {"reason": "I am ill."}) for plot, key in mine])
    for name, task in TASKS.items():
        asker.all_of(name, [partial(task, timestamp=0)] * len(scene.busy))


def look(asker: "Asker", scene: Scene, histories: Sequence[tuple[str, str]]) -> None:
    """Ask for lists, slots and histories."""
    for callers, lists in ((scene.busy, OF_PROVIDERS), (scene.idle, OF_CUSTOMERS)):
        for name, params in lists.items():
            asker.gets(name, [(caller, f"{BOOKINGS}?{query(params)}") for caller in callers])
    month = query({"from": 0, "to": 31})
    slots = [f"{LIST}/{key}/slots?{month}" for key in scene.services]
    asker.gets(SLOTS, [*zip(scene.idle, slots, strict=False)])
    asker.gets(HISTORY, histories)


def query(params: Mapping[str, str | int]) -> str:
    at = now()
    return urlencode(
        {name: one if isinstance(one, str) else instant(at + timedelta(one)) for name, one in params.items()}
    )


# --- how it is measured ---


class Asker:
    """Asks the application, and notes what each answer takes."""

    def __init__(self, figures: Mapping[str, Figures], tokens: Mapping[str, str]) -> None:
        self._app, self._figures, self._tokens = App(), figures, tokens

    def posts(self, name: str, asked: Sequence[tuple[str, str, Mapping[str, str]]]) -> list[Any]:
        """The answers to these: who, below which path, with which body."""
        calls = [partial(self._post, caller, BOOKINGS + path, orjson.dumps(body)) for caller, path, body in asked]
        return [orjson.loads(answer) for answer in self.all_of(name, calls)]

    def _post(self, caller: str, path: str, body: bytes) -> bytes:
        headers = {"Authorization": f"Bearer {self._tokens[caller]}", "Idempotency-Key": uuid4().hex}
        return self._app.ask("POST", path, headers=headers, body=body)

    def gets(self, name: str, asked: Sequence[tuple[str, str]]) -> None:
        """Ask for these: who, and for which path."""
        bearers = [({"Authorization": f"Bearer {self._tokens[caller]}"}, path) for caller, path in asked]
        self.all_of(name, [partial(self._app.ask, "GET", path, headers=headers) for headers, path in bearers])

    def all_of(self, name: str, calls: Sequence[Callable[[], Any]]) -> list[Any]:
        """What the calls answer, one after the other."""
        its, answers, before = self._figures[name], [], counted()
        for call in calls:
            with clocked() as spent:
                began = perf_counter()
                answers.append(call())
                its.total.append((perf_counter() - began) * 1000)
            its.database.append(sum(spent))
        after = counted()
        its.pages.append((after.pages - before.pages) / len(calls))
        its.scans += after.scans - before.scans
        return answers


@contextmanager
def clocked() -> Iterator[list[float]]:
    """How long each statement takes, and each commit, at which PostgreSQL looks at references; in milliseconds."""
    with search.clocked() as spent:
        commit = connection._commit

        def clock() -> None:
            began = perf_counter()
            commit()
            spent.append((perf_counter() - began) * 1000)

        connection._commit = clock
        try:
            yield spent
        finally:
            del connection._commit


class Counted(NamedTuple):
    """By PostgreSQL, of the database that is connected to, up to now."""

    pages: int
    scans: int  # of whole tables, whoever asked: a statement, or a reference that is checked


def counted() -> Counted:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database()")
        (pages,) = cursor.fetchone()
        cursor.execute("SELECT sum(pg_stat_get_numscans(t)) FROM unnest(%s::regclass[]) t", [[*bookings.TABLES]])
        (scans,) = cursor.fetchone()
    return Counted(int(pages), int(scans))


# --- the tables ---


def report(results: Results, gigabytes: Mapping[int, float], asked: Namespace) -> str:
    sizes, largest = [f"{size:,}" for size in results], results[max(results)]
    command = f"python -m tests.load growth --bookings {','.join(map(str, results))}"
    heavy = ", ".join(f"{gigabytes[size]:.1f} GB" for size in results)
    bad = [f"- {name}: {one.scans}" for name, one in largest.items() if one.scans]
    verdict = "Whole tables of bookings, reservations or history were read, so often:"
    return "\n\n".join(
        [
            f"`python3 -m uv run {command} --each {asked.each} --rounds {asked.rounds}`, on {machine()}.",
            f"Bookings, their history and reservations, with indexes: {heavy}. The whole request, p50 (p95) in ms:",
            markdown(["", *sizes, "growth"], [*map(partial(row, results), NAMES)]),
            "Of that in PostgreSQL, with the commit, p50 in ms; and how many pages of 8 kB it touches:",
            markdown(
                ["", *sizes, "growth", *(f"pages: {size}" for size in sizes)], [*map(partial(inside, results), NAMES)]
            ),
            "\n".join([verdict, "", *bad]) if bad else "No whole table of bookings, reservations or history was read.",
        ]
    )


def row(results: Results, name: str) -> list[str]:
    its = [figures[name].total for figures in results.values()]
    return [
        name,
        *(f"{shown(percentile(one, 0.5))} ({shown(percentile(one, 0.95))})" for one in its),
        grown(its),
    ]


def inside(results: Results, name: str) -> list[str]:
    its = [figures[name] for figures in results.values()]
    spent = [one.database for one in its]
    pages = [f"{percentile(one.pages, 0.5):,.0f}" for one in its]
    return [name, *(shown(percentile(one, 0.5)) for one in spent), grown(spent), *pages]


def grown(its: Sequence[Sequence[float]]) -> str:
    return f"{percentile(its[-1], 0.5) / percentile(its[0], 0.5):.1f} x"
