"""The parts of a running system, what can be done to each, and whether it has recovered."""

import signal
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic

import httpx
import psutil
import psycopg
from tests.load.subscribers import PATH

from marketplace.running.system import System

RECOVERS_WITHIN = 120.0  # seconds, on a loaded machine
FROZEN = 6.0  # seconds: longer than time-outs towards Valkey and S3, shorter than a client's
LOOK_EVERY = 0.1
API_WORKERS = 2
API_PROCESSES = API_WORKERS + 1  # and the one that looks after them
NEVER = Event()

type Processes = list[psutil.Process]


def pause(seconds: float) -> None:
    NEVER.wait(seconds)


@dataclass(frozen=True)
class Part:
    """One that may die. `find` gives its first process, and then those that belong to it."""

    name: str
    find: Callable[[System], Processes]
    ask: signal.Signals = signal.SIGTERM  # what stops it in order


def _named(processes: Iterable[psutil.Process], *words: str) -> Processes:
    """Those with these words in their command line, oldest first; others may end meanwhile."""
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if all(word in " ".join(process.cmdline()) for word in words):
                found.append((process.create_time(), process))
    return [process for _, process in sorted(found, key=lambda one: one[0])]


def _below(process: psutil.Process) -> Processes:
    with suppress(psutil.NoSuchProcess):
        return process.children(recursive=True)
    return []


def _below_up(system: System) -> Processes:
    with suppress(psutil.NoSuchProcess):
        return _below(psutil.Process(system.pid))
    return []


def _command(*words: str) -> Callable[[System], Processes]:
    """What was started by such a command line; a fork has its parent's."""
    return lambda system: _named(_below_up(system), *words)


def _server(*words: str) -> Callable[[System], Processes]:
    """And all that it started itself."""

    def find(system: System) -> Processes:
        return [process for one in _command(*words)(system)[:1] for process in (one, *_below(one))]

    return find


def _one_api_worker(system: System) -> Processes:
    """The API's process that started first serves nobody: it looks after the others."""
    return PARTS["api"].find(system)[-1:]


def _one_backend(system: System) -> Processes:
    """A connection's process: when it is killed, PostgreSQL breaks off all others and recovers."""
    return _named(_below_up(system), "postgres: marketplace marketplace")[:1]


PARTS = {
    part.name: part
    for part in (
        Part("worker", _command("cli worker")),
        Part("api", _command("cli api")),
        Part("one of the api", _one_api_worker),
        Part("stream", _command("cli stream")),
        Part("valkey", _server("valkey-server")),
        Part("storage", _server("weed", "mini")),
        Part("postgres", _server("postgres", "-D"), signal.SIGINT),
        Part("one connection of postgres", _one_backend),
        Part("front", _command("caddy", "run")),
    )
}


# --- what is done to it ---


def kill(system: System, part: Part) -> None:
    _signal(part.find(system)[:1], signal.SIGKILL)


def stop(system: System, part: Part) -> None:
    _signal(part.find(system)[:1], part.ask)


def freeze(system: System, part: Part) -> None:
    """All of it stands still for a while: it takes connections, and answers nobody."""
    frozen = part.find(system)
    try:
        _signal(frozen, signal.SIGSTOP)
        pause(FROZEN)
    finally:
        _signal(frozen, signal.SIGCONT)


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


MANNERS: dict[str, Callable[[System, Part], None]] = {"kill": kill, "stop": stop, "freeze": freeze}


# --- whether all is well again ---


def recovered_after(system: System, parts: Sequence[str], before: Processes) -> float | None:
    """Seconds until everything is there and answers again, by itself; None where it never does.

    `before`: those that are dead, or will be when they have done what they began.
    """
    began = monotonic()
    while monotonic() - began < RECOVERS_WITHIN:
        if _are_replaced(system, parts, before) and is_well(system):
            return monotonic() - began
        pause(LOOK_EVERY)
    return None


def _are_replaced(system: System, parts: Sequence[str], before: Processes) -> bool:
    if not before:
        return True
    found = [process for name in parts for process in PARTS[name].find(system)[:1]]
    api = PARTS["api"].find(system)
    return len(found) == len(parts) and not set(found) & set(before) and len(api) == API_PROCESSES


def is_well(system: System) -> bool:
    """The front, the API and all that it needs, the stream, and a worker that looks for jobs."""
    try:
        ready = httpx.get(f"{system.url}/api/health/ready", timeout=10).status_code == 200
        return ready and httpx.get(f"{system.url}{PATH}", timeout=10).status_code == 401 and _works(system)
    except httpx.TransportError:
        return False


def _works(system: System) -> bool:
    """A worker listens for jobs."""
    if not PARTS["worker"].find(system):
        return False
    asked = "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'LISTEN%' AND application_name LIKE '%worker'"
    try:
        with psycopg.connect(system.servers["DATABASE_URL"], connect_timeout=5) as connection:
            [(listening,)] = connection.execute(asked)
            return bool(listening)
    except psycopg.Error:
        return False


# --- what it takes ---

KINDS = {"cli api": "api", "cli stream": "stream", "cli worker": "worker", "caddy run": "front", "cli up": "up"}


def memory(system: System) -> dict[tuple[str, int], int]:
    """Bytes that each process of ours holds, by its kind and number."""
    found = {}
    with suppress(psutil.NoSuchProcess):
        up = psutil.Process(system.pid)
        for process in (up, *up.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                line = " ".join(process.cmdline())
                kind = next((kind for words, kind in KINDS.items() if words in line), None)
                if kind:
                    found[kind, process.pid] = process.memory_info().rss
    return found


def open_files(system: System) -> dict[tuple[str, int], int]:
    """How many files and sockets each process of ours has open."""
    found = {}
    for kind, pid in memory(system):
        with suppress(psutil.NoSuchProcess, FileNotFoundError):
            found[kind, pid] = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    return found
