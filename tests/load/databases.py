"""A database for each size on one server, seeded once."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic

from django.core.management import call_command
from django.db import connection
from tests.load.tables import say

from marketplace.seeding import PASSWORD
from marketplace.seeding.bulk import seed
from marketplace.seeding.plan import Plan
from marketplace_kit.clock import now

BOOKED = 20  # services for each booking


def use(services: int, *, providers: int | None = None, bookings: int | None = None) -> None:
    """Connect to the database with so many services (and others), made and seeded unless it is there."""
    sizes = {"services": services, "providers": providers, "bookings": bookings}
    name = "_".join(f"{kind}_{size}" for kind, size in sizes.items() if size is not None)
    booked = services // BOOKED if bookings is None else bookings
    plan = Plan.of(services=services, providers=providers, bookings=booked, today=now().date())
    made(name, partial(fill, plan))


def made(name: str, filled: Callable[[], None], *, template: str = "template1") -> None:
    """Connect to the database of this name; unless it is there it is made, as a copy of another, and filled."""
    new = f"{name}_new"
    if not _exists(name):
        _admin(f'DROP DATABASE IF EXISTS "{new}"', f'CREATE DATABASE "{new}" TEMPLATE "{template}"')
        _connect(new)
        filled()
        _admin(f'ALTER DATABASE "{new}" RENAME TO "{name}"')
    _connect(name)


@contextmanager
def copied(name: str) -> Iterator[None]:
    """Connect to a copy of the database that is connected to, and drop it at the end."""
    source = connection.settings_dict["NAME"]
    _admin(f'DROP DATABASE IF EXISTS "{name}"', f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
    _connect(name)
    try:
        yield
    finally:
        _admin(f'DROP DATABASE "{name}" WITH (FORCE)')
        _connect(source)


def fill(plan: Plan) -> None:
    """Make the tables of an empty database, and put the plan's rows into them."""
    began = monotonic()
    call_command("migrate", verbosity=0)
    seed(plan, PASSWORD, _show)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")  # as autovacuum does, sooner or later
    say(f"{plan.services:,} services are in place after {monotonic() - began:.0f} s")


def _show(name: str, size: int, done: Iterable[int]) -> None:
    for _ in done:
        pass


def _connect(name: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name


def _exists(name: str) -> bool:
    _connect("postgres")
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_database WHERE datname = %s", [name])
        return cursor.fetchone() is not None


def _admin(*statements: str) -> None:
    _connect("postgres")
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
