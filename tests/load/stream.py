"""The stream with many subscribers: what they cost a process, how soon events come, and that none is lost or doubled.

The whole system as `marketplace up` runs it: subscribers come through the front to one process of the stream, and are
told by the worker. Events are notifications like any other, with their e-mails. At the end the process is killed, more
is told meanwhile, and all subscribers come again at once.
"""

import asyncio
import os
from argparse import Namespace
from asyncio import to_thread
from bisect import bisect_left
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from time import perf_counter, sleep
from typing import Any

import psutil
from django.conf import settings
from django.db import connection
from redis.asyncio import Redis
from tests.load.subscribers import Crowd, Subscriber
from tests.load.tables import machine, markdown, percentile, say, shown, write

from marketplace.running.datadir import DataDir
from marketplace_accounts import tokens
from marketplace_accounts.models import Profile, Session, User
from marketplace_kit.clock import now
from marketplace_notifications.actions import notify
from marketplace_notifications.models import Notification

SPOKEN_TO = 100  # of the subscribers: those that are told something
OUTAGE = 200  # events that are told while nobody listens
WARM = 20  # streams that were open before anything is measured: threads and connections are there then
PATIENCE = 180.0  # seconds
STREAM, FRONT = "marketplace.cli stream", "caddy run"  # as command lines have it


@dataclass
class Figures:
    """Of one number of subscribers."""

    load: str = ""
    opening: float = 0  # seconds until all were open
    usages: "list[Usage]" = field(default_factory=list)  # before, with all open, and after the events
    from_commit: list[float] = field(default_factory=list)  # milliseconds
    from_hint: list[float] = field(default_factory=list)
    first_back: float = 0  # seconds since the process was killed
    all_back: float = 0
    all_told: float = 0
    refused: int = 0
    told: int = 0
    lost: int = 0
    doubled: int = 0
    displaced: int = 0


@dataclass(frozen=True)
class Usage:
    """What a process takes."""

    threads: int
    connections: int
    seconds: float  # of CPU time
    memory: int  # bytes
    front: int  # bytes of the front's memory


def run(asked: Namespace) -> int:
    """Measure, print, and write where asked. How many events were lost or doubled."""
    up = DataDir(asked.data_dir).run()
    assert up is not None
    figures = {size: asyncio.run(measured(up, size, asked)) for size in sorted(asked.subscribers)}
    text = report(figures, asked)
    print(text)
    if asked.write:
        write(asked.document, "stream", text)
    return sum(one.lost + one.doubled + one.displaced for one in figures.values())


async def measured(up: dict[str, Any], size: int, asked: Namespace) -> Figures:
    figures, process = Figures(load=load()), await fresh(up)
    async with Crowd(up["url"], await to_thread(subscribers, WARM)) as crowd:
        await until(lambda: crowd.size == WARM)
    figures.usages.append(await to_thread(usage, up, process))
    everybody = await to_thread(subscribers, size)
    spoken_to = Random(size).sample(everybody, min(SPOKEN_TO, size))
    async with Crowd(up["url"], everybody) as crowd, hints() as heard:
        began = perf_counter()
        await until(lambda: crowd.size == size)
        figures.opening = perf_counter() - began
        figures.usages.append(await to_thread(usage, up, process))
        committed = await to_thread(tell, spoken_to, asked.events, asked.rate)
        await until(lambda: len(arrived(spoken_to)) >= asked.events)
        figures.usages.append(await to_thread(usage, up, process))
        delivery(figures, spoken_to, committed, heard)
        say(f"{size:,} subscribers were told")
        await storm(figures, up, crowd, spoken_to, asked)
    figures.told = asked.events + OUTAGE
    figures.lost, figures.doubled, figures.displaced = await to_thread(compared, spoken_to)
    figures.refused = sum(one.refused for one in everybody)
    figures.load += f" → {load()}"
    say(f"{size:,} subscribers came again")
    return figures


