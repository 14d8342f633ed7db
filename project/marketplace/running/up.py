"""`marketplace up`: the whole system on this machine, for as long as this process lives."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from importlib import import_module
from types import FrameType

from marketplace.environment import log_level
from marketplace_embedded import ports
from marketplace_embedded.caddy import Caddy
from marketplace_embedded.exceptions import EmbeddedError
from marketplace_embedded.server import Server, start_all
from marketplace_embedded.storage import ObjectStorage

from . import front, processes, servers, supervisor
from .datadir import VARIABLE, CannotStartError, DataDir
from .report import Report
from .supervisor import Unit, Watched

LOOK_EVERY = 0.2  # seconds
READY_WITHIN = 90.0  # seconds; a loaded machine is slow
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SIGN_INS = ("customer@example.com", "provider@example.com", "admin@example.com")
PASSWORD = "marketplace-demo"  # noqa: S105 - it is printed


class Stop(BaseException):
    """Somebody asked us to end. No Exception, so that nothing on the way swallows it."""


@dataclass
class Up:
    """One run of the system."""

    data: DataDir
    front: front.Front
    demo_data: bool
    report: Report = field(default_factory=Report)
    watched: list[Watched] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)  # of the processes of ours

    def run(self) -> None:
        """Start everything, look after it, and stop everything when SIGINT or SIGTERM comes."""
        try:
            self._start()
            self._announce()
            while True:
                self._look()
                time.sleep(LOOK_EVERY)
        finally:
            self._stop()

    @property
    def mark(self) -> dict[str, str]:
        """By which the processes of this data dir are known."""
        return {processes.MARK: str(self.data.path)}

    def _start(self) -> None:
        api, stream, metrics = ports.pick(3)
        absent = servers.missing()
        with self.report.step(", ".join(servers.VARIABLES[name] for name in absent) or "Environment"):
            self._start_servers(absent)
        self._set_environment(metrics)
        self.data.note_run(url=self.front.url, ready=False, env=self._addresses())
        with self.report.step("Migrations"):
            _migrate()
        self._start_processes(api, stream)
        if self.demo_data:
            with self.report.step("Demo data"):
                _seed()
        with self.report.step("API, stream, worker, front"):
            self._await(stream)
        self.data.note_run(url=self.front.url, ready=True, env=self._addresses())

    def _start_servers(self, absent: list[str]) -> None:
        servers.fill_secrets(self.data.secrets())
        if "S3_ENDPOINT_URL" in absent:
            os.environ.setdefault("S3_PUBLIC_ENDPOINT_URL", self.front.url)
        own = servers.own(self.data, absent)
        self.watched += map(Watched, own)
        start_all(own)
        for server in own:
            servers.fill(server.env())

    def _set_environment(self, metrics: int) -> None:
        os.environ[VARIABLE] = str(self.data.path)
        servers.fill(
            {
                "PUBLIC_URL": self.front.url,
                "EMAIL_FILE_PATH": str(self.data.mail),
                "TRUSTED_PROXIES": "127.0.0.1,::1",
                "METRICS_PORT": str(metrics),
                "METRICS_FOLDER": str(self.data.metrics),
                "DJANGO_SETTINGS_MODULE": "marketplace.settings",
            }
        )
        self.env = os.environ | self.mark
        os.environ["LOG_LEVEL"] = "WARNING"  # in this process: its lines are for a person

    def _addresses(self) -> dict[str, str]:
        """What another command needs in order to use the servers of this run, in the way that this run does."""
        names = [*servers.VARIABLES, "S3_BUCKET", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY", "S3_REGION"]
        names += ["S3_PUBLIC_ENDPOINT_URL", "PUBLIC_URL", "EMAIL_FILE_PATH", "METRICS_PORT", "METRICS_FOLDER"]
        return {name: os.environ[name] for name in names if name in os.environ}

    def _start_processes(self, api: int, stream: int) -> None:
        caddy = Caddy(
            self.data.path / "caddy",
            front.CADDYFILE,
            port=self.front.port,
            variables=front.variables(self.front, api, stream, own_storage=self._has_storage()) | self.mark,
        )
        caddy.log = self.data.logs / "caddy.log"
        units: list[Unit] = [caddy, *processes.web(self.data, self.env, api, stream)]
        for unit in units:
            self.watched.append(Watched(unit))
            unit.launch()
        caddy.wait()

    def _has_storage(self) -> bool:
        return any(isinstance(one.unit, ObjectStorage) for one in self.watched)

    def _await(self, stream: int) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while not (_answers(self.front, "/api/health/live") and _accepts(stream)):
            self._look()
            if time.monotonic() > deadline:
                raise CannotStartError(f"The system does not respond; its logs are in {self.data.logs}.")
            time.sleep(LOOK_EVERY / 2)

    def _announce(self) -> None:
        url = self.front.url
        self.report.say(f"\nmarketplace is up after {self.report.seconds:.1f} s. Ctrl-C ends it.\n")
        rows = [("Page", f"{url}/"), ("API", f"{url}/api/v1"), ("Docs", f"{url}/api/docs"), ("Admin", f"{url}/admin/")]
        rows += [("Stream", f"{url}/api/v1/notifications/stream"), ("Mail", str(self.data.mail))]
        rows += [("Metrics", f"http://127.0.0.1:{os.environ['METRICS_PORT']}/metrics")]
        rows += [("Logs", str(self.data.logs)), ("Secrets", str(self.data.path / "env"))]
        if self.demo_data:
            rows += [("Sign in", f"{' · '.join(SIGN_INS)}, password {PASSWORD}")]
        self.report.table(rows)

    def _look(self) -> None:
        for one in self.watched:
            one.look(self.report.say)

    def _stop(self) -> None:
        """The processes first: they still need the servers."""
        _ignore_signals()
        units = [one.unit for one in self.watched]
        ours = [unit for unit in units if isinstance(unit, Server) and not isinstance(unit, Caddy)]
        if units:
            with self.report.step("Stopping"):
                supervisor.stop_all(unit for unit in units if unit not in ours)
                supervisor.stop_all(ours)
        self.data.forget_run()


def run(data: DataDir, *, host: str, port: int, demo_data: bool) -> None:
    """Run the system until SIGINT or SIGTERM; raises CannotStartError where it cannot start."""
    log_level()  # that of our processes, looked at here: this one is given another
    try:
        with _stopping_on_signals(), data.locked():
            processes.end_leftovers(data)
            at = front.Front.at(host, port)
            front.refuse_taken_metrics()
            processes.rotate(data.logs)
            data.forget_metrics()
            Up(data, at, demo_data).run()
    except EmbeddedError as error:
        raise CannotStartError(str(error)) from error
    except Stop:
        return


@contextmanager
def _stopping_on_signals() -> Iterator[None]:
    """Raise Stop at the first signal and take no notice of further ones: what is being stopped is stopped."""

    def stop(number: int, frame: FrameType | None) -> None:
        _ignore_signals()
        raise Stop

    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        if number != signal.SIGHUP or before[number] != signal.SIG_IGN:  # nohup means it
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _migrate() -> None:
    import django  # not above: the settings read the environment, which is complete only now
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connections

    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    import_module(settings.ROOT_URLCONF)  # compiles it once for all the processes to come
    connections.close_all()


def _seed() -> None:
    from django.db import connections

    from marketplace.seeding import seed_demo

    seed_demo()
    connections.close_all()


def _answers(front: front.Front, path: str) -> bool:
    connection = HTTPConnection(front.addresses[0], front.port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
