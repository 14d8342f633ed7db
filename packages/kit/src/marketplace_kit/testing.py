"""Helpers for tests, ours and a host's."""

from collections.abc import Callable
from typing import Any

import orjson
from django.http import HttpResponse
from django.test import Client
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob


class JsonClient(Client):
    """Django's client that speaks JSON: `client.post("/bookings", {...})` and `response.json()`."""

    def _send(self, method: str, path: str, body: Any, **extra: Any) -> HttpResponse:
        data = b"" if body is None else orjson.dumps(body, default=float)
        return self.generic(method, path, data, content_type="application/json", **extra)  # type: ignore[return-value]

    def post(self, path: str, body: Any = None, **extra: Any) -> HttpResponse:  # type: ignore[override]
        return self._send("POST", path, body, **extra)

    def patch(self, path: str, body: Any = None, **extra: Any) -> HttpResponse:  # type: ignore[override]
        return self._send("PATCH", path, body, **extra)

    def put(self, path: str, body: Any = None, **extra: Any) -> HttpResponse:  # type: ignore[override]
        return self._send("PUT", path, body, **extra)

    def delete(self, path: str, body: Any = None, **extra: Any) -> HttpResponse:  # type: ignore[override]
        return self._send("DELETE", path, body, **extra)

    def upload(self, path: str, file: Any, *, method: str = "POST") -> HttpResponse:
        """Send `file` as the part named `file`."""
        from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

        body = encode_multipart(BOUNDARY, {"file": file})
        return self.generic(method, path, body, content_type=MULTIPART_CONTENT)  # type: ignore[return-value]


def run_jobs(limit: int = 1000) -> int:
    """Run the jobs that are due, in the order they were deferred, in this transaction; how many there were.

    The real worker has connections of its own and sees committed rows only: this is for tests in a transaction.
    """
    done = 0
    while done < limit:
        job = ProcrastinateJob.objects.filter(status="todo", scheduled_at=None).order_by("id").first()
        if job is None:
            return done
        task: Callable[..., Any] = app.tasks[job.task_name].func
        task(**job.args)
        # The model refuses writes of its own; an UPDATE on the queryset is what a finished job looks like.
        ProcrastinateJob.objects.filter(pk=job.pk)._raw_delete(using="default")
        done += 1
    raise AssertionError(f"more than {limit} jobs: one defers itself")
