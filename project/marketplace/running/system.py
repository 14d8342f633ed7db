"""A whole system for a while: what `marketplace up` runs, for the demo, tests and benchmarks."""

import atexit
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from marketplace_embedded.account import Account
from marketplace_embedded.process import Child, tail, until

from . import bytecode
from .datadir import SECRETS, VARIABLE, CannotStartError, DataDir
from .servers import VARIABLES

START_TIMEOUT = 180.0  # seconds; a loaded machine is slow
# Of our own environment: where its servers, addresses and settings are is the system's own affair.
NOT_PASSED_ON = (
    *VARIABLES,
    *SECRETS,
    VARIABLE,
    "S3_BUCKET",
    "S3_REGION",
    "S3_PUBLIC_ENDPOINT_URL",
    "S3_PUBLIC_BASE_URL",
    "PUBLIC_URL",
    "EMAIL_URL",
    "EMAIL_FILE_PATH",
    "METRICS_PORT",
    "METRICS_FOLDER",
    "MARKETPLACE_PROCESS",
    "DJANGO_SETTINGS_MODULE",
)


@cache
def _shared_bytecode() -> str:
    """A folder for all the systems of this process: each data dir's own would be empty."""
    folder = tempfile.TemporaryDirectory(prefix="marketplace-bytecode-", ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)
    return folder.name


def environment() -> dict[str, str]:
    """Our environment for a `marketplace` that is to find, or start, servers of its own."""
    env = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
    if bytecode.is_lost():
        env.pop(bytecode.FORBIDDEN, None)
        env[bytecode.PREFIX] = _shared_bytecode()
    return env


class System:
    """`marketplace up` in a process of its own; use it in a `with`, or call `start` and `close`.

    Without a data dir it gets a temporary one, which `close` removes. `env` is added to its environment; as root,
    `account` is whom it runs as.
    """

    def __init__(
        self,
        data_dir: Path | str | None = None,
        *,
        port: int = 0,
        demo_data: bool = True,
        env: Mapping[str, str] | None = None,
        account: Account | None = None,
    ) -> None:
        self._temporary = data_dir is None
        self.data_dir = Path(data_dir or tempfile.mkdtemp(prefix="marketplace-"))
        self.port = port
        self.demo_data = demo_data
        self.env = dict(env or {})
        self.account = account
        self.log = self.data_dir / "up.log"
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def servers(self) -> dict[str, str]:
        """The environment variables that name its servers; empty while it does not run."""
        run = DataDir(self.data_dir).run()
        return dict(run["env"]) if run else {}

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._child is not None and self._child.alive

    @property
    def pid(self) -> int | None:
        """The process id of `up` while it runs."""
        return self._child.pid if self._child else None

    def start(self) -> None:
        """Start it, at the address that it had before, and wait until it is ready; raises CannotStartError."""
        command = [sys.executable, "-P", "-m", "marketplace.cli", "up", "--port", str(self.port)]
        command += ["--data-dir", str(self.data_dir), *([] if self.demo_data else ["--no-demo"])]
        env = environment() | self.env
        stops = ((signal.SIGTERM, 60.0),)
        self.data_dir.mkdir(0o700, parents=True, exist_ok=True)
        self._child = Child(command, self.log, env, account=self.account, stops=stops)
        self._child.start()
        until(lambda: self._ready() or not self.alive, START_TIMEOUT)
        if not self._ready():
            self.stop()
            raise CannotStartError(tail(self.log, 20))
        self.port = urlsplit((DataDir(self.data_dir).run() or {})["url"]).port or 0

    def _ready(self) -> bool:
        run = DataDir(self.data_dir).run()
        return run is not None and run["pid"] == self.pid and run["ready"]

    def stop(self) -> int | None:
        """End it as SIGTERM does; the data dir stays. Returns its exit status."""
        if self._child is None:
            return None
        status = self._child.stop()
        self._child = None
        return status

    def kill(self) -> None:
        """End it as `kill -9` does; the data dir stays, and `start` works on what is left."""
        if self._child and self._child.pid:
            os.kill(self._child.pid, signal.SIGKILL)
            self.stop()

    def close(self) -> None:
        """Stop it, and remove its data dir if that was a temporary one."""
        self.stop()
        if self._temporary:
            shutil.rmtree(self.data_dir, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
