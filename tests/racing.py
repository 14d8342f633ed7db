"""Processes that act at the same moment: spawned interpreters, each with its own connections, kept for many races.

What a racer does is a turn: the name of a function below, and its arguments. A control switches a lock off in all
racers, and lets everybody look before anybody writes, so that what the lock prevents happens each time.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any
from unittest import mock

type Turn = tuple[Any, ...]
type Answer = tuple[int, Any]  # the status, and the JSON

SPAWN = get_context("spawn")
PATIENCE = 60  # seconds, for a loaded machine


# --- turns ---


def request(token: str, path: str, body: Any = None, method: str = "post", **headers: str) -> Answer:
    from marketplace_kit.testing import JsonClient

    client = JsonClient(SERVER_NAME="localhost", raise_request_exception=False)
    known = {name.replace("_", "-"): value for name, value in headers.items()}
    known |= {"Authorization": token} if token else {}
    answer = getattr(client, method)(f"/api/v1{path}", body, headers=known)
    return answer.status_code, json.loads(answer.content or b"null")


def crowd(requests: Sequence[Turn]) -> list[Answer]:
    """Each of these requests in a thread."""
    from django.db import connections

    def one(arguments: Turn) -> Answer:
        try:
            return request(*arguments)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(requests)) as threads:
        return list(threads.map(one, requests))


def task(name: str, *arguments: Any, **named: Any) -> Answer:
    """What a worker does; a failure as a request has it."""
    from procrastinate.contrib.django import app

    try:
        app.tasks[name].func(*arguments, **named)
    except Exception as error:
        return 500, repr(error)
    return 200, None


# --- locks that a control switches off ---


def _without(lock: str, look: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Iterator[tuple[Any, str, Any]]:
    """What to put in place of what. `look` has a call wait, when it has looked, until all the others have."""
    from marketplace_accounts import personal_data
    from marketplace_billing import actions as billing
    from marketplace_billing.models import Payment
    from marketplace_booking import actions as booking
    from marketplace_booking.models import Booking
    from marketplace_catalog import actions as catalog
    from marketplace_kit import idempotency
    from marketplace_media import actions as media
    from marketplace_notifications import webhooks
    from marketplace_scheduling import actions as scheduling
    from marketplace_scheduling.models import Schedule

    rows = {
        "a booking's row": (booking, Booking),
        "the row of a booking that is paid": (billing, Booking),
        "a payment's row": (billing, Payment),
    }
    if lock in rows:
        module, model = rows[lock]
        looked = look(_read)
        yield module, "lock_row", lambda rows, key: looked(rows, key) if rows.model is model else _read(rows, key)
    elif lock == "a provider's time":
        yield scheduling, "lock_provider", lambda provider_id: None
        # A booking looks by the one, a move by the other.
        for name in ("hindrances", "exceptions_within"):
            yield Schedule, name, look(getattr(Schedule, name))
    elif lock == "a user's row":
        for module, name in ((catalog, "hold_users"), (media, "lock_user"), (webhooks, "lock_user")):
            yield module, name, look(lambda user_id: True)
        # Who leaves has locked it by then, and not looked yet at what there is of theirs.
        yield personal_data, "_erase_profile", look(personal_data._erase_profile)
    elif lock == "a key":
        yield idempotency, "_try_lock", look(lambda asked: True)
    else:
        raise ValueError(lock)


def _read(rows: Any, key: Any) -> Any:
    return rows.get(pk=key)


def _looking_together(met: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The first time, that is: afterwards each goes his way."""
    have_met = False

    def look(call: Callable[..., Any]) -> Callable[..., Any]:
        def looking(*args: Any, **kwargs: Any) -> Any:
            nonlocal have_met
            found = call(*args, **kwargs)
            if not have_met:
                have_met = True
                met.wait(PATIENCE)
            return found

        return looking

    return look


# --- racers ---


def _run(url: str, start: Any, met: Any, orders: Connection) -> None:
    """A racer's life: an order, the common start, the answer."""
    os.environ |= {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    import django

    django.setup()
    from django.conf import settings
    from django.db import connection
    from django.urls import get_resolver

    from marketplace_kit import clock

    settings.BILLING["MOCK_WEBHOOK_URL"] = ""  # there is no front to post to
    get_resolver().url_patterns  # noqa: B018  (what the first request would load)
    while (order := orders.recv()) is not None:
        turn, without, later = order
        with ExitStack() as stack:
            stack.enter_context(clock.shifted(later))
            if without:
                for owner, name, instead in _without(without, _looking_together(met)):
                    stack.enter_context(mock.patch.object(owner, name, instead))
            with connection.cursor():  # connect before the start
                pass
            start.wait(PATIENCE)
            orders.send(turn[0](*turn[1:]) if turn else None)


class Racers:
    """So many processes, which act together."""

    def __init__(self, count: int, url: str) -> None:
        self.start, self.met = SPAWN.Barrier(count), SPAWN.Barrier(count)
        self.ends, self.processes = [], []
        for _ in range(count):
            ours, theirs = SPAWN.Pipe()
            process = SPAWN.Process(target=_run, args=(url, self.start, self.met, theirs), daemon=True)
            process.start()
            theirs.close()
            self.ends.append(ours)
            self.processes.append(process)

    def race(self, *turns: Turn, without: str = "", later: timedelta = timedelta(0)) -> list[Any]:
        """What each of these turns came to; with `without`, of which all must take part, a lock is off."""
        given = [*turns, *[()] * (len(self.ends) - len(turns))]
        for end, turn in zip(self.ends, given, strict=True):
            end.send((turn, without, later))
        return [end.recv() for end in self.ends][: len(turns)]

    def go_home(self) -> None:
        for end in self.ends:
            end.send(None)
        for process in self.processes:
            process.join(PATIENCE)
