"""Commands of which several may be started at once, on several machines: one does it, and the others wait."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from zlib import crc32

from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections


@contextmanager
def one_at_a_time(what: str, database: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Do it alone: whoever is at it already is waited for, however long that takes, and let go if it dies."""
    key = crc32(f"marketplace:{what}".encode())
    with connections[database].cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        limit = cursor.fetchone()
        cursor.execute("SET lock_timeout = 0")
        cursor.execute("SELECT pg_advisory_lock(%s), set_config('lock_timeout', %s, false)", [key, *limit])
    try:
        yield
    finally:
        # A lost connection has lost its lock, too: what went wrong with it is told, and not that.
        with suppress(OperationalError, InterfaceError), connections[database].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [key])
