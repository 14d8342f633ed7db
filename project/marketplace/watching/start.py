"""What a process that serves does first of all to be watched."""

from typing import TYPE_CHECKING, Any

from django.conf import settings

if TYPE_CHECKING:
    from .requests import Application


def start(process: str) -> None:
    """Count, and tell what is counted; trace. `process` is api, stream or worker."""
    if settings.METRICS_PORT:
        from . import exporter, facts, metrics  # not above: they are nothing to who is not watched

        metrics.PROCESSES.labels(process).set(1)
        facts.connect()
        exporter.serve(settings.METRICS_HOST, settings.METRICS_PORT)
    if settings.TRACES:
        from . import tracing

        tracing.begin(process)


def around_stream(application: "Application") -> "Application":
    """The stream's application, its subscribers counted."""
    if not settings.METRICS_PORT:
        return application
    from .requests import count_subscribers

    return count_subscribers(application)


def around_jobs() -> dict[str, list[Any]]:
    """What the worker is given to have its jobs counted and traced."""
    of_worker: list[Any] = []
    of_tasks: list[Any] = []
    if settings.METRICS_PORT:
        from . import jobs

        of_worker.append(jobs.count)
    if settings.TRACES:
        from . import tracing

        of_worker.append(tracing.trace_job)
        of_tasks.append(tracing.trace_statements)
    return {"worker_middleware": of_worker, "task_middleware": of_tasks}
