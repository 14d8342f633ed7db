"""The worker, with tasks of tests: `python -m tests.working [FLAG]`.

Some defer another one inside their transaction. With a flag, a file, it does not end by itself: then there are webhooks
that hang until the file is there.
"""

import os
import sys
import time
from pathlib import Path

import django


def register(flag: str) -> None:
    """Tasks of this process alone."""
    from django.db import transaction
    from procrastinate.contrib.django import app

    from marketplace_kit.jobs import defer

    @app.task(name="tests.follow_up")
    def follow_up() -> None:
        """What the others defer."""

    @app.task(name="tests.hang", queue="webhooks")
    def hang() -> None:
        while not Path(flag).exists():
            time.sleep(0.02)

    @app.task(name="tests.undone")
    def undone() -> None:
        with transaction.atomic():
            defer("tests.follow_up")
            transaction.set_rollback(True)

    @app.task(name="tests.done")
    def done() -> None:
        with transaction.atomic():
            defer("tests.follow_up")


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    from django.core.management import call_command

    given = sys.argv[1:]
    register(*given or [""])
    call_command("worker", one_shot=not given)
