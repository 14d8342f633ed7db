"""A process that reads or writes the public catalog beside others: `python -m tests.sharing`.

Each line of its standard input is an order, in JSON; to each it answers with one line. What goes on and on ends with
the next order. All processes of a machine read one clock, so that it can be told what came before what.
"""

import os
import select
import signal
import sys
from collections.abc import Iterator
from random import Random
from time import monotonic, sleep
from typing import Any

import django
import orjson


def told() -> bool:
    """Whether the next order is there."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


def say(answer: Any) -> None:
    sys.stdout.write(orjson.dumps(answer).decode() + "\n")
    sys.stdout.flush()


# --- what it may be told to do ---


def keep(seconds: int) -> None:
    """Keep public answers for so long from now on."""
    from django.conf import settings

    settings.KIT["PUBLIC_CACHE_SECONDS"] = seconds


def forget_to(what: str) -> None:
    """Go about it wrongly from now on, or rightly again: for the controls."""
    from marketplace_catalog import actions
    from marketplace_kit import public_cache

    actions.move_on = (lambda topic: None) if what == "move on" else public_cache.move_on
    public_cache._outlive = public_cache._set_version if what == "wait" else OUTLIVE


def read(paths: list[str]) -> list[dict[str, Any]]:
    """Read these again and again, and then what was seen."""
    seen = []
    while not seen or not told():
        seen += [look(path) for path in paths]
        sleep(0.01)  # the writer needs a processor too
    return seen


def look(path: str, authorization: str | None = None) -> dict[str, Any]:
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    headers = {"host": "127.0.0.1"} | ({"authorization": authorization} if authorization else {})
    began = monotonic()
    with CaptureQueriesContext(connection) as queries:
        answer = Client(raise_request_exception=False).get(path, headers=headers)
    body = answer.json()
    shown = [one["title"] if "title" in one else one["name"] for one in body.get("items", [body])]
    return {"began": began, "status": answer.status_code, "shown": shown, "kept": not len(queries)}


def write(path: str, authorization: str, first: int, last: int) -> list[dict[str, Any]]:
    """Give a service titles with these numbers, one after the other, and now and then one that is rolled back."""
    chance, done = Random(first), []
    for number in range(first, last):
        done.append(change(path, authorization, f"Title {number}"))
        if number % 3 == 0:
            change_and_regret(path)
        if told():
            break
        sleep(chance.random() / 50)  # so that something is kept meanwhile
    return done


def change(path: str, authorization: str, title: str) -> dict[str, Any]:
    from marketplace_kit.testing import JsonClient

    client = JsonClient(raise_request_exception=False, headers={"host": "127.0.0.1", "authorization": authorization})
    status = client.patch(path, {"title": title}).status_code
    return {"title": title, "status": status, "answered": monotonic()}


def change_and_regret(path: str) -> None:
    from django.db import transaction

    from marketplace_catalog.actions import change_service
    from marketplace_catalog.models import Service

    service = Service.objects.get(pk=path.rpartition("/")[2])
    try:
        with transaction.atomic():
            change_service(service.provider, service, {"title": "Never"})
            raise InterruptedError
    except InterruptedError:
        return


def rename(slug: str, name: str) -> dict[str, Any]:
    """As the admin does."""
    from marketplace_catalog.actions import save_category
    from marketplace_catalog.models import Category

    category = Category.objects.get(slug=slug)
    category.name = name
    save_category(category)
    return {"answered": monotonic()}


def die(path: str, title: str) -> None:
    """Change a service, tell when it is about to be committed, and be killed then, before anybody hears of it."""
    from django.db import transaction

    from marketplace_catalog.actions import change_service
    from marketplace_catalog.models import Service

    service = Service.objects.get(pk=path.rpartition("/")[2])
    with transaction.atomic():
        transaction.on_commit(lambda: os.kill(os.getpid(), signal.SIGKILL))
        change_service(service.provider, service, {"title": title})
        say("about to commit")
        sys.stdin.readline()


def stop() -> None:
    """What goes on and on has ended."""


ORDERS = {do.__name__: do for do in (keep, forget_to, read, look, write, rename, die, stop)}


def orders() -> Iterator[dict[str, Any]]:
    while line := sys.stdin.readline().strip():
        yield orjson.loads(line)


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    from marketplace_kit.public_cache import _outlive as OUTLIVE

    say("ready")
    for order in orders():
        say(ORDERS[order.pop("do")](**order))
