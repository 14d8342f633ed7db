"""Where the servers come from: the environment, else those that `up` runs in the data dir, else our own."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from .datadir import CannotStartError, DataDir, webhook_secret

if TYPE_CHECKING:
    from marketplace_embedded.server import Server

VARIABLES = {"DATABASE_URL": "PostgreSQL", "CACHE_URL": "Valkey", "S3_ENDPOINT_URL": "S3 storage"}

# What lets the settings load for commands that talk to no server.
NOWHERE = {
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
    "CACHE_URL": "redis://127.0.0.1:1/0",
    "S3_ENDPOINT_URL": "http://127.0.0.1:1",
    "S3_ACCESS_KEY_ID": "nobody",
    "S3_SECRET_ACCESS_KEY": "nothing",
}


def missing() -> list[str]:
    """The servers that the environment does not name."""
    return [variable for variable in VARIABLES if not os.environ.get(variable)]


def fill(values: Mapping[str, str]) -> None:
    """Set environment variables that are not set."""
    for name, value in values.items():
        if not os.environ.get(name):
            os.environ[name] = value


def fill_secrets(values: Mapping[str, str]) -> None:
    """Set the secrets that are not set. The keys of our own storage are nothing to another one."""
    ours = not os.environ.get("S3_ENDPOINT_URL")
    fill({name: value for name, value in values.items() if ours or not name.startswith("S3_")})


def require_wheels(variables: list[str]) -> None:
    """Raise CannotStartError where the package that could start these servers is not installed."""
    if find_spec("marketplace_embedded") is None:
        names = [f"{VARIABLES[variable]} ({variable})" for variable in variables] or ["front"]
        raise CannotStartError(
            f"The environment names no {', no '.join(names)}, and marketplace-embedded, which starts one, is missing."
        )


def own(data: DataDir, variables: list[str]) -> "list[Server]":
    """Servers from wheels for those that are missing, not started yet. The secrets must be in the environment."""
    from marketplace_embedded.postgres import Postgres  # not part of a production image
    from marketplace_embedded.storage import ObjectStorage
    from marketplace_embedded.valkey import Valkey

    def storage() -> "Server":
        keys = os.environ["S3_ACCESS_KEY_ID"], os.environ["S3_SECRET_ACCESS_KEY"]
        return ObjectStorage(data.path / "storage", bucket=os.environ.get("S3_BUCKET") or "marketplace", keys=keys)

    # initdb blocks, so PostgreSQL comes last: the others come up meanwhile.
    makers: dict[str, Callable[[], Server]] = {
        "S3_ENDPOINT_URL": storage,
        "CACHE_URL": lambda: Valkey(data.path / "valkey"),
        "DATABASE_URL": lambda: Postgres(data.path / "postgres"),
    }
    made = [make() for variable, make in makers.items() if variable in variables]
    for server in made:
        server.log = data.logs / f"{server.name}.log"
    return made


@contextmanager
def provided(data: DataDir) -> Iterator[None]:
    """The environment of a command that needs servers, for as long as it runs."""
    fill_secrets(data.known_secrets())
    absent = missing()
    if not absent:
        yield
        return
    if run := data.run():
        fill(run["env"])
        yield
        return
    with started(data, absent):
        yield


@contextmanager
def started(data: DataDir, absent: list[str]) -> Iterator[None]:
    """Our own servers, their addresses in the environment."""
    require_wheels(absent)
    from marketplace_embedded.exceptions import EmbeddedError  # not part of a production image
    from marketplace_embedded.server import start_all, stop_all

    with data.locked():
        fill_secrets(data.secrets())
        servers = own(data, absent)
        try:
            start_all(servers)
            for server in servers:
                fill(server.env())
            fill({"EMAIL_FILE_PATH": str(data.mail)})
            yield
        except EmbeddedError as error:
            raise CannotStartError(str(error)) from error
        finally:
            stop_all(servers)


def first_line(error: BaseException) -> str:
    """What PostgreSQL or its driver says, without where it was said."""
    return str(error).strip().partition("\n")[0]


def placeholders(data: DataDir) -> None:
    """The environment of a command that needs no server: whatever is known, else values that lead nowhere."""
    fill_secrets(data.known_secrets())
    fill((data.run() or {}).get("env", {}))
    # As long and as random as real ones, so that `check --deploy` speaks of what it was asked about.
    made = {name: webhook_secret() for name in ("SECRET_KEY", "JWT_SIGNING_KEY", "MOCK_GATEWAY_WEBHOOK_SECRET")}
    fill(NOWHERE | made)
