"""The pytest plugin: the servers that a suite's ini option `embedded_servers` names, once per run.

A server that the environment names already is used as it is: somebody else's, or that of an outer run.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from .exceptions import EmbeddedError
from .postgres import Postgres
from .server import Server, start_all, stop_all
from .storage import ObjectStorage
from .valkey import Valkey

PREFIX = "embedded-servers-"

# In the order in which they are started: initdb blocks, so the others come up meanwhile.
SERVERS: dict[str, tuple[str, Callable[[Path], Server]]] = {
    "storage": ("S3_ENDPOINT_URL", ObjectStorage),
    "valkey": ("CACHE_URL", Valkey),
    "postgres": ("DATABASE_URL", lambda folder: Postgres(folder, fast=True)),
}
# Settings can be read without a server where no test is run.
NOWHERE = {
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
    "CACHE_URL": "redis://127.0.0.1:1/0",
    "S3_ENDPOINT_URL": "http://127.0.0.1:1",
    "S3_BUCKET": "nothing",
    "S3_ACCESS_KEY_ID": "nobody",
    "S3_SECRET_ACCESS_KEY": "nothing",
    "S3_REGION": "nowhere",
}
IDLE = ("help", "version", "collectonly", "markers", "showfixtures", "show_fixtures_per_test", "cacheshow")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini option."""
    names = ", ".join(SERVERS)
    parser.addini("embedded_servers", f"the servers that this suite needs, of {names}", type="args", default=[])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Before pytest-django reads the settings, which read the environment."""
    wanted = _wanted(early_config.getini("embedded_servers"))
    if wanted and _runs_nothing(early_config):
        os.environ.update({name: value for name, value in NOWHERE.items() if name not in os.environ})
    elif wanted:
        _start(early_config, wanted)
    return (yield)


def _wanted(names: list[str]) -> list[str]:
    unknown = set(names) - set(SERVERS)
    if unknown:
        raise pytest.UsageError(f"embedded_servers: no {', '.join(sorted(unknown))}; there are {', '.join(SERVERS)}")
    return [name for name, (variable, _) in SERVERS.items() if name in names and not os.environ.get(variable)]


def _runs_nothing(config: pytest.Config) -> bool:
    return any(getattr(config.known_args_namespace, name, False) for name in IDLE)


def _start(config: pytest.Config, names: list[str]) -> None:
    folder = _make_folder(config)
    servers = [SERVERS[name][1](folder / name) for name in names]
    config.add_cleanup(lambda: stop_all(servers))
    try:
        start_all(servers)
    except EmbeddedError as error:
        raise pytest.UsageError(str(error)) from error
    for server in servers:
        _set_environment(config, server.env())


def _set_environment(config: pytest.Config, values: dict[str, str]) -> None:
    def restore() -> None:
        for name in values:
            os.environ.pop(name, None)
        os.environ.update(before)

    before = {name: os.environ[name] for name in values if name in os.environ}
    os.environ.update(values)
    config.add_cleanup(restore)


def _make_folder(config: pytest.Config) -> Path:
    """A temporary folder, removed at the end; those of runs that were killed are removed now."""
    _sweep()
    new = Path(tempfile.mkdtemp(prefix="new-"))
    new.chmod(0o711)  # PostgreSQL may run as another user
    lock = (new / "run").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    folder = new.rename(new.with_name(PREFIX + new.name.removeprefix("new-")))
    config.add_cleanup(lock.close)
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    return folder


def _sweep() -> None:
    for lock in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/run"):
        if os.access(lock, os.W_OK) and lock.stat().st_uid == os.geteuid():
            with lock.open("w") as file:
                _remove_if_free(lock.parent, file.fileno())


def _remove_if_free(folder: Path, lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    ObjectStorage(folder / "storage").tidy()
    shutil.rmtree(folder, ignore_errors=True)
