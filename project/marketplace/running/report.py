"""What `up` says while it works: lines with their time, and on a terminal a spinner."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape


@dataclass
class Report:
    """Lines on a terminal, or plain ones in a pipe."""

    console: Console = field(default_factory=lambda: Console(soft_wrap=True, highlight=False))
    began: float = field(default_factory=time.monotonic)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show what is being done, then how long it took."""
        started = time.monotonic()
        if not self.console.is_terminal:
            self.say(f"{title} …")
        with self.console.status(escape(f"{title} …")):
            yield
        self.console.print(f"[green]✓[/] {escape(title)} [dim]{time.monotonic() - started:.1f} s[/]")

    def say(self, text: str) -> None:
        """A line."""
        self.console.print(escape(text))

    def table(self, rows: Sequence[tuple[str, str]]) -> None:
        """Names and values, side by side."""
        for name, value in rows:
            self.console.print(f"  [dim]{escape(name):<9}[/]{escape(value)}")

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self.began
