from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands import migrate
from django.db import connections

KEY = 4_711_2026  # of PostgreSQL's advisory lock; any number that nobody else takes


class Command(migrate.Command):
    help = f"{migrate.Command.help} Of several that are started at once, one does it, and the others wait."

    def handle(self, *args: Any, **options: Any) -> None:
        with one_at_a_time(options["database"]):
            super().handle(*args, **options)


@contextmanager
def one_at_a_time(database: str) -> Iterator[None]:
    """Wait for whoever is here already, however long that takes."""
    with connections[database].cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        limit = cursor.fetchone()
        cursor.execute("SET lock_timeout = 0")
        cursor.execute("SELECT pg_advisory_lock(%s), set_config('lock_timeout', %s, false)", [KEY, *limit])
    try:
        yield
    finally:
        with connections[database].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [KEY])
