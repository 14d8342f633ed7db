"""What all embedded servers have in common."""

import json
import secrets
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from . import ports
from .account import Account
from .exceptions import EmbeddedError
from .lock import FolderLock
from .process import POLL, Child, Stops, tail

START_TIMEOUT = 60.0  # seconds; a loaded machine is slow
ATTEMPTS = 3


class Server(ABC):
    """A server that keeps everything it has in `folder`, on ports of 127.0.0.1 that it keeps from start to start.

    It ends with the thread that started it: start it from the main one.
    """

    name: ClassVar[str]
    port_count: ClassVar[int] = 1
    death: ClassVar[signal.Signals] = signal.SIGTERM
    stops: ClassVar[Stops] = ((signal.SIGTERM, 10.0),)

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).absolute()
        self.log = self.folder / f"{self.name}.log"
        self.ports: list[int] = []
        self._lock = FolderLock(self.folder)
        self._child: Child | None = None
        self._started = False

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """The command line; its ports and secrets are known by now."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether it has come up; asked often."""

    @abstractmethod
    def ping(self) -> bool:
        """Whether it answers a client now."""

    @abstractmethod
    def env(self) -> dict[str, str]:
        """The environment variables that tell a program where it is."""

    def prepare(self) -> None:  # noqa: B027 - a hook
        """Make what it needs on disk; called before each start, with the folder locked."""

    def account(self) -> Account | None:
        """Whom it runs as, where that is not us."""
        return None

    def child_env(self) -> dict[str, str]:
        """Its own environment: ours would leak PGDATA, AWS_PROFILE and their like into it."""
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(self.folder), "TMPDIR": str(self.folder)}

    def tidy(self) -> None:  # noqa: B027 - a hook
        """Remove what it leaves behind outside its folder; called when it is known not to run."""

    def explain(self) -> str:
        """Why it did not come up, as far as it says so."""
        return tail(self.log)

    @property
    def port(self) -> int:
        """The port on which it serves."""
        return self.ports[0]

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._child is not None and self._child.alive

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._child.pid if self._child else None

    def start(self) -> None:
        """Start it and wait until it answers; raises EmbeddedError."""
        start_all([self])

    def launch(self) -> None:
        """Start it without waiting; `wait` must follow."""
        if self._child:
            raise EmbeddedError(f"{self.name} in {self.folder} was started already.")
        try:
            self.folder.mkdir(0o700, parents=True, exist_ok=True)
            fd = self._lock.acquire()
            self.tidy()
            self._choose_ports()
            self.prepare()
            self._spawn(fd)
        except OSError as error:
            self._lock.release()
            raise EmbeddedError(f"{self.name} cannot use {error.filename or self.folder}: {error.strerror}.") from error
        except BaseException:
            self._lock.release()
            raise

    def _choose_ports(self) -> None:
        if self._started:  # its address is known to others
            return
        self.ports = ports.pick(self.port_count, self.recall("ports") or ())
        self.remember("ports", self.ports)

    def _spawn(self, fd: int) -> None:
        child = Child(
            command=self.command(),
            log=self.log,
            env=self.child_env(),
            cwd=self.folder,
            account=self.account(),
            death=self.death,
            stops=self.stops,
            pass_fds=[fd],
        )
        child.start()
        self._child = child

    def wait(self, timeout: float = START_TIMEOUT) -> None:
        """Wait until it answers, on other ports if somebody took its own meanwhile; raises EmbeddedError."""
        end = time.monotonic() + timeout
        for attempt in range(ATTEMPTS):
            if self._came_up(end):
                self._started = True
                return
            reason = self.explain()
            taken = not self.alive and not self._started and not all(map(ports.is_free, self.ports))
            self.stop()
            if not taken or attempt == ATTEMPTS - 1:
                raise EmbeddedError(f"{self.name} did not start; the end of {self.log}:\n{reason}")
            self.launch()

    def _came_up(self, end: float) -> bool:
        while self.alive and time.monotonic() < end:
            if self.ready():
                return True
            time.sleep(POLL)
        return False

    def ask(self) -> None:
        """Ask it to stop, without waiting; `stop` must follow."""
        if self._child:
            self._child.ask()

    def stop(self) -> None:
        """Stop it and whatever it left; its data stays."""
        if self._child:
            self._child.stop()
            self._child = None
            self._lock.drain()
            self.tidy()
        self._lock.release()

    def restart(self) -> None:
        """Start it again where it was, after it died or to make it read its settings."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def _state(self) -> Path:
        return self.folder / "state.json"

    def recall(self, key: str) -> Any:
        """What an earlier start remembered, or None."""
        try:
            return json.loads(self._state.read_text()).get(key)
        except (FileNotFoundError, ValueError):
            return None

    def remember(self, key: str, value: object) -> None:
        """Keep a value for later starts, for our eyes only."""
        try:
            state = json.loads(self._state.read_text())
        except (FileNotFoundError, ValueError):
            state = {}
        write_private(self._state, json.dumps(state | {key: value}))

    def secret(self, key: str) -> str:
        """A random secret, made once for each folder."""
        value = self.recall(key)
        if value is None:
            value = secrets.token_urlsafe(24)
            self.remember(key, value)
        return str(value)


def write_private(path: Path, text: str) -> None:
    """Write a file that only we may read, whole or not at all."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(0o600, exist_ok=False)
    new.write_text(text)
    new.replace(path)


def start_all(servers: Iterable[Server], timeout: float = START_TIMEOUT) -> None:
    """Start servers side by side and wait until each answers; if one does not, stop all and raise its EmbeddedError."""
    servers = list(servers)
    try:
        for server in servers:
            server.launch()
        for server in servers:
            server.wait(timeout)
    except BaseException:
        stop_all(servers)
        raise


def stop_all(servers: Iterable[Server]) -> None:
    """Stop servers side by side."""
    servers = list(servers)
    for server in servers:
        server.ask()
    for server in servers:
        server.stop()
