"""One soak: people use the system, its parts are broken, all settles, and the auditor looks."""

import asyncio
import subprocess
import sys
from asyncio import to_thread
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from time import monotonic
from typing import Any

import psycopg
from tests.load.subscribers import Crowd

from marketplace.running.datadir import DataDir
from marketplace.running.system import System, environment

from .auditor import Auditor
from .caller import PATIENCE
from .diary import Diary, together
from .parts import API_WORKERS, is_well, memory, open_files, pause
from .people import Customer, Person, Provider, is_read_back
from .saboteur import Blow, Saboteur

MANY = "1000000/m"
# Limits count, and nobody meets them.
ENV = {f"RATELIMIT_{name}": MANY for name in ("SIGN_IN_EMAIL", "SIGN_IN_ADDRESS", "REGISTER", "WRITE", "READ")}
ENV |= {"API_WORKERS": str(API_WORKERS)}
READINGS = 10
MAY_GROW = 1.1  # between half-way and the end, when caches are full and threads are there
FILES_MAY_GROW = 10  # which are few; of bytes that is nothing
# Jobs of a dead worker are given back within 90 s, and failed ones pause before they are tried again.
SETTLES_WITHIN = 240.0  # seconds
LEFT = (
    "SELECT (SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
    " AND task_name NOT IN (SELECT DISTINCT task_name FROM procrastinate_periodic_defers))"
    " + (SELECT count(*) FROM marketplace_billing_payment WHERE status = 'pending')"
    " + (SELECT count(*) FROM marketplace_billing_refund WHERE status = 'pending')"
)
# The jobs of workers that are silent for long enough, and those that failed and wait: at once.
HURRY = (
    (
        "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '31 s'"
        " WHERE last_heartbeat < now() - interval '15 s'"
    ),
    "UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo' AND scheduled_at > now()",
)


