"""The command `marketplace`: Django's manage.py under a short name, which finds its servers by itself."""

import os
import sys

from django.core.management import execute_from_command_line

from .running import servers
from .running.datadir import VARIABLE, CannotStartError, chosen

# Commands that talk to no server of ours. `demo` starts a whole system, or is told where one is.
SERVERLESS = ("help", "version", "openapi", "check", "collectstatic", "makemigrations", "demo")
ASKS_FOR_HELP = ("-h", "--help", "--version")
REFUSED = 2


def main() -> None:
    """Run one command; exits with 2 where its servers cannot be had."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
    argv, data = chosen(sys.argv)
    os.environ[VARIABLE] = str(data.path)
    command = argv[1] if len(argv) > 1 else "help"
    try:
        if command == "up":
            up(argv)
        elif command in SERVERLESS or not set(ASKS_FOR_HELP).isdisjoint(argv[1:]):
            servers.placeholders(data)
            execute_from_command_line(argv)
        else:
            with servers.provided(data):
                execute_from_command_line(argv)
    except CannotStartError as refusal:
        sys.stderr.write(f"{refusal}\n")
        sys.exit(REFUSED)


def up(argv: list[str]) -> None:
    """Run `up` past Django's dispatcher, which would read the settings before the servers have addresses."""
    from .management.commands.up import Command

    Command().run_from_argv(argv)


if __name__ == "__main__":
    main()
