"""Jobs: rows of procrastinate, deferred inside the action's transaction by the task's name.

By name, because tasks call actions: an action that imported its task would close a circle.
"""

from datetime import timedelta
from typing import Any

from django.db import transaction
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

# Growing pauses: 5 s, 25 s, 2 min, 10 min, 52 min …
PATIENT = RetryStrategy(max_attempts=8, exponential_wait=5)


def defer(task: str, *, after: timedelta | None = None, once: str | None = None, **arguments: Any) -> None:
    """Have the worker run `task` with these arguments (keys of rows only) once this transaction commits.

    `once`: not while a job of this name is waiting already.
    """
    schedule: dict[str, Any] = {"seconds": after.total_seconds()} if after else {}
    job = app.configure_task(task, queueing_lock=once, schedule_in=schedule or None)
    if once is None:
        job.defer(**arguments)
        return
    try:
        # The nested block keeps the caller's transaction usable when the lock refuses the job.
        with transaction.atomic():
            job.defer(**arguments)
    except AlreadyEnqueued:
        return
