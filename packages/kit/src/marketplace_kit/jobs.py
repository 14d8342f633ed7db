"""Jobs: rows of procrastinate, deferred inside the action's transaction by the task's name.

By name, because tasks call actions: an action that imported its task would close a circle.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple

import orjson
from django.db import InterfaceError, OperationalError
from django.db.models import Model
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app
from procrastinate.sql import queries
from psycopg.types.json import Jsonb

from .inserting import insert

# Growing pauses: 5 s, 25 s, 2 min, 10 min, 52 min …
PATIENT = RetryStrategy(max_attempts=8, exponential_wait=5)


class Deferred(NamedTuple):
    """A job to defer: a task's name, its arguments (keys of rows only), and how long to wait."""

    task: str
    arguments: dict[str, Any]
    after: timedelta | None = None


def defer(task: str, *, after: timedelta | None = None, **arguments: Any) -> None:
    """Have the worker run `task` with these arguments (keys of rows only) once this transaction commits.

    Deliberately without "not while one is waiting": that needs a unique index, on which two actions that tell the same
    two people would deadlock, and the waiting job might run before this transaction commits.
    """
    defer_all([Deferred(task, arguments, after)])


def defer_all(jobs: Iterable[Deferred], *, storing: Sequence[Model] = ()) -> None:
    """Defer several jobs in one statement, which stores these new rows as well. Without any of them, nothing."""
    given = [_given(*one) for one in jobs]
    if given:
        insert(*storing, and_select=_defer(len(given)), values=[value for one in given for value in one])
    elif storing:
        insert(*storing)


def each(keys: Iterable[Any], run: Callable[[Any], object]) -> None:
    """Run it for each key; one failure doesn't stop the others. Raises ExceptionGroup at the end if any failed.

    But where the database is away, it is away for all of them: OperationalError, InterfaceError.
    """
    failed: list[Exception] = []
    for key in keys:
        try:
            run(key)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            error.add_note(f"for {key}")
            failed.append(error)
    if failed:
        raise ExceptionGroup("Some could not be done", failed)


@cache
def _defer(count: int) -> str:
    """procrastinate's own statement, prepared, and without the logs and copies of each job that it makes.

    Each value is a parameter: the driver writes a row within an array much slower.
    """
    row = "ROW(%s, %s, %s, %s, %s, %s, %s)"  # of `procrastinate_job_to_defer_v1`
    return queries["defer_jobs"].replace("%(jobs)s", f"ARRAY[{', '.join([row] * count)}]").rstrip(";")


def _given(task: str, arguments: dict[str, Any], after: timedelta | None) -> tuple[Any, ...]:
    schedule: dict[str, Any] | None = {"seconds": after.total_seconds()} if after else None
    job = app.configure_task(task, schedule_in=schedule).job
    args = Jsonb(arguments, dumps=orjson.dumps)
    return job.queue, job.task_name, job.priority, job.lock, job.queueing_lock, args, job.scheduled_at
