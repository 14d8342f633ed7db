"""Real threads on real connections."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connection

PATIENCE = 20  # seconds; a test that waits longer has failed


def together(*functions: Callable[[], Any]) -> list[Any]:
    """Run each in a thread with a connection of its own; what each returned or raised."""

    barrier = Barrier(len(functions))

    def run(function):
        try:
            with connection.cursor():  # connect before the start
                pass
            barrier.wait(PATIENCE)
            return function()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(run, functions))


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0] > 0
