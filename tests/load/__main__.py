"""The command: `python -m tests.load WHAT …`. It starts the servers that it needs, and stops them again."""

import os
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit, setrlimit

import django

from marketplace.running.datadir import DataDir
from marketplace.running.servers import provided
from marketplace.running.system import System

DOCS = Path(__file__).parents[2] / "docs"
SIZES = (10_000, 100_000, 1_000_000)
SUBSCRIBERS = (2_000, 5_000)
BOOKINGS = (300_000, 3_000_000, 10_000_000)


def sizes(text: str) -> list[int]:
    """`10000,100_000`."""
    return [int(size) for size in text.split(",")]


def arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m tests.load", description=__doc__)
    what = parser.add_subparsers(dest="what", required=True)
    search = what.add_parser("search", help="lists, search and slots, at each size")
    search.add_argument("--services", type=sizes, default=SIZES, metavar="N,N…", help="10000,100000,1000000")
    search.add_argument("--rounds", type=int, default=5, help="how often each question is asked (5)")
    search.add_argument("--only", default="", metavar="TEXT", help="only the kinds of questions that are named so")
    search.set_defaults(document=DOCS / "search.md")
    caching = what.add_parser("caching", help="public reads with the caches and without")
    caching.add_argument("--services", type=int, default=SIZES[0], metavar="N", help="in the database (10000)")
    caching.add_argument("--seconds", type=float, default=3.0, help="of each measurement (3)")
    caching.set_defaults(document=DOCS / "caching.md")
    floor = what.add_parser("floor", help="the API under load, beside a bare WSGI function")
    floor.add_argument("--services", type=int, default=200_000, metavar="N", help="in the database (200000)")
    floor.add_argument("--providers", type=int, default=5_000, metavar="N", help="5000")
    floor.add_argument("--bookings", type=int, default=300_000, metavar="N", help="300000")
    floor.add_argument("--workers", type=sizes, default=(1, 2), metavar="N,N…", help="1,2")
    floor.add_argument("--connections", type=sizes, default=(16, 64), metavar="N,N…", help="16,64")
    floor.add_argument("--seconds", type=int, default=3, help="of each turn (3)")
    floor.add_argument("--rounds", type=int, default=3, help="turns of each (3)")
    floor.add_argument("--only", default="", metavar="TEXT", help="only the operations that are named so")
    floor.set_defaults(document=DOCS / "performance.md")
    stream = what.add_parser("stream", help="notifications' stream with many subscribers")
    stream.add_argument("--subscribers", type=sizes, default=SUBSCRIBERS, metavar="N,N…", help="2000,5000")
    stream.add_argument("--events", type=int, default=1000, metavar="N", help="that some of them are told (1000)")
    stream.add_argument("--rate", type=float, default=30.0, metavar="N", help="events a second (30)")
    stream.set_defaults(document=DOCS / "notifications.md")
    growth = what.add_parser("growth", help="booking, with more and more bookings there")
    growth.add_argument("--bookings", type=sizes, default=BOOKINGS, metavar="N,N…", help="300000,3000000,10000000")
    growth.add_argument("--each", type=int, default=60, help="requests of a kind in a round (60)")
    growth.add_argument("--rounds", type=int, default=5, help="of all of them (5)")
    growth.set_defaults(document=DOCS / "scaling.md")
    worker = what.add_parser("worker", help="one worker with a full queue, and an idle one")
    worker.add_argument("--facts", type=int, default=1_000, metavar="N", help="that are told by each channel (1000)")
    worker.add_argument("--alone", type=int, default=200, metavar="N", help="told one at a time (200)")
    worker.set_defaults(document=DOCS / "notifications.md")
    for command in (search, caching, floor, stream, growth, worker):
        command.add_argument("--data-dir", help="where all stays for the next time; else a temporary folder")
        command.add_argument("--write", action="store_true", help="put the table into its document")
    return parser.parse_args()


@contextmanager
def folder(given: str | None) -> Iterator[Path]:
    if given:
        yield Path(given)
    else:
        with tempfile.TemporaryDirectory(prefix="marketplace-load-") as made:
            yield Path(made)


@contextmanager
def running(asked: Namespace, data: Path) -> Iterator[None]:
    """The servers; for the stream the whole system, with as many files open as we may have."""
    if asked.what == "stream":
        hard = getrlimit(RLIMIT_NOFILE)[1]
        setrlimit(RLIMIT_NOFILE, (hard, hard))
        system: AbstractContextManager[object] = System(data, demo_data=False, env={"RATELIMIT_ENABLE": "0"})
    else:
        system = nullcontext()
    with system, provided(DataDir(data)):
        yield


def main() -> int:
    asked = arguments()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    with folder(asked.data_dir) as asked.data_dir, running(asked, asked.data_dir):
        django.setup()
        benchmark = import_module(f"tests.load.{asked.what}")  # they import models
        status: int = benchmark.run(asked)
        return status


if __name__ == "__main__":
    sys.exit(main())