async def storm(
    figures: Figures, up: dict[str, Any], crowd: Crowd, spoken_to: Sequence[Subscriber], asked: Namespace
) -> None:
    """Kill the process, tell more meanwhile, and have all come again at once."""
    size, crowd_size = asked.events + OUTAGE, len(crowd.subscribers)
    crowd.open_the_gate()
    stream_of(up).kill()
    began = perf_counter()
    telling = asyncio.create_task(to_thread(tell, spoken_to, OUTAGE, OUTAGE))
    await until(lambda: crowd.size == 0)
    await until(lambda: crowd.size > 0)
    figures.first_back = perf_counter() - began
    await until(lambda: crowd.size == crowd_size)
    figures.all_back = perf_counter() - began
    await telling
    await until(lambda: len(arrived(spoken_to)) >= size)
    figures.all_told = perf_counter() - began


# --- who listens, and is told ---


def subscribers(count: int) -> list[Subscriber]:
    """New users with a session each."""
    stem, jti = f"{perf_counter():.0f}-{count}", tokens.new_jti()
    addresses = [f"{stem}-{number}@example.com" for number in range(count)]
    users = User.objects.bulk_create(User(email=address, email_key=address) for address in addresses)
    Profile.objects.bulk_create(Profile(user=user) for user in users)
    ends = now() + tokens.REFRESH_LIFETIME
    sessions = Session.objects.bulk_create(
        Session(user=user, refresh_hash=tokens.hashed(jti), expires_at=ends) for user in users
    )
    return [
        Subscriber(str(session.user_id), tokens.issue(session.pk, session.user_id, jti).access) for session in sessions
    ]


def tell(people: Sequence[Subscriber], count: int, rate: float) -> dict[str, float]:
    """Tell one after the other, so many a second; when each notification was committed."""
    committed, began = {}, perf_counter()
    for number in range(count):
        sleep(max(0, began + number / rate - perf_counter()))
        person = people[number % len(people)]
        told = notify(person.user, "payout.paid", {}, {"amount": f"{number} USD", "when": "now"})
        committed[str(told.pk)] = perf_counter()
    connection.close()
    return committed


@asynccontextmanager
async def hints() -> AsyncIterator[dict[str, list[float]]]:
    """When there came a hint for whom."""
    heard: dict[str, list[float]] = defaultdict(list)
    async with Redis.from_url(str(settings.NOTIFICATIONS["HINTS_URL"])) as client, client.pubsub() as pubsub:
        await pubsub.subscribe("notifications")

        async def listen() -> None:
            async for message in pubsub.listen():
                if message["type"] == "message":
                    heard[message["data"].decode()].append(perf_counter())

        listening = asyncio.create_task(listen())
        try:
            yield heard
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


def arrived(people: Sequence[Subscriber]) -> list[tuple[str, float]]:
    return [event for person in people for event in person.received]


def delivery(
    figures: Figures, people: Sequence[Subscriber], committed: dict[str, float], heard: dict[str, list[float]]
) -> None:
    """How long each event took since its commit, and since the hint that followed that."""
    for person in people:
        for key, at in person.received:
            figures.from_commit.append((at - committed[key]) * 1000)
            hints_of = heard[person.user]
            hint = bisect_left(hints_of, committed[key])
            if hint < len(hints_of) and hints_of[hint] <= at:
                figures.from_hint.append((at - hints_of[hint]) * 1000)


def compared(people: Sequence[Subscriber]) -> tuple[int, int, int]:
    """How many events were lost, how many doubled, and how many people had theirs in another order."""
    lost = doubled = displaced = 0
    for person in people:
        published = [str(key) for key in Notification.objects.published_to(person.user, 0).values_list("pk", flat=True)]
        seen = [key for key, _ in person.received]
        once = list(dict.fromkeys(seen))
        lost += len(set(published) - set(seen)) + person.resets
        doubled += len(seen) - len(once)
        displaced += once != [key for key in published if key in set(seen)]
    connection.close()
    return lost, doubled, displaced


# --- the processes ---


def stream_of(up: dict[str, Any]) -> psutil.Process:
    [process] = _children(up, STREAM)
    return process


