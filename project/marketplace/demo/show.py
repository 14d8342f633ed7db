"""What the demo shows: colours on a terminal, plain lines where it is piped."""

from decimal import Decimal
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape

# What is worth a look in an answer, in this order.
TOLD = (
    *("status", "type", "title", "email", "role", "price", "amount", "refundedAmount", "totalAmount", "currency"),
    *("scheduledAt", "failureCode", "filename", "count"),
)


class Show:
    """Writes one line per answer, event and mail, below a heading per step."""

    def __init__(self, out: TextIO) -> None:
        self.console = Console(file=out, highlight=False, soft_wrap=True)
        self.steps = 0

    def step(self, title: str) -> None:
        self.steps += 1
        self.console.print(f"\n[bold]{self.steps:2}. {escape(title)}[/bold]")

    def answer(self, who: str, method: str, path: str, status: int, body: Any) -> None:
        colour = "green" if status < 400 else "yellow"
        told = escape(summary(body))
        self.console.print(f"    {who:<9}[{colour}]{status}[/{colour}] {method:<4} {escape(path)}  [dim]{told}[/dim]")

    def event(self, who: str, kind: str, event_id: str, title: str) -> None:
        self.console.print(f"    {who:<9}[cyan]sse[/cyan] {kind}  [dim]id {event_id} · {escape(title)}[/dim]")

    def mail(self, to: str, subject: str) -> None:
        self.console.print(f"    [magenta]mail[/magenta]     to {escape(to)}  [dim]{escape(subject)}[/dim]")

    def note(self, text: str) -> None:
        self.console.print(f"    [dim]{escape(text)}[/dim]")

    def end(self, well: bool, text: str) -> None:
        self.console.print(f"\n[bold {'green' if well else 'red'}]{escape(text)}[/]")


def summary(body: Any) -> str:
    """A few words on a JSON body."""
    if not isinstance(body, dict):
        return ""
    if "code" in body:
        return f"{body['code']}: {body['detail']}"
    if isinstance(body.get("items"), list):
        return f"{len(body['items'])} items"
    if isinstance(body.get("user"), dict):
        return summary(body["user"])
    return ", ".join(f"{name} {_text(body[name])}" for name in TOLD if body.get(name) is not None)


def _text(value: Any) -> str:
    return str(value) if isinstance(value, Decimal) else str(value)[:60]
