"""The worker, with tasks that defer another one inside their transaction: `python -m tests.working`."""

import os

import django


def register() -> None:
    """Tasks of this process alone."""
    from django.db import transaction
    from procrastinate.contrib.django import app

    from marketplace_kit.jobs import defer

    @app.task(name="tests.follow_up")
    def follow_up() -> None:
        """What the others defer."""

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

    register()
    call_command("worker", one_shot=True)
