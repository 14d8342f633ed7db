from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from procrastinate.contrib.django import app


class Command(BaseCommand):
    help = "Run the background worker: mails, notifications, refunds, periodic jobs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--concurrency", type=int, default=4, help="jobs at once (4)")

    def handle(self, *args: Any, **options: Any) -> None:
        # Jobs that run when it is told to stop may finish; what is left after that goes back by `retry_stalled_jobs`.
        # An app of its own: what a job defers goes through Django's connection, in the job's own transaction.
        with app.with_connector(app.connector.get_worker_connector()) as worker_app:  # type: ignore[attr-defined]
            worker_app.run_worker(concurrency=options["concurrency"], shutdown_graceful_timeout=20)
