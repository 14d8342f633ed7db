"""The command `marketplace`: Django's manage.py under a short name, which finds its servers by itself."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .running import bytecode, servers
from .running.datadir import VARIABLE, CannotStartError, DataDir, chosen

# Commands that talk to no server of ours. `demo` starts a whole system, or is told where one is.
SERVERLESS = (
    *("help", "version", "openapi", "secrets", "check", "collectstatic", "makemigrations", "demo"),
    *("release", "versions", "changelog"),
)
# Commands that are a process of the system: the settings differ a little for each.
PROCESSES = ("api", "stream", "worker")
ASKS_FOR_HELP = ("-h", "--help", "--version")
REFUSED = 2
INTERRUPTED = 130  # as a shell has it: 128 and the number of SIGINT


def main() -> None:
    """Run one command; exits with 2 where its servers cannot be had, with 130 where it is interrupted."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
    argv, data = chosen(sys.argv)
    os.environ[VARIABLE] = str(data.path)
    try:
        run(argv, data)
    except CannotStartError as refusal:
        sys.stderr.write(f"{refusal}\n")
        sys.exit(REFUSED)
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(INTERRUPTED)


def run(argv: list[str], data: DataDir) -> None:
    """Run one command with the environment that it needs."""
    command = argv[1] if len(argv) > 1 else "help"
    if command in SERVERLESS or not set(ASKS_FOR_HELP).isdisjoint(argv[1:]):
        servers.placeholders(data)
        django(argv)
    elif command == "up":
        up(argv, data)
    else:
        if command in PROCESSES:
            os.environ["MARKETPLACE_PROCESS"] = command
        if bytecode.is_lost() and data.bytecode.exists():
            bytecode.keep_in(data.bytecode)
        with servers.provided(data):
            django(argv)


def django(argv: list[str]) -> None:
    """Any command but `up`."""
    from django.core.management import execute_from_command_line

    with settings_that_do(argv):
        execute_from_command_line(argv)


def up(argv: list[str], data: DataDir) -> None:
    """Run `up` past Django's dispatcher, which would read the settings before the servers have addresses."""
    servers.require_wheels(servers.missing())
    if bytecode.is_lost():
        bytecode.keep_in(data.bytecode)
    from .management.commands.up import Command  # compiled by now to where it is kept

    with settings_that_do(argv):
        Command().run_from_argv(argv)


@contextmanager
def settings_that_do(argv: list[str]) -> Iterator[None]:
    """What is wrong with settings or database is said in one line; with --traceback, all that led to it."""
    from django.core.exceptions import ImproperlyConfigured  # Django only now, for the same reason as in `up`
    from django.db import OperationalError

    try:
        yield
    except (ImproperlyConfigured, OperationalError) as error:
        if "--traceback" in argv:
            raise
        said = f"PostgreSQL: {servers.first_line(error)}" if isinstance(error, OperationalError) else str(error)
        raise CannotStartError(said) from error


if __name__ == "__main__":
    main()
