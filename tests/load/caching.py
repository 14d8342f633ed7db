"""Public reads with the caches and without: how long an answer takes, and what is asked of PostgreSQL for it.

One process asks the same again and again, one request after the other, in short turns with and without: so whatever
else the machine does meets both. Kept answers stand for anonymous callers of lists, search and one service; the rows
of categories are kept by django-cachalot.
"""

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from time import perf_counter, process_time

from cachalot.api import cachalot_disabled
from django.conf import settings
from django.core.cache import caches
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from tests.load import databases
from tests.load.app import App
from tests.load.questions import LIST
from tests.load.tables import machine, markdown, percentile, say, shown, write

from marketplace_catalog.models import Category, Service

TURNS = 10  # with and without, one after the other


@dataclass
class Figures:
    """Of one question, with the caches or without."""

    rates: list[float] = field(default_factory=list)  # requests a second, of each turn
    computing: list[float] = field(default_factory=list)  # milliseconds of this process a request, of each turn
    queries: int = 0

    @property
    def rate(self) -> float:
        return percentile(self.rates, 0.5)


def run(asked: Namespace) -> int:
    """Measure, print, and write where asked."""
    databases.use(asked.services)
    rows = [row(name, *measured(path, asked.seconds / TURNS)) for name, path in questions().items()]
    text = report(rows, asked)
    sys.stdout.write(f"{text}\n")
    if asked.write:
        write(asked.document, "caching", text)
    return 0


def questions() -> dict[str, str]:
    """The slug is one that has services; the service is an old one."""
    slug = Category.objects.exclude(parent=None).order_by("slug").values_list("slug", flat=True)[0]
    service = Service.objects.listed().order_by("created_at")[0].pk
    return {
        "the newest 20": LIST,
        "20 of a category, by price": f"{LIST}?category={slug}&sort=price",
        "a search, 20 of many": f"{LIST}?q=home+services",
        "one service": f"{LIST}/{service}",
        "the categories": f"{LIST}/categories",
    }


def measured(path: str, seconds: float) -> tuple[Figures, Figures]:
    """Without the caches and with them."""
    without, having, app = Figures(), Figures(), App()
    for _ in range(TURNS):
        for kept, figures in ((False, without), (True, having)):
            with caching(kept):
                for _ in range(2):  # what is asked for once is not kept
                    app.get(path)
                with CaptureQueriesContext(connection) as queries:
                    app.get(path)
                figures.queries = len(queries)
                take_turn(app, path, seconds, figures)
    say(f"{path} measured")
    return without, having


@contextmanager
def caching(kept: bool) -> Iterator[None]:
    """As in production, but for minutes, or not at all."""
    kit = {**settings.KIT, "PUBLIC_CACHE_SECONDS": 600 * kept}
    with override_settings(KIT=kit), nullcontext() if kept else cachalot_disabled():
        yield
    for alias in ("default", "categories"):
        caches[alias].clear()


def take_turn(app: App, path: str, seconds: float, figures: Figures) -> None:
    count, began, computed = 0, perf_counter(), process_time()
    while perf_counter() - began < seconds:
        app.get(path)
        count += 1
    figures.rates.append(count / (perf_counter() - began))
    figures.computing.append((process_time() - computed) * 1000 / count)


# --- the table ---

HEAD = ("", "without: queries", "ms", "of it computing", "requests/s", "with: queries", "ms", "requests/s", "faster")


def report(rows: Sequence[Sequence[str]], asked: Namespace) -> str:
    command = f"python -m tests.load caching --services {asked.services} --seconds {asked.seconds:g}"
    return "\n\n".join([f"`python3 -m uv run {command}`, on {machine()}.", markdown(HEAD, rows)])


def row(name: str, without: Figures, having: Figures) -> list[str]:
    return [
        name,
        *(f"{without.queries}", shown(1000 / without.rate), shown(percentile(without.computing, 0.5))),
        shown(without.rate),
        *(f"{having.queries}", shown(1000 / having.rate), shown(having.rate)),
        f"{having.rate / without.rate:.1f} x",
    ]
