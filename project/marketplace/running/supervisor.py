"""Looks after processes: starts again whichever dies, more slowly the more often it does."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from marketplace_embedded.exceptions import EmbeddedError
from marketplace_embedded.process import tail

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 10.0  # seconds
WELL_AFTER = 30.0  # seconds; who lived that long has recovered
KEEPS_DYING = 3


class Unit(Protocol):
    """A server or a process of ours."""

    @property
    def name(self) -> str: ...
    @property
    def log(self) -> Path: ...
    @property
    def alive(self) -> bool: ...
    def launch(self) -> None: ...
    def ask(self) -> None: ...
    def stop(self) -> None: ...


@dataclass
class Watched:
    """A unit, and how it fares."""

    unit: Unit
    since: float = field(default_factory=time.monotonic)
    deaths: int = 0
    due: float | None = None  # when to start it again

    def look(self, say: Callable[[str], None]) -> None:
        """Note that it died, or start it again when its pause is over."""
        now = time.monotonic()
        if self.unit.alive:
            return
        if self.due is None:
            self._died(now, say)
        elif now >= self.due:
            self._start_again(now, say)

    def _died(self, now: float, say: Callable[[str], None]) -> None:
        if now - self.since > WELL_AFTER:
            self.deaths = 0
        self.deaths += 1
        self.due = now + min(FIRST_PAUSE * 2 ** (self.deaths - 1), LONGEST_PAUSE)
        say(f"{self.unit.name} ended by itself and is started again")
        if self.deaths >= KEEPS_DYING:
            say(f"{self.unit.name} keeps ending; the end of {self.unit.log}:\n{tail(self.unit.log, 10)}")

    def _start_again(self, now: float, say: Callable[[str], None]) -> None:
        self.due, self.since = None, now
        try:
            self.unit.stop()  # its children, its lock
            self.unit.launch()
        except EmbeddedError as error:
            say(str(error))


def stop_all(units: Iterable[Unit]) -> None:
    """Ask all to end at once, then wait for each."""
    units = list(units)
    for unit in units:
        unit.ask()
    for unit in units:
        unit.stop()
