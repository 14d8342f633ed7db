import asyncio
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser
from procrastinate.contrib.django import app
from procrastinate.exceptions import ConnectorException

from marketplace.management.options import a_number
from marketplace.running import cores
from marketplace.running.lanes import MAIL, WEBHOOKS, connector, work
from marketplace.running.servers import first_line
from marketplace.watching.start import around_jobs, start


class Command(BaseCommand):
    help = "Run the background worker: mails, notifications, refunds, webhooks, periodic jobs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--concurrency", type=a_number, default=4, help="jobs at once, without those below (4)")
        parser.add_argument("--mails", type=a_number, default=4, help="mails sent at once (4)")
        parser.add_argument("--webhooks", type=a_number, default=4, help="webhooks sent at once (4)")
        parser.add_argument("--one-shot", action="store_true", help="one job after the other, until none is left")

    def handle(self, *args: Any, **options: Any) -> None:
        start("worker")
        # An app of its own: what a job defers goes through Django's connection, in the job's own transaction, and
        # not through the worker's, where others would see it, and start it, before that transaction commits.
        worker_app = app.with_connector(connector())
        try:
            if options["one_shot"]:
                # With more at once it would end while one of them still defers another.
                worker_app.run_worker(concurrency=1, wait=False, **around_jobs())
                return
            cores.share_one()
            lanes = {"": options["concurrency"], MAIL: options["mails"], WEBHOOKS: options["webhooks"]}
            # Jobs that run when it is told to stop may finish; what is left then goes back by `retry_stalled_jobs`.
            asyncio.run(work(worker_app, lanes, shutdown_graceful_timeout=20, **around_jobs()))
        except (ConnectorException, psycopg.OperationalError) as error:
            raise CommandError(f"The queue can't be reached. {first_line(error.__cause__ or error)}") from error
