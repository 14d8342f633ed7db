"""Jobs: those that ran, counted by the worker, and those that wait, asked of the database by whoever is asked."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NamedTuple

import structlog
from django.db import DatabaseError, connection
from procrastinate import JobContext
from procrastinate.contrib.django import app
from procrastinate.middleware import AsyncCallNext
from procrastinate.worker import Worker
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from . import metrics

log = structlog.get_logger(__name__)

# Done jobs lie in the same table, so only what the indexes of open ones find is asked for.
OPEN = """
    WITH queues AS (
        SELECT queue_name,
               count(*) FILTER (WHERE status = 'todo' AND coalesce(scheduled_at, now()) <= now()) AS waiting,
               count(*) FILTER (WHERE status = 'todo' AND scheduled_at > now()) AS scheduled,
               count(*) FILTER (WHERE status = 'doing') AS doing,
               min(scheduled_at) FILTER (WHERE status = 'todo' AND scheduled_at <= now()) AS due_since,
               min(id) FILTER (WHERE status = 'todo' AND scheduled_at IS NULL) AS first
        FROM procrastinate_jobs WHERE status IN ('todo', 'doing') GROUP BY queue_name
    )
    SELECT queue_name, waiting, scheduled, doing, extract(epoch FROM now() - least(
        due_since, (SELECT min(at) FROM procrastinate_events WHERE job_id = queues.first)
    ))::float
    FROM queues
"""


class Queue(NamedTuple):
    """What is in a queue now."""

    name: str
    waiting: int = 0
    scheduled: int = 0
    doing: int = 0
    age: float | None = None  # seconds that the oldest one waits


async def count(call_next: AsyncCallNext, context: JobContext, worker: Worker) -> Any:
    """The worker's middleware: count a run, and how long it took."""
    task, outcome, started = context.job.task_name, "failed", time.perf_counter()
    try:
        result = await call_next()
        outcome = "succeeded"
    finally:
        metrics.JOBS_DONE.labels(task, outcome).inc()
        metrics.JOB_TIME.labels(task).observe(time.perf_counter() - started)
    return result


class Queues(Collector):
    """The queues, asked for when somebody looks: they are there, and grow, while no worker is."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What is in each queue; nothing but `marketplace_database_up 0` where the database does not answer."""
        up = GaugeMetricFamily("marketplace_database_up", "Whether the database answers.")
        jobs = GaugeMetricFamily("marketplace_jobs", "Jobs that are not done.", labels=["queue", "state"])
        age = GaugeMetricFamily("marketplace_queue_age_seconds", "How long the oldest due job waits.", labels=["queue"])
        try:
            for queue in _queues():
                for state in ("waiting", "scheduled", "doing"):
                    jobs.add_metric([queue.name, state], getattr(queue, state))
                age.add_metric([queue.name], queue.age or 0.0)
            up.add_metric([], 1)
        except DatabaseError as error:
            log.warning("queues_not_asked", error=str(error))
            up.add_metric([], 0)
        yield from (up, jobs, age)


def _queues() -> list[Queue]:
    with closing(connection), connection.cursor() as cursor:
        cursor.execute(OPEN)
        found = [Queue(*row) for row in cursor.fetchall()]
    known = {task.queue for task in app.tasks.values()}
    return found + [Queue(name) for name in sorted(known - {queue.name for queue in found})]
