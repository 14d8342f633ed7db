"""A process that carries out orders, each in a child of its own that may be killed on the way: `python -m tests.dying`.

An order is a line of JSON: what to do, and the step at which to die, before it or after it. A step is every commit of
ours and every call of the gateway. The answer is a line too: how the child ended, and the steps that it took. Nothing
in the system knows of this. A child is a fork: the parent has no threads and no connection, and was set up once.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any, NoReturn

import django

KILLED = 9  # the exit status of a child that came to its step
DONE = 0
FAILED = 1
COMMIT, ASK, LOOK = "commit", "ask", "look"


class Steps:
    """What a child has come through; it dies before or after the step with this number."""

    def __init__(self, deadly: tuple[int, str] | None, pipe: int) -> None:
        self.deadly, self.pipe = deadly, pipe
        self.taken: list[str] = []
        self.is_asking = False

    @contextmanager
    def step(self, kind: str) -> Iterator[None]:
        number = len(self.taken)
        if self.deadly == (number, "before"):
            self.end(KILLED)
        self.taken.append(kind)
        try:
            yield
        finally:  # a gateway that did it and does not answer raises
            if self.deadly == (number, "after"):
                self.end(KILLED)

    def end(self, status: int) -> NoReturn:
        """As `kill -9` does: nothing is finished, closed or rolled back."""
        os.write(self.pipe, json.dumps(self.taken).encode())
        os._exit(status)

    def watch(self) -> None:
        """Have every commit of ours, and every call of the gateway, be a step. What the gateway commits is its own."""
        from django.db import connections

        from marketplace_billing.gateways.mock.gateway import MockGateway

        self._wrap(type(connections["default"]), "commit", COMMIT)
        for kind, names in {ASK: ("charge", "refund"), LOOK: ("find_charge", "find_refund")}.items():
            for name in names:
                self._wrap(MockGateway, name, kind)

    def _wrap(self, owner: Any, name: str, kind: str) -> None:
        call: Callable[..., Any] = getattr(owner, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            if self.is_asking:
                return call(*args, **kwargs)
            with self.step(kind):
                self.is_asking = kind != COMMIT
                try:
                    return call(*args, **kwargs)
                finally:
                    self.is_asking = False

        setattr(owner, name, watched)


# --- what can be done ---


def request(authorization: str, path: str, body: Any, headers: dict[str, str]) -> None:
    from marketplace_kit.testing import JsonClient

    client = JsonClient(SERVER_NAME="localhost")
    known = {"Authorization": authorization} if authorization else {}
    answer = client.post(f"/api/v1{path}", body, headers=headers | known)
    assert answer.status_code < 500, answer.content


def job(name: str) -> None:
    """What the worker does: the jobs of this name that are there."""
    from procrastinate.contrib.django import app
    from procrastinate.contrib.django.models import ProcrastinateJob

    for waiting in ProcrastinateJob.objects.filter(task_name=name).order_by("id"):
        app.tasks[waiting.task_name].func(**waiting.args)


def minute(name: str) -> None:
    """What the worker does each minute."""
    from procrastinate.contrib.django import app

    app.tasks[name].func(0)


VERBS: dict[str, Callable[..., None]] = {"request": request, "job": job, "minute": minute}


# --- carrying out ---


def carry_out(order: dict[str, Any], pipe: int) -> NoReturn:
    from marketplace_kit import clock

    steps = Steps(tuple(order["kill"]) if order["kill"] else None, pipe)
    try:
        steps.watch()
        with ExitStack() as at:
            if order["at"]:
                at.enter_context(clock.frozen(datetime.fromisoformat(order["at"])))
            VERBS[order["verb"]](*order["arguments"])
    except BaseException:
        traceback.print_exc()
        steps.end(FAILED)
    steps.end(DONE)


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    from django.conf import settings
    from django.urls import get_resolver

    settings.BILLING["MOCK_WEBHOOK_URL"] = ""  # there is no front to post to
    told: Any = settings.NOTIFICATIONS["TYPES"]
    settings.NOTIFICATIONS["TYPES"] = {name: {"email": False, "in_app": True} for name in told}
    get_resolver().url_patterns  # noqa: B018  (what every child would load for itself)
    for line in sys.stdin:
        ours, theirs = os.pipe()
        child = os.fork()
        if not child:
            os.close(ours)
            carry_out(json.loads(line), theirs)
        os.close(theirs)
        with os.fdopen(ours) as taken:
            steps = json.loads(taken.read() or "[]")
        _, status = os.waitpid(child, 0)
        print(json.dumps([os.waitstatus_to_exitcode(status), steps]), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
