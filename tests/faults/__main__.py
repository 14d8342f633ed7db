"""The command: `python -m tests.faults --minutes 10`. It starts a system of its own, and stops it again."""

import os
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from secrets import randbelow
from time import monotonic

import django

from marketplace.running.datadir import DataDir
from marketplace.running.servers import provided
from marketplace.running.system import System

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
QUIET = 0.4  # of the time: without blows, to see what memory does


def arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="of use; a part of them without blows (10)")
    parser.add_argument("--seed", type=int, default=None, help="of all chance; printed, so that it can be given again")
    parser.add_argument("--customers", type=int, default=8, help="(8)")
    parser.add_argument("--providers", type=int, default=3, help="(3)")
    parser.add_argument("--data-dir", help="where all of it stays, logs too; else a temporary folder")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/reliability.md")
    asked = parser.parse_args()
    asked.seed = randbelow(10_000) if asked.seed is None else asked.seed
    return asked


def main() -> int:
    asked = arguments()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    from tests.faults.soak import ENV

    with System(asked.data_dir, demo_data=False, env=ENV) as system, provided(DataDir(system.data_dir)):
        django.setup()
        return run(asked, system)


def run(asked: Namespace, system: System) -> int:
    """Play, audit, print, and write where asked. How much is wrong."""
    from tests.faults.report import report
    from tests.faults.saboteur import on_and_on
    from tests.faults.soak import Soak
    from tests.load.tables import machine, say, write

    say(f"seed {asked.seed}; logs in {system.data_dir / 'logs'}")
    seconds, began = asked.minutes * 60, monotonic()
    soak = Soak(system, asked.seed, say)
    soak.gather(asked.providers, asked.customers)
    soak.play(on_and_on(asked.seed), seconds * (1 - QUIET), seconds * QUIET)
    found, counted = soak.audit()
    say(f"{monotonic() - began:.0f} s in all")
    command = f"python3 -m uv run python -m tests.faults --minutes {asked.minutes:g} --seed {asked.seed}"
    text = report(soak, found, counted, f"`{command}`, on {machine()}.")
    say("\n".join([text, *found]))
    if asked.write:
        write(DOCUMENT, "faults", text, command="tests.faults")
    return len(found)


if __name__ == "__main__":
    sys.exit(min(1, main()))
