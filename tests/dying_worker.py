"""Workers that are killed at a point: `python -m tests.dying_worker` starts one for each line it reads, named by it.

A worker is the command itself, until nothing is left to do, in a child of this process: that is a fork of what was set
up once, without threads and connections. The answer to a line is how the child ended. Nothing in the system knows of
this.
"""

import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple, NoReturn

import django

BEFORE, AFTER = "before", "after"
NOWHERE = "nowhere"


class Point(NamedTuple):
    """Where a worker dies: before or after a call, by its module and its name there."""

    what: str  # has happened by then
    side: str
    module: str
    name: str


OURS = "marketplace_notifications"
POINTS = {
    "unplaced": Point("it is told, and has no place in the stream", BEFORE, f"{OURS}.actions", "publish"),
    "placing": Point("its place is written, and not committed", AFTER, f"{OURS}.models", "StreamCounter.save"),
    "placed": Point("its place is committed, and no stream was woken", BEFORE, f"{OURS}.hints", "send"),
    "woken": Point("the streams were woken, and the job is not done", AFTER, f"{OURS}.hints", "send"),
    "unmailed": Point("its mail is worded, and not begun", BEFORE, "marketplace_kit.mail", "send"),
    "mailing": Point("its mail is a whole file, under no name", BEFORE, "os", "link"),
    "mailed": Point("its mail is there, and nobody has noted that", AFTER, "marketplace_kit.mail", "send"),
    "noted": Point("its mail is noted, and the job is not done", AFTER, f"{OURS}.actions", "send_email"),
    "claimed": Point("its webhook is begun, and not sent", BEFORE, f"{OURS}.deliveries", "send"),
    "sent": Point("its webhook is sent, and nobody has noted that", AFTER, f"{OURS}.deliveries", "send"),
    "recorded": Point("its webhook is noted, and the job is not done", AFTER, f"{OURS}.deliveries", "record"),
}


def arm(point: Point) -> None:
    """Have this process die there, by `kill -9`: nothing is finished, closed or rolled back."""
    owner: Any = import_module(point.module)
    *path, name = point.name.split(".")
    for step in path:
        owner = getattr(owner, step)
    call: Callable[..., Any] = getattr(owner, name)

    def deadly(*args: Any, **kwargs: Any) -> None:
        if point.side == AFTER:
            call(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, deadly)


def work(point: str) -> NoReturn:
    from django.core.management import call_command

    status = 1
    try:
        if point != NOWHERE:
            arm(POINTS[point])
        call_command("worker", one_shot=True)
        status = 0
    finally:
        os._exit(status)


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    from procrastinate.contrib.django import app

    app.perform_import_paths()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            work(line.strip())
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