@dataclass
class Soak:
    """What was played, and what came of it."""

    system: System
    seed: int
    say: Callable[[str], None] = lambda line: None
    people: list[Person] = field(default_factory=list)
    began: float = field(default_factory=monotonic)
    settled_after: float = 0
    saboteur: Saboteur = field(init=False)
    held: dict[str, list[dict[tuple[str, int], int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.saboteur = Saboteur(self.system, self.say)

    def gather(self, providers: int, customers: int) -> None:
        """Everybody comes and signs in; providers offer something."""
        offering = [Provider(self.system.url, f"{self.seed}-{number}") for number in range(providers)]
        for provider in offering:
            provider.register()
            provider.offer(2)
        services = [service for provider in offering for service in provider.services]
        for number in range(customers):
            customer = Customer(self.system.url, f"{self.seed}-{number}", services)
            customer.register()
            self.people.append(customer)
        self.people += offering

    @property
    def diary(self) -> Diary:
        return together(person.diary for person in self.people)

    def play(self, blows: Iterator[Blow], seconds: float, quiet: float = 0) -> None:
        """So many seconds with blows, then so many `quiet` ones, in which memory is measured."""
        asyncio.run(self._play(blows, seconds, quiet))
        for person in self.people:
            person.caller.close()

    async def _play(self, blows: Iterator[Blow], seconds: float, quiet: float) -> None:
        async with Crowd(self.system.url, [person.subscriber for person in self.people]) as crowd:
            await _soon(lambda: crowd.size == len(self.people))
            with self._living():
                await to_thread(self.saboteur.work, blows, seconds)
                await _soon(lambda: self.diary.has_all, PATIENCE)
                if quiet:
                    await to_thread(self._watch, quiet)
            await to_thread(self._settle, hurry=not quiet)
            await _soon(self._have_all, seconds=60, quietly=True)

    @contextmanager
    def _living(self) -> Iterator[None]:
        stop = Event()
        threads = [Thread(target=person.live, args=(stop,), daemon=True) for person in self.people]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join(180)
            for thread in threads:
                if thread.is_alive():
                    self.people[0].diary.wrong.append(f"{thread.name} still waits")

    def _watch(self, seconds: float) -> None:
        """How much memory and how many files each process has: when it is warm, half-way, and at the end."""
        for share in (0.2, 0.4, 0.4):
            pause(seconds * share)
            self._measure()

    def _measure(self) -> None:
        """The least of some readings: a password that is being hashed takes 100 MiB for a moment."""
        for name, read in (("memory", memory), ("files", open_files)):
            least = read(self.system)
            for _ in range(READINGS):
                pause(0.2)
                again = read(self.system)
                least = {process: min(value, again.get(process, value)) for process, value in least.items()}
            self.held.setdefault(name, []).append(least)

    # --- afterwards ---

    def _settle(self, *, hurry: bool) -> None:
        """Until no job is left and no money under way. `hurry`: without the pauses that are made of time alone."""
        began = monotonic()
        while monotonic() - began < SETTLES_WITHIN and not self._is_settled(hurry):
            pause(0.5)
        self.settled_after = monotonic() - began

    def _is_settled(self, hurry: bool) -> bool:
        if not is_well(self.system):
            return False
        with self.database() as database:
            if hurry:
                for statement in HURRY:
                    database.execute(statement)
            [(left,)] = database.execute(LEFT).fetchall()
            return not left

    def _have_all(self) -> bool:
        """Whoever has the last one has whatever was to come before it."""
        with self.database() as database:
            rows = database.execute(
                "SELECT DISTINCT ON (user_id) user_id::text, id::text FROM marketplace_notifications_notification"
                " ORDER BY user_id, position DESC"
            ).fetchall()
        last = dict(rows)
        return all(
            last.get(user) in (None, *(key for key, _ in one.received)) for user, one in self.subscribers().items()
        )

    def subscribers(self) -> dict[str, Any]:
        return {next(iter(person.diary.users)): person.subscriber for person in self.people}

    def database(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.system.servers["DATABASE_URL"], autocommit=True)

    def auditor(self, database: psycopg.Connection[Any]) -> Auditor:
        data = DataDir(self.system.data_dir)
        return Auditor(self.diary, database, data.mail, self.subscribers(), data.logs)

    def audit(self) -> tuple[list[str], dict[str, int]]:
        """What is wrong, and how much was compared."""
        with self.database() as database:
            auditor = self.auditor(database)
            found = auditor.audit()
        found += [f"{blow}: it never recovered" for blow in self.saboteur.stuck]
        found += [f"file {pk} can't be read" for pk, file in self.diary.files.items() if not is_read_back(file)]
        if not self.settled_after < SETTLES_WITHIN:
            found.append("jobs or payments are left")
        found += [line for name, series in self.held.items() for line in grown(name, series)]
        return found + self._unreconciled(), dict(auditor.counted)

    def _unreconciled(self) -> list[str]:
        """What `marketplace reconcile` says of the books."""
        command = [sys.executable, "-P", "-m", "marketplace.cli", "reconcile", "--data-dir", str(self.system.data_dir)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment())
        well = done.returncode == 0 and "Not settled" not in done.stdout
        return [] if well else [f"reconcile: {done.stdout} {done.stderr}"]


def grown(name: str, series: list[dict[tuple[str, int], int]]) -> list[str]:
    """The processes that end with more of it than any of their kind had half-way, as one may have been cold then."""
    *_, half_way, end = series
    most: dict[str, int] = {}
    for (kind, _), value in half_way.items():
        most[kind] = max(value, most.get(kind, 0))
    return [
        f"{kind}: {name} grew from {most[kind]:,} to {value:,}"
        for (kind, pid), value in end.items()
        if (kind, pid) in half_way and value > most[kind] * MAY_GROW + FILES_MAY_GROW
    ]


async def _soon(condition: Callable[[], bool], seconds: float = 60, *, quietly: bool = False) -> None:
    """Wait for it; a TimeoutError where it does not come, unless somebody else looks anyway."""
    end = monotonic() + seconds
    while not await to_thread(condition):
        if monotonic() > end:
            if quietly:
                return
            raise TimeoutError
        await asyncio.sleep(0.2)
