from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from procrastinate.contrib.django import app


class Command(BaseCommand):
    help = "Run the background worker: mails, notifications, refunds, periodic jobs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--concurrency", type=int, default=4, help="jobs at once (4)")
        parser.add_argument("--one-shot", action="store_true", help="end when nothing is left to do")

    def handle(self, *args: Any, **options: Any) -> None:
        # An app of its own: what a job defers goes through Django's connection, in the job's own transaction, and
        # not through the worker's, where others would see it, and start it, before that transaction commits.
        with app.with_connector(app.connector.get_worker_connector()) as worker_app:  # type: ignore[attr-defined]
            # Jobs that run when it is told to stop may finish; what is left then goes back by `retry_stalled_jobs`.
            worker_app.run_worker(
                concurrency=options["concurrency"], wait=not options["one_shot"], shutdown_graceful_timeout=20
            )
