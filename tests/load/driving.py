"""Servers under load: one in a process of its own, and wrk that asks it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import sleep

import orjson
import psutil
from tests.load.tables import percentile

from marketplace_embedded import ports
from marketplace_embedded.process import Child, tail, until

SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass
class Turn:
    """What wrk saw in one turn, and what it cost the server."""

    rate: float  # requests a second
    p50: float  # milliseconds
    p99: float
    cpu: float  # milliseconds of the server's processes, for each request
    memory: float  # MiB of theirs together, at the end
    requests: int


@dataclass
class Figures:
    """Of one server, asked for one thing."""

    turns: list[Turn] = field(default_factory=list)

    def median(self, name: str) -> float:
        """Of one of a turn's numbers."""
        return percentile([getattr(turn, name) for turn in self.turns], 0.5)


class Target:
    """A server of HTTP in a process of its own, asked over loopback."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], folder: Path) -> None:
        [self.port] = ports.pick(1)
        self.name, self.folder, self.log = name, folder, folder / f"{name}.log"
        line = [sys.executable, "-P", *command, "--port", str(self.port)]
        self._child = Child(line, self.log, env, stops=((signal.SIGTERM, 20.0),))

    @contextmanager
    def running(self) -> Iterator["Target"]:
        self._child.start()
        try:
            until(lambda: self._answers() or not self._child.alive, 60)
            assert self._child.alive, tail(self.log, 20)
            yield self
        finally:
            self._child.stop()

    def _answers(self) -> bool:
        try:
            self.get("/api/v1/services?limit=1")
        except (OSError, HTTPException):
            return False
        return True

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> bytes:
        """The body of an answer; AssertionError unless it is a 200."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers=dict(headers or {}))
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        assert answer.status == 200, (path, answer.status, body)
        return body

    def driven(self, lines: Sequence[str], *, connections: int, seconds: int, differ: str) -> Turn:
        """One turn. `differ` makes each request another one. AssertionError where anything was refused or broke."""
        asked = self.folder / "asked.txt"
        asked.write_text("\n".join(lines))
        wrk = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", str(SCRIPT)]
        before = self._spent()
        told = subprocess.run(
            [*wrk, f"http://127.0.0.1:{self.port}", "--", str(asked), differ or "0"],
            capture_output=True,
            check=True,
            timeout=seconds + 60,
        )
        seen = orjson.loads(told.stdout.splitlines()[-1])
        broken = seen["refused"] + seen["broken"]
        assert seen["requests"] > broken == 0, (self.name, lines[0][:300], seen, tail(self.log, 5))
        spent = (self._spent() - before) * 1000 / seen["requests"]
        rate = seen["requests"] / seen["seconds"]
        self._settle()
        return Turn(rate, seen["p50"], seen["p99"], spent, self._memory(), seen["requests"])

    def _settle(self) -> None:
        """Wait for what wrk left in its hands when its time was over: the next turn shall not pay for it."""

        def rests() -> bool:
            before = self._spent()
            sleep(0.1)
            return self._spent() == before

        until(rests, 20)

    def _processes(self) -> list[psutil.Process]:
        main = psutil.Process(self._child.pid)
        return [main, *main.children(recursive=True)]

    def _spent(self) -> float:
        """Seconds of CPU."""
        return sum(sum(process.cpu_times()[:2]) for process in self._processes())

    def _memory(self) -> float:
        return sum(process.memory_full_info().pss for process in self._processes()) / 2**20


def require_wrk() -> None:
    """Exit with a sentence where wrk is missing."""
    if shutil.which("wrk") is None:
        raise SystemExit("This needs wrk, which is a package of that name in Debian and Ubuntu.")


def system(workers: int, env: Mapping[str, str], folder: Path) -> Target:
    """The API as production runs it: everything on, and limits counted, but so high that nobody meets one."""
    [metrics] = ports.pick(1)
    more = {
        "API_WORKERS": str(workers),
        "METRICS_PORT": str(metrics),
        "METRICS_FOLDER": str(folder / "metrics"),
        "RATELIMIT_ENABLE": "1",
        "RATELIMIT_READ": "100000000/m",
        "RATELIMIT_WRITE": "100000000/m",
        "LOG_LEVEL": "INFO",
        "DJANGO_SETTINGS_MODULE": "marketplace.settings",
    }
    return Target("system", ["-m", "marketplace.cli", "api"], {**os.environ, **env, **more}, folder)


def floor(workers: int, env: Mapping[str, str], folder: Path) -> Target:
    root = str(Path(__file__).parents[2])
    command = ["-m", "tests.load.bare", "--workers", str(workers)]
    return Target("floor", command, {**os.environ, "PYTHONPATH": root, **env}, folder)