async def fresh(up: dict[str, Any]) -> psutil.Process:
    """A process of the stream that has served nobody, behind a front that has not either."""
    await replaced(up, STREAM)
    await replaced(up, FRONT)
    return stream_of(up)


async def replaced(up: dict[str, Any], words: str) -> None:
    """Kill it, and wait until `up` has started another."""
    [old] = _children(up, words)
    old.kill()
    await until(lambda: _children(up, words) not in ([], [old]))


def usage(up: dict[str, Any], process: psutil.Process) -> Usage:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'marketplace stream'")
        (connections,) = cursor.fetchone()
    connection.close()
    [front] = _children(up, FRONT)
    spent = process.cpu_times()
    return Usage(
        threads=process.num_threads(),
        connections=connections,
        seconds=spent.user + spent.system,
        memory=process.memory_info().rss,
        front=front.memory_info().rss,
    )


def _children(up: dict[str, Any], words: str) -> list[psutil.Process]:
    """What `up` runs with these words in its command line."""
    found = []
    for child in psutil.Process(up["pid"]).children():
        with suppress(psutil.Error):
            if words in " ".join(child.cmdline()):
                found.append(child)
    return found


def load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.02)


# --- the table ---


def report(figures: dict[int, Figures], asked: Namespace) -> str:
    sizes = sorted(figures)
    rows = [[name, *(show(size, figures[size]) for size in sizes)] for name, show in ROWS.items()]
    command = f"python3 -m uv run python -m tests.load stream --subscribers {','.join(map(str, sizes))}"
    return "\n\n".join(
        [
            f"`{command} --events {asked.events} --rate {asked.rate:g}`, on {machine()}.",
            markdown(["subscribers", *(f"{size:,}" for size in sizes)], rows),
        ]
    )


def _pair(values: Sequence[float]) -> str:
    return f"{shown(percentile(values, 0.5))} / {shown(percentile(values, 0.99))}"


def _grown(attribute: str) -> Callable[[int, Figures], str]:
    return lambda _, one: " → ".join(str(getattr(usage, attribute)) for usage in one.usages)


def _each(attribute: str) -> Callable[[int, Figures], str]:
    """How much memory each subscriber takes."""

    def show(size: int, one: Figures) -> str:
        before, _, after = (getattr(usage, attribute) for usage in one.usages)
        return f"{(after - before) / size / 1024:.0f} KiB"

    return show


def _spent(number: int, times: Callable[[int, Figures], int]) -> Callable[[int, Figures], str]:
    """CPU time for each of so many things that were done until the usage of this number."""

    def show(size: int, one: Figures) -> str:
        before, after = one.usages[number - 1 : number + 1]
        return f"{(after.seconds - before.seconds) / times(size, one) * 1000:.1f} ms"

    return show


ROWS: dict[str, Callable[[int, Figures], str]] = {
    "all open after": lambda _, one: f"{one.opening:.1f} s",
    "threads of the process: before → with all → after the events": _grown("threads"),
    "its PostgreSQL connections": _grown("connections"),
    "its memory for each subscriber": _each("memory"),
    "the front's": _each("front"),
    "its CPU time for each that opens": _spent(1, lambda size, _: size),
    "its CPU time for each event, and what it says meanwhile": _spent(2, lambda _, one: one.told - OUTAGE),
    "from the commit to the subscriber, p50 / p99": lambda _, one: f"{_pair(one.from_commit)} ms",
    "of that since the worker's hint": lambda _, one: f"{_pair(one.from_hint)} ms",
    "killed: the first is back after": lambda _, one: f"{one.first_back:.1f} s",
    "killed: all are back after": lambda _, one: f"{one.all_back:.1f} s",
    "killed: all have all after": lambda _, one: f"{one.all_told:.1f} s",
    "refused meanwhile, and asked again": lambda _, one: f"{one.refused:,}",
    "events · lost · doubled · displaced": lambda _, one: (
        f"{one.told:,} · {one.lost} · {one.doubled} · {one.displaced}"
    ),
    "load average, at the start → the end": lambda _, one: one.load,
}
