"""The processes of ours: what they are, and those that a killed `up` left behind."""

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from marketplace_embedded.process import Child, Stops, identity, kill_leftover

from .datadir import DataDir

# In the environment of each process that `up` starts on top of the servers: its data dir. So they are found, whatever
# became of `up`. The servers' own folders are locked by whatever is left of them.
MARK = "MARKETPLACE_UP"


@dataclass
class Process:
    """One process, started again and again."""

    name: str
    command: list[str]
    env: Mapping[str, str]
    log: Path
    patience: float = 10.0  # seconds that it gets to end
    death: signal.Signals = signal.SIGTERM  # what it gets when `up` is killed

    def __post_init__(self) -> None:
        stops: Stops = ((signal.SIGTERM, self.patience),)
        self._child = Child(
            [sys.executable, "-P", "-m", *self.command], self.log, self.env, death=self.death, stops=stops
        )

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._child.alive

    def launch(self) -> None:
        """Start it, after the last of it is gone."""
        self.stop()
        self._child.start()

    def ask(self) -> None:
        """Ask it to end, without waiting; `stop` must follow."""
        self._child.ask()

    def stop(self) -> None:
        """End it and whatever it started."""
        self._child.stop()


def web(data: DataDir, env: Mapping[str, str], api_port: int, stream_port: int) -> list[Process]:
    """The API, the stream and the worker: the commands that a deployment runs, too."""
    api, stream = (["--port", str(port)] for port in (api_port, stream_port))
    return [
        Process("api", ["marketplace.cli", "api", *api], env, data.logs / "api.log", patience=20.0),
        Process("stream", ["marketplace.cli", "stream", *stream], env, data.logs / "stream.log"),
        # Its jobs may finish while there is a database; when `up` is killed there is none, and they are taken up again.
        Process(
            "worker", ["marketplace.cli", "worker"], env, data.logs / "worker.log", patience=25.0, death=signal.SIGKILL
        ),
    ]


def end_leftovers(data: DataDir) -> int:
    """End what an `up` that was killed left running on this data dir; returns how many there were.

    To be called with the data dir locked, when no living `up` can own them.
    """
    left = list(_marked(f"{MARK}={data.path}".encode()))
    deadline = time.monotonic() + 5
    for pid, name in left:
        kill_leftover(pid, name, timeout=max(0, deadline - time.monotonic()))
    return len(left)


def _marked(mark: bytes) -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # another user's, or gone
            continue
        name = identity(int(folder.name))
        if mark in environment and name and int(folder.name) != os.getpid():
            yield int(folder.name), name


def rotate(logs: Path) -> None:
    """Put the logs of the start before aside, and away those of the one before that."""
    for log in logs.glob("*.log"):
        log.replace(log.with_suffix(".log.1"))
