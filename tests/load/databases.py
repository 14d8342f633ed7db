"""A database for each size on one server, seeded once."""

from collections.abc import Iterable
from time import monotonic

from django.core.management import call_command
from django.db import connection
from tests.load.tables import say

from marketplace.seeding import PASSWORD
from marketplace.seeding.bulk import seed
from marketplace.seeding.plan import Plan
from marketplace_kit.clock import now

BOOKED = 20  # services for each booking


def use(services: int) -> None:
    """Connect to the database with so many services, made and seeded unless it is there."""
    name, new = f"services_{services}", f"services_{services}_new"
    if not _exists(name):
        _admin(f'DROP DATABASE IF EXISTS "{new}"', f'CREATE DATABASE "{new}"')
        _connect(new)
        _fill(services)
        _admin(f'ALTER DATABASE "{new}" RENAME TO "{name}"')
    _connect(name)


def _fill(services: int) -> None:
    began = monotonic()
    call_command("migrate", verbosity=0)
    seed(Plan.of(services=services, bookings=services // BOOKED, today=now().date()), PASSWORD, _show)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")  # as autovacuum does, sooner or later
    say(f"{services:,} services are in place after {monotonic() - began:.0f} s")


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
