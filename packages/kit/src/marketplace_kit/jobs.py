"""Jobs: rows of procrastinate, deferred inside the action's transaction by the task's name.

By name, because tasks call actions: an action that imported its task would close a circle.
"""

from datetime import timedelta
from typing import Any

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

# Growing pauses: 5 s, 25 s, 2 min, 10 min, 52 min …
PATIENT = RetryStrategy(max_attempts=8, exponential_wait=5)


def defer(task: str, *, after: timedelta | None = None, **arguments: Any) -> None:
    """Have the worker run `task` with these arguments (keys of rows only) once this transaction commits.

    There is no way to ask for "not while one is waiting" here, and on purpose: that is a unique index, over which two
    actions that tell the same two people deadlock, and the waiting job may look before this transaction commits.
    """
    schedule: dict[str, Any] | None = {"seconds": after.total_seconds()} if after else None
    app.configure_task(task, schedule_in=schedule).defer(**arguments)
