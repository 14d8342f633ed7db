"""How far it is: a bar on a terminal, plain lines where it is piped."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Protocol

from django.core.management.base import OutputWrapper
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LINES = 10  # of each kind


class Shows(Protocol):
    def __call__(self, name: str, size: int, done: Iterable[int]) -> None:
        """Go through `done`, how many of `size` there are after each part."""
        ...


@contextmanager
def shown(out: OutputWrapper) -> Iterator[Shows]:
    if out.isatty():
        with bars(Console()) as show:
            yield show
    else:
        yield Lines(out)


@contextmanager
def bars(console: Console) -> Iterator[Shows]:
    """One bar a kind, on a terminal."""
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
    )
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:

        def show(name: str, size: int, done: Iterable[int]) -> None:
            task, pace = progress.add_task(name, total=size, rate=""), Pace()
            for count in done:
                progress.update(task, completed=count, rate=pace(count))

        yield show


class Lines:
    """A line at the start, at each tenth and at the end."""

    def __init__(self, out: OutputWrapper) -> None:
        self.out = out

    def __call__(self, name: str, size: int, done: Iterable[int]) -> None:
        pace, told = Pace(), -1
        for count in done:
            rate = pace(count)
            tenth = count * LINES // size if size else LINES
            if tenth > told:
                self.out.write(f"{name:<10} {count:>11,} of {size:,} {rate}".rstrip() + "\n")
                self.out.flush()
                told = tenth


class Pace:
    """So many a second, since the first count: what was there before costs no time."""

    def __init__(self) -> None:
        self.first: tuple[float, int] | None = None

    def __call__(self, count: int) -> str:
        if self.first is None:
            self.first = monotonic(), count
        began, there = self.first
        return f"{(count - there) / max(monotonic() - began, 1e-3):,.0f}/s" if count > there else ""
