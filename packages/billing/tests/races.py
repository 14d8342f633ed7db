"""Real threads on real connections."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from django.db import connection, connections


def together(*calls):
    """Make these calls at the same moment; what each returned or raised."""
    barrier = Barrier(len(calls))

    def run(call):
        try:
            with connection.cursor():  # connect before the start
                pass
            barrier.wait()
            return call()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def at_once(count, call):
    """Make one call so many times at the same moment; what each returned or raised."""
    return together(*[call] * count)
